"""How numbers, times and absent things are written, the same in every view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rollout.signals import figures
from rollout.signals.kinds import SIGNAL_KINDS, SignalKind

ABSENT = "-"


def or_absent(value: Any) -> str:
    """The text of a value, or a dash where there is none."""
    return ABSENT if value is None or value == "" else str(value)


def percent(value: float | None) -> str:
    """Percent of requests: whole numbers bare, others with one decimal."""
    if value is None:
        return ABSENT
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"  # noqa: PLR2004 - one decimal


def rate(value: float | None) -> str:
    """A share of requests, 0 to 1, in percent with digits where they matter."""
    return ABSENT if value is None else figures.share(value)


def measured(value: float | None, kind: object) -> str:
    """What an arm did, as signals of this kind are read; bare where the kind is not known."""
    if value is None or kind not in tuple(SIGNAL_KINDS):  # a newer engine may have written it
        return number(value)
    return SIGNAL_KINDS[SignalKind(str(kind))].written(value)


def number(value: float | None) -> str:
    """Four significant digits."""
    return ABSENT if value is None else figures.number(value)


def ratio(low: float | None, high: float | None) -> str:
    """A confidence interval for canary over stable: its ends are known to a quarter, so they have two digits."""
    if low is None:
        return ABSENT
    return f"{figures.rough(low)}..{'∞' if high is None else figures.rough(high)}"


def clipped(text: str, length: int = 200) -> str:
    """At most `length` characters: what Kubernetes has to say about an image is a page long."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def clock(at: float) -> str:
    """Time of day in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
