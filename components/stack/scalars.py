"""Plain YAML scalars as the Pulumi CLI takes them (Go's yaml.v3), which is neither YAML 1.1 nor quite 1.2.

``yes``, ``on`` and ``1:30`` are text; ``0123`` and ``0o17`` are octal; ``1_000`` is a thousand.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "null", "bool", "int", "float", "date", "endless"]

_WORDS: dict[str, tuple[Kind, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), ("null", None)),
    **dict.fromkeys(("true", "True", "TRUE"), ("bool", True)),
    **dict.fromkeys(("false", "False", "FALSE"), ("bool", False)),
}
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?)?",
    re.ASCII,
)
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
_BASES = {"x": 16, "o": 8, "b": 2}
_INT = re.compile(r"([-+]?)(?:0([xXoObB]))?([0-9a-fA-F]+)")
_SIGN_INSIDE = re.compile(r"0([bo])([-+])")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
_LONGEST = 400
_OLD_BOOLEANS = {"yes", "no", "on", "off"}


def resolved(text: str) -> tuple[Kind, Any]:
    """What a plain scalar is, and its value; the text itself where it is text or no JSON value."""
    if text in _WORDS:
        return _WORDS[text]
    if _ENDLESS.fullmatch(text):
        return "endless", text
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST:
        return "text", text
    if _DATE.fullmatch(text):
        return "date", text
    plain = _BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", "")
    whole = _whole(plain)
    if whole is not None:
        return "int", whole
    if _FLOAT.fullmatch(plain) and math.isfinite(float(plain)):
        return "float", float(plain)
    return "text", text


def means_another(text: str) -> bool:
    """Whether readers of YAML 1.1 take this text for true or false."""
    return text.lower() in _OLD_BOOLEANS


def _whole(plain: str) -> int | None:
    found = _INT.fullmatch(_SIGN_INSIDE.sub(r"\g<2>0\1", plain, count=1) if plain[0] == "0" else plain)
    if found is None:
        return None
    sign, letter, digits = found.groups()
    base = _BASES[letter.lower()] if letter else 8 if digits.startswith("0") else 10
    try:
        value = int(f"{sign}{digits}", base)
    except ValueError:
        return None
    fits = _LEAST <= value <= (_MOST if sign else _MOST_UNSIGNED)
    return value if fits else None
