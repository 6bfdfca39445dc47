"""What cannot be judged, what is not accepted, and shares that are not what was asked for."""

from __future__ import annotations

import re

import pytest

from rollout.api.status import Outcome, Phase
from tests.rollout.decide.simulation import Simulation, serving
from tests.rollout.decide.world import revision

DOUBTS = {
    "undecided": "undecided",
    "no-traffic": "no_traffic",
    "no-data": "no_data",
    "source-down": "source_down",
}


def released(verdict: str | None, **analysis) -> Simulation:
    changes = {"analysis": analysis}
    made = serving(**changes)
    made.world.verdict = verdict
    made.world.want("v2", **changes)
    return made


def policy(action: str, deadline: float = 20, then: str = "roll-back") -> dict:
    return {"action": action, "deadline": deadline, "then": then}


# ------------------------------------------------------------------ at the end of a step


@pytest.mark.parametrize("verdict", DOUBTS)
def test_go_on(verdict: str):
    made = released(verdict, **{DOUBTS[verdict]: policy("go-on")})
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED_NOT_PROVEN


@pytest.mark.parametrize("verdict", DOUBTS)
def test_roll_back(verdict: str):
    made = released(verdict, **{DOUBTS[verdict]: policy("roll-back")})
    made.until(Phase.ROLLED_BACK)
    assert made.status.last.outcome_reason == f"{verdict}: errors {verdict}"
    assert len(made.status.last.steps) == 1


@pytest.mark.parametrize("verdict", DOUBTS)
@pytest.mark.parametrize("then", ["go-on", "roll-back"])
def test_hold_until_the_deadline(verdict: str, then: str):
    made = released(verdict, **{DOUBTS[verdict]: policy("hold", 20, then)})
    made.reach(lambda: bool(made.status.doubt) and not made.status.doubt.startswith("not-r"))
    since = made.world.now
    assert made.journal()[-1] == f"held: holding, {verdict}: errors {verdict}"
    goal = Phase.ROLLED_BACK if then == "roll-back" else None
    made.reach(lambda: made.status.phase is goal if goal else made.status.step == 1)
    assert 20 <= made.world.now - since < 22
    if goal:
        assert made.status.last.outcome_reason == f"{verdict} for 20 s: errors {verdict}"


def test_a_hold_ends_when_the_judge_can_say_good():
    made = released("no-data", no_data=policy("hold", 100))
    made.reach(lambda: made.status.doubt == "no-data").run(50)
    made.world.verdict = "good"
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


def test_verdicts_that_take_turns_do_not_hold_forever():
    made = released("no-data", no_data=policy("hold", 20), source_down=policy("hold", 40))
    made.reach(lambda: made.status.doubt == "no-data")
    turns = iter(range(10**6))

    def over() -> bool:
        made.world.verdict = ("no-data", "source-down")[next(turns) % 2]
        return made.status.phase is Phase.ROLLED_BACK

    started = made.world.now
    made.reach(over, limit=2000, every=3)
    assert made.world.now - started <= 1806, "the longest deadline of all, no_traffic's here"
    assert sum("held" in line for line in made.journal()) == 1, "and the journal is not flooded"


def test_one_look_of_another_doubt_does_not_borrow_the_time_of_the_first():
    made = released("no-traffic", no_traffic=policy("hold", 500), no_data=policy("hold", 20))
    made.reach(lambda: made.status.doubt == "no-traffic").run(100)
    made.world.verdict = "no-data"
    made.look()
    made.world.verdict = "no-traffic"
    made.run(30)
    assert made.status.phase is Phase.STEPPING


def test_no_judge_yet_is_nothing_to_wait_for_without_signals():
    made = released(None, signals=[])
    made.until(Phase.IDLE)
    assert {step.verdict for step in made.status.last.steps} == {"not judged"}


# ------------------------------------------------------------------ shares nobody can count


@pytest.mark.parametrize(
    ("verdict", "key"), [("no-traffic", "no_traffic"), ("no-data", "no_data"), ("source-down", "source_down")]
)
@pytest.mark.parametrize("way", ["go-on", "roll-back", "hold go-on", "hold roll-back"])
def test_uncounted_share(verdict: str, key: str, way: str):
    action, _, then = way.partition(" ")
    made = released(verdict, **{key: policy(action, 20, then or "roll-back")})
    made.world.countable = False
    goes_on = "go-on" in {action, then}
    made.until(Phase.IDLE if goes_on else Phase.ROLLED_BACK)
    if not goes_on:
        told = "the requests that reach the canary cannot be counted"
        held = "" if action == "roll-back" else " for 20 s"
        assert made.status.last.outcome_reason == f"{verdict}{held}: {told}"
    else:
        assert made.status.stable.image == "v2"
        assert made.status.last.steps[0].observed is None


def test_signals_that_count_no_requests_verify_by_acceptance():
    signals = [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]
    made = released("good", signals=signals)
    made.world.countable = False
    made.until(Phase.IDLE, limit=120)
    assert made.status.last.outcome is Outcome.PROMOTED


def test_no_word_is_lost_about_the_first_moments_of_a_step():
    made = released("good")
    made.world.rate = 2
    made.until(Phase.IDLE)
    assert not [line for line in made.journal() if line.startswith("held")]


def test_few_requests_verify_a_share_when_its_time_is_over():
    made = released("good")
    made.world.rate = 0.5
    asked = made.until(Phase.STEPPING).world.now
    made.reach(lambda: made.status.verified_at is not None, limit=300)
    assert made.world.now - asked >= 30, "fifteen requests do not prove 5 %, and do not speak against it"
    assert made.world._answered.get(revision("v2")), "but none at all is no share"


def test_one_odd_request_after_a_long_silence_condemns_nobody():
    made = released("no-traffic", no_traffic=policy("hold", 500))
    made.world.rate = 0
    made.until(Phase.STEPPING).run(200)
    made.world._answered[revision("v2")] = 1
    made.run(5)
    assert made.status.phase is Phase.STEPPING
    made.world.rate = 200
    made.reach(lambda: made.status.verified_at is not None)


def test_no_traffic_at_the_end_is_all_traffic():
    made = released("good", no_traffic=policy("go-on"))
    made.world.rate = 0
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


# ------------------------------------------------------------------ routes


def test_route_that_is_not_accepted():
    made = released("good")
    asked = made.until(Phase.STEPPING).world.now
    made.world.accepts = False
    made.until(Phase.ROLLING_BACK)
    assert 30 <= made.world.now - asked < 32
    assert made.status.release.outcome_reason == "the gateway did not accept the route: NoMatchingParent"


@pytest.mark.parametrize("named", [True, False])
def test_a_canary_that_the_gateway_never_hears_of_gets_no_request(named):
    made = released("good")
    made.world.accepts = False
    if not named:
        made.world.broken.add("Shift")
    made.until(Phase.ROLLED_BACK)
    told = "did not accept the route: NoMatchingParent" if named else "could not be written"
    assert told in made.status.last.outcome_reason
    assert made.status.last.steps == []


def test_route_whose_controller_is_silent():
    made = released("good")
    made.until(Phase.STEPPING)
    made.world.accept_after = 1000
    made.until(Phase.ROLLING_BACK)
    told = "the gateway did not accept the route: no answer from its controller"
    assert made.status.release.outcome_reason == told


def test_route_that_cannot_be_written():
    made = released("good")
    made.until(Phase.STEPPING).world.broken.add("Shift")
    asked = made.reach(lambda: made.status.weight.desired == 20).world.now
    made.until(Phase.ROLLING_BACK)
    assert 30 <= made.world.now - asked < 32
    told = "the route could not be written: it does not show the weight"
    assert made.status.release.outcome_reason == told


def test_all_traffic_that_cannot_be_written():
    made = released("good")
    made.reach(lambda: made.status.step == 3)
    made.world.broken.add("Shift")
    made.reach(lambda: made.status.weight.desired == 100)
    made.until(Phase.ROLLING_BACK)


def test_a_route_that_others_keep_changing():
    made = released("good")
    made.until(Phase.STEPPING)
    made.world.accept_after = 1000
    made.run(25)

    def fight() -> bool:
        made.world.edit_route({revision("v1"): 90, revision("v2"): 10})
        return made.status.phase is Phase.ROLLING_BACK

    made.reach(fight, limit=30)
    assert made.status.release.outcome_reason == "the route is being changed by kubectl-edit"


def test_a_share_that_is_not_what_the_route_says():
    made = released("good")
    made.until(Phase.STEPPING)
    made.world.plane_follows = False
    made.world._plane = {revision("v1"): 60, revision("v2"): 40}
    made.until(Phase.ROLLING_BACK)
    told = r"the gateway sends (38|39|40|41)\.\d % to the canary, not 5 % as the route says"
    assert re.fullmatch(told, made.status.release.outcome_reason)


def test_all_traffic_that_does_not_arrive():
    made = released("good")
    made.reach(lambda: made.status.step == 3)
    made.world.plane_follows = False
    made.until(Phase.ROLLING_BACK)
    assert "not 100 % as the route says" in made.status.release.outcome_reason


def test_engine_down_past_the_deadline_is_not_a_fault_of_the_route():
    made = released("good")
    made.until(Phase.STEPPING)
    assert made.status.verified_at is None
    for _ in range(400):
        made.world.pass_time(0.25)
    made.restart()
    made.look()
    assert made.status.phase is Phase.STEPPING
    assert made.status.verified_at is not None


def test_weight_is_dated_by_the_write_that_was_its_own():
    made = released("good")
    made.until(Phase.STEPPING)
    asked = made.world.now
    made._wrote_at = asked - 100
    made.world.pass_time(0.25)
    made.look()
    assert made.status.written_at >= asked
