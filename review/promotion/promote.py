"""A promotion: what the source declares and has proven, as one change of the target's stack file, with a note."""

from __future__ import annotations

import difflib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from components.deploy.session import rendered
from components.deploy.taken_back import refusals
from components.deploy.target import Target, place_of, reached
from components.model.mistakes import nearest
from components.stack.edits import edited
from components.stack.reading import composed
from components.stack.released import model_of, section_of, settings_of
from components.stack.sections import CONFIG
from components.stack.unopened import unopened
from kube.errors import UsageError
from kube.kinds import GRAY_RELEASE
from review.promotion.carried import carried
from review.promotion.change import changed
from review.promotion.evidence import Declared, NotProvenError, evidence_for
from review.promotion.kept_records import digest_of, in_cluster, in_files, pinned
from review.promotion.note import Note, Promoted, Proof, digest, identified, keep
from review.promotion.settings import settings_in
from rollout.api.kept_records import records_of
from rollout.api.remembered import remembered
from rollout.api.revision import image_of, revision_of
from rollout.api.spec import Spec
from rollout.api.taken_back import Memory

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

    from components.stack.nodes import Document
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.promotion.carried import Carried
    from review.promotion.evidence import Evidence
    from review.promotion.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for.

    Attributes:
        only: these services; every one that both stacks declare if empty.
        records: files to read; the source's cluster is asked where there are none.
        allow_unproven: why a version that was promoted and not proven may go on; empty where it may not.
    """

    source: StackFile
    target: StackFile
    only: Sequence[str] = ()
    cluster: Target = field(default_factory=Target)
    records: Sequence[Path] | None = None
    by: str = ""
    reason: str = ""
    allow_unproven: str = ""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What would be written, or was.

    Attributes:
        note: None where the target has everything already.
        notes: what a person should know.
        text: of the target's stack file afterwards.
    """

    note: Note | None
    notes: tuple[str, ...]
    before: str
    text: str

    def diff(self, name: str) -> str:
        """What changes in the target's stack file."""
        lines = (self.before.splitlines(keepends=True), self.text.splitlines(keepends=True))
        return "".join(difflib.unified_diff(*lines, f"a/{name}", f"b/{name}"))


async def planned(asked: Asked, now: float) -> Promotion:
    """What a promotion would write; nothing is written.

    Raises:
        UsageError: a stack, a service, a file or the settings are wrong.
        NotProvenError: a version may not go on.
        GraylingError: the source's cluster cannot be asked.
    """
    settings, document = settings_in(asked.target.project), asked.target.read()
    unopened(asked.target)
    names, told = _services(asked)
    declared = _declared(asked.source, names)
    found: list[Promoted] = []
    edits = {}
    refused: list[str] = []
    async with AsyncExitStack() as stack:
        cluster = await _cluster(asked, stack)
        for each in declared:
            try:
                made = await _one(asked, each, cluster, settings)
            except NotProvenError as error:
                refused.append(str(error))
                continue
            if made is None:
                told.append(f"{each.service}: {asked.target.stack} has it already")
                continue
            found.append(made[0])
            edits[each.service] = made[1].edits
        remembered_there = await _memory(asked, cluster, told) if edits else Memory()
    _insist(asked, refused)
    if not edits:
        return Promotion(None, tuple(told), document.text, document.text)
    text = changed(document, asked.target, edits)
    coming = _released(asked.target, text, edits)
    _insist(asked, refusals(remembered_there, _kept_out_by(asked), coming))
    return Promotion(_note(asked, found, document, text, now), tuple(told), document.text, text)


def carry_out(asked: Asked, promotion: Promotion) -> Path:
    """Write the note, then the change; a note whose change was not made goes again.

    Raises:
        StackError: the target's stack file was changed meanwhile, or cannot be written.
        UsageError: the note cannot be written.
    """
    note = promotion.note
    assert note is not None  # noqa: S101 - for the type checker
    path = keep(note, asked.target.project)

    def change(document: Document) -> str:
        """What was planned, if it was planned on this text."""
        if document.text != promotion.before:
            raise UsageError(f"{asked.target.source}: was changed by somebody else meanwhile; run it again")
        return promotion.text

    try:
        edited(asked.target.path, asked.target.source, change)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


# ---------------------------------------------------------------------- what goes


def _services(asked: Asked) -> tuple[list[str], list[str]]:
    """The services that are meant, and what is said of those left out."""
    if asked.source.stack == asked.target.stack:
        raise UsageError(f"--from {asked.source.stack} --to {asked.target.stack}: are one stack; name two")
    here, there = (list(settings_of(file.document()[CONFIG])) for file in (asked.source, asked.target))
    for name in asked.only:
        for file, known in ((asked.source, here), (asked.target, there)):
            if name not in known:
                raise UsageError(f"--only {name}: {file.source} declares no such service; {nearest(name, known)}")
    both = [name for name in here if name in there and (not asked.only or name in asked.only)]
    if not both:
        raise UsageError(f"{asked.source.source} and {asked.target.source} have no service in common")
    left = [] if asked.only else [name for name in here if name not in there]
    return both, [f"{name}: {asked.target.stack} declares no such service, and is left as it is" for name in left]


def _declared(source: StackFile, names: Sequence[str]) -> list[Declared]:
    """The revisions that the source's stack file means now."""
    releases = {item["metadata"]["name"]: item for item in rendered(source) if item["kind"] == GRAY_RELEASE.kind}
    found = []
    for name in names:
        spec = Spec.model_validate(releases[name]["spec"])
        namespace = releases[name]["metadata"]["namespace"]
        found.append(Declared(name, namespace, revision_of(name, spec), image_of(spec)))
    return found


async def _cluster(asked: Asked, stack: AsyncExitStack) -> Cluster | None:
    if asked.records is not None:
        return None
    cluster, _ = await stack.enter_async_context(reached(asked.cluster, place_of(asked.source)))
    return cluster


async def _memory(asked: Asked, cluster: Cluster | None, told: list[str]) -> Memory:
    """What the source's cluster took back, of this version or of another environment's."""
    if cluster is None:
        told.append("whether a version was taken back was not asked of a cluster, only of the records")
        return Memory()
    namespace = asked.source.section("environment").get("namespace")
    return await remembered(cluster, [str(namespace)] if namespace else [], told)


def _kept_out_by(asked: Asked) -> list[Path]:
    """The records of both projects, and those that were named."""
    found = [*records_of(asked.source.project), *records_of(asked.target.project), *(asked.records or ())]
    return list(dict.fromkeys(found))


async def _one(
    asked: Asked, declared: Declared, cluster: Cluster | None, settings: Settings
) -> tuple[Promoted, Carried] | None:
    """One service; None where there is nothing to do."""
    name = declared.service
    configs = [file.document()[CONFIG] for file in (asked.source, asked.target)]
    if len(models := {model_of(config, name) for config in configs}) > 1:
        raise UsageError(f"{name}: is an adapter in one of {asked.source.source}, {asked.target.source}; name it apart")
    source, target = (settings_of(config)[name] for config in configs)
    known = await digest_of(cluster, declared) if cluster else ""
    image = pinned(source["image"], known)
    made = carried(source, target, image, settings.own_of(name), models.pop())
    if not made.edits and not made.refusals:
        return None
    if made.refusals:
        place = f"{asked.target.source}: {section_of(configs[1], name)}.{name}"
        raise NotProvenError("\n".join(f"{place}.{told}" for told in made.refusals))
    found = await in_cluster(cluster, declared) if cluster else in_files(asked.records or ())
    proof = evidence_for(declared, found.kept, found.status)
    if not proof.proven and not asked.allow_unproven:
        raise NotProvenError(
            f"{declared.namespace}/{name}: its release {proof.kept.record.id} was promoted, not proven "
            f"({proof.kept.record.outcome_reason}): --allow-unproven REASON lets it go on"
        )
    return _promoted(declared, target["image"], image, made, proof), made


def _promoted(declared: Declared, was: str, image: str, made: Carried, evidence: Evidence) -> Promoted:
    record = evidence.kept.record
    assert record.outcome is not None  # noqa: S101 - for the type checker
    proof = Proof(
        release=record.id,
        revision=declared.revision,
        outcome=record.outcome,
        proven=evidence.proven,
        ended_at=record.ended_at,
        digest=evidence.kept.digest,
        place=evidence.kept.place,
    )
    return Promoted(
        service=declared.service,
        image=image if "image" not in made.own else was,
        was=was,
        digest=image.partition("@")[2],
        changed=[each.key for each in made.edits],
        own=list(made.own),
        proof=proof,
    )


def _insist(asked: Asked, refused: Sequence[str]) -> None:
    if refused:
        what = f"promote {asked.source.stack} to {asked.target.stack}: refused, and nothing was written"
        raise NotProvenError("\n".join([what, *(f"  {line}" for each in refused for line in each.splitlines())]))


def _note(asked: Asked, found: list[Promoted], document: Document, text: str, now: float) -> Note:
    after = digest(text)
    names = asked.source.stack, asked.target.stack
    unproven = not all(each.proof.proven for each in found)
    fields: dict[str, Any] = {"id": identified(*names, after, found), "from": names[0], "to": names[1], "at": now}
    return Note(
        **fields,
        by=asked.by,
        reason=asked.reason,
        allowed_unproven=asked.allow_unproven if unproven else "",
        still_runs=asked.records is None,
        before=digest(document.text),
        after=after,
        services=found,
    )


def _released(target: StackFile, text: str, services: Container[str]) -> list[Manifest]:
    """The releases of these services as the target would declare them."""
    manifests = unopened(replace(target, held=composed(text, target.source))).manifests()
    return [item for item in manifests if item["kind"] == GRAY_RELEASE.kind and item["metadata"]["name"] in services]
