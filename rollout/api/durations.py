"""Durations as people write them (``250ms``, ``30s``, ``5m``, ``1h30m``) and as the code counts them: seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"(\.[0-9]{1,9})?"
PATTERN = (
    rf"^([0-9]{{1,9}}{_NUMBER}ms|[0-9]{{1,8}}{_NUMBER}s|[0-9]{{1,7}}{_NUMBER}m|[0-9]{{1,5}}{_NUMBER}h|"
    rf"[0-9]{{1,3}}{_NUMBER}d){{1,5}}$"
)
"""Bounded, so that no duration is longer than clocks can count: some hundred years in all."""

LONGEST_DURATION = 128
"""Characters, where a rule reads one."""

LONGEST_SECONDS = 5 * 99_999 * 3600.0


def seconds_of(value: Any) -> float:
    """Seconds of a duration.

    Raises:
        ValueError: it is not one.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= LONGEST_SECONDS:
            raise ValueError(f"is no duration in seconds; write one from 0 to {LONGEST_SECONDS:.0f}")
        return _whole_milliseconds(float(value))
    text = str(value).strip()
    if not re.fullmatch(PATTERN[1:-1], text):
        raise ValueError("is no duration; write it like 250ms, 30s, 5m or 1h30m")
    return _whole_milliseconds(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def _whole_milliseconds(seconds: float) -> float:
    """As it can be written again; what would be written as nothing is no duration."""
    if 0 < seconds < _SECONDS["ms"]:
        raise ValueError("is less than a millisecond; write 1ms or more, or 0s")
    return round(seconds * 1000) / 1000


def duration_of(seconds: float) -> str:
    """The shortest exact way to write a duration.

    >>> duration_of(90.0), duration_of(0.25), duration_of(3600)
    ('1m30s', '250ms', '1h')
    """
    whole = round(seconds * 1000)
    parts: list[str] = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def about(seconds: float) -> str:
    """A duration at the precision people want: tenths below ten seconds, seconds below an hour, minutes above."""
    seconds = max(0.0, seconds)
    if seconds < 10:  # noqa: PLR2004
        return duration_of(round(seconds, 1))
    return duration_of(round(seconds) if seconds < _SECONDS["h"] else round(seconds / 60) * 60)


Seconds = Annotated[
    float,
    BeforeValidator(seconds_of),
    PlainSerializer(duration_of, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
"""Seconds in the code, a duration string in YAML."""
