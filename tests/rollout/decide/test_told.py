"""What people are told while a release waits: why, since when, and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.status import Phase
from rollout.decide.decide import decide
from rollout.decide.observation import Failure
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import baking, preparing, promoting, promoting_in_full
from tests.rollout.decide.told import FAILED_SINCE, failing, gated, gone_bad, taken_back
from tests.rollout.decide.waits import (
    BAKE,
    DRAIN,
    HOLD,
    READY,
    VERIFY,
    baked_and_unwell,
    evicted,
    outage,
    returning_without_traffic,
)
from tests.rollout.decide.world import World, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

NO_DATA = {"analysis": {"no_data": {"action": "hold", "deadline": 60}}}
STRANGERS = "the route leads to backends that are none of this release's: elder (1 %), legacy (5 %)"


def raised(**world: Any) -> Simulation:
    """From 5 % on something is wrong with the gateway, and 20 % has been asked for since a second."""
    made = stepping_at(5)
    for name, value in world.items():
        setattr(made.world, name, value)
    return made.reach(lambda: made.status.weight.desired == 20).run(1)


def with_stranger(writer: str) -> Simulation:
    made = raised(strangers={"legacy": 5, "elder": 1})
    made.world.foreign_writer = writer
    return made


def wanted(made: Simulation, **changes: Any) -> Simulation:
    made.world.want("v2", **changes)
    return made.run(4)


def short_of_pods() -> Simulation:
    made = stepping_at(20)
    made.world.image("v2").most_ready, made.world.image("v2").problem = 1, "ImagePullBackOff: no such tag"
    return made.run(7)


def unheard_between() -> Simulation:
    made = stepping_at(20, **NO_DATA)
    made.world.image("v2").most_ready = 1
    made.run(7)
    made.world.verdict, made.world.image("v2").most_ready = None, 9
    return made.run(1)


def unheard_before_all() -> Simulation:
    made = stepping_at(50, **NO_DATA)
    made.world.image("v2").most_ready = 2
    made.until(Phase.PROMOTING)
    made.world.verdict, made.world.image("v2").most_ready = None, 9
    return made.run(3)


def first_taken_back() -> Simulation:
    made = Simulation(World(spec_of("v1")))
    made.world.rate, made.world.accepts = 0.0, False
    made.until(Phase.PROMOTING)
    failing(made, "RetireRoute").world.say("abort")
    return made.run(1)


def doubted(then: str) -> Simulation:
    hold = {"analysis": {"no_traffic": {"action": "hold", "deadline": 60, "then": then}}}
    made = stepping_at(20, **hold)
    made.world.verdict = "no-traffic"
    return made.run(8)


def paused(**rest: str) -> Simulation:
    made = stepping_at(20)
    made.world.say("pause", **rest)
    return made


def crashing() -> Simulation:
    made = preparing()
    made.world.image("v2").most_ready, made.world.image("v2").problem = 0, "CrashLoopBackOff: exit 3"
    return made.run(3)


def no_way_back() -> Simulation:
    made = baking()
    made.world.image("v1").ready = False
    return gone_bad(made)


TOLD: dict[str, tuple[Callable[[], Simulation], str, str, float | None]] = {
    "refused": (taken_back, "v2 was taken back (errors bad); `release retry` tries it again", "phase_since", None),
    "the route goes first": (
        lambda: wanted(failing(serving(), "RetireRoute"), traffic=None),
        "the spec has no traffic, and the route is still there: it is removed first: 503 no",
        "",
        None,
    ),
    "a gate": (gated, "step 2 waits for `release promote`", "phase_since", None),
    "the first gate": (
        lambda: gated("manual", "none"),
        "step 1 waits for `release promote`",
        "phase_since",
        None,
    ),
    "strangers": (
        lambda: with_stranger("kubectl"),
        f"{STRANGERS}, put there by kubectl; take them off its rule",
        "written_at",
        READY,
    ),
    "strangers of nobody": (
        lambda: with_stranger(""),
        f"{STRANGERS}; take them off its rule",
        "written_at",
        READY,
    ),
    "a route that cannot be written": (
        lambda: raised(broken={"Shift"}, failures={"Shift": Failure("503 no", FAILED_SINCE)}),
        "the route could not be written: 503 no",
        "phase_since",
        VERIFY,
    ),
    "a route that does not follow": (
        lambda: raised(broken={"Shift"}),
        "the route could not be written: it does not show the weight",
        "phase_since",
        VERIFY,
    ),
    "a route that is refused": (
        lambda: raised(accepts=False),
        "the gateway has not accepted 20 %: NoMatchingParent",
        "written_at",
        VERIFY,
    ),
    "a silent controller": (
        lambda: raised(accept_after=1e9),
        "the gateway has not accepted 20 %: no answer from its controller",
        "written_at",
        VERIFY,
    ),
    "a share nobody can count": (
        lambda: raised(countable=False),
        "20 % is not seen in the requests yet: none of 0 at the canary",
        "written_at",
        VERIFY,
    ),
    "too few pods in a step": (
        short_of_pods,
        "1 of 2 canary pods are ready: ImagePullBackOff: no such tag",
        "doubt_since",
        READY,
    ),
    "a judge that is not heard between steps": (
        unheard_between,
        "no-data: the judge has not been heard in this step; is taken back after that",
        "held_since",
        60.0,
    ),
    "a judge that is not heard before all traffic": (
        unheard_before_all,
        "no-data: the judge has not been heard in this step; is taken back after that",
        "held_since",
        60.0,
    ),
    "too few pods for all traffic": (
        lambda: promoting().run(2),
        "2 of 4 canary pods are ready",
        "doubt_since",
        READY,
    ),
    "all traffic that is refused": (
        promoting_in_full,
        "the gateway has not accepted 100 %: NoMatchingParent",
        "phase_since",
        VERIFY,
    ),
    "a step": (lambda: stepping_at(20), "20 % is judged", "verified_at", HOLD),
    "a doubt": (
        lambda: doubted("roll-back"),
        "no-traffic: errors no-traffic; is taken back after that",
        "held_since",
        60.0,
    ),
    "a doubt that goes on": (
        lambda: doubted("go-on"),
        "no-traffic: errors no-traffic; goes on after that",
        "held_since",
        60.0,
    ),
    "a pause": (lambda: paused(reason="lunch"), "paused by ann: lunch; `release resume` goes on", "", None),
    "a pause without a reason": (paused, "paused by ann; `release resume` goes on", "", None),
    "pods that are evicted": (
        lambda: evicted()[0],
        "its pods were moved away by a planned event: 0 are ready; stable has all traffic",
        "withdrawn_at",
        READY,
    ),
    "an outage": (
        lambda: outage()[0],
        "no pod of any version is ready: nothing is changed before one is",
        "doubt_since",
        READY,
    ),
    "pods that crash": (crashing, "0 of 1 canary pods are ready: CrashLoopBackOff: exit 3", "doubt_since", READY),
    "pods that are refused": (
        lambda: wanted(failing(serving(), "EnsureRevision", "quota exceeded")),
        "0 of 1 canary pods are ready: the API server does not take its objects: quota exceeded",
        "doubt_since",
        READY,
    ),
    "a route that cannot name the canary": (
        lambda: wanted(failing(serving(), "Shift")),
        "the route could not be written: 503 no",
        "doubt_since",
        VERIFY,
    ),
    "a route that does not name the canary": (
        lambda: wanted(unwritable()),
        "the route could not be written: it does not name the canary",
        "doubt_since",
        VERIFY,
    ),
    "the bake": (baking, "the version before stays ready", "phase_since", BAKE),
    "a bake that goes wrong": (
        lambda: baked_and_unwell()[0],
        "no pod of the new version is ready: all are unready; the version before has no ready pod to go back to",
        "phase_since",
        BAKE + READY,
    ),
    "a bake that is judged bad": (
        no_way_back,
        "errors bad; the version before has no ready pod to go back to",
        "phase_since",
        BAKE + READY,
    ),
    "a first version that is taken back": (
        first_taken_back,
        "the route still leads to it: 503 no",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "weight 0 that cannot be written": (
        lambda: gone_bad(failing(stepping_at(20), "Shift")),
        "the route could not be written: 503 no",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "weight 0 that is not accepted": (
        lambda: gone_bad(stepping_at(20), accepts=False),
        "the gateway has not accepted weight 0: NoMatchingParent",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "weight 0 of which nobody says anything": (
        lambda: gone_bad(stepping_at(20), accept_after=1e9),
        "the gateway has not accepted weight 0: no answer from its controller",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "weight 0 that is not followed": (
        lambda: gone_bad(stepping_at(20), 3, plane_follows=False),
        "requests still reach the canary",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "weight 0 that nobody counts": (
        lambda: gone_bad(stepping_at(20), countable=False),
        "nobody can count what reaches the canary",
        "phase_since",
        DRAIN + VERIFY,
    ),
    "old pods that are not back": (
        lambda: returning_without_traffic()[0],
        "the pods of the version before are not all ready",
        "phase_since",
        READY,
    ),
}


def unwritable() -> Simulation:
    made = serving()
    made.world.broken = {"Shift"}
    return made


@pytest.mark.parametrize("wait", TOLD)
def test_every_wait_says_why_since_when_and_until_when(wait: str):
    begin, reason, clock, seconds = TOLD[wait]
    made = begin()
    made.look()
    told, since = made.status.waiting, getattr(made.status, clock, None)
    assert told is not None
    assert told.reason == reason
    assert since is None or told.since == since
    assert told.until == (None if seconds is None else since + seconds)


def test_who_waits_for_nothing_says_nothing_and_what_fails_at_rest_is_told():
    made = serving()
    made.look()
    assert made.status.waiting is None
    made.world.failures = {"Scale": Failure("quota", FAILED_SINCE), "Retire": Failure("403", 5.0)}
    made.look()
    assert made.status.waiting.reason == "Retire is not taken by the API server: 403"
    assert (made.status.waiting.since, made.status.waiting.until) == (5.0, None)


def test_since_when_stays_what_it_was_for_as_long_as_the_reason_is_the_same():
    made = wanted(failing(serving(), "RetireRoute"), traffic=None)
    since = made.status.waiting.since
    made.run(5)
    assert made.status.waiting.since == since < made.world.now
    failing(made, "RetireRoute", "another reason").look()
    assert made.status.waiting.since == made.world.now


def test_an_engine_without_room_is_what_is_told():
    made = preparing()
    seen = replace(made.world.observe(made.status, None), no_room="no room: 7 wait before it")
    told = decide(made.world.spec, made.status, seen, made.world.now).status.waiting
    assert (told.reason, told.since, told.until) == ("no room: 7 wait before it", made.status.phase_since, None)
