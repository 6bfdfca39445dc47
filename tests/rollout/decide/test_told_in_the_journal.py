"""The journal tells the whole story of a release, and what other hands did to it."""

from __future__ import annotations

from dataclasses import replace

from rollout.api.status import Phase
from rollout.decide.context import Context
from rollout.decide.decide import decide
from rollout.decide.drift import drift_of
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.told import gone_bad, said, story, taken_back
from tests.rollout.decide.waits import (
    evicted,
    outage,
)
from tests.rollout.decide.world import World, revision, spec_of


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


def test_the_same_hand_is_told_again_when_something_else_was_told_in_between():
    made = stepping_at(20)
    by_hand = {revision("v1"): 30, revision("v2"): 70}
    for _ in range(2):
        made.world.edit_route(by_hand)
        made.look()
    assert [what for what, _, _ in story(made)][-2:].count("drift") == 1
    said(made, "pause")
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
