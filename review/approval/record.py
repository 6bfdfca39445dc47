"""What every reviewed change leaves behind: what was asked, what it touched, who let it in, and how it ended."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from components.deploy.refusal import named
from kube.errors import UsageError
from review.approval.digest import hash_of
from review.approval.store import write_whole
from review.model.risk import assessment
from review.reading.mistaken import first_mistake
from rollout.api.wire import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from review.approval.subject import Subject
    from review.approval.verdict import Verdict

FOLDER = ".grayling/records/changes"


class Record(Model):
    """One change that was carried out, or was tried.

    Attributes:
        form: version of this form.
        stack: the stack.
        project: the Pulumi project.
        tier: of the stack.
        created: when it was begun.
        ended: when it ended.
        request: commit, base and authors.
        impact: objects touched by each operation, and the first of them.
        cost: what is requested more or less, as the reports count it; empty where nobody counted.
        risk: the assessment, and what was found.
        digest: what was approved.
        how: the word for how it was let in.
        emergency: it came in by the emergency lane.
        approvals: who approved, with the file of each.
        reasons: what the approvers said.
        result: done, or failed.
        told: how it ended, in words.
        releases: gray releases that it started or changed; ``grayling release history`` has their records.
        cluster: where it went.
    """

    form: Literal["grayling.change/1"] = Field(default="grayling.change/1", alias="schema")
    stack: str
    project: str
    tier: str
    created: AwareDatetime
    ended: AwareDatetime
    request: dict[str, Any]
    impact: dict[str, Any]
    cost: dict[str, Any] = Field(default_factory=dict)
    risk: dict[str, Any]
    digest: str
    how: str
    emergency: bool = False
    approvals: dict[str, str] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    result: Literal["done", "failed"]
    told: str
    releases: tuple[str, ...] = ()
    cluster: str = ""

    @property
    def id(self) -> str:
        """By time, and apart from another of the same second."""
        return f"{self.created.strftime('%Y%m%d%H%M%S')}-{hash_of(self.wire())[:8]}"

    def text(self) -> str:
        """The file."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


def record_of(
    subject: Subject,
    verdict: Verdict,
    *,
    ended: datetime,
    error: BaseException | None,
    told: str,
    cluster: str,
    cost: Mapping[str, Any] | None = None,
) -> Record:
    """The record of a change that has ended; ``error`` is why it failed, ``cost`` what the reports count."""
    case, changes = subject.case, subject.changes
    touched = [f"{'+'.join(op.value for op in change.ops)} {change.ref}" for change in changes.changes]
    names = set(verdict.by.values())
    reasons = [letter.said.reason for name, letter in subject.letters if name in names and letter.said.reason]
    return Record(
        stack=case.bound.stack,
        project=case.bound.project,
        tier=case.tier,
        created=case.now,
        ended=ended,
        request={
            "commit": subject.rules.head,
            "base": subject.rules.base,
            "authors": sorted(case.authors.people),
            "volatile": list(case.bound.volatile),
        },
        impact={"counts": changes.counts(), "objects": touched[:200], "summary": named(touched)},
        risk={
            "assessment": assessment(changes, subject.risks or ()).value,
            "looked": subject.risks is not None,
            "found": [
                {"id": risk.id, "severity": risk.severity.word, "object": risk.object, "text": risk.text}
                for risk in subject.risks or ()
            ],
        },
        cost=dict(cost or {}),
        digest=case.bound.digest,
        how=verdict.how,
        emergency=verdict.how == "emergency",
        approvals=verdict.by,
        reasons=tuple(reasons),
        result="failed" if error else "done",
        told=told,
        releases=releases_in(subject),
        cluster=cluster,
    )


def releases_in(subject: Subject) -> tuple[str, ...]:
    """The gray releases that a change starts or changes."""
    found = subject.changes.of_kind("GrayRelease")
    return tuple(f"{change.ref.namespace}/{change.ref.name}" for change in found)


def keep(project: Path, record: Record) -> Path:
    """Write a record into the project.

    Raises:
        UsageError: it cannot be written.
    """
    path = project / FOLDER / record.stack / f"{record.id}.json"
    write_whole(path, record.text())
    return path


def kept(project: Path, stack: str) -> Iterator[Record]:
    """The records that the project keeps of a stack, oldest first.

    Raises:
        UsageError: one is damaged.
    """
    for path in sorted((project / FOLDER / stack).glob("*.json")):
        yield read(path.read_bytes(), str(path.relative_to(project)))


def read(data: bytes, source: str) -> Record:
    """One record.

    Raises:
        UsageError: it is none.
    """
    try:
        return Record.model_validate_json(data)
    except ValidationError as error:
        raise UsageError(
            f"{source}: {first_mistake(error)}; it is no change record: take it out of the folder"
        ) from None
