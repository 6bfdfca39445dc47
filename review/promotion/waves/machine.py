"""What comes next: pure, so that every way a command can be killed or stopped is tried without a cluster.

A wave begins when the one before is over, and is over when each of its targets has baked, the wave's own time has
passed, and everything still serves what was applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from review.promotion.waves.state import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.promotion.waves.state import Halt, Seen, State, TargetState, WaveState


class Place(NamedTuple):
    """A target by its place, from 0."""

    wave: int
    target: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply one target; those of its wave that were applied before must not have ended badly."""

    place: Place


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the releases of these targets have ended."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Bake:
    """Wait until then, then look whether the wave still serves what was applied."""

    wave: int
    until: float


@dataclass(frozen=True, slots=True)
class Done:
    """Every wave is over."""


Step: TypeAlias = "Apply | Await | Bake | Done"


def next_step(state: State, now: float) -> Step:
    """The one thing to do next; ``now`` begins the time of a wave whose targets have all baked."""
    for index, wave in enumerate(state.waves):
        if not wave.over:
            return _within(index, wave, now)
    return Done()


def _within(index: int, wave: WaveState, now: float) -> Step:
    by_stage = {stage: places for stage in Stage if (places := _at(index, wave, stage))}
    for stage in (Stage.APPLYING, Stage.PENDING):
        if stage in by_stage:
            return Apply(by_stage[stage][0])
    if Stage.RELEASING in by_stage:
        return Await(tuple(by_stage[Stage.RELEASING]))
    since = now if wave.baked_since is None else wave.baked_since
    return Bake(index, since + wave.bake)


def _at(index: int, wave: WaveState, stage: Stage) -> list[Place]:
    return [Place(index, number) for number, target in enumerate(wave.targets) if target.stage is stage]


def target_at(state: State, place: Place) -> TargetState:
    """The target there."""
    return state.waves[place.wave].targets[place.target]


def released_before(state: State, place: Place) -> list[Place]:
    """Targets of the same wave whose releases were started."""
    wave = state.waves[place.wave]
    return [*_at(place.wave, wave, Stage.RELEASING), *_at(place.wave, wave, Stage.BAKED)]


def applying(state: State, place: Place) -> State:
    """The intent, before anything is written there."""
    return _with_target(state, place, stage=Stage.APPLYING)


def applied(state: State, place: Place, releases: Sequence[Seen]) -> State:
    """The apply is over; its releases go on by themselves."""
    return _with_target(state, place, stage=Stage.RELEASING, releases=list(releases))


def baked(state: State, place: Place, now: float) -> State:
    """The releases of one target were promoted and have baked; the last one begins the wave's own time."""
    state = _with_target(state, place, stage=Stage.BAKED)
    wave = state.waves[place.wave]
    if all(each.stage is Stage.BAKED for each in wave.targets) and wave.baked_since is None:
        return _with_wave(state, place.wave, baked_since=now)
    return state


def over(state: State, wave: int) -> State:
    """The wave has baked, and the next one may begin."""
    return _with_wave(state, wave, over=True)


def halted(state: State, halt: Halt | None) -> State:
    """Nothing goes on, and why; or it does again."""
    return state.model_copy(update={"halted": halt})


def _with_target(state: State, place: Place, **changes: Any) -> State:
    targets = list(state.waves[place.wave].targets)
    targets[place.target] = targets[place.target].model_copy(update=changes)
    return _with_wave(state, place.wave, targets=targets)


def _with_wave(state: State, index: int, **changes: Any) -> State:
    waves = list(state.waves)
    waves[index] = waves[index].model_copy(update=changes)
    return state.model_copy(update={"waves": waves})
