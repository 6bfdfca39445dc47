"""Our own look at the cluster that a preview of Pulumi is said to be of.

A preview made while the cluster was away, of another cluster, or of an old state file looks like a good one. A probe
reads the objects that the preview would touch, and holds each against what the preview's state knew of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.deploy.survey import AT_ONCE
from kube.errors import NotFoundError, UsageError
from review.model.change import Doubt, Op
from review.reading.doubts import NOT_PROBED
from review.reading.mistaken import first_mistake
from review.reading.standing import ABSENT, standing
from review.reading.taken_back import NOT_ASKED, by_cluster, releases_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kube.cluster import Cluster
    from review.model.change import Change, ChangeSet
    from review.reading.source import Document

NOTHING_TO_HOLD = Doubt(
    "nothing-to-hold",
    "the preview names no object that stands: that it is of this cluster cannot be seen from it",
    fatal=False,
)


class Probe(BaseModel):
    """What stood on a cluster at one moment, of the objects that one preview would touch.

    Attributes:
        kind: version of this form.
        preview: SHA-256 of the preview's bytes: a probe speaks for one preview.
        cluster: the context and the server that were asked.
        made: when, ISO 8601 in UTC.
        objects: ``UID@GENERATION`` or ``absent`` by object.
        stays_out: why releases stay out, by object; None in probes that did not ask.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["grayling.probe/1"] = Field(default="grayling.probe/1", alias="schema")
    preview: str
    cluster: str
    made: datetime
    objects: dict[str, str]
    stays_out: dict[str, str] | None = Field(default=None, alias="staysOut")


async def probe(
    cluster: Cluster, changes: ChangeSet, document: Document, name: str, records: Sequence[Path] = ()
) -> Probe:
    """Look at every object that the preview would touch, and at what was taken back; nothing is written.

    Args:
        cluster: to ask.
        changes: of the preview.
        document: the preview itself.
        name: how people call the cluster.
        records: files of kept records, which keep out what they took back.

    Raises:
        KubeError: the cluster cannot be asked.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(change: Change) -> str:
        """Look one up, with few at the same time."""
        async with slots:
            return await _standing(cluster, change)

    asked = [change for change in changes.changes if change.ref.api_version]
    found = await asyncio.gather(*(one(change) for change in asked))
    objects = {str(change.ref): each for change, each in zip(asked, found, strict=True)}
    out = await by_cluster(cluster, releases_in(document, changes), records)
    made = datetime.now(UTC)
    return Probe(preview=document.sha256, cluster=name, made=made, objects=objects, stays_out=out)


async def _standing(cluster: Cluster, change: Change) -> str:
    ref = change.ref
    try:
        kind = await cluster.resolve({"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name}})
        return standing(await cluster.find(kind, ref.name, ref.namespace or None))
    except NotFoundError:  # its definition is not there either
        return ABSENT


def read_probe(text: str, name: str, document: Document) -> Probe:
    """A probe from its file.

    Raises:
        UsageError: it is none, or it is of another preview.
    """
    try:
        made = Probe.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"{name}: {first_mistake(error)}; make it with `grayling review probe`") from error
    if made.preview != document.sha256:
        raise UsageError(
            f"{name}: preview: is of another file ({made.preview[:12]}…, {document.name} is {document.sha256[:12]}…); "
            "make the probe again beside this preview"
        )
    return made


def beside(changes: ChangeSet, made: Probe) -> ChangeSet:
    """The change set of a preview with a probe beside it: proven to be of that cluster, or contradicted."""
    known = {NOT_PROBED.id, *({NOT_ASKED.id} if made.stays_out is not None else ())}
    doubts = [*_contradictions(changes, made), *(each for each in changes.doubts if each.id not in known)]
    if not any(change.stood for change in changes.changes):
        doubts.append(NOTHING_TO_HOLD)
    out = {**changes.stays_out, **(made.stays_out or {})}
    return replace(changes, doubts=tuple(doubts), live=dict(made.objects), cluster=made.cluster, stays_out=out)


def _contradictions(changes: ChangeSet, made: Probe) -> Iterator[Doubt]:
    for change in changes.changes:
        if not change.ref.api_version:
            continue
        there = made.objects.get(str(change.ref))
        if there is None:
            yield Doubt("not-probed-object", f"{change.ref}: the probe did not look at it; make the probe again")
        elif change.ops == (Op.CREATE,):
            if there != ABSENT:
                yield Doubt("exists", f"{change.ref}: is to be created, and stands on {made.cluster} already")
        elif change.stood:
            yield from _moved(change, there, made.cluster)


def _moved(change: Change, there: str, cluster: str) -> Iterator[Doubt]:
    if there == change.stood:
        return
    if there == ABSENT:
        yield Doubt(
            "another-cluster", f"{change.ref}: the preview knows it, and it is not on {cluster}: another cluster?"
        )
    elif there.partition("@")[0] != change.stood.partition("@")[0]:
        yield Doubt(
            "another-cluster", f"{change.ref}: on {cluster} stands another object of this name: another cluster?"
        )
    else:
        text = f"{change.ref}: was changed on {cluster} since the state was written; preview again with --refresh"
        yield Doubt("stale-state", text)
