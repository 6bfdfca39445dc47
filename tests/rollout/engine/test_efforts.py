"""Each action has failures and a backoff of its own; what relies on weights waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from kube.errors import ConflictError, DeniedError, ForbiddenError, InvalidError, KubeError
from rollout.decide.actions import (
    Action,
    EnsureRevision,
    KeepRecord,
    Retire,
    Scale,
    Shift,
)
from rollout.engine import metrics
from rollout.engine.efforts import FIRST_SECONDS, MOST_SECONDS, MOST_URGENT_SECONDS, Efforts
from tests.rollout.samples import stepping

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFT, UP, DOWN, RETIRE = Shift({"a": 100}), EnsureRevision("b", 2), Scale("b", 0), Retire("c")


@dataclass
class Hands:
    """Does what it is told, unless it is broken for that class of actions."""

    now: float = 1000.0
    broken: dict[type, KubeError] = field(default_factory=dict)
    tried: list[Action] = field(default_factory=list)
    efforts: Efforts = field(default_factory=lambda: Efforts("shop/checkout", chance=lambda: 0.5))

    async def do(self, action: Action) -> None:
        self.tried.append(action)
        if type(action) in self.broken:
            raise self.broken[type(action)]

    async def perform(self, *actions: Action, urgent: bool = False) -> Sequence[Action]:
        self.tried = []
        self.efforts.want(actions)
        await self.efforts.perform(actions, self.do, lambda: self.now, urgent=urgent)
        return self.tried


async def test_nothing_is_taken_from_pods_while_weights_cannot_be_written():
    hands = Hands(broken={Shift: ConflictError("no")})
    assert await hands.perform(SHIFT, UP, DOWN, RETIRE) == [SHIFT, UP]
    hands.broken.clear()
    hands.now += 1
    assert await hands.perform(SHIFT, UP, DOWN, RETIRE) == [SHIFT, UP, DOWN, RETIRE]


async def test_a_rollback_writes_its_weights_although_everything_else_is_in_backoff():
    hands = Hands(broken={Shift: ConflictError("no"), UP.__class__: ForbiddenError("quota")})
    await hands.perform(SHIFT, UP)
    assert await hands.perform(SHIFT, UP) == [], "both wait"
    assert await hands.perform(SHIFT, UP, urgent=True) == [SHIFT]
    due = hands.efforts.due_in(hands.now)
    assert due is not None
    assert due <= MOST_URGENT_SECONDS


async def test_pauses_grow_to_a_bound_and_end_with_success():
    hands = Hands(broken={EnsureRevision: ForbiddenError("quota")})
    pauses = []
    for _ in range(12):
        assert await hands.perform(UP) == [UP]
        due = hands.efforts.due_in(hands.now)
        assert due is not None
        pauses.append(due)
        hands.now += due
    assert pauses[0] == pytest.approx(FIRST_SECONDS)
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(pauses))
    assert pauses[-1] == pytest.approx(MOST_SECONDS)
    hands.broken.clear()
    assert await hands.perform(UP) == [UP]
    assert hands.efforts.due_in(hands.now) is None
    assert not hands.efforts.failures


async def test_a_failure_is_told_with_the_servers_words_and_since_when():
    hands = Hands(broken={EnsureRevision: InvalidError("apply Service shop/b: \x1b[2J" + "x" * 1000)})
    await hands.perform(UP)
    hands.now += 1
    await hands.perform(UP)
    failure = hands.efforts.failures["EnsureRevision"]
    assert (failure.since, failure.final) == (1000.0, True)
    assert failure.text.startswith("apply Service shop/b:")
    assert len(failure.text) <= 400
    assert "\x1b" not in failure.text
    assert not hands.efforts.failures.keys() & {"Shift"}


async def test_what_is_not_wanted_any_more_is_no_failure():
    hands = Hands(broken={EnsureRevision: ForbiddenError("quota")})
    await hands.perform(UP)
    assert not hands.efforts.failures["EnsureRevision"].final
    await hands.perform(DOWN)
    assert not hands.efforts.failures


async def test_a_record_that_cannot_be_kept_keeps_nothing_else_from_being_done():
    status = stepping()
    assert status.release is not None
    record = KeepRecord(status.release)
    hands = Hands(broken={KeepRecord: KubeError("too large", status=413)})
    await hands.perform(record)
    assert await hands.perform(SHIFT, DOWN, RETIRE, record) == [SHIFT, DOWN, RETIRE]


async def test_what_waits_for_weights_is_not_waited_for_without_a_pause():
    hands = Hands(broken={Shift: ConflictError("no"), Scale: ConflictError("no")})
    hands.broken.pop(Shift)
    await hands.perform(SHIFT, DOWN)
    hands.broken[Shift] = ConflictError("no")
    hands.now += 100
    await hands.perform(SHIFT, DOWN)
    due = hands.efforts.due_in(hands.now)
    assert due is not None
    assert due >= FIRST_SECONDS / 2, "the scaling that is overdue can only be tried when the weights are written"


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.5), (1.0, 1.5)])
async def test_pauses_are_spread_around_what_they_are(chance: float, factor: float):
    hands = Hands(broken={EnsureRevision: ForbiddenError("quota")})
    hands.efforts.chance = lambda: chance
    await hands.perform(UP)
    assert hands.efforts.due_in(hands.now) == pytest.approx(FIRST_SECONDS * factor)


async def test_a_server_that_says_when_is_asked_no_sooner():
    busy = KubeError("busy", status=429)
    busy.retry_after = 7.0
    hands = Hands(broken={EnsureRevision: busy})
    await hands.perform(UP)
    assert hands.efforts.due_in(hands.now) == pytest.approx(7.0)


@pytest.mark.parametrize("action", [SHIFT, UP, DOWN, RETIRE])
async def test_failures_are_counted_by_the_class_of_the_action(action: Action):
    def counted() -> float:
        named = {"action": type(action).__name__}
        return metrics.REGISTRY.get_sample_value("grayling_action_failures_total", named) or 0.0

    before = counted()
    await Hands(broken={type(action): ForbiddenError("quota")}).perform(action)
    assert counted() == before + 1


async def test_a_failure_that_lasts_is_logged_more_and_more_rarely_and_another_one_at_once():
    hands = Hands(broken={EnsureRevision: ForbiddenError("quota")})
    with capture_logs() as logs:
        for _ in range(20):
            await hands.perform(UP)
            hands.now += 100
        hands.broken[EnsureRevision] = ForbiddenError("a webhook")
        await hands.perform(UP)
    assert [(each["attempt"], each["error"]) for each in logs] == [
        *((attempt, "quota") for attempt in (1, 2, 4, 8, 16)),
        (21, "a webhook"),
    ]


@pytest.mark.parametrize(
    ("error", "final", "refused"),
    [
        (InvalidError("spec.x: not declared"), True, True),
        (DeniedError("exceeded quota"), False, True),
        (ForbiddenError("cannot create resource"), False, False),
        (KubeError("failed calling webhook", status=500), False, False),
    ],
)
async def test_a_refused_object_is_told_apart_from_everything_else(*, error: KubeError, final: bool, refused: bool):
    hands = Hands(broken={EnsureRevision: error})
    await hands.perform(UP)
    failure = hands.efforts.failures["EnsureRevision"]
    assert (failure.final, failure.refused) == (final, refused)
