"""What counts as evidence, what is remembered, and what a memory holds: the decision alone, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.api.pair import Own, Part, pair_of
from rollout.api.status import Outcome, Phase, Release, Status, Version
from rollout.api.taken_back import Forgiven, Memory, TakenBack, entry_of
from rollout.decide.actions import Finalize, Remember
from rollout.decide.context import Context, roll_back
from rollout.decide.decide import decide
from rollout.decide.memory import is_held, kept_out, stays_out
from rollout.decide.observation import Failure, Observation, RevisionFacts
from rollout.judge.verdict.verdicts import Assessment, Verdict
from tests.rollout.decide.world import EPOCH, NAME, revision, spec_of

OLD, NEW = Version(revision=revision("v1"), image="v1"), Version(revision=revision("v2"), image="v2")
SPEC = spec_of("v2")
PAIR = pair_of(SPEC, Own(NAME, "shop"))
FINE, LOOPING = RevisionFacts(4, 4), RevisionFacts(4, 0, "CrashLoopBackOff: container main ended", fatal=True)
BAD = Assessment(Verdict.BAD, 9.0, ("errors", "latency"), 7.0, EPOCH - 1, "errors: half of them")


def in_flight(phase: Phase = Phase.STEPPING, **changes: Any) -> Status:
    release = Release(id="r-1", started_at=EPOCH, from_version=OLD, to_version=NEW, pair=PAIR)
    arms = {"stable": OLD, "canary": NEW} if phase is not Phase.BAKING else {"stable": NEW, "previous": OLD}
    return Status(phase=phase, release=release, **arms, **changes)


def seen(**changes: Any) -> Observation:
    base = Observation(NEW.revision, "v2", 1, revisions={OLD.revision: FINE, NEW.revision: FINE}, desired_pair=PAIR)
    return replace(base, **changes)


def entry(**changes: Any) -> TakenBack:
    ended = Release(id="r-0", started_at=EPOCH, to_version=NEW, pair=PAIR, evidence="errors", ended_at=EPOCH)
    made = entry_of("other", "elsewhere", ended)
    assert made is not None
    return made.model_copy(update=changes)


def facts(trial: RevisionFacts, other: RevisionFacts = FINE) -> dict[str, RevisionFacts]:
    return {OLD.revision: other, NEW.revision: trial}


@pytest.mark.parametrize("phase", [Phase.STEPPING, Phase.BAKING])
@pytest.mark.parametrize(
    ("outcome", "convicted", "look", "evidence"),
    [
        (Outcome.ROLLED_BACK, True, {"assessment": BAD}, "errors, latency"),
        (Outcome.ROLLED_BACK, True, {}, "silence"),
        (Outcome.ROLLED_BACK, False, {}, ""),
        (Outcome.ROLLED_BACK, False, {"assessment": BAD}, ""),
        (Outcome.ROLLED_BACK, False, {"revisions": facts(LOOPING)}, "crashes"),
        (Outcome.ROLLED_BACK, False, {"revisions": facts(LOOPING, RevisionFacts(4, 0))}, ""),
        (Outcome.ROLLED_BACK, False, {"revisions": facts(RevisionFacts(4, 0, "ImagePullBackOff: x", fatal=True))}, ""),
        (Outcome.ABORTED, False, {"assessment": BAD, "revisions": facts(LOOPING)}, ""),
        (Outcome.SUPERSEDED, False, {"revisions": facts(LOOPING)}, ""),
    ],
)
def test_what_is_evidence(
    phase: Phase,
    outcome: Outcome,
    convicted: bool,  # noqa: FBT001 - a case
    look: dict[str, Any],
    evidence: str,
) -> None:
    ctx = Context(SPEC, in_flight(phase), seen(**look), EPOCH)
    turned = roll_back(ctx, outcome, "so", convicted=convicted)
    assert turned.release is not None
    assert turned.release.evidence == evidence


def test_a_bad_verdict_is_remembered_from_the_decision_on_and_no_longer_than_it_is_not() -> None:
    look = seen(assessment=BAD, assessed_at=EPOCH)
    status, actions = decide(SPEC, in_flight(), look, EPOCH)
    assert status.phase is Phase.ROLLING_BACK
    assert status.release is not None
    assert [each for each in actions if isinstance(each, Remember)] == [Remember(status.release)]
    for known in ({"remembered": "r-1"}, {"memory": Memory((entry(release="r-1"),))}):
        _, actions = decide(SPEC, status, seen(**known), EPOCH + 1)
        assert not [each for each in actions if isinstance(each, Remember)]


def test_the_pair_is_that_of_the_release_whatever_is_asked_for_meanwhile() -> None:
    other = seen(desired_revision=OLD.revision, desired_pair=pair_of(spec_of("v1"), Own(NAME, "shop")))
    status, _ = decide(SPEC, in_flight(), other, EPOCH)
    assert status.release is not None
    assert status.release.pair == PAIR


def test_a_release_of_an_older_engine_gets_its_pair_while_it_is_asked_for() -> None:
    before = in_flight()
    assert before.release is not None
    older = before.model_copy(update={"release": before.release.model_copy(update={"pair": None})})
    status, _ = decide(SPEC, older, seen(), EPOCH)
    assert status.release is not None
    assert status.release.pair == PAIR


def test_digests_of_its_pods_become_part_of_the_pair() -> None:
    running = replace(FINE, digests={"v2": "sha256:0a"})
    status, _ = decide(SPEC, in_flight(), seen(revisions=facts(running)), EPOCH)
    assert status.release is not None
    assert status.release.pair is not None
    assert status.release.pair.containers[0].digest == "sha256:0a"


@pytest.mark.parametrize(
    ("memory", "out"),
    [
        (Memory(), False),
        (Memory((entry(),)), True),
        (Memory((entry(forgiven=Forgiven(by="ann", reason="so", at=EPOCH)),)), False),
        (Memory(unreadable=("torn",)), True),
    ],
)
def test_what_is_in_memory_does_not_begin(memory: Memory, out: bool) -> None:  # noqa: FBT001 - a case
    idle = Status(stable=OLD)
    status, actions = decide(SPEC, idle, seen(memory=memory), EPOCH)
    assert stays_out(idle, seen(memory=memory)) is out
    assert (status.phase is Phase.IDLE) is out
    if out:
        assert status.waiting is not None
        assert (status.waiting.gate, [each for each in actions if type(each).__name__ == "EnsureRevision"]) == (
            "taken-back",
            [],
        )


def test_another_digest_under_the_same_tag_is_another_image_once_it_is_known() -> None:
    part: Part = PAIR.containers[0]
    known = entry(pair=PAIR.model_copy(update={"containers": [part.model_copy(update={"digest": "sha256:0a"})]}))
    memory = Memory((known,))
    assert kept_out(seen(memory=memory)) == known
    other = facts(replace(FINE, digests={"v2": "sha256:0b"}))
    assert kept_out(seen(memory=memory, revisions=other)) is None


def test_a_bake_is_not_cut_short_by_what_stays_out() -> None:
    asked = {"desired_revision": revision("v3"), "desired_pair": pair_of(spec_of("v3"), Own(NAME, "shop"))}
    about = entry(pair=asked["desired_pair"])
    baking = in_flight(Phase.BAKING, phase_since=EPOCH)
    status, _ = decide(spec_of("v3"), baking, seen(**asked, memory=Memory((about,))), EPOCH + 1)
    assert status.phase is Phase.BAKING
    status, _ = decide(spec_of("v3"), baking, seen(**asked), EPOCH + 1)
    assert status.phase is Phase.IDLE


def test_what_was_refused_here_is_forgiven_by_a_later_word_alone() -> None:
    refused = {"revision": NEW.revision, "image": "v2", "at": EPOCH, "reason": "errors"}
    idle = Status.model_validate(Status(stable=OLD).wire() | {"refused": [refused]})
    for at, held in ((EPOCH - 1, True), (EPOCH + 1, False)):
        word = Forgiven(by="ann", reason="so", at=at)
        assert is_held(idle, seen(memory=Memory((entry(forgiven=word),)))) is held
    status, _ = decide(SPEC, idle, seen(memory=Memory((entry(forgiven=word),))), EPOCH + 2)
    assert (status.phase, status.refused) == (Phase.PREPARING, [])
    assert status.release is not None
    assert [each.what for each in status.release.journal] == ["started", "forgiven"]


@pytest.mark.parametrize(
    ("failure", "ends"),
    [
        (None, False),
        (Failure("no answer", EPOCH - 1), False),
        (Failure("no answer", EPOCH - 31), True),
        (Failure("the namespace is being terminated", EPOCH - 1, refused=True), True),
    ],
)
def test_the_end_of_a_release_waits_for_what_it_leaves(failure: Failure | None, ends: bool) -> None:  # noqa: FBT001
    last = Release(id="r-1", started_at=EPOCH, to_version=NEW, pair=PAIR, evidence="errors")
    look = seen(deleted=True, failures={"Remember": failure} if failure else {})
    _, actions = decide(SPEC, Status(phase=Phase.ROLLED_BACK, stable=OLD, last=last), look, EPOCH)
    assert [type(each) for each in actions] == [Remember, *([Finalize] if ends else [])]
