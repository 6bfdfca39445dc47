"""Bad versions, changed minds, and the way back from every phase."""

from __future__ import annotations

import pytest

from rollout.api.status import Outcome, Phase
from rollout.decide.actions import Shift
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.world import revision

BACK = {revision("v1"): 100}


def promoting(**changes) -> Simulation:
    made = stepping_at(50, **changes)
    made.world.image("v2").most_ready = 2
    return made.until(Phase.PROMOTING)


def promoting_in_full() -> Simulation:
    made = stepping_at(50)
    made.world.accepts = False
    return made.reach(lambda: made.status.weight.desired == 100)


def baking() -> Simulation:
    made = serving()
    made.world.want("v2")
    return made.until(Phase.BAKING)


def preparing() -> Simulation:
    made = serving()
    made.world.want("v2")
    return made.until(Phase.PREPARING)


PHASES = {
    "preparing": preparing,
    "stepping": lambda: stepping_at(20),
    "promoting": promoting,
    "promoting in full": promoting_in_full,
    "baking": baking,
}
WITH_TRAFFIC = [name for name in PHASES if name != "preparing"]


def back_at_v1(made: Simulation) -> Simulation:
    made.world.accepts = True
    made.until(Phase.ROLLED_BACK, Phase.IDLE).run(8)
    assert made.world.route == BACK
    assert made.world.pod_numbers() == {revision("v1"): 4}
    assert made.status.stable.image == "v1"
    assert made.world.lost == 0
    return made


@pytest.mark.parametrize("phase", WITH_TRAFFIC)
def test_bad_verdict(phase: str):
    made = PHASES[phase]()
    made.world.image("v2").verdict = "bad"
    made.world.log.clear()
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK
    assert made.world.log[0] == Shift({revision("v1"): 100, revision("v2"): 0})
    decided = made.world.now
    back_at_v1(made)
    last = made.status.last
    assert made.status.phase is Phase.ROLLED_BACK
    assert last.outcome is Outcome.ROLLED_BACK
    assert last.outcome_reason == "errors bad"
    assert last.verdict_at_end["verdict"] == "bad"
    assert last.excess_failed_requests == 7.0
    assert last.reaction.evidence_at == decided - 1
    assert last.reaction.decided_at == decided
    assert decided <= last.reaction.written_at <= last.reaction.observed_at <= decided + 1
    assert [entry.image for entry in made.status.refused] == ["v2"]
    assert [entry.weight for entry in last.journal if entry.what == "rolled-back"] == [0]


@pytest.mark.parametrize("phase", PHASES)
def test_abort(phase: str):
    made = PHASES[phase]()
    made.world.say("abort", reason="smells")
    back_at_v1(made)
    assert made.status.last.outcome is Outcome.ABORTED
    assert made.status.last.outcome_reason == "aborted by ann: smells"
    assert made.status.command_answer == "rolling back"
    assert made.status.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("phase", PHASES)
def test_cancel(phase: str):
    made = PHASES[phase]()
    made.world.want("v1")
    back_at_v1(made)
    assert made.status.phase is Phase.IDLE
    assert made.status.last.outcome is Outcome.CANCELLED
    assert made.status.refused == []


@pytest.mark.parametrize("phase", [name for name in PHASES if name != "baking"])
def test_supersede(phase: str):
    made = PHASES[phase]()
    made.world.want("v3")
    made.world.accepts = True
    made.reach(lambda: made.status.release is not None and made.status.release.to_version.image == "v3")
    assert made.status.last.outcome is Outcome.SUPERSEDED
    assert made.status.last.outcome_reason == "v3 is desired now"
    made.until(Phase.IDLE).run(8)
    assert made.status.stable.image == "v3"
    assert made.world.pod_numbers() == {revision("v3"): 4}
    assert made.world.lost == 0


def test_third_version_in_the_bake_ends_it_and_follows():
    made = baking().run(5)
    made.world.want("v3")
    made.reach(lambda: made.status.release is not None and made.status.release.to_version.image == "v3")
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.status.stable.image == "v2"
    made.world.image("v3").verdict = "bad"
    made.until(Phase.ROLLED_BACK).run(8)
    assert made.world.route == {revision("v2"): 100}


def test_third_version_that_was_refused_does_not_end_the_bake():
    made = serving()
    made.world.image("v3").fatal = True
    made.world.want("v3")
    made.until(Phase.ROLLED_BACK)
    made.world.want("v2")
    made.until(Phase.BAKING)
    made.world.want("v3")
    made.run(10)
    assert made.status.phase is Phase.BAKING
    made.run(20)
    assert made.status.phase is Phase.IDLE
    assert made.status.stable.image == "v2"


def test_superseded_twice_in_a_row():
    made = stepping_at(20)
    made.world.want("v3")
    made.until(Phase.ROLLING_BACK)
    made.world.want("v4")
    made.until(Phase.STEPPING)
    assert made.status.canary.image == "v4"


def test_revision_returns_while_it_is_being_taken_back():
    made = stepping_at(20)
    made.world.want("v1")
    made.until(Phase.ROLLING_BACK)
    made.world.want("v2")
    made.until(Phase.STEPPING).until(Phase.IDLE)
    assert made.status.stable.image == "v2"
    assert len(set(made.world.records)) == len(made.world.records) == 3


def test_two_releases_of_one_revision_in_one_second_have_records_of_their_own():
    made = serving()
    for image in ("v2", "v1", "v2"):
        made.world.want(image)
        made.run(0.25)
    assert made.status.release.id != made.status.last.id


# ------------------------------------------------------------------ canaries that fall ill


def test_crash_and_unready_under_traffic():
    for problem, fatal in (("CrashLoopBackOff: exit 1", True), ("readiness probe fails", False)):
        made = stepping_at(20)
        made.world.image("v2").problem = problem
        made.world.image("v2").fatal, made.world.image("v2").ready = fatal, False
        made.until(Phase.ROLLED_BACK)
        told = f"no canary pod is ready while it has 20 % of the traffic: {problem}"
        assert made.status.last.outcome_reason == told


def test_one_unready_pod_of_many_is_left_to_the_judge():
    made = stepping_at(50)
    made.world.image("v2").most_ready = 1
    made.run(5)
    assert made.status.phase is Phase.STEPPING


def test_new_version_unready_in_the_bake_returns_at_once():
    made = baking().run(5)
    made.world.image("v2").ready = False
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK
    assert made.status.release.outcome_reason == "no pod of the new version is ready: all are unready"
    made.until(Phase.ROLLED_BACK)
    assert made.world.route == BACK


def test_new_version_deleted_by_hand_in_the_bake_returns_at_once():
    made = baking().run(5)
    del made.world.deployments[revision("v2")]
    made.look()
    assert made.status.release.outcome_reason == "the pods of the new version are gone"
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}


def test_no_return_to_a_version_that_is_gone():
    made = baking().run(5)
    del made.world.deployments[revision("v1")]
    made.world.image("v2").verdict = "bad"
    made.run(10)
    assert made.status.phase is Phase.BAKING
    assert made.world.route[revision("v2")] == 100
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_no_return_while_the_version_before_has_no_ready_pod():
    made = baking().run(5)
    made.world.image("v1").ready = False
    made.world.image("v2").ready = False
    made.run(5)
    assert made.status.phase is Phase.BAKING, "a fault of both is not the new version's"
    made.world.image("v1").ready = True
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK


def test_previous_desired_again_but_gone_is_released_anew():
    made = baking().run(5)
    del made.world.deployments[revision("v1")]
    made.world.want("v1")
    made.until(Phase.STEPPING)
    assert made.status.last.outcome is Outcome.PROMOTED
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v1"
    assert made.world.lost == 0


# ------------------------------------------------------------------ refused, and tried again


def test_refused_revision_is_not_tried_again_until_retry():
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK).run(60)
    assert made.status.phase is Phase.ROLLED_BACK
    assert made.status.desired_revision == revision("v2") != made.status.stable.revision
    made.world.image("v2").verdict = "good"
    made.world.say("retry")
    made.run(1)
    assert made.status.command_answer == f"{revision('v2')} will be tried again"
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_refused_revision_is_left_by_wanting_another():
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK)
    made.world.want("v1")
    made.run(1)
    assert made.status.phase is Phase.IDLE
    made.world.want("v2")
    made.run(20)
    assert made.status.phase is Phase.IDLE, "still refused"
    made.world.want("v3")
    made.until(Phase.STEPPING)


# ------------------------------------------------------------------ a rollback that the world holds up


def test_weight_zero_is_repeated_until_the_api_server_takes_it():
    made = stepping_at(20)
    made.world.broken = {"Shift", "Scale"}
    made.world.image("v2").verdict = "bad"
    made.run(20)
    assert made.status.phase is Phase.ROLLING_BACK
    assert revision("v2") in made.world.deployments
    made.world.broken.clear()
    back_at_v1(made)


def test_no_rollback_waits_for_ever_and_weight_zero_stays_wanted():
    made = stepping_at(20)
    made.world.broken = {"Shift"}
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK, limit=60)
    last = made.status.last
    assert last.incomplete.startswith("the route could not be written")
    assert made.world.route[revision("v2")] == 20
    made.run(30)
    assert revision("v2") in made.world.deployments, "requests still reach it"
    made.world.broken.clear()
    made.run(1)
    assert made.world.route == {revision("v1"): 100}
    assert made.world.lost == 0


def test_foreign_edit_during_the_rollback_is_put_right():
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    made.world.edit_route({revision("v1"): 0, revision("v2"): 100})
    back_at_v1(made)


def test_rollback_does_not_wait_for_stable_pods():
    made = stepping_at(20)
    made.world.image("v1").ready = False
    made.world.image("v2").verdict = "bad"
    made.world.log.clear()
    made.look()
    assert made.world.log[0] == Shift({revision("v1"): 100, revision("v2"): 0})


def test_rare_requests_do_not_look_like_quiet():
    made = stepping_at(20, analysis={"no_traffic": {"action": "go-on"}})
    made.world.rate = 0.02
    made.run(8)
    made.world.accept_after = 7
    made.world.image("v2").verdict = "bad"
    decided = made.world.now
    made.until(Phase.ROLLED_BACK)
    assert made.world.now - decided >= 7, "quiet alone does not prove that the gateway knows"


def test_a_gateway_that_never_answers_is_believed_after_a_quiet_while():
    made = stepping_at(20)
    made.world.accepts = False
    made.world.image("v2").verdict = "bad"
    decided = made.world.now
    made.until(Phase.ROLLED_BACK)
    assert made.world.now - decided >= 30
    assert made.status.last.reaction.observed_at <= decided + 1


def test_uncounted_requests_get_their_drain():
    made = stepping_at(20)
    made.world.countable = False
    made.world.image("v2").verdict = "bad"
    decided = made.world.now
    made.until(Phase.ROLLED_BACK)
    assert 5 <= made.world.now - decided < 7
    assert made.status.last.reaction.observed_at is None


def test_requests_that_still_reach_the_canary_keep_the_rollback_open():
    made = stepping_at(20)
    made.world.plane_follows = False
    made.world.image("v2").verdict = "bad"
    made.run(30)
    assert made.status.phase is Phase.ROLLING_BACK
    assert "requests still reach the canary" in made.status.waiting.reason
    made.run(300)
    assert made.status.phase is Phase.ROLLED_BACK
    assert made.status.last.incomplete == "requests still reach the canary"
    assert made.world.lost == 0, "its pods stay"
    made.world.plane_follows = True
    made.world.want("v3")
    made.until(Phase.BAKING)
