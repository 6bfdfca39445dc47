"""Text that shows what it is: no control character, no turned direction, nothing invisible, in any form of report."""

from __future__ import annotations

import re
from typing import Any

_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text with ``⟨U+202E⟩`` in place of what cannot be seen, or turns what follows; line ends and tabs stay."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text.replace("\r\n", "\n"))


def all_visible(value: Any) -> Any:
    """The same for everything in a value, keys too."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): all_visible(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [all_visible(inner) for inner in value]
    return value


def one_line(text: str, most: int = 0) -> str:
    """A text on one line; cut where ``most`` is given."""
    line = " ".join(text.split())
    return line if not most or len(line) <= most else f"{line[: most - 1]}…"
