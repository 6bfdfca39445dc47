"""Telling: every new journal entry becomes a log line and a Kubernetes event; every change a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError
from rollout.api.revision import MANAGER
from rollout.api.spec import API_VERSION, KIND
from rollout.api.status import (
    JournalEntry,
    Outcome,
    Phase,
    Release,
    Status,
    timestamp,
)
from rollout.api.texts import clean
from rollout.engine import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.cluster import Cluster
    from kube.kinds import Manifest

log: Any = structlog.get_logger()
WARNINGS = frozenset({"altered", "rolled-back", "aborted", "held", "drift", "source", "command", "note"})


def new_entries(before: Status, after: Status) -> list[JournalEntry]:
    """Journal entries of ``after`` that ``before`` did not have."""
    release = after.release or _just_ended(before, after)
    if release is None:
        return []
    same = before.release is not None and before.release.id == release.id
    known = set(before.release.journal) if same and before.release else set()
    return [entry for entry in release.journal if entry not in known]


def _just_ended(before: Status, after: Status) -> Release | None:
    changed = after.last is not None and (before.last is None or before.last.id != after.last.id)
    return after.last if changed else None


def event_of(manifest: Manifest, entry: JournalEntry) -> Manifest:
    """A Kubernetes event that says one journal entry."""
    meta = manifest["metadata"]
    stamp = timestamp(entry.at)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}-", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta.get("uid", ""),
        },
        "reason": "".join(part.capitalize() for part in entry.what.split("-")),
        "message": clean(entry.text, most=1000),
        "type": "Warning" if entry.what in WARNINGS else "Normal",
        "firstTimestamp": stamp[:19] + "Z",
        "lastTimestamp": stamp[:19] + "Z",
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": "grayling.dev/engine",
    }


async def tell(cluster: Cluster, manifest: Manifest, entries: Iterable[JournalEntry]) -> None:
    """Log entries and post their events; an event that cannot be posted is not worth an error."""
    meta = manifest["metadata"]
    for entry in entries:
        log.info(
            clean(entry.text, most=1000),
            what=entry.what,
            release=f"{meta['namespace']}/{meta['name']}",
            weight=entry.weight,
        )
        try:
            await cluster.create(event_of(manifest, entry))
        except KubeError as error:
            log.debug("event not posted", error=str(error))


def measure(namespace: str, name: str, before: Status, after: Status) -> None:
    """Bring the metrics of one release up to its status."""
    for phase in Phase:
        metrics.PHASE.labels(namespace, name, phase.value).set(float(phase is after.phase))
    metrics.WEIGHT.labels(namespace, name, "desired").set(after.weight.desired)
    metrics.WEIGHT.labels(namespace, name, "observed").set(after.weight.observed or 0.0)
    for signal, log_e in _evidence(after):
        metrics.EVIDENCE.labels(namespace, name, signal).set(log_e)
    if ended := _just_ended(before, after):
        outcome = ended.outcome or Outcome.PROMOTED
        metrics.ENDED.labels(namespace, name, outcome.value).inc()
        metrics.EXCESS.labels(namespace, name).inc(max(0.0, ended.excess_failed_requests))
        _reaction(ended)


def _evidence(status: Status) -> Iterable[tuple[str, float]]:
    """Log evidence by signal, of those whose evidence is a number: what was persisted may be anything."""
    told = status.analysis.get("signals")
    for signal in told if isinstance(told, list) else ():
        found = signal.get("log_e") if isinstance(signal, dict) else None
        if isinstance(found, int | float):
            yield str(signal.get("signal", "")), float(found)


def dropped() -> None:
    """Count something that was to be told and was not, because too much is being told already."""
    metrics.FAILURES.labels("Tell").inc()


def _reaction(release: Release) -> None:
    times = release.reaction
    if times.evidence_at is None:
        return
    for stage, moment in (
        ("decided", times.decided_at),
        ("written", times.written_at),
        ("observed", times.observed_at),
    ):
        if moment is not None:
            metrics.REACTION.labels(stage).observe(max(0.0, moment - times.evidence_at))


def forget(namespace: str, name: str) -> None:
    """Drop the metrics of a release that is gone."""
    for family in (metrics.PHASE, metrics.WEIGHT, metrics.EVIDENCE, metrics.SOURCE_UP):
        family.remove_by_labels({"namespace": namespace, "name": name})
