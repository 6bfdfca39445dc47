"""Pods that are moved away on purpose: they lose their share, nobody is blamed, and a drain waits a while."""

from __future__ import annotations

import pytest

from rollout.api.status import Outcome, Phase
from tests.rollout.decide.evictions import bring_back, evict
from tests.rollout.decide.simulation import Simulation, stepping_at
from tests.rollout.decide.test_rollbacks import baking, promoting
from tests.rollout.decide.world import World, revision, spec_of


def test_an_evicted_canary_loses_its_share_until_it_is_back_and_the_step_begins_anew():
    made = stepping_at(20)
    evict(made)
    assert made.status.weight.written == 20
    made.look()
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}
    made.look()
    assert (made.status.weight.desired, made.status.weight.written) == (20, 0), "what the route says"
    assert made.status.phase is Phase.STEPPING
    assert "moved away by a planned event" in made.status.waiting.reason
    assert made.status.waiting.until == made.world.now + 60
    made.run(10)
    assert made.status.phase is Phase.STEPPING
    bring_back(made)
    made.reach(lambda: made.world.route[revision("v2")] == 20)
    again = made.world.now
    made.reach(lambda: made.status.step == 2)
    assert made.world.now - again >= 5, "it holds for its whole time, once it is seen again"
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.status.refused == []


def test_an_evicted_canary_that_does_not_come_back_is_taken_back_and_not_refused():
    made = stepping_at(20)
    evict(made)
    made.until(Phase.ROLLING_BACK, limit=70)
    assert made.status.release.outcome is Outcome.CANCELLED
    made.until(Phase.IDLE, Phase.PREPARING)
    assert made.status.refused == []


def test_a_version_that_was_moved_away_and_finds_no_room_after_that_is_not_refused():
    made = stepping_at(20)
    evict(made)
    made.until(Phase.ROLLING_BACK, limit=70)
    made.until(Phase.PREPARING)
    for _ in range(2):
        before = made.status.last.id
        made.reach(lambda: made.status.last.id != before, limit=80)  # noqa: B023 - of this turn
        assert made.status.last.outcome is Outcome.CANCELLED
        assert "0 of 1 canary pods ready after 60 s" in made.status.last.outcome_reason
        assert made.status.last.outcome_reason.endswith("its pods were moved away by a planned event")
    bring_back(made)
    made.until(Phase.BAKING)
    assert made.status.stable.image == "v2"
    assert made.status.refused == []


def test_a_version_that_was_moved_away_and_cannot_start_after_that_is_refused():
    made = stepping_at(20)
    evict(made)
    made.until(Phase.PREPARING, limit=90)
    made.world.image("v2").fatal = True
    made.until(Phase.ROLLED_BACK)
    assert [each.image for each in made.status.refused] == ["v2"]


def test_another_version_that_finds_no_room_is_refused_as_ever():
    made = stepping_at(20)
    evict(made)
    made.until(Phase.ROLLING_BACK, limit=70)
    made.world.image("v3").ready = False
    made.world.want("v3")
    made.until(Phase.ROLLED_BACK, limit=90)
    assert [each.image for each in made.status.refused] == ["v3"]


def test_nothing_is_given_back_before_the_gateway_knows_the_pods():
    made = stepping_at(20)
    evict(made)
    made.look()
    bring_back(made)
    made.world.accepts = False
    made.run(20)
    assert made.world.route[revision("v2")] == 0
    made.until(Phase.ROLLED_BACK, limit=120)
    assert "did not accept" in made.status.last.outcome_reason


def test_a_pause_keeps_the_share_away_and_takes_nothing_back_that_is_ready():
    made = stepping_at(20)
    evict(made)
    made.look()
    made.world.say("pause")
    bring_back(made)
    made.run(100)
    assert made.status.phase is Phase.STEPPING
    assert made.world.route[revision("v2")] == 0
    made.world.say("resume")
    made.reach(lambda: made.world.route[revision("v2")] == 20)


def test_pods_that_crash_after_an_eviction_are_the_versions_own_fault():
    made = stepping_at(20)
    evict(made)
    made.look()
    made.world.image("v2").fatal = True
    made.look()
    assert made.status.release.outcome is Outcome.ROLLED_BACK


def test_an_eviction_while_all_traffic_is_asked_for_gives_it_back_to_stable():
    made = promoting()
    made.world.accepts = True
    made.world.image("v2").most_ready = 9
    made.reach(lambda: made.status.weight.desired == 100)
    evict(made)
    made.look()
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}
    bring_back(made)
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_in_a_bake_the_version_before_serves_and_the_new_one_may_come_again():
    made = baking()
    evict(made)
    made.look()
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}
    assert made.status.release.outcome is Outcome.CANCELLED
    bring_back(made)
    made.until(Phase.BAKING)
    assert made.status.stable.image == "v2"
    assert made.status.refused == []


def test_a_first_version_that_is_evicted_is_waited_for():
    made = Simulation(World(spec_of("v1")))
    made.world.accepts = False
    made.reach(lambda: made.status.weight.desired == 100)
    evict(made, "v1")
    made.run(10)
    assert made.status.phase is Phase.PROMOTING
    assert made.world.route == {revision("v1"): 100}, "there is nobody else"
    bring_back(made, "v1")
    made.world.accepts = True
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v1"


def test_before_its_last_pod_is_drained_a_second_is_brought_up():
    made = stepping_at(5)
    assert made.world.pod_numbers()[revision("v2")] == 1
    made.world.image("v2").threatened = 1
    made.run(1)
    assert made.world.pod_numbers()[revision("v2")] == 2
    made.run(1)
    assert made.world.pod_numbers()[revision("v2")] == 2, "one more, not one more each look"


def test_a_spare_pod_goes_when_the_bake_is_over():
    made = stepping_at(20)
    made.world.image("v2").threatened = 1
    made.reach(lambda: made.world.deployments[revision("v2")].spare == 1)
    made.world.image("v2").threatened = 0
    made.until(Phase.PROMOTING)
    assert made.world.deployments[revision("v2")].spare == 0, "all traffic needs it"
    made.until(Phase.IDLE)
    assert made.world.pod_numbers()[revision("v2")] == 4


def test_a_spare_pod_beyond_those_of_all_traffic_goes_when_the_bake_is_over():
    made = Simulation(World(spec_of("v1", workload={"replicas": 1})))
    made.until(Phase.IDLE)
    made.world.want("v2", workload={"replicas": 1})
    made.reach(lambda: made.status.verified_at is not None)
    made.world.image("v2").threatened = 1
    made.until(Phase.BAKING)
    assert made.world.pod_numbers()[revision("v2")] == 2, "not before"
    made.world.image("v2").threatened = 0
    made.until(Phase.IDLE)
    made.run(7)
    assert made.world.pod_numbers() == {revision("v2"): 1}


@pytest.mark.parametrize("end", ["promoted", "aborted"])
def test_a_spare_pod_that_is_not_ready_holds_up_no_drain_when_the_release_goes_on(end: str):
    made = Simulation(World(spec_of("v1", workload={"replicas": 1})))
    made.until(Phase.IDLE)
    made.world.want("v2", workload={"replicas": 1})
    made.reach(lambda: made.status.verified_at is not None)
    made.world.image("v2").most_ready = made.world.image("v2").threatened = 1
    made.reach(lambda: made.world.deployments[revision("v2")].spare == 1)
    if end == "aborted":
        made.world.say("abort")
        made.world.plane_follows = False
    made.until(Phase.ROLLING_BACK if end == "aborted" else Phase.BAKING)
    made.run(1)
    found = made.world.deployments[revision("v2")]
    assert (len(found.born), found.spare, found.keeps_last) == (1, 0, False)


def test_a_count_that_somebody_gave_the_canary_is_no_spare_one():
    made = Simulation(World(spec_of("v1", workload={"replicas": 1})))
    made.until(Phase.IDLE)
    made.world.want("v2", workload={"replicas": 1})
    made.reach(lambda: made.status.verified_at is not None)
    made.world.image("v2").threatened = 1
    made.reach(lambda: made.world.deployments[revision("v2")].spare == 1)
    made.world.deployments[revision("v2")].scale(3, made.world.now)
    made.world.image("v2").threatened = 0
    made.until(Phase.IDLE)
    made.run(7)
    assert made.world.pod_numbers() == {revision("v2"): 3}


def kept(made: Simulation, image: str = "v2") -> bool:
    return made.world.deployments[revision(image)].keeps_last


def test_the_budget_keeps_the_last_pod_of_a_canary_on_trial_and_of_nobody_else():
    made = stepping_at(5)
    assert kept(made)
    assert not kept(made, "v1")
    made.until(Phase.PROMOTING)
    assert not kept(made), "one of four may go"
    made = stepping_at(5)
    made.world.say("abort")
    made.until(Phase.ROLLING_BACK)
    assert not kept(made)


def test_a_budget_that_lets_several_go_keeps_the_last_of_them():
    made = Simulation(World(spec_of("v1", workload={"max_unavailable": 4})))
    made.until(Phase.IDLE)
    made.world.want("v2", workload={"max_unavailable": 4})
    made.until(Phase.PROMOTING)
    assert kept(made)
    made.until(Phase.BAKING)
    assert not kept(made)


def test_a_canary_of_a_service_with_one_pod_is_kept_and_the_one_that_serves_is_not():
    made = Simulation(World(spec_of("v1", workload={"replicas": 1})))
    made.until(Phase.IDLE)
    assert not kept(made, "v1")
    made.world.want("v2", workload={"replicas": 1})
    made.reach(lambda: made.status.phase is Phase.STEPPING)
    made.run(1)
    assert kept(made)
    made.until(Phase.BAKING)
    assert not kept(made)


def test_where_nodes_are_not_known_no_budget_keeps_a_pod():
    made = stepping_at(5)
    made.world.sees_nodes = None
    made.run(1)
    assert kept(made), "perhaps they are again in a moment"
    made.world.sees_nodes = False
    made.run(1)
    assert not kept(made)
    made.world.sees_nodes = None
    made.run(1)
    assert not kept(made)


def test_a_drain_is_delayed_and_never_blocked():
    made = stepping_at(5)
    made.world.say("pause")
    made.world.image("v2").threatened = 1
    made.world.image("v2").most_ready = 1
    made.run(59)
    assert kept(made)
    assert "one more is brought up" in " ".join(made.journal())
    made.run(2)
    assert not kept(made)
    assert made.world.pod_numbers()[revision("v2")] == 1, "one that is asked for counts in the budget"
    made.run(30)
    told = [entry for entry in made.status.release.journal if entry.what == "let-go"]
    assert [entry.text for entry in told] == ["no pod on another node is ready after 60 s: the drain is not held up"]
    made.world.image("v2").threatened = 0
    made.run(1)
    assert kept(made)
    assert made.status.threatened_since is None
