"""`decide` is pure: in a small world every state it can be in is met with every look that could come next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.revision import replicas_for
from rollout.api.status import Outcome, Phase
from rollout.decide.actions import Shift
from tests.rollout.decide.laws import check
from tests.rollout.decide.small_worlds import Look, State, beginning, looks, spec_named

if TYPE_CHECKING:
    from rollout.decide.actions import Action
    from rollout.decide.observation import Observation

REST = {Phase.IDLE, Phase.ROLLED_BACK}
AFTER_ROLLBACK = {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.IDLE}
Edges = dict[tuple[Any, Look], Any]


def explore(start: State) -> tuple[dict[Any, State], Edges]:
    """Breadth first; every transition passes the laws."""
    known, todo, edges = {start.key: start}, [start], {}
    for state in todo:
        key = state.key
        for look in looks(state):
            made, seen, actions = state.after(look)
            try:
                obeys_the_laws(state, look, made, seen, actions)
                if made.key not in known:
                    spec = spec_named(made.spec)
                    check(spec, state.status, seen, made.now, made.status, actions)
            except AssertionError as error:
                raise AssertionError(f"{look} of {state.status.wire()}\ngave {made.status.wire()}\n{error}") from error
            edges[key, look] = made.key
            if made.key not in known:
                known[made.key] = made
                todo.append(made)
    return known, edges


# ------------------------------------------------------------------ laws of one transition


def obeys_the_laws(state: State, look: Look, made: State, seen: Observation, actions: tuple[Action, ...]) -> None:
    before, after = state.status, made.status
    rises_by_evidence(state, made, seen)
    if before.phase is Phase.ROLLING_BACK:
        assert after.phase in AFTER_ROLLBACK, "a rollback is not reconsidered"
        assert after.weight.desired == 0
    if look.judge == "bad" and before.phase in {Phase.STEPPING, Phase.PROMOTING} and seen.assessment:
        assert after.phase is Phase.ROLLING_BACK, "bad goes at once"
    shares_what_was_asked_for(made, actions)
    tells_what_it_waits_for(made)
    if after.last and (not before.last or before.last.id != after.last.id) and after.last.outcome is Outcome.PROMOTED:
        fresh = seen.assessment is not None and seen.assessment.verdict == "good" and look.judge == "good"
        assert before.stable is None or fresh or before.release.proven, "proven by a fresh word, or not at all"


def rises_by_evidence(state: State, made: State, seen: Observation) -> None:
    """More is asked for only with ready pods, with a judge that is heard, and after a step that was allowed to end."""
    before, after, spec = state.status, made.status, spec_named(made.spec)
    if after.weight.desired <= before.weight.desired:
        return
    facts = seen.revisions[after.canary.revision]
    assert facts.ready >= replicas_for(spec.workload.pods, after.weight.desired)
    newest = before.release.steps[-1] if before.release.steps else None
    if not before.weight.desired or newest.verdict.startswith("skipped") or not spec.analysis.signals:
        return
    assert newest.ended_at is not None, "the step before has ended"
    assert newest.verdict in {"good", "undecided", "no-traffic"}, "with a verdict whose policy lets it go on"
    assert seen.assessment is not None, "nobody was heard"
    assert seen.assessed_at >= before.phase_since, "what was heard is of before"


def shares_what_was_asked_for(made: State, actions: tuple[Action, ...]) -> None:
    status = made.status
    for action in actions:
        if isinstance(action, Shift):
            assert sum(action.weights.values()) == 100
            canary = action.weights.get(status.canary.revision, 0) if status.canary and status.stable else 0
            assert canary <= status.weight.desired, "no more than was asked for"
    if status.phase is Phase.STEPPING:
        assert status.weight.desired <= max(step.weight for step in spec_named(made.spec).strategy.steps)


def tells_what_it_waits_for(made: State) -> None:
    """No phase can be waited in without a reason, nor without an end unless a person is waited for."""
    status, waiting = made.status, made.status.waiting
    settled = status.phase in REST and status.stable and status.desired_revision == status.stable.revision
    assert waiting is not None or settled, "a reason"
    if waiting is None:
        return
    assert waiting.reason
    assert waiting.since <= made.now
    by_person = status.paused or "release promote" in waiting.reason
    assert waiting.until or by_person or status.phase in REST, f"a deadline for {waiting.reason}"


# ------------------------------------------------------------------ laws of all of them together


def ends(edges: Edges, known: dict[Any, State], key: Any, look: Look) -> bool:
    """Whether a release in this state comes to rest while every look meets the same."""
    seen, unheard = set(), look._replace(judge="silent")
    while known[key].status.phase not in REST:
        if key in seen:
            return waits_for_a_person(known[key])
        seen.add(key)
        key = edges.get((key, look)) or edges.get((key, unheard))
        if key is None:
            return True  # two such facts at once are not looked at in this spec
    return True


def waits_for_a_person(state: State) -> bool:
    status = state.status
    gate = status.waiting is not None and "release promote" in status.waiting.reason
    return bool(status.paused) or gate


@pytest.mark.parametrize("start", ["v2", "unjudged"])
def test_every_state_that_can_be_reached(start: str):
    known, edges = explore(beginning(start))
    print(f"\n{start}: {len(known):,} states, {len(edges):,} transitions")  # noqa: T201 - what was enumerated; `-s` shows it
    lasting = {look for _, look in edges if look.ticks and not look.verb and not look.edit}
    for key, state in known.items():
        for look in lasting:
            if (key, look) in edges and not waits_for_a_person(state) and state.status.phase not in REST:
                assert ends(edges, known, key, look), f"{look} for ever: {state.status.wire()}"
