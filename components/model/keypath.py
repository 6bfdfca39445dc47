"""Key paths as messages and Pulumi write them: ``grayling:environment.images["docker.io/"].tags[0]``."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

Part: TypeAlias = "str | int"

_SIMPLE = re.compile(r"[^\s.\[\]\"']+")


def keypath(*parts: Part) -> str:
    """The path of a value in a stack file; ``config`` goes without saying."""
    below = parts[1:] if len(parts) > 1 and parts[0] == "config" else parts
    text = ""
    for part in below:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE.fullmatch(part):
            text += f".{part}" if text else part
        else:
            quoted = json.dumps(part, ensure_ascii=False)
            text += f"[{quoted}]" if text else quoted
    return text


def after(path: str, part: Part) -> str | None:
    """What of ``path`` is left behind its first part, where that is ``part``; None where it is another one."""
    written = json.dumps(part, ensure_ascii=False)
    for form in (f".[{written}]", f"[{written}]", f".{written}", written, f".{part}", str(part)):
        if path.startswith(form) and (len(path) == len(form) or path[len(form)] in ".["):
            return path[len(form) :]
    return None


def within(path: str, whole: str) -> bool:
    """Whether the value at ``path`` is that at ``whole``, or stands in it; everything is within no path."""
    return not whole or path == whole or path.startswith((f"{whole}.", f"{whole}["))
