"""An image before an edit and after it, and the file around it."""

from __future__ import annotations

OLD, NEW = "r.example.com/a:1.0", "r.example.com/a:2.0"
HEAD = "config:\n  grayling:services:\n"
