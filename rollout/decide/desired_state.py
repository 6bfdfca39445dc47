"""From what is promised to what must be done: the world as the status wants it, less the world as it is.

Actions are derived from the persisted status alone, so a successor that reads the same status does the same things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.revision import replicas_for
from rollout.api.status import Phase
from rollout.decide.actions import (
    EnsureRevision,
    Finalize,
    Guard,
    KeepRecord,
    Remember,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from rollout.decide.drains import keeps_last, needs_another, waited_enough
from rollout.decide.gates import blocked
from rollout.decide.memory import unremembered
from rollout.decide.moves import Move

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.actions import Action
    from rollout.decide.context import Context
    from rollout.decide.observation import RevisionFacts


MEMORY_SECONDS = 30.0
"""So long the end of a GrayRelease waits for what it must leave in memory."""

STRAGGLERS_SECONDS = 600.0
"""For so long the pods of a version stay whose rollback was not seen to be complete: requests may still reach them."""


def had_traffic(status: Status) -> bool:
    """Whether the release in flight has asked for a share at all; before that the route does not name the canary."""
    asked = status.weight.desired > 0
    return asked or (status.release is not None and bool(status.release.steps))


def weights_of(status: Status) -> dict[str, int]:
    """Percent per revision that the route must show; empty where nothing can serve yet.

    A canary that has lost its pods to a planned event has none of it until one is ready again.
    """
    stable, canary, previous = status.stable, status.canary, status.previous
    share = 0 if status.withdrawn_at is not None else status.weight.desired
    if stable is None:
        return {canary.revision: 100} if canary and share == 100 else {}  # noqa: PLR2004 - percent
    weights = {stable.revision: 100 - share if canary else 100}
    if canary and had_traffic(status):
        weights[canary.revision] = share
    if previous:
        weights[previous.revision] = 0
    return weights


def scales_of(ctx: Context) -> list[Scale]:
    """Pods per revision. Stable never loses one before the bake is over; a canary loses none while traffic may come."""
    status, wanted = ctx.status, []
    if status.stable:
        wanted.append(_serving(ctx, status.stable.revision))
    if status.previous:
        previous = status.previous.revision
        wanted.append(_serving(ctx, previous) if ctx.can.keeps_old else Scale(previous, 0))
    held = status.phase is Phase.PREPARING and blocked(ctx, Move.PODS)
    if status.canary and not held:
        wanted.append(_canary(ctx, status.canary.revision))
    return wanted


def _serving(ctx: Context, revision: str) -> Scale:
    """A spare pod of the time as a canary goes when the bake is over, and the drain too; at once if it is not ready.

    One that is asked for and not there counts in the budget, and would hold up the drain.
    """
    replicas, facts = _serving_scale(ctx, revision), ctx.seen.revisions.get(revision)
    spare = _spare_of(facts)
    if facts is None or not spare or replicas != facts.replicas:
        return Scale(revision, replicas)
    if facts.ready >= replicas and (ctx.status.in_flight or facts.threatened):
        return Scale(revision, replicas, spare)
    return Scale(revision, max(ctx.replicas, replicas - spare))


def _spare_of(facts: RevisionFacts | None) -> int:
    """Pods beyond those that are needed, as the engine asked for them; a count of somebody else has none."""
    return facts.spare if facts is not None and facts.replicas == facts.asked else 0


def _serving_scale(ctx: Context, revision: str) -> int:
    """What the spec says; and what is there, where somebody else has scaled it and the spec was not edited since."""
    facts = ctx.seen.revisions.get(revision)
    if facts is None or facts.asked is None:
        return ctx.replicas
    by_others = facts.replicas != facts.asked
    edited = not by_others if facts.declared is None else facts.declared != ctx.replicas
    if edited or (not by_others and facts.replicas < ctx.replicas):
        return ctx.replicas
    return facts.replicas


def _canary(ctx: Context, revision: str) -> Scale:
    facts = ctx.seen.revisions.get(revision)
    running = facts.replicas if facts else 0
    if ctx.status.phase is Phase.ROLLING_BACK:
        spare = _spare_of(facts) if facts and facts.ready < running else 0
        return Scale(revision, running - spare, _spare_of(facts) - spare) if ctx.shared else Scale(revision, 0)
    if ctx.status.stable is None:
        return Scale(revision, _serving_scale(ctx, revision))
    without = max(running - _spare_of(facts), needed_of(ctx))
    if waited_enough(ctx):  # one that never became ready counts in the budget, and would hold up the drain
        return Scale(revision, without)
    replicas = max(running, without + needs_another(facts))
    return Scale(revision, replicas, replicas - without)


def needed_of(ctx: Context) -> int:
    """Pods that the canary needs for what it has, or is about to get."""
    status, steps = ctx.status, ctx.steps
    if status.phase is Phase.PROMOTING or not ctx.shared:
        return ctx.full
    return replicas_for(ctx.full, steps[min(status.step, len(steps) - 1)].weight)


def actions_of(ctx: Context) -> tuple[Action, ...]:
    """What is left to do, most urgent first: weights before pods, pods before cleaning up."""
    if ctx.seen.deleted:
        return (*_memory(ctx), *_end(ctx))
    return (*_route(ctx), *_pods(ctx), *_leftovers(ctx), *_memory(ctx), *_record(ctx))


def _route(ctx: Context) -> list[Action]:
    if not ctx.shared:
        return [RetireRoute()] if ctx.seen.share.exists else []
    weights = weights_of(ctx.status)
    if weights and ctx.status.phase is Phase.PREPARING and ctx.status.canary and ctx.ready:
        weights[ctx.status.canary.revision] = 0
    if not weights:
        return [RetireRoute()] if leads_nowhere(ctx) else []
    wrong = dict(ctx.seen.share.weights) != weights or ctx.seen.share.outdated
    return [Shift(weights)] if wrong else []


def leads_nowhere(ctx: Context) -> bool:
    """Without a stable version: whether the route names one that is, or was, taken back.

    Any other route was there before the first release, and whoever it leads to is still needed.
    """
    status = ctx.status
    taken_back = {status.last.to_version.revision} if status.last else set()
    if status.canary and status.phase is Phase.ROLLING_BACK:
        taken_back.add(status.canary.revision)
    return not taken_back.isdisjoint(ctx.seen.share.weights)


def _pods(ctx: Context) -> list[Action]:
    todo: list[Action] = []
    for wanted in scales_of(ctx):
        revision, facts = wanted.revision, ctx.seen.revisions.get(wanted.revision)
        if facts is None:
            todo += [EnsureRevision(revision, wanted.replicas)] if _can_rebuild(ctx, revision) else []
        elif _is_old_writing(ctx, revision, facts):
            todo.append(EnsureRevision(revision, max(wanted.replicas, facts.replicas)))
        else:
            todo += _kept_up(ctx, wanted, facts)
    return todo


def _kept_up(ctx: Context, wanted: Scale, facts: RevisionFacts) -> list[Action]:
    """Its budget first: one pod less is never asked for under the budget of more."""
    todo: list[Action] = []
    keeps = keeps_last(ctx, wanted.revision, needed_of(ctx))
    if facts.keeps_last != keeps:
        todo.append(Guard(wanted.revision, keeps))
    if facts.replicas != wanted.replicas or _spare_of(facts) != wanted.spare:
        todo.append(wanted)
    return todo


def _is_old_writing(ctx: Context, revision: str, facts: RevisionFacts) -> bool:
    """Whether a revision that is brought back was written by an earlier holder, who may still be about to remove it.

    Written anew, it is another to a removal that comes late; and what somebody took of it in the meantime is there.
    """
    status = ctx.status
    coming = status.phase is Phase.PREPARING and status.canary is not None and status.canary.revision == revision
    return coming and facts.epoch is not None and facts.epoch < status.epoch and _can_rebuild(ctx, revision)


def _can_rebuild(ctx: Context, revision: str) -> bool:
    """Only the spec's own revision can be made; one that is being taken back is not made again."""
    canary = ctx.status.canary
    leaving = ctx.status.phase is Phase.ROLLING_BACK and canary is not None and canary.revision == revision
    return revision == ctx.seen.desired_revision and not leaving


def _leftovers(ctx: Context) -> list[Action]:
    """Revisions that nobody needs: not in the status, and not named by the route, whoever wrote it."""
    status = ctx.status
    if ctx.since(status.phase_since) < ctx.spec.strategy.drain:
        return []
    kept = {version.revision for version in (status.stable, status.canary, status.previous) if version}
    kept |= set(ctx.seen.share.weights)
    if status.last and status.last.incomplete and ctx.since(status.last.ended_at) < STRAGGLERS_SECONDS:
        kept.add(status.last.to_version.revision)
    return [Retire(revision) for revision in sorted(ctx.seen.revisions) if revision not in kept]


def _memory(ctx: Context) -> list[Action]:
    release = unremembered(ctx)
    return [Remember(release)] if release is not None else []


def _end(ctx: Context) -> list[Action]:
    """Let go; what is to be remembered comes first, unless the API server will not have it or does not answer."""
    failure = ctx.seen.failures.get("Remember")
    gives_up = failure is not None and (failure.refused or ctx.since(failure.since) >= MEMORY_SECONDS)
    waits = unremembered(ctx) is not None and not gives_up
    return [] if waits else [Finalize(orphan=ctx.spec.deletion == "Orphan")]


def _record(ctx: Context) -> list[Action]:
    last = ctx.status.last
    return [KeepRecord(last)] if last and last.id != ctx.seen.recorded else []
