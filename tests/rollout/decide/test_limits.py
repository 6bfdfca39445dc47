"""Each wait ends at its limit: not a moment before, and not a moment after. The limits are those people have set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rollout.api.status import Outcome, Phase, Version
from rollout.decide.actions import Retire
from rollout.decide.decide import Decision, decide
from rollout.decide.verify import SILENT, SILENT_SECONDS
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import preparing
from tests.rollout.decide.waits import (
    BAKE,
    DRAIN,
    HOLD,
    MOMENT,
    READY,
    VERIFY,
    Wait,
    at,
    baked,
    baked_and_unwell,
    contradicted,
    doubted,
    evicted,
    held,
    never_ready,
    never_routed,
    nobody_comes,
    not_accepted,
    outage,
    returning_without_traffic,
    rollback_that_is_not_seen,
    rollback_that_nobody_counts,
    with_clocks,
)
from tests.rollout.decide.world import World, revision, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable


def leaves(phase: Phase) -> Callable[[Decision], bool]:
    return lambda found: found.status.phase is not phase


LIMITS: dict[str, tuple[Callable[[], Wait], float, Callable[[Decision], bool]]] = {
    "an evicted canary is waited for": (evicted, READY, leaves(Phase.STEPPING)),
    "an outage of everything is waited for": (outage, READY, leaves(Phase.STEPPING)),
    "pods have their time to be ready": (never_ready, READY, leaves(Phase.PREPARING)),
    "the gateway has its time to know the pods": (never_routed, VERIFY, leaves(Phase.PREPARING)),
    "old pods have their time to be back": (returning_without_traffic, READY, leaves(Phase.ROLLING_BACK)),
    "the gateway has its time to accept": (not_accepted, VERIFY, leaves(Phase.STEPPING)),
    "the requests have their time to follow": (contradicted, VERIFY, leaves(Phase.STEPPING)),
    "nobody comes": (nobody_comes, 5.0, leaves(Phase.PROMOTING)),
    "a rollback has its time to be seen": (rollback_that_is_not_seen, DRAIN + VERIFY, leaves(Phase.ROLLING_BACK)),
    "a rollback that nobody counts drains": (rollback_that_nobody_counts, DRAIN, leaves(Phase.ROLLING_BACK)),
    "a step is held": (held, HOLD, lambda found: found.status.step == 2),
    "a doubt is held": (doubted, 40.0, leaves(Phase.STEPPING)),
    "the version before is kept": (baked, BAKE, leaves(Phase.BAKING)),
    "a bake that goes wrong lasts": (baked_and_unwell, BAKE + READY, leaves(Phase.BAKING)),
}


@pytest.mark.parametrize("wait", LIMITS)
def test_a_wait_ends_at_its_limit_and_not_before(wait: str):
    begin, limit, is_over = LIMITS[wait]
    made, since = begin()
    assert since is not None
    assert not is_over(at(made, since + limit - MOMENT))
    assert is_over(at(made, since + limit))


@pytest.mark.parametrize("wait", LIMITS)
def test_the_limit_that_is_told_is_the_one_that_is_kept(wait: str):
    begin, limit, _ = LIMITS[wait]
    made, since = begin()
    assert since is not None
    told = at(made, since + limit - MOMENT).status.waiting
    assert told is not None
    if wait not in {"nobody comes", "a rollback that nobody counts drains", "old pods have their time to be back"}:
        assert told.until == since + limit
        assert told.since == since


def test_a_rollback_without_traffic_ends_as_soon_as_the_old_pods_are_back():
    made, since = returning_without_traffic()
    made.world.image("v1").ready = True
    made.until(Phase.ROLLED_BACK)
    assert since is not None
    assert made.world.now < since + READY / 2


# ------------------------------------------------------------------ quiet, silence, shares


def test_quiet_counts_from_weight_zero_on_and_needs_a_second():
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    made.run(0.5)
    since = made.status.written_at
    assert since is not None
    long_quiet = {"accepted": True, "canary_quiet_seconds": 3600.0}
    assert at(made, since + 1 - MOMENT, **long_quiet).status.phase is Phase.ROLLING_BACK
    assert at(made, since + 1, **long_quiet).status.phase is Phase.ROLLED_BACK
    assert at(made, since + 3, accepted=True, canary_quiet_seconds=1 - MOMENT).status.phase is Phase.ROLLING_BACK
    assert at(made, since + VERIFY - MOMENT, accepted=False, canary_quiet_seconds=3600.0).status.phase is (
        Phase.ROLLING_BACK
    )
    assert at(made, since + VERIFY, accepted=False, canary_quiet_seconds=3600.0).status.phase is Phase.ROLLED_BACK


def test_what_pods_count_keeps_no_rollback_from_ending_once_it_has_drained():
    made = stepping_at(20, strategy={"drain": 1})
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    made.run(0.5)
    since = made.status.written_at
    assert since is not None
    probes = {"accepted": True, "canary_quiet_seconds": 0.0, "by_gateway": False}
    assert at(made, since + 2 - MOMENT, **probes).status.phase is Phase.ROLLING_BACK
    assert at(made, since + 2, **probes).status.phase is Phase.ROLLED_BACK
    assert at(made, since + 2, **(probes | {"by_gateway": True})).status.phase is Phase.ROLLING_BACK
    assert at(made, since + 2, **(probes | {"accepted": False})).status.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize(
    ("missing", "seconds", "goes"),
    [
        (SILENT, SILENT_SECONDS, True),
        (SILENT - 0.01, SILENT_SECONDS, False),
        (SILENT, SILENT_SECONDS - 0.01, False),
        (100.0, 0.0, False),
        (0.0, 100.0, False),
    ],
)
def test_silence_needs_enough_answers_and_enough_time(missing: float, seconds: float, *, goes: bool):
    made = stepping_at(20)
    found = at(made, made.world.now, missing=missing, missing_seconds=seconds, open_requests=7).status
    assert (found.phase is Phase.ROLLING_BACK) is goes
    if goes:
        told = "the canary has given none of about 9 answers in 2.0 s; 7 requests wait for it"
        assert found.release.outcome_reason == told


def test_a_canary_that_nobody_is_sent_to_is_not_silent():
    made = stepping_at(20)
    weights = {revision("v1"): 100, revision("v2"): 0}
    assert at(made, made.world.now, missing=99.0, missing_seconds=9.0, weights=weights).status.phase is Phase.STEPPING


def unverified() -> tuple[Simulation, float]:
    """A canary at 20 % that is accepted, and whose requests are to be counted."""
    made = stepping_at(5)
    made.world.countable = False
    made.reach(lambda: made.status.weight.accepted == 20)
    assert made.status.written_at is not None
    assert made.status.verified_at is None
    return made, made.status.written_at


def test_none_of_many_requests_contradicts_and_none_of_few_does_not():
    """28 requests at 20 % leave the canary without any once in 500 times, 42 once in 12,000."""
    made, since = unverified()
    none = {"canary_share": 0.0, "by_gateway": True}
    early, late = since + VERIFY - MOMENT, since + VERIFY
    assert at(made, early, requests=42, **none).status.phase is Phase.STEPPING
    gone = at(made, late, requests=42, **none).status
    assert gone.release.outcome_reason == "none of 42 requests were answered by the canary, which should have 20 %"
    few = at(made, late, requests=28, **none).status
    assert few.phase is Phase.STEPPING
    assert (few.verified_at, few.doubt) == (None, "no-traffic"), "nobody can say, and that has a policy of its own"


def test_a_share_that_is_wrong_is_told_in_percent_when_its_time_is_over():
    made, since = unverified()
    wrong = {"canary_share": 0.975, "requests": 1000, "by_gateway": True}
    assert at(made, since + VERIFY - MOMENT, **wrong).status.phase is Phase.STEPPING
    gone = at(made, since + VERIFY, **wrong).status
    assert gone.release.outcome is Outcome.ROLLED_BACK
    assert gone.release.outcome_reason == "the gateway sends 97.5 % to the canary, not 20 % as the route says"


def test_what_pods_count_confirms_at_the_end_of_its_time_and_never_contradicts():
    made, since = unverified()
    wrong = {"canary_share": 0.9, "requests": 1000, "by_gateway": False}
    assert at(made, since + VERIFY - MOMENT, **wrong).status.verified_at is None
    assert at(made, since + VERIFY, **wrong).status.verified_at == since + VERIFY
    none = at(made, since + VERIFY, **(wrong | {"canary_share": 0.0})).status
    assert (none.phase, none.verified_at, none.doubt) == (Phase.STEPPING, None, "no-traffic")


def test_few_requests_confirm_at_the_end_of_their_time_alone():
    made, since = unverified()
    few = {"canary_share": 0.25, "requests": 24}
    assert at(made, since + VERIFY - MOMENT, **few).status.verified_at is None
    assert at(made, since + VERIFY, **few).status.verified_at == since + VERIFY
    assert at(made, since + 1, canary_share=0.2, requests=25).status.verified_at == since + 1, "25 are enough"


def test_requests_that_nobody_counts_are_no_doubt_before_five_seconds():
    made, since = unverified()
    assert at(made, since + 5 - MOMENT, canary_share=None, requests=0).status.doubt == ""
    assert at(made, since + 5, canary_share=None, requests=0).status.doubt == "no-traffic"


def test_a_write_that_is_answered_in_the_moment_it_was_asked_for_is_its_own():
    made = stepping_at(5)
    made.reach(lambda: made.status.weight.desired == 20)
    asked = made.status.phase_since
    made.status = made.status.model_copy(update={"written_at": None})
    for answered, written in (
        (asked, asked),
        (asked + 0.5, asked + 0.5),
        (asked - MOMENT, asked + 1),
        (None, asked + 1),
    ):
        made._wrote_at = answered
        assert at(made, asked + 1).status.written_at == written


def test_a_share_is_noted_in_percent_to_two_places():
    made, since = unverified()
    found = at(made, since + 1, canary_share=0.2012345, requests=1000).status
    assert found.weight.observed == found.release.steps[-1].observed == 20.12
    assert found.release.journal[-1].text == "weight 20 %: 20.1 % of 1000 requests seen"


# ------------------------------------------------------------------ what is left over


def test_a_version_that_nobody_needs_goes_when_connections_had_their_time():
    made = serving()
    made.world.deployments["stranger"] = made.world.deployments[revision("v1")]
    since = made.status.phase_since
    assert since is not None
    with_clocks(made, looked_at=None)
    assert at(made, since + DRAIN - MOMENT).actions == ()
    assert at(made, since + DRAIN).actions == (Retire("stranger"),)


def test_pods_of_a_rollback_that_was_not_seen_to_be_complete_stay_for_ten_minutes():
    made, _ = rollback_that_is_not_seen()
    made.until(Phase.ROLLED_BACK)
    made.run(DRAIN + 1)
    made.world.plane_follows = True
    last = made.status.last
    assert last is not None
    assert last.incomplete
    assert last.ended_at is not None
    made.world.route = {revision("v1"): 100}
    assert Retire(revision("v2")) not in at(made, last.ended_at + 600 - MOMENT).actions
    assert Retire(revision("v2")) in at(made, last.ended_at + 600).actions


# ------------------------------------------------------------------ clocks that stand still


def test_a_hold_is_longer_by_the_time_in_which_nobody_looked_and_never_begins_in_the_future():
    made, since = doubted()
    looked = made.world.now
    made.status = made.status.model_copy(update={"looked_at": looked})
    made.world.now = looked + 10
    seen = replace(made.world.observe(made.status, None), watching_since=looked + 7.0)
    after = decide(made.world.spec, made.status, seen, looked + 10).status
    assert after.doubt_since == since + 7.0
    late = replace(seen, watching_since=looked + 3600.0)
    assert decide(made.world.spec, made.status, late, looked + 10).status.doubt_since == looked + 10
    same = replace(seen, watching_since=looked)
    assert decide(made.world.spec, made.status, same, looked + 10).status.doubt_since == since


def test_a_deadline_begins_when_somebody_could_look():
    made, since = never_ready()
    assert since is not None
    made.status = made.status.model_copy(update={"looked_at": None})
    made.world.now = since + READY
    seen = replace(made.world.observe(made.status, None), watching_since=since + 1.0)
    assert decide(made.world.spec, made.status, seen, since + READY).status.phase is Phase.PREPARING
    assert decide(made.world.spec, made.status, seen, since + READY + 1).status.phase is Phase.ROLLING_BACK


def test_worlds_are_as_these_tests_take_them():
    strategy = spec_of().strategy
    assert (strategy.ready_deadline, strategy.verify_deadline) == (READY, VERIFY)
    assert (strategy.bake, strategy.drain, strategy.steps[1].hold) == (BAKE, DRAIN, HOLD)
    assert World(spec_of()).rate > 0
    assert preparing().status.canary == Version(revision=revision("v2"), image="v2")
