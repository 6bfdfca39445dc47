"""What must be true of every decision, whatever the world does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rollout.api.bounds import JOURNAL_LIMIT
from rollout.api.revision import replicas_for
from rollout.api.status import Phase, Status
from rollout.decide.actions import (
    EnsureRevision,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from rollout.decide.context import Context
from rollout.decide.decide import decide
from rollout.decide.desired_state import actions_of, weights_of
from rollout.decide.transitions import ALLOWED

if TYPE_CHECKING:
    from rollout.api.spec import Spec
    from rollout.decide.actions import Action
    from rollout.decide.observation import Observation


def check(
    spec: Spec, before: Status, seen: Observation, now: float, after: Status, actions: tuple[Action, ...]
) -> None:
    """All laws of one decision."""
    verb = seen.command.verb if seen.command and seen.command.id != before.command else ""
    assert decide(spec, before, seen, now) == (after, actions), "same inputs, same outputs"
    assert before.phase is after.phase or (before.phase, after.phase) in ALLOWED, "a phase change of the table"
    if after.model_copy(update={"looked_at": before.looked_at}) != before:
        _survives_the_wire(spec, seen, now, after, actions)
    _rises_when_it_may(spec, before, seen, after, verb)
    _turns_round_first(spec, before, seen, after, actions)
    _keeps_what_serves(spec, seen, after, actions)
    _forgets_nothing(before, after)
    _carries_out_once(spec, before, seen, now, after)
    if not seen.deleted:
        _says_what_it_waits_for(after, now)
    if after.phase is Phase.PREPARING is not before.phase and verb != "retry":
        assert seen.desired_revision not in {entry.revision for entry in before.refused}, "refused, and tried again"


def _survives_the_wire(spec: Spec, seen: Observation, now: float, after: Status, actions: tuple[Action, ...]) -> None:
    read = Status.model_validate(json.loads(json.dumps(after.wire(), allow_nan=False)))
    assert read == after, "what was persisted is what was meant"
    assert actions_of(Context(spec, read, seen, now)) == actions, "actions come from what was persisted"


def _rises_when_it_may(spec: Spec, before: Status, seen: Observation, after: Status, verb: str) -> None:
    if after.weight.desired <= before.weight.desired:
        return
    assert after.canary is not None
    _was_approved(spec, seen, after)
    facts = seen.revisions.get(after.canary.revision)
    needed = replicas_for(spec.workload.pods, after.weight.desired)
    assert facts is not None, "weight for a revision without pods"
    assert facts.ready >= needed, "a share is raised only when the canary has the ready pods for it"
    newest = before.release.steps[-1] if before.release and before.release.steps else None
    early = before.release is not None and any(entry.what == "promoted-early" for entry in before.release.journal)
    if before.weight.desired and newest and spec.traffic and not early and verb != "promote":
        assert newest.verified_at is not None, "raised before the weight before was verified"
        _was_heard(spec, before, seen)


def _was_approved(spec: Spec, seen: Observation, after: Status) -> None:
    """No step behind approvals begins without so many people, none of whom asked for the version."""
    begun = next((step for step in spec.strategy.steps if step.weight == after.weight.desired), None)
    asks = begun.approvers if begun else None
    if asks is None or after.phase is not Phase.STEPPING:
        return
    assert not seen.approvals.problem, "begun, and no approval could be believed"
    assert after.release is not None
    said = [each.says for each in seen.approvals.given if each.says.attempt == after.release.id]
    people = {each.approver for each in said if each.digest == seen.digest} - {after.release.requested_by}
    assert len(people) >= asks.count, "begun without its approvals"


def _was_heard(spec: Spec, before: Status, seen: Observation) -> None:
    """Absence is never consent: what is raised, the judge was heard of since the weight was seen, or since it ended."""
    since = before.verified_at or before.phase_since
    if spec.analysis.signals:
        assert seen.assessment is not None, "raised, and nobody was heard"
        assert seen.assessed_at is not None
        assert since is None or seen.assessed_at >= since, "raised by what was said before"


def _says_what_it_waits_for(after: Status, now: float) -> None:
    """In flight a reason, and an end unless a person is waited for."""
    waiting = after.waiting
    if not after.in_flight:
        return
    assert waiting is not None, f"{after.phase} without a reason"
    assert waiting.reason
    assert waiting.since <= now
    said_by_people = any(verb in waiting.reason for verb in ("release promote", "release approve"))
    by_a_person = after.paused is not None or said_by_people
    assert waiting.until is not None or by_a_person, f"no end of {waiting.reason}"


def _turns_round_first(
    spec: Spec, before: Status, seen: Observation, after: Status, actions: tuple[Action, ...]
) -> None:
    if after.phase is not Phase.ROLLING_BACK or seen.deleted:
        return
    assert after.weight.desired == 0
    if spec.traffic is None:
        return
    wanted = weights_of(after)
    if wanted and dict(seen.share.weights) != wanted:
        assert isinstance(actions[0], Shift), "weight 0 comes first"
        assert actions[0].weights == wanted
    named = before.canary is not None and before.canary.revision in seen.share.weights
    if not wanted and named:
        assert isinstance(actions[0], RetireRoute)


def _keeps_what_serves(spec: Spec, seen: Observation, after: Status, actions: tuple[Action, ...]) -> None:
    named = {each.revision for each in (after.stable, after.canary, after.previous) if each}
    serving = {after.stable.revision} if after.stable else set()
    if after.previous and spec.traffic:
        serving.add(after.previous.revision)
    for action in actions:
        if isinstance(action, Retire):
            assert action.revision not in named | set(seen.share.weights), "removed while something needs it"
        if isinstance(action, Scale | EnsureRevision) and action.revision in serving:
            assert action.replicas == spec.workload.pods, "the version that serves keeps its pods"
        if isinstance(action, Shift):
            assert sum(action.weights.values()) == 100


def _carries_out_once(spec: Spec, before: Status, seen: Observation, now: float, after: Status) -> None:
    if seen.command is None or seen.deleted or after.commands == before.commands:
        return
    forgetful = after.model_copy(update={"command": "another"})
    again, _ = decide(spec, forgetful, seen, now)
    assert again.commands == after.commands, "a command is carried out once, whatever came in between"


def _forgets_nothing(before: Status, after: Status) -> None:
    if before.release is None:
        return
    now = after.release if after.release and after.release.id == before.release.id else after.last
    assert now is not None
    assert now.id == before.release.id, "a release ends in `last`"
    if len(now.journal) < JOURNAL_LIMIT:
        assert now.journal[: len(before.release.journal)] == before.release.journal, "the journal only grows"
    for old, new in zip(before.release.steps, now.steps, strict=False):
        assert old.ended_at is None or old == new, "what a step was is not written anew"
    assert all(step.ended_at is not None for step in now.steps[:-1]), "one step at a time"
