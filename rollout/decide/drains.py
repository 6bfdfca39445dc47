"""Before a node is drained: a second pod comes up before the canary's last one goes, and the drain waits for it.

An eviction asks the disruption budget. It keeps the last ready pod of a canary until there is another, where the engine
can see which nodes are being drained; and no longer than `readyDeadline`, so that a drain is delayed and never blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.journal import JournalKind
from rollout.api.status import Phase
from rollout.decide.context import write_journal

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context
    from rollout.decide.observation import RevisionFacts

ON_TRIAL = frozenset({Phase.PREPARING, Phase.STEPPING, Phase.PROMOTING})


def needs_another(facts: RevisionFacts | None) -> bool:
    """Whether all ready pods of a revision are on nodes that will be drained."""
    return facts is not None and 0 < facts.ready <= facts.threatened


def keeps_last(ctx: Context, revision: str, needed: int) -> bool:
    """Whether the budget of a revision that needs so many pods must keep its last one until there is another.

    Only that of a canary which shares the traffic, and only where its budget would let all of them go at once.
    """
    status, facts = ctx.status, ctx.seen.revisions.get(revision)
    on_trial = status.phase in ON_TRIAL and status.canary is not None and status.canary.revision == revision
    if not on_trial or status.stable is None or not ctx.shared or needed > ctx.spec.workload.max_unavailable:
        return False
    if ctx.seen.sees_nodes is None:
        return facts is not None and facts.keeps_last
    return ctx.seen.sees_nodes and not waited_enough(ctx)


def waited_enough(ctx: Context) -> bool:
    """Whether another pod had its time to become ready: from now on the drain is not held up."""
    since = ctx.status.threatened_since
    return since is not None and ctx.waited(since) >= ctx.spec.strategy.ready_deadline


def note_threat(ctx: Context, after: Status) -> Status:
    """``after`` with the clock of an expected drain: begun, going on, or gone; what comes of it is told."""
    canary = ctx.seen.revisions.get(after.canary.revision) if after.canary else None
    if after.phase not in ON_TRIAL or not needs_another(canary):
        return after.model_copy(update={"threatened_since": None})
    if after.threatened_since is None:
        told = "all its ready pods are on nodes that take no pods any more: one more is brought up before they go"
        return write_journal(
            after.model_copy(update={"threatened_since": ctx.now}), ctx.now, JournalKind.THREATENED, told
        )
    journal = after.release.journal if after.release else []
    known = any(entry.what == JournalKind.LET_GO and entry.at >= after.threatened_since for entry in journal)
    if known or not waited_enough(ctx.with_status(after)):
        return after
    told = f"no pod on another node is ready after {ctx.spec.strategy.ready_deadline:g} s: the drain is not held up"
    return write_journal(after, ctx.now, JournalKind.LET_GO, told)
