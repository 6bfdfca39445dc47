"""From what is promised to what must be done: the world as the status wants it, less the world as it is.

Actions are derived from the persisted status alone, so a successor that reads the same status does the same things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.actions import EnsureRevision, Finalize, KeepRecord, Retire, RetireRoute, Scale, Shift
from rollout.revision import replicas_for
from rollout.status import Phase

if TYPE_CHECKING:
    from rollout.actions import Action
    from rollout.context import Context
    from rollout.spec import Spec
    from rollout.status import Status


def had_traffic(status: Status) -> bool:
    """Whether the release in flight has asked for a share at all; before that the route does not name the canary."""
    asked = status.weight.desired > 0
    return asked or (status.release is not None and bool(status.release.steps))


def weights_of(status: Status) -> dict[str, int]:
    """Percent per revision that the route must show; empty where nothing can serve yet."""
    stable, canary, previous = status.stable, status.canary, status.previous
    share = status.weight.desired
    if stable is None:
        return {canary.revision: 100} if canary and share == 100 else {}  # noqa: PLR2004 - percent
    weights = {stable.revision: 100 - share if canary else 100}
    if canary and had_traffic(status):
        weights[canary.revision] = share
    if previous:
        weights[previous.revision] = 0
    return weights


def scales_of(spec: Spec, status: Status, running: dict[str, int]) -> dict[str, int]:
    """Pods per revision. Stable never loses one before the bake is over; a canary loses none while traffic may come."""
    full = spec.workload.replicas
    wanted = {}
    if status.stable:
        wanted[status.stable.revision] = full
    if status.previous:
        wanted[status.previous.revision] = full if spec.traffic else 0
    if status.canary:
        wanted[status.canary.revision] = _canary_scale(spec, status, running.get(status.canary.revision, 0))
    return wanted


def _canary_scale(spec: Spec, status: Status, running: int) -> int:
    full, steps = spec.workload.replicas, spec.strategy.steps
    if status.phase is Phase.ROLLING_BACK:
        return running if spec.traffic else 0
    if status.phase is Phase.PROMOTING or status.stable is None or spec.traffic is None:
        return full
    index = min(status.step, len(steps) - 1)
    return max(running, replicas_for(full, steps[index].weight))


def actions_of(ctx: Context) -> tuple[Action, ...]:
    """What is left to do, most urgent first: weights before pods, pods before cleaning up."""
    if ctx.seen.deleted:
        return (Finalize(orphan=ctx.spec.deletion == "Orphan"),)
    return (*_route(ctx), *_pods(ctx), *_leftovers(ctx), *_record(ctx))


def _route(ctx: Context) -> list[Action]:
    if ctx.spec.traffic is None:
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
    running = {name: facts.replicas for name, facts in ctx.seen.revisions.items()}
    todo: list[Action] = []
    for revision, replicas in scales_of(ctx.spec, ctx.status, running).items():
        if revision not in running:
            todo += [EnsureRevision(revision, replicas)] if _can_rebuild(ctx, revision) else []
        elif running[revision] != replicas:
            todo.append(Scale(revision, replicas))
    return todo


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
    return [Retire(revision) for revision in sorted(ctx.seen.revisions) if revision not in kept]


def _record(ctx: Context) -> list[Action]:
    last = ctx.status.last
    return [KeepRecord(last)] if last and last.id != ctx.seen.recorded else []
