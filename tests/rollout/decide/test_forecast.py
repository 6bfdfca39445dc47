"""What `status` says comes next is what comes next: the forecast against the decision, in worlds of every kind."""

from __future__ import annotations

import contextlib
import os
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from rollout.api.status import Phase
from rollout.decide.awaits import For, awaited
from rollout.decide.context import OUTAGE, Context
from rollout.decide.moves import Move
from rollout.decide.observation import Observation
from rollout.forecast.next_step import outlook
from rollout.forecast.plan import plan_of
from tests.rollout.decide.simulation import Simulation, serving
from tests.rollout.decide.world import NAME, World, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.status import Status
    from rollout.forecast.next_step import Outlook

PROFILE = settings(
    deadline=None,
    derandomize="DECIDE_RANDOM" not in os.environ,
    max_examples=3 * int(os.environ.get("DECIDE_EXAMPLES", "12")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
EVERY, HORIZON, SLACK = 0.5, 66.0, 1.0
TURNED = "turned back"
REST = {Phase.IDLE, Phase.ROLLED_BACK}


def happened(before: Status, after: Status) -> Move | str | None:
    """The way on that one decision took; None where it took none."""
    if after.phase is not before.phase:
        return _of_phases(before, after)
    if (before.withdrawn_at is None) != (after.withdrawn_at is None):
        return Move.RETURN if after.withdrawn_at is None else TURNED
    if (before.doubt == OUTAGE) != (after.doubt == OUTAGE):
        return Move.RETURN if before.doubt == OUTAGE else TURNED
    if after.step != before.step:
        return Move.END
    if after.weight.desired > before.weight.desired:
        return Move.STEP if after.phase is Phase.STEPPING else Move.ALL
    return None


def _of_phases(before: Status, after: Status) -> Move | str:
    if after.phase is Phase.ROLLING_BACK:
        return TURNED
    return {
        Phase.IDLE: Move.START,
        Phase.ROLLED_BACK: Move.START,
        Phase.PREPARING: Move.STEP if after.phase is Phase.STEPPING else Move.ALL,
        Phase.STEPPING: Move.ALL,
        Phase.PROMOTING: Move.SWITCH,
        Phase.BAKING: Move.REST,
        Phase.ROLLING_BACK: Move.BACK,
    }[before.phase]


def waits_for(made: Simulation, status: Status) -> tuple[For, float | None, str]:
    ctx = Context(made.world.spec, status, Observation.unseen(status), made.world.now)
    found = awaited(ctx)
    return found.what, found.since, status.doubt


def foretold_and_done(made: Simulation) -> tuple[Outlook, Status, list[tuple[float, Move | str | None, bool]]]:
    """What is foretold now, and the decisions after that in a world that stays as it is: when, what, anything new."""
    begin, before = made.world.now, made.status
    told, waits = outlook(made.world.spec, before, begin), waits_for(made, before)
    done: list[tuple[float, Move | str | None, bool]] = []
    while made.world.now - begin < HORIZON:
        again = True
        while again:
            last = made.status
            again = made._pass()
            what = happened(last, made.status)
            done.append((made.world.now - begin, what, waits_for(made, made.status) != waits))
            if what is not None:
                return told, before, done
        made.world.pass_time(EVERY)
    return told, before, done


def agrees(made: Simulation) -> str:
    """Hold what was foretold against what was done; both in a word."""
    told, before, done = foretold_and_done(made)
    at, what, _ = done[-1]
    where = f"{told} in {before.wire()}\n{made.journal()[-3:]}"
    if what not in {None, TURNED}:
        assert told.held is None, f"{what} happened behind a closed gate: {where}"
        assert what == told.move, f"{what} happened: {where}"
    exact = waits_for(made, before)[0] in {For.HOLD, For.BAKE} and before.phase is not Phase.ROLLING_BACK
    if what == told.move and exact and told.seconds is not None:
        assert at >= told.seconds - SLACK, f"{what} came after {at} s: {where}"
    if told.held is None and told.seconds is not None and told.seconds < HORIZON - SLACK:
        new = [when for when, moved, other in done if moved or other]
        assert new, f"nothing happened: {where}"
        assert new[0] <= told.seconds + SLACK, f"it came after {new[0]} s: {where}"
    return f"{before.phase}: {told.move}{', held,' if told.held else ''} -> {what}"


HOLDS = {"action": "hold", "deadline": 15}
POLICIES = st.sampled_from([{}, HOLDS, HOLDS | {"then": "go-on"}, {"action": "go-on"}, {"action": "roll-back"}])


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Of a service with any steps, gates, policies and drivers that are built."""
    weights = sorted(draw(st.sets(st.integers(1, 100), min_size=1, max_size=4)))
    gates = [draw(st.sampled_from(["none", "none", "manual"])) for _ in weights]
    hold = draw(st.sampled_from([0, 3, 12]))
    steps = [{"weight": weight, "hold": hold, "gate": gate} for weight, gate in zip(weights, gates, strict=True)]
    verdicts = ("undecided", "no_traffic", "no_data", "source_down")
    changes: dict[str, Any] = {
        "workload": {"replicas": draw(st.integers(1, 5))},
        "strategy": {"steps": steps, "bake": draw(st.sampled_from([0, 10, 25]))},
        "analysis": {verdict: draw(POLICIES) for verdict in verdicts},
    }
    if draw(st.integers(0, 4)) == 0:
        changes["traffic"] = None
    return changes


def troubled(made: Simulation, draw: Any) -> None:
    """Something of the world is not as it should be, from now on."""
    world, image = made.world, made.world.image("v2")
    image.verdict = draw(st.sampled_from([None, "good", "good", "bad", "undecided", "no-data", "no-traffic"]))
    match draw(st.sampled_from(["", "", "unready", "one", "fatal", "evicted", "refused", "lags", "uncounted", "down"])):
        case "unready":
            image.ready = False
        case "one":
            image.most_ready = 1
        case "fatal":
            image.fatal, image.problem = True, "CrashLoopBackOff"
        case "evicted":
            image.ready, image.disrupted = False, True
        case "refused":
            world.accepts = False
        case "lags":
            world.plane_follows = False
        case "uncounted":
            world.countable = False
        case "down":
            image.ready = world.image("v1").ready = False
    world.rate = draw(st.sampled_from([0, 1, 100, 100]))


GOALS = st.sampled_from([None, Phase.PREPARING, Phase.STEPPING, Phase.STEPPING, Phase.PROMOTING, Phase.BAKING])


@settings(PROFILE)
@given(changes=specs(), goal=GOALS, ticks=st.sampled_from([0, 1, 2, 5, 9, 30]), data=st.data())
def test_what_comes_next_is_what_was_foretold(
    changes: dict[str, Any], goal: Phase | None, ticks: int, data: st.DataObject
):
    draw = data.draw
    made = serving(**changes) if draw(st.integers(0, 5)) else Simulation(World(spec_of("v1", **changes)))
    made.world.want("v2", **changes)
    made.world.accept_after = draw(st.sampled_from([0.25, 4.0]))
    with contextlib.suppress(AssertionError):
        made.until(*([goal] if goal else REST), limit=60, every=EVERY)
    made.run(ticks * EVERY, every=EVERY)
    if draw(st.booleans()):
        made.world.say(draw(st.sampled_from(["promote", "promote", "pause", "abort", "retry"])))
        made.run(draw(st.integers(1, 20)) * EVERY, every=EVERY)
    troubled(made, draw)
    if draw(st.booleans()):
        made.run(draw(st.integers(1, 9)) * EVERY, every=EVERY)
        made.world.image("v1").ready = made.world.image("v2").ready = True
    for _ in range(3):
        made._pass()
        event(agrees(made))


@pytest.mark.parametrize("traffic", [True, False])
def test_a_whole_release_is_foretold_move_by_move(*, traffic: bool):
    changes: dict[str, Any] = {} if traffic else {"traffic": None}
    made, moves = serving(**changes), []
    made.world.want("v2", **changes)
    made._pass()
    while made.status.phase not in REST:
        told, _, done = foretold_and_done(made)
        assert done[-1][1] == told.move
        moves.append(told.move)
    steps = [Move.STEP, Move.END] * 3 if traffic else []
    assert moves == [*steps, *([Move.ALL, Move.ALL] if traffic else [Move.ALL]), Move.SWITCH, Move.REST]


def slow(made: Simulation) -> None:
    made.world.accept_after = 4.0


def doubtful(made: Simulation) -> None:
    made.world.image("v2").verdict = "no-traffic"


def unready(made: Simulation) -> None:
    made.world.image("v2").most_ready = 1


def refused(made: Simulation) -> None:
    made.world.accept_after = 1e9


def without_a_way_back(made: Simulation) -> None:
    made.until(Phase.BAKING)
    made.world.image("v1").ready, made.world.image("v2").verdict = False, "bad"


GO_ON = {"analysis": {"no_traffic": {"action": "hold", "deadline": 12, "then": "go-on"}}}


@pytest.mark.parametrize(
    ("trouble", "changes"),
    [
        (slow, {}),
        (slow, {"traffic": None}),
        (doubtful, GO_ON),
        (unready, {}),
        (refused, {}),
        (without_a_way_back, {}),
    ],
    ids=lambda each: getattr(each, "__name__", "" if each else "usual"),
)
def test_at_every_fourth_second_of_a_release(trouble: Callable[[Simulation], None], changes: dict[str, Any]):
    made = serving(**changes)
    made.world.want("v2", **changes)
    trouble(made)
    begun, told = made.world.now, set()
    while made.status.phase not in REST or made.world.now == begun:
        made.run(4.0, every=EVERY)
        told.add(agrees(deepcopy(made)))
    assert len(told) > 1


@settings(PROFILE)
@given(changes=specs())
def test_the_plan_is_no_longer_than_what_comes_of_it(changes: dict[str, Any]):
    """`plan` says at the earliest; and with every gate open and nothing wrong that is when it is over."""
    for step in changes["strategy"]["steps"]:
        step["gate"] = "none"
    made = serving(**changes)
    made.world.want("v2", **changes)
    plan = plan_of(NAME, made.world.spec, made.status, now=made.world.now)
    assert plan.refusals == ()
    made.run(EVERY, every=EVERY).until(*REST, every=EVERY)
    took = made.status.last.ended_at - made.status.last.started_at
    assert took >= plan.earliest_end_seconds
    assert took <= plan.earliest_end_seconds + 10 + 3 * len(plan.steps), "pods, verifications and looks"
    assert [step.weight for step in plan.steps] == [step.weight for step in made.status.last.steps]
