"""Releases that go well, or never get far enough to do harm."""

from __future__ import annotations

import pytest

from rollout.api.status import Outcome, Phase
from rollout.decide.actions import (
    EnsureRevision,
    Finalize,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from tests.rollout.decide.simulation import Simulation, World, revision, serving, spec_of, stepping_at


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


# ------------------------------------------------------------------ without traffic


def no_traffic(**more):
    return {"traffic": None, **more}


def test_workload_without_traffic_is_replaced_and_returns_on_a_fault():
    made = serving(**no_traffic())
    assert made.world.route is None
    made.world.want("v2", **no_traffic())
    made.until(Phase.BAKING)
    assert made.weights == [0, 100, 0]
    made.run(3)
    assert made.world.pod_numbers() == {revision("v1"): 0, revision("v2"): 4}
    made.world.image("v2").ready = False
    made.until(Phase.ROLLED_BACK).run(8)
    assert made.world.pod_numbers() == {revision("v1"): 4}
    assert made.status.stable.image == "v1"
    assert made.world.route is None


def test_old_pods_that_never_return_do_not_hold_up_the_cure():
    made = serving(**no_traffic())
    made.world.want("v2", **no_traffic())
    made.until(Phase.BAKING).run(3)
    made.world.image("v1").ready = False
    made.world.image("v2").ready = False
    made.until(Phase.ROLLING_BACK)
    made.world.want("v3", **no_traffic())
    made.reach(lambda: made.status.stable.image == "v3", limit=200)


def test_late_canary_without_traffic():
    made = serving(**no_traffic())
    made.world.image("v2").most_ready = 3
    made.world.want("v2", **no_traffic())
    made.until(Phase.ROLLED_BACK).run(8)
    assert made.world.pod_numbers() == {revision("v1"): 4}


def test_route_goes_when_traffic_is_no_longer_asked_for():
    made = serving()
    made.world.want(**no_traffic())
    made.run(2)
    assert made.world.route is None
    assert made.phases == [Phase.IDLE]


@pytest.mark.parametrize("weight", [5, 50])
def test_traffic_taken_away_in_a_step_takes_the_release_back(weight: int):
    made = stepping_at(weight)
    made.world.want("v2", **no_traffic())
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}, "the route stays while something is under way"
    made.until(Phase.ROLLED_BACK).run(30)
    assert made.world.route is None
    assert made.status.stable.image == "v1"
    assert "traffic was taken out of the spec" in made.status.waiting.reason


def test_a_person_may_bring_it_in_without_traffic_all_the_same():
    made = stepping_at(20)
    made.world.want("v2", **no_traffic())
    made.until(Phase.ROLLED_BACK).run(10)
    made.world.say("retry")
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_traffic_taken_away_with_the_next_version_removes_the_route_first():
    made = serving()
    made.world.want("v2", **no_traffic())
    made.world.broken = {"RetireRoute"}
    made.run(10)
    assert made.status.phase is Phase.IDLE
    waiting = made.status.waiting
    assert "the route is still there" in waiting.reason
    assert made.run(5).status.waiting == waiting, "nothing to write anew"
    made.world.broken = set()
    made.until(Phase.BAKING)
    assert made.world.route is None


def test_traffic_taken_away_before_the_first_share_takes_the_release_back():
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.until(Phase.PREPARING).run(2)
    made.world.want("v2", **no_traffic())
    made.until(Phase.ROLLED_BACK)
    assert made.status.stable.image == "v1"


def test_traffic_added_while_pods_are_replaced():
    made = serving(**no_traffic())
    made.world.want("v2", **no_traffic())
    made.until(Phase.BAKING)
    made.world.want("v2")
    made.until(Phase.IDLE).run(8)
    assert made.world.route == {revision("v2"): 100}


# ------------------------------------------------------------------ what others do to the objects


def test_stable_deployment_deleted_by_hand_is_made_again():
    made = serving()
    del made.world.deployments[revision("v1")]
    made.run(1)
    assert made.world.log == [EnsureRevision(revision("v1"), 4)]


def test_canary_deployment_deleted_by_hand_while_preparing_is_made_again():
    made = serving()
    made.world.want("v2")
    made.until(Phase.PREPARING)
    made.world.deployments.pop(revision("v2"), None)
    made.until(Phase.STEPPING)


def test_canary_deployment_deleted_by_hand_under_traffic_is_taken_back():
    made = stepping_at(20)
    del made.world.deployments[revision("v2")]
    made.until(Phase.ROLLED_BACK).run(8)
    told = "no canary pod is ready while it has 20 % of the traffic: its pods are gone"
    assert made.status.last.outcome_reason == told
    assert made.world.route == {revision("v1"): 100}
    assert revision("v2") not in made.world.deployments


def test_stable_deployment_deleted_by_hand_while_returning_to_it_is_made_again():
    made = stepping_at(20)
    made.world.want("v1")
    made.until(Phase.ROLLING_BACK)
    made.world.deployments.pop(revision("v1"), None)
    made.look()
    assert EnsureRevision(revision("v1"), 4) in made.world.log


@pytest.mark.parametrize("count", [1, 6])
def test_a_stable_that_somebody_scales_keeps_that_count(count: int):
    made = stepping_at(20)
    made.world.deployments[revision("v1")].scale(count, made.world.now)
    made.until(Phase.BAKING)
    assert made.world.pod_numbers() == {revision("v1"): count, revision("v2"): max(4, count)}, "capacity for all of it"


def test_a_canary_that_somebody_scales_up_keeps_that_count_and_gets_what_its_share_needs():
    made = stepping_at(5)
    made.world.deployments[revision("v2")].scale(3, made.world.now)
    made.run(1)
    assert made.world.pod_numbers()[revision("v2")] == 3
    made.until(Phase.BAKING)
    made.world.deployments[revision("v2")].scale(5, made.world.now)
    made.until(Phase.IDLE).run(8)
    assert made.world.pod_numbers() == {revision("v2"): 5}


def test_a_canary_that_somebody_scales_down_gets_what_its_share_needs():
    made = stepping_at(50)
    made.world.deployments[revision("v2")].scale(1, made.world.now)
    made.run(1)
    assert made.world.pod_numbers()[revision("v2")] == 2


def test_replicas_that_are_edited_in_the_spec_end_what_somebody_scaled():
    made = serving()
    made.world.deployments[revision("v1")].scale(7, made.world.now)
    made.run(1)
    assert made.world.pod_numbers() == {revision("v1"): 7}
    made.world.want("v1", workload={"replicas": 5})
    made.run(1)
    assert made.world.pod_numbers() == {revision("v1"): 5}


def test_foreign_weights_are_put_right_at_the_next_look():
    for made in (serving(), stepping_at(20)):
        wanted = dict(made.world.route)
        made.world.edit_route({revision("v1"): 50, "stranger": 50})
        made.run(0.5)
        assert made.world.route == wanted


def test_a_foreign_hand_on_the_route_is_named_once_in_the_journal():
    made = stepping_at(20)
    made.run(3)
    made.world.edit_route({revision("v1"): 50, "stranger": 50})
    made.run(3)
    told = [entry for entry in made.status.release.journal if entry.what == "drift"]
    assert len(told) == 1
    assert told[0].text.startswith("kubectl-edit set the route to ")
    assert f"{revision('v1')} 50 %, stranger 50 %" in told[0].text


def test_weights_the_engine_itself_changes_are_no_drift():
    made = stepping_at(5)
    made.world.foreign_writer = "kubectl-apply"
    made.until(Phase.BAKING)
    assert [entry for entry in made.status.release.journal if entry.what == "drift"] == []


def test_steps_may_change_in_flight():
    made = stepping_at(20)
    made.world.want("v2", strategy={"steps": [{"weight": 60, "hold": 5}]})
    made.until(Phase.BAKING)
    assert made.weights == [0, 5, 20, 60, 100, 0], "one step left does not mean that the last is over"


def test_steps_added_in_flight_keep_the_one_under_way():
    made = stepping_at(20)
    steps = [{"weight": weight, "hold": 10} for weight in (5, 10, 20, 40, 80)]
    made.world.want("v2", strategy={"steps": steps})
    made.until(Phase.BAKING)
    assert made.weights == [0, 5, 20, 40, 80, 100, 0]


def test_steps_changed_between_steps_do_not_repeat_the_one_that_ended():
    made = stepping_at(20)
    made.world.image("v2").most_ready = 1
    made.reach(lambda: made.status.step == 2)
    made.world.want("v2", strategy={"steps": [{"weight": 20, "hold": 5}, {"weight": 70, "hold": 5}]})
    made.run(2)
    made.world.image("v2").most_ready = 9
    made.until(Phase.BAKING)
    assert made.weights == [0, 5, 20, 70, 100, 0]


def test_full_promotion_survives_a_change_of_steps():
    made = stepping_at(5)
    made.world.image("v2").most_ready = 1
    made.world.say("promote")
    made.look()
    made.world.want("v2", strategy={"steps": [{"weight": weight, "hold": 9} for weight in (5, 10, 20, 40)]})
    made.world.image("v2").most_ready = 9
    made.until(Phase.BAKING)
    assert made.weights == [0, 5, 100, 0]


def test_leftovers_wait_for_the_route_to_drop_them():
    made = serving()
    made.world.want("v2")
    made.until(Phase.BAKING)
    made.world.broken.add("Shift")
    made.until(Phase.IDLE).run(20)
    assert revision("v1") in made.world.deployments
    made.world.broken.clear()
    made.run(2)
    assert Retire(revision("v1")) in made.world.log


def test_a_revision_that_somebody_edits_is_told_once():
    made = stepping_at(20)
    made.world.image("v1").altered = "container main runs v9, not v1, by kubectl-edit"
    made.run(3)
    told = [line for line in made.journal() if line.startswith("altered")]
    said = "is no longer what it was made as: container main runs v9, not v1, by kubectl-edit"
    assert told == [f"altered: {revision('v1')} {said}"]
