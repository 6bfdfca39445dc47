"""What others do to the objects and to the spec of a release is put right, kept or told."""

from __future__ import annotations

import pytest

from rollout.api.status import Phase
from rollout.decide.actions import (
    EnsureRevision,
    Retire,
)
from tests.rollout.decide.simulation import serving, stepping_at
from tests.rollout.decide.world import revision


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
