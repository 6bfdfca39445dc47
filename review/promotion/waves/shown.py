"""Where waves stand, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.promotion.waves.state import Stage
from rollout.api.durations import about
from rollout.api.status import timestamp

if TYPE_CHECKING:
    from review.promotion.waves.ledger import Entry
    from review.promotion.waves.state import State, WaveState


def as_data(name: str, entry: Entry) -> dict[str, Any]:
    """The state, the switch and who is at it."""
    state = entry.state.model_dump(mode="json", by_alias=True) if entry.state else None
    return {"name": name, "stopped": entry.stopped, "holder": entry.holder, "state": state}


def as_text(name: str, entry: Entry) -> str:
    """A line for each target, and what holds it."""
    state = entry.state
    if state is None:
        return f"waves {name}: never started\n"
    by = f" by {state.by}" if state.by else ""
    lines = [f"waves {name}: {_standing(state, entry)}; begun {timestamp(state.started_at)[:19]}Z{by}"]
    for index, wave in enumerate(state.waves, 1):
        lines.append(f"wave {index}: {_wave(wave)}")
        for target in wave.targets:
            releases = ", ".join(f"{each.label} {each.revision}" for each in target.releases)
            lines.append(f"  {target.name:<30} {target.stage.value:<10} {releases}".rstrip())
    if entry.stopped:
        lines.append(entry.stopped)
    if state.halted:
        lines.append(f"halted at {timestamp(state.halted.at)[:19]}Z (exit {state.halted.code}): {state.halted.text}")
    if entry.holder:
        lines.append(f"at it, if it still lives: {entry.holder}")
    return "\n".join([*lines, ""])


def _standing(state: State, entry: Entry) -> str:
    if state.done:
        return "over"
    if entry.stopped:
        return "stopped"
    if state.halted:
        return "halted"
    return "under way" if entry.holder else "cut off: `resume` goes on"


def _wave(wave: WaveState) -> str:
    if wave.over:
        return "over"
    if all(target.stage is Stage.PENDING for target in wave.targets):
        return "not begun"
    if wave.baked_since is not None:
        return f"bakes for {about(wave.bake)} since {timestamp(wave.baked_since)[:19]}Z"
    return "under way"
