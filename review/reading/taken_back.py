"""What a preview would bring in although it was taken back on evidence: by the cluster's memory and by kept records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.deploy.survey import find_all
from components.deploy.taken_back import out, stays_out
from kube.kinds import GRAY_RELEASE, label_of
from review.model.change import Doubt, Op
from review.reading.plan import is_plan, plan_of
from review.reading.steps import preview_of
from rollout.api.taken_back import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.model.change import ChangeSet
    from review.reading.source import Document

NOT_ASKED = Doubt(
    "taken-back-not-asked",
    "whether a version of these releases was taken back before was not asked of a cluster, only of the records in "
    ".grayling/records of the project; name the cluster with --context",
    fatal=False,
)
_LEAVES = {Op.DELETE, Op.RETAIN}


def releases_in(document: Document, changes: ChangeSet) -> list[Manifest]:
    """The releases that a preview of Pulumi creates or changes, as they stand in it and not masked."""
    if not _coming(changes):
        return []
    preview = plan_of(document) if is_plan(document) else preview_of(document)
    declared = {step.urn: step.new.inputs for step in preview.steps if step.new is not None}
    return [item for item in declared.values() if item.get("kind") == GRAY_RELEASE.kind and item.get("metadata")]


def _coming(changes: ChangeSet) -> set[str]:
    return {str(each.ref) for each in changes.of_kind(GRAY_RELEASE.kind) if not set(each.ops) <= _LEAVES}


async def by_cluster(cluster: Cluster, manifests: Sequence[Manifest], records: Iterable[Path]) -> dict[str, str]:
    """Why releases stay out of a cluster, by object.

    Raises:
        KubeError: the cluster cannot be asked.
    """
    found = await find_all(cluster, manifests, {})
    return (await stays_out(cluster, manifests, found, records, [])).by_release


def by_records(changes: ChangeSet, manifests: Iterable[Manifest], records: Iterable[Path]) -> ChangeSet:
    """A change set of which no cluster was asked, with what kept records say of the releases in it."""
    coming = _coming(changes)
    if not coming:
        return changes
    found = out(Memory(), records, [item for item in manifests if label_of(item) in coming]).by_release
    return replace(changes, stays_out=found, doubts=(*changes.doubts, NOT_ASKED))
