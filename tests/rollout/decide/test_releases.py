"""Releases that go well, or never get far enough to do harm."""

from __future__ import annotations

import pytest

from rollout.api.status import Outcome, Phase
from rollout.decide.actions import (
    Finalize,
    RetireRoute,
    Scale,
    Shift,
)
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.world import World, revision, spec_of


def test_first_release_gets_all_traffic_without_steps():
    made = Simulation(World(spec_of("v1"))).until(Phase.IDLE).run(3)
    made.reach(lambda: made.status.stable is not None)
    assert made.phases == [Phase.PREPARING, Phase.PROMOTING, Phase.IDLE]
    assert made.world.route == {revision("v1"): 100}
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.world.lost == 0
    assert made.status.last.from_version is None


def test_first_release_with_no_traffic_yet_serves_once_accepted():
    world = World(spec_of("v1"), rate=0)
    made = Simulation(world)
    made.reach(lambda: made.status.stable is not None, limit=20)
    assert made.status.phase is Phase.IDLE


def test_good_release_goes_through_every_step_and_loses_no_request():
    made = serving()
    made.world.want("v2")
    made.until(Phase.BAKING)
    assert made.world.pod_numbers() == {revision("v1"): 4, revision("v2"): 4}
    made.until(Phase.IDLE).run(8)
    assert made.weights == [0, 5, 20, 50, 100, 0]
    assert made.phases == [Phase.PREPARING, Phase.STEPPING, Phase.PROMOTING, Phase.BAKING, Phase.IDLE]
    assert made.status.stable.image == "v2"
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.world.pod_numbers() == {revision("v2"): 4}
    assert made.world.lost == 0
    assert made.world.records == [made.world.records[0], made.status.last.id]
    for step in made.status.last.steps:
        assert step.started_at < step.accepted_at <= step.verified_at < step.ended_at
        assert step.ended_at - step.verified_at >= step.hold_seconds
        assert step.verdict == "good"
        assert abs(step.observed - step.weight) < 20, "what was seen at the step, not at the end"


def test_undecided_release_is_promoted_not_proven():
    made = serving()
    made.world.verdict = "undecided"
    made.world.want("v2")
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED_NOT_PROVEN
    assert {step.verdict for step in made.status.last.steps} == {"undecided"}


def test_release_without_signals_is_not_proven_but_goes_on():
    made = serving(analysis={"signals": []})
    made.world.want("v2", analysis={"signals": []})
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED_NOT_PROVEN


def test_last_step_of_100_percent_needs_no_second_write():
    steps = {"strategy": {"steps": [{"weight": 50, "hold": 5}, {"weight": 100, "hold": 5}]}}
    made = serving(**steps)
    made.world.want("v2", **steps)
    made.until(Phase.IDLE)
    assert made.weights == [0, 50, 100, 0]


def test_steps_that_need_more_pods_wait_for_them():
    made = stepping_at(20)
    made.world.image("v2").most_ready = 1
    made.reach(lambda: made.status.step == 2)
    made.run(20)
    assert made.status.weight.desired == 20
    assert made.status.doubt == "not-ready"
    made.world.image("v2").most_ready = 9
    made.reach(lambda: made.status.weight.desired == 50, limit=5)


def test_scale_change_while_idle_scales_what_serves_and_starts_no_release():
    made = serving()
    made.world.want(workload={"replicas": 6})
    made.run(2)
    assert made.world.log == [Scale(revision("v1"), 6)]
    assert made.phases == [Phase.IDLE]


def test_there_are_never_fewer_pods_than_the_floor():
    made = serving()
    made.world.want(workload={"replicas": 1, "min_replicas": 6})
    made.run(2)
    assert made.world.log == [Scale(revision("v1"), 6)]
    assert made.phases == [Phase.IDLE]


def test_changed_route_shape_is_written_without_a_release():
    made = serving()
    made.world.outdated = True
    made.run(1)
    assert made.world.log == [Shift({revision("v1"): 100})]


# ------------------------------------------------------------------ canaries that never get far


def test_image_that_cannot_be_pulled_is_taken_back_at_once():
    made = serving()
    made.world.images["v2"] = made.world.image("v2")
    made.world.image("v2").fatal = True
    made.world.image("v2").problem = "ImagePullBackOff: v2 not found"
    made.world.want("v2")
    made.until(Phase.ROLLED_BACK, limit=5).run(8)
    assert made.status.last.outcome_reason == "the canary cannot start: ImagePullBackOff: v2 not found"
    assert made.weights == [0]
    assert made.world.pod_numbers() == {revision("v1"): 4}
    assert Shift not in {type(action) for action in made.world.log}


def test_never_ready_is_taken_back_at_the_deadline():
    made = serving()
    made.world.image("v2").ready = False
    made.world.image("v2").problem = "readiness probe fails"
    made.world.want("v2")
    start = made.world.now
    made.until(Phase.ROLLED_BACK)
    assert 60 <= made.world.now - start < 62
    assert made.status.last.outcome_reason == "0 of 1 canary pods ready after 60 s: readiness probe fails"


def test_pods_that_are_refused_by_the_api_server_are_late_too():
    made = serving()
    made.world.broken.add("EnsureRevision")
    made.world.want("v2")
    made.until(Phase.ROLLED_BACK)
    assert made.status.last.outcome_reason == "0 of 1 canary pods ready after 60 s: its pods do not exist"


def test_late_pods_in_a_step_and_before_all_traffic():
    for weight, needed in ((20, 2), (50, 4)):
        made = stepping_at(weight)
        made.world.image("v2").most_ready = 1
        made.until(Phase.ROLLED_BACK)
        assert made.status.last.outcome_reason.startswith(f"1 of {needed} canary pods ready after 60 s")


def test_first_release_that_never_gets_ready_leaves_nothing():
    world = World(spec_of("v1"))
    world.image("v1").ready = False
    made = Simulation(world).until(Phase.ROLLED_BACK).run(8)
    assert world.route is None
    assert world.pod_numbers() == {}
    assert made.status.stable is None
    world.want("v2")
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_first_release_that_dies_under_traffic_takes_its_route_along():
    world = World(spec_of("v1"), accept_after=20)
    made = Simulation(world)
    made.reach(lambda: world.route is not None)
    world.image("v1").ready = False
    made.until(Phase.ROLLED_BACK).run(8)
    assert RetireRoute() in world.log
    assert world.route is None
    assert world.pod_numbers() == {}


def test_first_release_is_superseded():
    world = World(spec_of("v1"), accept_after=20)
    made = Simulation(world)
    made.reach(lambda: world.route is not None)
    world.want("v2")
    made.reach(lambda: made.status.stable is not None)
    assert made.status.stable.image == "v2"
    assert Phase.ROLLING_BACK in made.phases


def test_route_of_a_first_version_that_shows_late_is_still_retired():
    world = World(spec_of("v1"), accept_after=20)
    made = Simulation(world)
    made.reach(lambda: world.route is not None)
    written, world.route = world.route, None
    made.world.image("v1").ready = False
    made.until(Phase.ROLLED_BACK)
    world.route = written
    made.run(8)
    assert world.route is None
    assert world.pod_numbers() == {}


# ------------------------------------------------------------------ adoption, deletion


def test_running_orphans_are_adopted_without_a_gap():
    old = serving()
    world = old.world
    world.want("v2")
    made = Simulation(world)
    made.reach(lambda: made.status.stable is not None).run(10)
    assert RetireRoute() not in world.log
    assert world.lost == 0
    assert world.route == {revision("v2"): 100}
    assert world.pod_numbers() == {revision("v2"): 4}


def test_failed_adoption_leaves_what_runs_alone():
    world = serving().world
    world.image("v2").fatal = True
    world.want("v2")
    Simulation(world).until(Phase.ROLLED_BACK).run(20)
    assert world.route == {revision("v1"): 100}
    assert world.pod_numbers() == {revision("v1"): 4}
    assert world.lost == 0


@pytest.mark.parametrize(("policy", "end"), [("Delete", "removed"), ("Orphan", "orphaned")])
@pytest.mark.parametrize("weight", [0, 20])
def test_deletion(policy: str, end: str, weight: int):
    made = stepping_at(weight, deletion=policy) if weight else serving(deletion=policy)
    made.world.log.clear()
    made.world.deleted = True
    made.world.say("pause")
    made.run(1)
    assert made.world.finalized == end
    assert made.world.log == [Finalize(orphan=policy == "Orphan")]
    assert made.status.paused is None
