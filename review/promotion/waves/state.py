"""Where waves stand: everything that who goes on must know, kept in the cluster that the definition calls home."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kube.errors import GraylingError
from rollout.api.status import Time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from review.promotion.settings import Wave, Waves

SCHEMA: Literal["grayling.waves/1"] = "grayling.waves/1"


class StateError(GraylingError):
    """The state does not let a command go on; nothing was changed."""

    exit_code = 13


class Part(BaseModel):
    """Frozen; what an older or a newer program wrote is refused rather than half understood."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Stage(StrEnum):
    """Of one target, in this order."""

    PENDING = "pending"
    APPLYING = "applying"
    RELEASING = "releasing"
    BAKED = "baked"


class Seen(Part):
    """The desire that an apply left behind: this very object, and the revision it asks for."""

    namespace: str
    name: str
    uid: str
    revision: str
    generation: int

    @property
    def label(self) -> str:
        """``shop/checkout``."""
        return f"{self.namespace}/{self.name}"


class TargetState(Part):
    """One stack on one cluster."""

    stack: str
    context: str
    stage: Stage = Stage.PENDING
    releases: list[Seen] = Field(default_factory=list)

    @property
    def name(self) -> str:
        """`shop on eu-1`."""
        return f"{self.stack} on {self.context}"


class WaveState(Part):
    """Targets that go together; `over` once all of them have baked and still serve what was applied."""

    targets: list[TargetState]
    bake: float
    baked_since: Time | None = None
    over: bool = False


class Halt(Part):
    """Why nothing goes on."""

    code: int
    text: str
    at: Time


class State(Part):
    """The whole of a run."""

    schema_name: Literal["grayling.waves/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    by: str
    reason: str
    started_at: Time
    rendered: dict[str, str] = Field(description="by stack: sha256 of the objects that are applied")
    waves: list[WaveState]
    halted: Halt | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return all(wave.over for wave in self.waves)


def fresh(plan: Waves, rendered: Mapping[str, str], *, run: str, by: str, reason: str, now: float) -> State:
    """The state of a run that has not begun."""
    waves = [WaveState(targets=_targets(wave), bake=wave.bake) for wave in plan.waves]
    return State(id=run, by=by, reason=reason, started_at=now, rendered=dict(rendered), waves=waves)


def _targets(wave: Wave) -> list[TargetState]:
    return [TargetState(stack=each.stack, context=each.context) for each in wave.targets]


def differences(state: State, plan: Waves, rendered: Mapping[str, str]) -> list[str]:
    """What is not as it was when the run began, a sentence each."""
    found = []
    if len(state.waves) != len(plan.waves):
        found.append(f"there were {len(state.waves)} waves, and are {len(plan.waves)}")
    for index, (was, now) in enumerate(zip(state.waves, plan.waves, strict=False), 1):
        found += _changed(f"wave {index}: targets", _named(was.targets), _named(_targets(now)))
        found += _changed(f"wave {index}: bake", f"{was.bake:g}s", f"{now.bake:g}s")
    for stack in sorted(state.rendered.keys() & rendered.keys()):
        if state.rendered[stack] != rendered[stack]:
            found.append(f"stack {stack} declares other objects than when the run began")
    return found


def _named(targets: Sequence[TargetState]) -> str:
    return ", ".join(each.name for each in targets)


def _changed(what: str, was: str, now: str) -> list[str]:
    return [f"{what} were {was}, and are {now}"] if was != now else []


def read_state(text: str, place: str) -> State:
    """A state as it was kept.

    Raises:
        StateError: it is none.
    """
    try:
        return State.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        told = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
        raise StateError(
            f"{place}: holds no state that can be read ({told}): go on with the program that wrote it, or delete it "
            "and see for yourself which targets have what"
        ) from None
