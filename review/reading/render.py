"""Our own preview: what the stack file declares against what the API server holds (a dry run), or against a commit.

The change set has the form of Pulumi's, so that everything after it is one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.deploy.inventory import MANAGER
from components.deploy.survey import AT_ONCE
from components.model.layers import identity, kept
from kube.errors import ConflictError, KubeError, NotFoundError
from review.model.change import Change, ChangeSet, Doubt, Op, in_order, path_text
from review.model.managers import writers_of
from review.model.masking import Masker, needles_of
from review.model.normal import edits, normalised
from review.reading.pulumi import INSTANCE, OWNERS, declared
from review.reading.standing import standing
from review.reading.urns import ref_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.deploy.survey import Survey
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.model.change import Edit

PART_OF = "applyset.kubernetes.io/part-of"
NOT_ASKED = Doubt(
    "not-asked",
    "made of two renders alone: what the cluster holds, what others changed there and what it would refuse was not "
    "asked; name it with --context",
    fatal=False,
)


def between(base: Sequence[Manifest], head: Sequence[Manifest], *, stack: str) -> ChangeSet:
    """What differs between two renders, without a cluster."""
    masker = Masker(frozenset(needles_of([*base, *head])))
    old, new = ({identity(item): item for item in side} for side in (base, head))
    changes, unchanged = [], 0
    for key in [*old, *(key for key in new if key not in old)]:
        change = _compared(old.get(key), new.get(key), masker)
        unchanged += change is None
        changes += [change] if change else []
    return ChangeSet("render", "", stack, in_order(changes), unchanged, (NOT_ASKED,))


def _compared(before: Manifest | None, after: Manifest | None, masker: Masker) -> Change | None:
    if before is None or after is None:
        present = before if after is None else after
        op = Op.CREATE if before is None else Op.RETAIN if kept(before) else Op.DELETE
        return change_of(present or {}, op, masker, before=before, after=after)
    found = edits(before, after)
    if not found:
        return None
    return change_of(after, Op.UPDATE, masker, before=before, after=after, differing=found)


def change_of(
    manifest: Manifest,
    op: Op,
    masker: Masker,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    differing: Iterable[Edit] = (),
) -> Change:
    """One object's change, masked."""
    meta = manifest.get("metadata") or {}
    ref = ref_of("", manifest)
    return Change(
        ref=ref,
        ops=(op,),
        before=masker.manifest(before),
        after=masker.manifest(after),
        edits=tuple(masker.edit(edit, ref.kind) for edit in differing),
        component=str((meta.get("labels") or {}).get(INSTANCE, "")),
        owners=tuple(filter(None, str((meta.get("annotations") or {}).get(OWNERS, "")).replace(" ", "").split(","))),
    )


async def read_live(cluster: Cluster, survey: Survey, *, stack: str, name: str, destroys: bool = False) -> ChangeSet:
    """What an apply of a survey would change, asked of the API server field by field.

    Args:
        cluster: to ask; nothing is written there.
        survey: of the stack's objects, as ``take_survey`` makes it.
        stack: its name.
        name: how people call the cluster.
        destroys: it is the end of the stack.
    """
    everything = [*survey.written, *survey.live.values()]
    masker, slots = Masker(frozenset(needles_of(everything))), asyncio.Semaphore(AT_ONCE)

    async def one(manifest: Manifest) -> Change | None:
        """Ask for one, with few at the same time."""
        async with slots:
            return await _asked(cluster, manifest, survey.found.get(identity(manifest)), masker)

    asked = await asyncio.gather(*(one(item) for item in survey.written))
    going = [change_of(item, Op.DELETE, masker, before=declared(item), after=None) for item in survey.gone]
    staying = [
        change_of(item, Op.RETAIN, masker, before=declared(item), after=None)
        for item in (*survey.remain, *survey.freed)
    ]
    changes = [*(change for change in asked if change), *going, *staying]
    return ChangeSet(
        source="destroy" if destroys else "render",
        stack=stack,
        changes=in_order(changes),
        unchanged=len(survey.written) - sum(change is not None for change in asked) + len(survey.shared),
        doubts=tuple(_doubts(survey, masker)),
        messages=tuple(("info", masker.text(note)) for note in survey.notes),
        live=_live(changes, survey),
        cluster=name,
        stays_out={label: masker.text(told) for label, told in survey.stays_out.items()},
    )


async def _asked(cluster: Cluster, manifest: Manifest, live: Manifest | None, masker: Masker) -> Change | None:
    if live is None:
        return change_of(manifest, Op.CREATE, masker, before=None, after=_unstamped(manifest))
    before = _unstamped(declared(live))
    try:
        after = await cluster.apply(manifest, manager=MANAGER, dry_run=True)
    except ConflictError as error:
        return await _contested(cluster, manifest, live, masker, str(error))
    except KubeError as error:
        if isinstance(error, NotFoundError):
            return change_of(manifest, Op.CREATE, masker, before=None, after=_unstamped(manifest))
        found = edits(before, _overlaid(before, manifest))
        told = change_of(manifest, Op.UPDATE, masker, before=before, after=_unstamped(manifest), differing=found)
        return replace(told, problem=masker.text(str(error)))
    then = _unstamped(declared(after))
    differing = edits(before, then)
    if not differing:
        return None
    return change_of(manifest, Op.UPDATE, masker, before=before, after=then, differing=differing)


async def _contested(cluster: Cluster, manifest: Manifest, live: Manifest, masker: Masker, said: str) -> Change:
    """Fields that somebody else owns: what it would be by force, and who that is, field by field."""
    before = _unstamped(declared(live))
    try:
        after = await cluster.apply(manifest, manager=MANAGER, force=True, dry_run=True)
    except KubeError:
        after = _overlaid(before, manifest)
    found = edits(before, _unstamped(declared(after)))
    told = change_of(manifest, Op.UPDATE, masker, before=before, after=_unstamped(declared(after)), differing=found)
    return replace(told, problem=masker.text(said), others=others_of(live, found))


def others_of(live: Manifest, found: Iterable[Edit]) -> dict[str, str]:
    """For each edited field that another writer owns: the latest of them."""
    made = {}
    for edit in found:
        foreign = [each.manager for each in writers_of(live, edit.path) if each.manager != MANAGER]
        if foreign:
            made[path_text(edit.path)] = foreign[0]
    return made


def _overlaid(before: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The live object with what is declared laid over it; lists are taken whole."""
    made: dict[str, Any] = dict(before)
    for key, value in manifest.items():
        old = made.get(key)
        made[key] = _overlaid(old, value) if isinstance(value, dict) and isinstance(old, dict) else normalised(value)
    return made


def _unstamped(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Without the mark of the set, which changes nothing that a person asked for."""
    labels = {key: value for key, value in ((manifest["metadata"].get("labels")) or {}).items() if key != PART_OF}
    meta = {key: value for key, value in manifest["metadata"].items() if key != "labels"}
    return {**manifest, "metadata": {**meta, "labels": labels} if labels else meta}


def _doubts(survey: Survey, masker: Masker) -> Iterable[Doubt]:
    for reason in survey.reasons:
        yield Doubt("refused", f"it would write nothing: {masker.text(reason)}")
    for api_version, kind in sorted(survey.unseen):
        text = f"the cluster does not serve {kind} ({api_version}) now: whether objects of it are there was not seen"
        yield Doubt("unseen-kind", text, fatal=False)


def _live(changes: Iterable[Change], survey: Survey) -> dict[str, str]:
    there = {ref_of("", item): item for item in (*survey.found.values(), *survey.live.values())}
    return {str(change.ref): standing(there.get(change.ref)) for change in changes}
