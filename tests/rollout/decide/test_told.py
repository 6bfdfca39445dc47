"""What people are told while a release waits, in its journal, and in answer to what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.status import Command, Phase
from rollout.decide.context import Context
from rollout.decide.decide import decide
from rollout.decide.drift import drift_of
from rollout.decide.observation import Failure
from tests.rollout.decide.simulation import Simulation, World, revision, serving, spec_of, stepping_at
from tests.rollout.decide.test_limits import (
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
from tests.rollout.decide.test_rollbacks import baking, preparing, promoting, promoting_in_full

if TYPE_CHECKING:
    from collections.abc import Callable

NO_DATA = {"analysis": {"no_data": {"action": "hold", "deadline": 60}}}
FAILED_SINCE = 7.0
STRANGERS = "the route leads to backends that are none of this release's: elder (1 %), legacy (5 %)"


def gated(first: str = "none", second: str = "manual") -> Simulation:
    steps = [{"weight": 20, "hold": 5, "gate": first}, {"weight": 50, "hold": 5, "gate": second}]
    made = serving(strategy={"steps": steps})
    made.world.want("v2", strategy={"steps": steps})
    return made.run(30)


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


def failing(made: Simulation, action: str, text: str = "503 no") -> Simulation:
    made.world.broken = {action}
    made.world.failures = {action: Failure(text, FAILED_SINCE)}
    return made


def wanted(made: Simulation, **changes: Any) -> Simulation:
    made.world.want("v2", **changes)
    return made.run(4)


def gone_bad(made: Simulation, seconds: float = 1, **world: Any) -> Simulation:
    for name, value in world.items():
        setattr(made.world, name, value)
    made.world.image("v2").verdict = "bad"
    return made.run(seconds)


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


def taken_back() -> Simulation:
    return gone_bad(stepping_at(20)).until(Phase.ROLLED_BACK)


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


# ------------------------------------------------------------------ the journal


def story(made: Simulation) -> list[tuple[str, str, int | None]]:
    release = made.status.release or made.status.last
    return [(entry.what, entry.text, entry.weight) for entry in release.journal]


def test_the_journal_tells_the_whole_story_of_a_release():
    made = serving()
    made.world.countable = True
    made.world.want("v2")
    made.until(Phase.IDLE)
    told = [
        (what, text.partition(" %: ")[0] if what == "verified" else text, weight) for what, text, weight in story(made)
    ]
    assert told == [
        ("started", "releasing v2 from v1", None),
        ("ready", "1 of 1 canary pods ready and known to the gateway", None),
        ("weight", "step 1: asking for 5 %", 5),
        ("verified", "weight 5", 5),
        ("step-ended", "step 1 of 3 ended: errors good", None),
        ("weight", "step 2: asking for 20 %", 20),
        ("verified", "weight 20", 20),
        ("step-ended", "step 2 of 3 ended: errors good", None),
        ("weight", "step 3: asking for 50 %", 50),
        ("verified", "weight 50", 50),
        ("step-ended", "step 3 of 3 ended: errors good", None),
        ("weight", "asking for all traffic", 100),
        ("verified", "weight 100", 100),
        ("promoted", "all traffic is at the new version; the old one stays for the bake", None),
        ("ended", "promoted: proven not worse than the version before", None),
    ]
    assert story(made)[-3][1] == "weight 100 %: 100.0 % of 25 requests seen"
    assert made.status.last.proven


def test_the_journal_of_what_nobody_judges_or_counts_says_so():
    made = serving(analysis={"signals": []})
    made.world.want("v2", analysis={"signals": []})
    made.world.countable = False
    made.until(Phase.IDLE)
    told = story(made)
    assert ("verified", "weight 5 %: accepted by the gateway", 5) in told
    assert ("step-ended", "step 1 of 3 ended: nothing is judged", None) in told
    assert [step.verdict for step in made.status.last.steps] == ["not judged"] * 3
    assert told[-1][1] == "promoted-not-proven: nothing spoke against it, but the traffic did not prove it"


def test_the_journal_of_a_first_version():
    made = Simulation(World(spec_of("v1")))
    made.reach(lambda: made.status.stable is not None)
    assert story(made) == [
        ("started", "releasing v1 as the first version", None),
        ("ready", "4 of 4 canary pods ready", None),
        ("weight", "asking for all traffic", 100),
        ("verified", story(made)[3][1], 100),
        ("ended", "promoted: the first version serves", None),
    ]


def test_the_journal_of_pods_that_come_and_go():
    made, _ = evicted()
    made.world.image("v2").ready, made.world.image("v2").disrupted = True, False
    made.reach(lambda: made.status.withdrawn_at is None)
    assert story(made)[-2:] == [
        (
            "withdrawn",
            "its pods were moved away by a planned event: stable has all traffic until one is ready again",
            0,
        ),
        ("weight", "its pods are back: asking for 20 %", 20),
    ]
    out, _ = outage()
    assert story(out)[-1] == ("held", "no pod of any version is ready: nothing is changed before one is", None)
    out.until(Phase.ROLLING_BACK)
    assert story(out)[-1] == ("cancelled", "no pod of any version is ready, for 60 s", 0)
    late, _ = evicted()
    late.until(Phase.ROLLING_BACK)
    assert story(late)[-1] == (
        "cancelled",
        "its pods were moved away by a planned event, and none is ready after 60 s",
        0,
    )


def test_the_journal_of_a_rollback_has_its_verdict_and_its_weight():
    made = gone_bad(stepping_at(20), 0.25)
    assert story(made)[-1] == ("rolled-back", "errors bad", 0)
    made.until(Phase.ROLLED_BACK)
    assert story(made)[-1] == ("ended", "rolled-back: errors bad", None)
    assert made.status.last.excess_failed_requests == 7.0
    assert made.status.last.verdict_at_end["verdict"] == "bad"
    assert made.status.last.steps[-1].verdict == "bad"
    assert made.status.refused[-1].revision == revision("v2")


def test_a_release_says_who_asked_why_and_from_what_to_what():
    made = serving()
    made.world.want("v2")
    seen = replace(made.world.observe(made.status, None), requested_by="ann\x1b[2J", reason="a fix", generation=7)
    status = decide(made.world.spec, made.status, seen, made.world.now).status
    release = status.release
    assert (release.requested_by, release.reason, release.generation) == ("ann", "a fix", 7)
    assert (release.from_version.image, release.to_version.image) == ("v1", "v2")
    assert release.to_version.revision == status.canary.revision == revision("v2")
    assert release.started_at == status.phase_since == made.world.now
    assert release.id == f"{revision('v2').rpartition('-')[2]}-{int(made.world.now * 1000):x}"
    assert (status.step, status.steps, status.gate_passed, status.weight.desired) == (0, 3, -1, 0)
    assert (status.judge, status.analysis, status.previous) == ("", {}, None)
    assert (status.observed_generation, status.desired_revision) == (7, revision("v2"))


def test_versions_that_differ_in_configuration_alone_are_told_apart():
    made = serving()
    config = {"workload": {"config": {"app.yaml": "a: 2"}}}
    made.world.want("v1", **config)
    made.until(Phase.PREPARING)
    one, two = (each.revision.removeprefix("shop-") for each in (made.status.stable, made.status.canary))
    assert story(made)[0][1] == f"releasing v1 ({two}) from v1 ({one})"


def test_a_hand_on_the_route_and_on_a_revision_is_told_in_full():
    made = stepping_at(20)
    made.world.edit_route({revision("v2"): 70, revision("v1"): 30})
    made.world.image("v1").altered = "image: v1 became v0 (by kubectl)"
    made.look()
    shares = ", ".join(sorted([f"{revision('v1')} 30 %", f"{revision('v2')} 70 %"]))
    assert story(made)[-2:] == [
        ("drift", f"kubectl-edit set the route to {shares}", None),
        ("altered", f"{revision('v1')} is no longer what it was made as: image: v1 became v0 (by kubectl)", None),
    ]


def test_a_refusal_says_which_version_when_and_why():
    made = taken_back()
    last = made.status.refused[-1]
    assert (last.revision, last.image, last.reason) == (revision("v2"), "v2", "errors bad")
    assert last.at == made.status.phase_since == made.status.last.ended_at


# ------------------------------------------------------------------ answers to what people say

ANSWERS: dict[str, tuple[Callable[[], Simulation], str, str, str]] = {
    "pause": (lambda: stepping_at(20), "pause", "paused", "paused: paused by ann"),
    "pause again": (lambda: _said(stepping_at(20), "pause"), "pause", "it is paused already", ""),
    "resume": (lambda: _said(stepping_at(20), "pause"), "resume", "resumed", "resumed: resumed by ann"),
    "resume of nothing": (lambda: stepping_at(20), "resume", "it is not paused", ""),
    "a gate": (gated, "promote", "gate of step 2 opened", "gate: step 2 opened by ann"),
    "a step": (lambda: stepping_at(20), "promote", "promoting in full", "promoted-early: promoted in full by ann"),
    "a bake": (baking, "promote", "bake ended", "bake-ended: bake ended by ann"),
    "nothing to promote": (serving, "promote", "nothing to promote: the phase is Idle", ""),
    "abort": (lambda: stepping_at(20), "abort", "rolling back", "aborted: aborted by ann"),
    "abort again": (
        lambda: gone_bad(stepping_at(20), 0.25),
        "abort",
        "nothing to abort: it is being taken back already",
        "",
    ),
    "nothing to abort": (serving, "abort", "nothing to abort: the phase is Idle", ""),
    "retry": (taken_back, "retry", f"{revision('v2')} will be tried again", ""),
    "nothing to retry": (serving, "retry", f"{revision('v1')} was not refused: nothing to retry", ""),
    "a word nobody knows": (serving, "sing", "unknown verb 'sing': abort, pause, promote, resume, retry", ""),
}


def _said(made: Simulation, verb: str, **rest: str) -> Simulation:
    made.world.say(verb, **rest)
    made.look()
    return made


@pytest.mark.parametrize("word", ANSWERS)
def test_every_word_has_its_answer_and_what_it_changed_is_in_the_journal(word: str):
    begin, verb, answer, entry = ANSWERS[word]
    made = begin()
    before = len(made.journal())
    _said(made, verb)
    assert made.status.command_answer == answer
    assert entry in [*made.journal()[before:], ""]


def test_why_is_told_behind_who():
    assert _said(stepping_at(20), "abort", reason="too slow").journal()[-1] == "aborted: aborted by ann: too slow"


def test_a_word_on_a_spec_of_before_is_answered_and_changes_nothing():
    made = stepping_at(20)
    made.world.command = Command(id="x" * 300, verb="abort", generation=1)
    made.look()
    assert made.status.phase is Phase.STEPPING
    assert made.status.command_answer == "it was said of an earlier spec, so there is nothing to do: say it again"
    assert made.status.command == made.status.commands[-1]
    assert len(made.status.command) <= 100


def test_a_word_on_the_spec_that_a_release_began_with_holds_though_it_was_edited_since():
    made = stepping_at(20)
    began = made.status.release.generation
    made.world.want("v2", strategy={"bake": 21})
    made.world.command = Command(id="c", verb="abort", generation=began)
    made.look()
    assert made.status.command_answer == "rolling back"


def test_a_word_on_an_earlier_spec_than_there_is_holds_for_no_release_that_is_to_come():
    made = serving()
    made.world.want("v1", strategy={"bake": 21})
    made.world.command = Command(id="c", verb="pause", generation=made.world.generation - 1)
    made.look()
    assert made.status.paused is None
    made.world.command = Command(id="d", verb="pause", generation=made.world.generation)
    made.look()
    assert made.status.paused is not None


# ------------------------------------------------------------------ hands of others, and pods that are late


def test_the_same_hand_is_told_again_when_something_else_was_told_in_between():
    made = stepping_at(20)
    by_hand = {revision("v1"): 30, revision("v2"): 70}
    for _ in range(2):
        made.world.edit_route(by_hand)
        made.look()
    assert [what for what, _, _ in story(made)][-2:].count("drift") == 1
    _said(made, "pause")
    made.world.edit_route(by_hand)
    made.look()
    assert [what for what, _, _ in story(made)][-3:] == ["drift", "paused", "drift"]


def test_at_rest_a_foreign_route_is_known_and_in_flight_only_once_the_engine_has_written():
    rest = serving()
    rest.world.edit_route({revision("v1"): 90, "x": 10})
    seen = rest.world.observe(rest.status, None)
    assert drift_of(Context(rest.world.spec, rest.status, seen, rest.world.now)).startswith(
        "kubectl-edit set the route"
    )
    made = stepping_at(20)
    made.world.edit_route({revision("v1"): 90, "x": 10})
    seen = made.world.observe(made.status, None)
    asked = made.status.model_copy(update={"written_at": None})
    assert drift_of(Context(made.world.spec, made.status, seen, made.world.now))
    assert drift_of(Context(made.world.spec, asked, seen, made.world.now)) == ""


def test_pods_that_are_late_without_a_word_why_are_told_without_one():
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.until(Phase.ROLLED_BACK)
    assert made.status.last.outcome_reason == "0 of 1 canary pods ready after 60 s"
