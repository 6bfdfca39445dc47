"""The picture of a release: its share of the traffic over time, as numbers that a template draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.api.durations import about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.reports.words import Stage

WIDTH, HEIGHT = 720, 150
LEFT, RIGHT, TOP, FLOOR = 8, 8, 30, 118
_NARROWEST = 64
"""A stage is never drawn narrower: its words must find room."""
_LOWEST = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage as it is drawn, in units of the picture."""

    x: float
    y: float
    width: float
    height: float
    share: str
    name: str
    begins: str
    gate: str
    bakes: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """The bars, the end, and the whole in words for those who do not see it."""

    bars: tuple[Bar, ...]
    ends: str
    words: str


def timeline_of(stages: Sequence[Stage]) -> Timeline | None:
    """The picture; None where there is nothing to draw."""
    if not stages:
        return None
    widths = _widths([stage.lasts for stage in stages])
    bars, x = [], float(LEFT)
    for stage, width in zip(stages, widths, strict=True):
        bars.append(_bar(stage, x, width))
        x += width
    told = "; ".join(f"{each.name} {each.weight} % for {each.hold} from {about(each.starts)} on" for each in stages)
    return Timeline(tuple(bars), about(stages[-1].starts + stages[-1].lasts), told)


def _bar(stage: Stage, x: float, width: float) -> Bar:
    height = max(_LOWEST, (FLOOR - TOP) * stage.weight / 100)
    return Bar(
        x=round(x, 1),
        y=round(FLOOR - height, 1),
        width=round(width - 2, 1),
        height=round(height, 1),
        share=f"{stage.weight} %",
        name=stage.name,
        begins=f"+{about(stage.starts)}",
        gate=stage.gate,
        bakes=stage.name == "bake",
    )


def _widths(seconds: Sequence[float]) -> list[float]:
    """As long as they last, but for those too short to be labelled."""
    whole = WIDTH - LEFT - RIGHT
    least = min(_NARROWEST, whole / len(seconds))
    rest, length = whole - least * len(seconds), sum(seconds)
    return [least + (rest * each / length if length else rest / len(seconds)) for each in seconds]
