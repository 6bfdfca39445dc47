"""An outage of everything moves nothing and blames nobody, and a bake that goes wrong in it is not promoted."""

from __future__ import annotations

from rollout.api.status import Outcome, Phase
from tests.rollout.decide.simulation import Simulation, stepping_at
from tests.rollout.decide.test_rollbacks import baking
from tests.rollout.decide.world import revision


def outage(made: Simulation) -> None:
    for image in ("v1", "v2"):
        made.world.image(image).ready = False


def test_an_outage_of_both_arms_moves_nothing_and_blames_nobody():
    made = stepping_at(20)
    outage(made)
    made.run(30)
    assert made.status.phase is Phase.STEPPING
    assert made.world.route == {revision("v1"): 80, revision("v2"): 20}
    assert made.status.waiting.reason == "no pod of any version is ready: nothing is changed before one is"
    assert made.status.waiting.until is not None
    for image in ("v1", "v2"):
        made.world.image(image).ready = True
    made.run(1)
    assert made.status.doubt != "outage"
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_after_an_outage_stable_may_be_back_first():
    made = stepping_at(20)
    outage(made)
    made.run(2)
    made.world.image("v1").ready = True
    made.look()
    assert made.world.route == {revision("v1"): 100, revision("v2"): 0}
    made.run(5)
    made.world.image("v2").ready = True
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_an_outage_that_lasts_ends_the_release_without_a_refusal():
    made = stepping_at(20)
    outage(made)
    made.until(Phase.ROLLING_BACK, limit=70)
    assert made.status.release.outcome is Outcome.CANCELLED
    assert made.status.release.outcome_reason == "no pod of any version is ready, for 60 s"


def test_a_bake_that_goes_wrong_with_no_way_back_does_not_end_as_promoted():
    made = baking()
    outage(made)
    made.run(60)
    assert made.status.phase is Phase.BAKING
    assert "no ready pod to go back to" in made.status.waiting.reason
    made.until(Phase.IDLE, limit=30)
    assert made.status.last.outcome is Outcome.PROMOTED_NOT_PROVEN
    assert not made.status.last.proven
    assert "no ready pod to go back to" in made.status.last.outcome_reason


def test_a_fix_is_not_kept_out_by_a_bake_that_goes_wrong():
    made = baking()
    outage(made)
    made.run(5)
    made.world.want("v3")
    made.until(Phase.PREPARING, limit=2)
