"""The laws of :mod:`laws` under anything that can happen, and what must come of it in the end."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rollout.api.status import Outcome, Phase
from tests.rollout.decide.approving import Office, Released
from tests.rollout.decide.simulation import Simulation, serving
from tests.rollout.decide.world import revision, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile(
    "decide",
    deadline=None,
    derandomize=bool(os.environ.get("CI")) or "DECIDE_RANDOM" not in os.environ,
    max_examples=int(os.environ.get("DECIDE_EXAMPLES", "12")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
QUIET = settings.get_profile("decide")
IMAGES = ("v1", "v2", "v3", "v4")
VERDICTS = ("bad", "undecided", "no-data", "source-down", "no-traffic", None)
GOALS = (None, Phase.PREPARING, Phase.STEPPING, Phase.PROMOTING, Phase.BAKING)
GATES = ("none", "none", "manual", "approval")
ACTIONS = ("Shift", "RetireRoute", "EnsureRevision", "Scale", "Retire", "KeepRecord")
TIMES = st.sampled_from([0.25, 2.0, 10.0, 40.0])


# ------------------------------------------------------------------ killed anywhere


def good(made: Simulation) -> None:
    made.world.want("v2")


def bad(made: Simulation) -> None:
    made.world.image("v2").verdict = "bad"
    made.world.want("v2")


def unready(made: Simulation) -> None:
    made.world.image("v2").ready = False
    made.world.want("v2")


def superseded(made: Simulation) -> None:
    made.world.want("v2")
    made.until(Phase.STEPPING)
    made.world.want("v3")


def cancelled(made: Simulation) -> None:
    made.world.want("v2")
    made.until(Phase.STEPPING)
    made.world.want("v1")


def aborted(made: Simulation) -> None:
    made.world.want("v2")
    made.until(Phase.STEPPING)
    made.world.say("abort")


def returned(made: Simulation) -> None:
    made.world.want("v2")
    made.until(Phase.BAKING)
    made.world.image("v2").verdict = "bad"


STORIES = (good, bad, unready, superseded, cancelled, aborted, returned)


def settled(made: Simulation) -> dict[str, Any]:
    made.run(1)
    for _ in range(2):
        made.until(Phase.IDLE, Phase.ROLLED_BACK).run(8, every=0.5)
    return made.summary()


@lru_cache
def unharmed(story: Callable[[Simulation], None]) -> dict[str, Any]:
    made = serving()
    story(made)
    return settled(made)


def dying_at(moments: set[int]) -> Callable[[], bool]:
    asked = iter(range(10**9))
    return lambda: next(asked) in moments


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@settings(QUIET)
@given(moments=st.sets(st.integers(0, 200), min_size=1, max_size=12))
def test_killed_anywhere_the_world_ends_the_same(story: Callable[[Simulation], None], moments: set[int]):
    made = serving()
    made.kill = dying_at(moments)
    story(made)
    assert settled(made) == unharmed(story)
    assert made.world.lost == 0


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("every", [4, 5, 7])
def test_killed_again_and_again_the_world_ends_the_same(story: Callable[[Simulation], None], every: int):
    made = serving()
    made.kill = dying_at(set(range(every - 1, 10_000, every)))
    story(made)
    assert settled(made) == unharmed(story)
    assert made.deaths > 10


def test_a_killed_engine_never_acts_on_what_was_not_persisted():
    """Between persist and act the process dies every time: nothing may ever have been done."""
    made = serving()
    made.world.want("v2")
    points = iter(range(10**9))
    made.kill = lambda: next(points) % 2 == 1
    made.world.log.clear()
    made.run(5)
    assert made.status.phase is Phase.PREPARING
    assert made.world.log == []


# ------------------------------------------------------------------ the world lets it end


class AnyWorld(RuleBasedStateMachine):
    """Everything that people, pods, gateways and processes may do, in any order; each decision obeys the laws."""

    @initialize(traffic=st.sampled_from([True, True, False]), goal=st.sampled_from(GOALS), replicas=st.integers(1, 5))
    def begin(self, *, traffic: bool, goal: Phase | None, replicas: int) -> None:
        self.changes: dict[str, Any] = {"workload": {"replicas": replicas}, **({} if traffic else {"traffic": None})}
        self.traffic, self.image = traffic, "v1"
        self.moments: set[int] = set()
        self.asked = 0
        self.sim = Released(Office(spec_of("v1", **self.changes)))
        self.sim.kill = self.dies
        if goal is not None:
            self.sim.reach(lambda: self.sim.status.stable is not None)
            self.want("v2", 0.25)
            self.sim.until(goal if traffic else Phase.BAKING)

    def dies(self) -> bool:
        self.asked += 1
        return self.asked in self.moments

    def time(self, seconds: float) -> None:
        self.sim.run(seconds, every=max(0.25, seconds / 40))

    # -------- people

    @rule(image=st.sampled_from(IMAGES), seconds=TIMES)
    def want(self, image: str, seconds: float) -> None:
        self.image = image
        self.sim.world.want(image, **self.changes)
        self.time(seconds)

    @rule(replicas=st.integers(1, 9), seconds=TIMES)
    def scale(self, replicas: int, seconds: float) -> None:
        self.changes["workload"] = {"replicas": replicas}
        self.want(self.image, seconds)

    @rule(weights=st.sets(st.integers(1, 100), min_size=1, max_size=5), gate=st.sampled_from(GATES), seconds=TIMES)
    def new_steps(self, weights: set[int], gate: str, seconds: float) -> None:
        steps = [{"weight": weight, "hold": 3, "gate": gate} for weight in sorted(weights)]
        self.changes["strategy"] = {"steps": steps}
        self.want(self.image, seconds)

    @rule(verb=st.sampled_from(["pause", "resume", "promote", "promote", "abort", "retry", "jump"]), seconds=TIMES)
    def say(self, verb: str, seconds: float) -> None:
        self.sim.world.say(verb)
        self.time(seconds)

    @rule(
        approver=st.sampled_from(["ann", "ann", "bob"]),
        step=st.sampled_from([1, 1, 2, "all"]),
        of=st.sampled_from([{}, {}, {"attempt": "another"}, {"digest": "sha256:" + 64 * "0"}]),
        seconds=TIMES,
    )
    def approve(self, approver: str, step: int | str, of: dict[str, str], seconds: float) -> None:
        if self.sim.status.release is not None and self.sim.status.canary is not None:
            self.sim.approve(approver, step, **of)
        self.time(seconds)

    @rule(seconds=TIMES)
    def take_back_approvals(self, seconds: float) -> None:
        self.sim.world.given.clear()
        self.time(seconds)

    @rule(share=st.sampled_from([None, 0, 50, 100]), image=st.sampled_from(IMAGES), seconds=TIMES)
    def edit_route(self, share: int | None, image: str, seconds: float) -> None:
        self.sim.world.edit_route(None if share is None else {"stranger": 100 - share, revision(image): share})
        self.time(seconds)

    @rule(gone=st.sampled_from(IMAGES), seconds=TIMES)
    def delete_deployment(self, gone: str, seconds: float) -> None:
        self.sim.world.deployments.pop(revision(gone), None)
        self.time(seconds)

    # -------- the world

    @rule(
        image=st.sampled_from(IMAGES), state=st.sampled_from(["well", "well", "unready", "fatal", "one"]), seconds=TIMES
    )
    def pods(self, image: str, state: str, seconds: float) -> None:
        found = self.sim.world.image(image)
        found.ready, found.fatal, found.most_ready = state != "unready", state == "fatal", 1 if state == "one" else 99
        self.time(seconds)

    @rule(image=st.sampled_from(IMAGES), verdict=st.sampled_from(["good", "good", *VERDICTS]), seconds=TIMES)
    def judge(self, image: str, verdict: str | None, seconds: float) -> None:
        self.sim.world.image(image).verdict = verdict
        self.time(seconds)

    @rule(
        trouble=st.sampled_from(["", "", "refuses", "lags", "uncounted"]),
        rate=st.sampled_from([0, 1, 100, 100]),
        seconds=TIMES,
    )
    def gateway(self, trouble: str, rate: int, seconds: float) -> None:
        world = self.sim.world
        world.accepts, world.plane_follows, world.countable = (
            trouble != "refuses",
            trouble != "lags",
            trouble != "uncounted",
        )
        world.rate = rate
        self.time(seconds)

    @rule(broken=st.sets(st.sampled_from(ACTIONS), max_size=2), seconds=TIMES)
    def api(self, broken: set[str], seconds: float) -> None:
        self.sim.world.broken = broken
        self.time(seconds)

    @rule(after=st.lists(st.integers(1, 9), max_size=4), seconds=TIMES)
    def kill(self, after: list[int], seconds: float) -> None:
        self.moments |= {self.asked + each for each in after}
        self.time(seconds)

    @rule(seconds=st.sampled_from([30.0, 100.0]))
    def engine_down(self, seconds: float) -> None:
        for _ in range(20):
            self.sim.world.pass_time(seconds / 20)
        self.sim.restart()

    @invariant()
    def weights_are_those_of_the_status(self) -> None:
        if hasattr(self, "sim") and self.sim.status.phase in {Phase.IDLE, Phase.ROLLED_BACK}:
            assert self.sim.status.weight.desired == 0
            assert self.sim.status.release is None

    def teardown(self) -> None:
        if hasattr(self, "sim"):
            self.heals()

    def heals(self) -> None:
        """Once nothing is broken any more, every release ends, and what serves has all its pods and all the traffic."""
        made, world = self.sim, self.sim.world
        world.broken, world.accepts, world.plane_follows, world.countable, world.rate = set(), True, True, True, 100
        world.images.clear()
        world.verdict = "good"
        self.moments.clear()
        self.changes.pop("strategy", None)
        self.want(self.image, 0.25)
        for verb in ("retry", "resume"):
            world.say(verb)
            made.look()
        rest = {Phase.IDLE, Phase.ROLLED_BACK}
        made.reach(lambda: made.status.phase in rest and self.has_settled(), limit=1500, every=0.5)
        made.run(20)
        stable = made.status.stable
        if self.sim.status.phase is Phase.ROLLED_BACK:
            assert made.status.last.outcome in {Outcome.ROLLED_BACK, Outcome.ABORTED}
            return
        assert stable is not None
        assert stable.image == self.image
        assert world.pod_numbers() == {stable.revision: world.spec.workload.pods}
        assert world.route == ({stable.revision: 100} if self.traffic else None)

    def has_settled(self) -> bool:
        status = self.sim.status
        refused = {entry.revision for entry in status.refused}
        desired = revision(self.image)
        return desired in refused or (status.stable is not None and status.stable.revision == desired)


AnyWorld.TestCase.settings = settings(QUIET, stateful_step_count=12, max_examples=QUIET.max_examples * 3)
TestAnyWorld = AnyWorld.TestCase


@settings(QUIET)
@given(
    at=st.integers(0, 300),
    trouble=st.sampled_from(["bad", "unready", "abort", "cancel", "supersede", "unaccepted"]),
    broken=st.sets(st.sampled_from(["Shift", "Scale", "KeepRecord", "Retire"])),
    repair_after=st.integers(0, 100),
)
def test_rollback_ends_at_weight_zero_once_the_world_lets_it(
    at: int, trouble: str, broken: set[str], repair_after: int
):
    made = serving()
    world = made.world
    world.want("v2")
    made.run(at / 4)
    world.broken = broken
    match trouble:
        case "bad":
            world.image("v2").verdict = "bad"
        case "unready":
            world.image("v2").ready = False
        case "abort":
            world.say("abort")
        case "cancel":
            world.want("v1")
        case "supersede":
            world.want("v3")
        case "unaccepted":
            world.accepts = False
    made.run(repair_after / 4)
    world.broken, world.accepts = set(), True
    made.reach(lambda: made.status.phase in {Phase.IDLE, Phase.ROLLED_BACK}).run(20)
    made.reach(lambda: made.status.phase in {Phase.IDLE, Phase.ROLLED_BACK}).run(20)
    assert world.route == {made.status.stable.revision: 100}
    assert world.pod_numbers() == {made.status.stable.revision: 4}


@settings(QUIET)
@given(
    rate=st.sampled_from([3, 20, 100, 400]),
    accept=st.integers(0, 64),
    ready=st.integers(0, 640),
    replicas=st.integers(1, 12),
    weights=st.sets(st.integers(1, 100), min_size=1, max_size=6),
    every=st.sampled_from([0.25, 0.5, 1.0]),
)
def test_healthy_release_is_promoted_and_loses_nothing(
    rate: int, accept: int, ready: int, replicas: int, weights: set[int], every: float
):
    steps = {"steps": [{"weight": weight, "hold": 3} for weight in sorted(weights)]}
    changes = {"strategy": steps, "workload": {"replicas": replicas}}
    made = serving(**changes)
    made.world.rate, made.world.accept_after = rate, accept / 64
    made.world.image("v2").ready_after = ready / 64
    made.world.want("v2", **changes)
    made.until(Phase.IDLE, Phase.ROLLED_BACK, every=every).run(8)
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.weights == [0, *sorted(weights | {100}), 0]
    assert made.world.lost == 0
