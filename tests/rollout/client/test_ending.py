"""The number CI acts on, for every way a wait can end."""

from dataclasses import replace

import pytest

from rollout.api.status import Outcome, Phase, Status
from rollout.client.ending import Awaited, ending_of, learn, out_of_patience, out_of_time, refusal_in
from terminal.exits import ExitCode
from tests.rollout import samples

CANARY = samples.CANARY.revision
STABLE = samples.STABLE.revision


def known(**changes):
    return Awaited(CANARY, 3, "k3x9", **changes)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PROMOTED, 0),
        (Outcome.PROMOTED_NOT_PROVEN, 0),
        (Outcome.ROLLED_BACK, 7),
        (Outcome.ABORTED, 9),
        (Outcome.SUPERSEDED, 9),
        (Outcome.CANCELLED, 9),
    ],
)
def test_each_outcome(outcome, code):
    ending = ending_of(known(), Status(last=samples.ended(outcome)))
    assert ending.code == code
    assert ending.text == f"{outcome.value}: because"
    assert ending.release.id == "k3x9"


def test_in_flight_is_no_end():
    assert ending_of(known(), samples.stepping()) is None


def test_a_bake_is_waited_for_unless_promotion_is_enough():
    baking = samples.stepping(phase=Phase.BAKING)
    assert ending_of(known(), baking) is None
    assert ending_of(known(baked=False), baking).code == ExitCode.DONE


def test_a_release_that_nobody_remembers():
    other = samples.ended(Outcome.PROMOTED, id="other")
    assert ending_of(known(), Status(last=other)).code == ExitCode.ABORTED


def test_the_release_is_learnt_from_its_revision():
    awaited = Awaited(CANARY, 3)
    assert learn(awaited, samples.stepping()).release_id == "k3x9"
    assert learn(awaited, samples.stepping(observed_generation=2)).release_id == ""
    assert learn(Awaited("other", 3), samples.stepping()).release_id == ""
    assert learn(awaited, Status()).release_id == ""
    assert learn(known(), samples.stepping()) == known()


def test_an_older_spec_does_not_count():
    assert ending_of(Awaited(CANARY, 4), samples.promoted()) is None


def test_it_serves_already():
    assert ending_of(Awaited(CANARY, 3), samples.promoted()).code == ExitCode.DONE
    never_released = samples.promoted().model_copy(update={"last": None})
    ending = ending_of(Awaited(CANARY, 3), never_released)
    assert (ending.code, ending.text, ending.release) == (0, f"{CANARY} serves already", None)


def test_it_was_taken_back_before():
    ending = ending_of(Awaited(CANARY, 3), samples.rolled_back())
    assert ending.code == ExitCode.ROLLED_BACK
    assert "`release retry` allows another try" in ending.text
    forgotten = samples.rolled_back().model_copy(update={"last": None})
    assert ending_of(Awaited(CANARY, 3), forgotten).code == ExitCode.ROLLED_BACK
    aborted = samples.rolled_back().model_copy(update={"last": samples.ended(Outcome.ABORTED)})
    assert ending_of(Awaited(CANARY, 3), aborted).code == ExitCode.ABORTED


def test_it_has_not_begun():
    assert ending_of(Awaited("checkout-new", 3), samples.promoted()) is None
    assert ending_of(Awaited("checkout-new", 3), samples.stepping()) is None


def test_out_of_time():
    assert out_of_time(None, 5).code == ExitCode.TIMEOUT
    assert out_of_time(samples.stepping(), 5).text == "no outcome after 5 s: the phase is Stepping"
    turning = samples.stepping(phase=Phase.ROLLING_BACK, release=samples.release(outcome_reason="errors"))
    ending = out_of_time(turning, 5)
    assert (ending.code, ending.text) == (8, "rollback not complete after 5 s: errors")
    assert out_of_time(turning.model_copy(update={"release": None}), 5).code == ExitCode.ROLLBACK_INCOMPLETE


def test_a_rollback_that_was_not_seen_to_be_complete_has_a_code_of_its_own():
    last = samples.ended(Outcome.ROLLED_BACK).model_copy(update={"incomplete": "requests still reach the canary"})
    found = ending_of(Awaited("r", release_id=last.id), Status(last=last))
    assert found is not None
    assert found.code is ExitCode.ROLLBACK_INCOMPLETE
    assert found.text.endswith("not seen to be complete: requests still reach the canary")


def test_what_was_just_started_is_never_answered_with_the_record_before():
    last = samples.ended(Outcome.PROMOTED).model_copy(update={"generation": 3})
    status = Status(observed_generation=4, stable=last.to_version, last=last)
    asked = Awaited(last.to_version.revision, generation=4)
    assert ending_of(asked, status).release == last
    assert ending_of(replace(asked, started=True), status).release is None
    mine = status.model_copy(update={"last": last.model_copy(update={"generation": 4})})
    assert ending_of(replace(asked, started=True), mine).release == mine.last


def test_what_is_refused_is_told_of_the_release_that_is_awaited_alone():
    awaited = Awaited(CANARY, 3)
    assert refusal_in(awaited, samples.waiting_for_quota()) == samples.QUOTA
    assert refusal_in(awaited, samples.waiting_for_quota("another")) == ""
    assert refusal_in(awaited, samples.waiting_for_quota(phase=Phase.ROLLING_BACK)) == ""
    assert refusal_in(awaited, samples.stepping()) == ""
    not_begun = samples.waiting_for_quota(phase=Phase.IDLE, release=None)
    assert refusal_in(awaited, not_begun) == samples.QUOTA, "the route of a version before cannot be removed"
    assert refusal_in(Awaited("another", 3), not_begun) == ""


def test_out_of_patience():
    ending = out_of_patience(samples.waiting_for_quota(), 60, samples.T + 60)
    assert ending.code is ExitCode.REFUSED
    assert ending.text.startswith(f"refused for 60 s: {samples.QUOTA}; the engine tries on for 4m more, then takes it")
    assert ending.release.id == "k3x9"
