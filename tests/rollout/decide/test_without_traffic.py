"""A workload without traffic is replaced and returns on a fault, and its route goes when traffic is taken away."""

from __future__ import annotations

import pytest

from rollout.api.status import Phase
from tests.rollout.decide.simulation import serving, stepping_at
from tests.rollout.decide.world import revision


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
