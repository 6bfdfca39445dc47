"""How figures are written, the same in every view: by what they are, never by how large they are."""

from __future__ import annotations


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.4g}"


def share(value: float) -> str:
    """A share of requests, 0 to 1, in percent with digits where they matter."""
    return f"{value:.2%}" if value < 0.1 else f"{value:.0%}"  # noqa: PLR2004 - two digits are enough above
