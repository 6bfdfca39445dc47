"""Text in Markdown that stays text: no tag, table, fence, mention or link can come of what an object holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from terminal.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECIAL = {ord(char): f"&#{ord(char)};" for char in "\\`*_{}[]<>#|~&$!"}
_BREAK = "&#8203;"
_LINKS = re.compile(r"(?i)\b(www)(?=\.)|(?<=[a-z])(:)(?=//)|(@)|(&#35;)(?=\d)|\b(gh)(?=-\d)")
_TICKS = re.compile(r"`{3,}|~{3,}")
_QUOTED = re.compile(r"`([^`]+)`")


def quoted(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a sentence: (whether it stands in backticks, the text)."""
    for place, part in enumerate(_QUOTED.split(text)):
        if part:
            yield place % 2 == 1, part


def safe(text: str, most: int = 0) -> str:
    """Plain words on one line: special characters as entities, mentions and links broken by nothing visible."""
    return _broken(one_line(text, most))


def _broken(text: str) -> str:
    return _LINKS.sub(lambda found: f"{found.group()}{_BREAK}", text.translate(_SPECIAL))


def code(text: str, most: int = 0) -> str:
    """Text as it is, to be copied; no host looks for mentions in it."""
    return f"<code>{one_line(text, most).translate(_SPECIAL)}</code>"


def prose(text: str, most: int = 0) -> str:
    """A sentence of ours; what stands in backticks is code."""
    return "".join(code(part) if is_code else _broken(part) for is_code, part in quoted(one_line(text, most)))


def fenced(text: str, form: str) -> str:
    """A block whose fence is longer than every one in it."""
    longest = max((len(found.group()) for found in _TICKS.finditer(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{form}\n{text}\n{fence}"
