"""Telling people: new journal entries, and what no release's journal would say, once each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from rollout.api.status import JournalEntry
from rollout.decide.drift import ALTERED, altered_of, drift_of
from rollout.decide.drift import WHAT as DRIFT
from rollout.engine import report
from rollout.engine.observe import command_mistake

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.status import Status
    from rollout.decide.context import Context

log: Any = structlog.get_logger()
MOST_BESIDE = 200
"""Of writes beside the work that are under way in a process: of more the newest are left out, and that is counted."""

_BESIDE: set[asyncio.Task[None]] = set()


def beside(work: Coroutine[Any, Any, None]) -> None:
    """Do something that nothing waits for."""
    if len(_BESIDE) >= MOST_BESIDE:
        work.close()
        report.dropped()
        return
    task = asyncio.create_task(work)
    _BESIDE.add(task)
    task.add_done_callback(_BESIDE.discard)


class Teller:
    """Remembers what was told of one release, so that it is told once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._told: dict[str, tuple[str, ...]] = {}
        self._measured: tuple[Any, ...] = ()

    def news(self, manifest: Manifest, before: Status, after: Status) -> None:
        """Tell what is new in the journal, and bring the metrics up to the status."""
        if entries := report.new_entries(before, after):
            self._tell(manifest, entries)
        measured = (after.phase, after.weight, after.last, after.analysis)
        if measured != self._measured:
            self._measured = measured
            report.measure(manifest["metadata"]["namespace"], manifest["metadata"]["name"], before, after)

    def besides(self, manifest: Manifest, ctx: Context) -> None:
        """Tell what no journal would: a route that somebody changed while nothing is under way, mistakes, notes."""
        drift = "" if ctx.status.in_flight else drift_of(ctx)
        self._once(manifest, ctx.now, DRIFT, drift)
        self._once(manifest, ctx.now, "command", command_mistake(manifest))
        self._once(manifest, ctx.now, "note", *ctx.seen.notes)
        self._once(manifest, ctx.now, ALTERED, *(() if ctx.status.in_flight else altered_of(ctx)))

    def _once(self, manifest: Manifest, now: float, what: str, *texts: str) -> None:
        """Tell what is not empty and was not told last time."""
        known, said = self._told.get(what, ()), tuple(filter(None, texts))
        self._told[what] = said
        if fresh := [text for text in said if text not in known]:
            self._tell(manifest, [JournalEntry(at=now, what=what, text=text) for text in fresh])

    def _tell(self, manifest: Manifest, entries: Sequence[JournalEntry] | Iterable[JournalEntry]) -> None:
        beside(report.tell(self._cluster, manifest, entries))
