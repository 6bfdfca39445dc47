"""One change of one stack, put together for a decision: what it binds, who wrote it, what stands for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components.deploy.refusal import named
from components.stack.project import project_name
from components.stack.reading import parse
from review.approval.digest import Bound, bound, decides, differences
from review.approval.judging import judge
from review.approval.people import Authors, authors_of
from review.approval.store import Store
from review.approval.verdict import Case, Verdict
from review.approval.volatile import volatile_of
from review.approval.weakened import path_of, tier_before, tier_of
from review.model.change import ChangeSet
from review.model.risk import Assessment, assessment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from components.stack.stackfile import StackFile
    from review.approval.policy import Policy
    from review.approval.rules import Rules
    from review.approval.statement import Letter
    from review.approval.volatile import Volatile
    from review.model.report import Report
    from review.model.risk import Risk


@dataclass(frozen=True, slots=True)
class Subject:
    """A change with everything that decides about it.

    Attributes:
        file: the stack file.
        rules: that stand.
        changes: what would happen.
        risks: what was found; None where nobody looked.
        case: for the decision.
        letters: what people have signed for this stack.
    """

    file: StackFile
    rules: Rules
    changes: ChangeSet
    risks: tuple[Risk, ...] | None
    case: Case
    letters: tuple[tuple[str, Letter], ...]

    def verdict(self, further: Iterable[tuple[str, Letter]] = ()) -> Verdict:
        """Whether it may go in; ``further`` is what the cluster keeps."""
        return judge(self.case, [*self.letters, *further])

    def on(self, report: Report) -> Report:
        """A report with what an approval of it binds, and what is still needed."""
        told = bool(self.case.unfit) and self.case.policy is not None
        return replace(
            report,
            commit=self.rules.head,
            base=self.rules.base,
            digest="" if told else self.case.bound.digest,
            parts=self.case.bound.part_digests,
            unbound="; ".join(self.case.unfit) if told else "",
            approval=self.verdict().sentence(self.case.bound),
        )


def subject_of(
    file: StackFile,
    changes: ChangeSet,
    risks: Sequence[Risk] | None,
    rules: Rules,
    now: datetime,
    *,
    truncated: bool = False,
) -> Subject:
    """Put a change together.

    Raises:
        UsageError: a file of the project is wrong.
    """
    config = file.document()
    volatile = volatile_of(rules.policy.volatile if rules.policy else (), config["config"])
    made = _bound(file, changes, rules, volatile)
    letters = tuple(Store(file.project, file.stack).letters())
    unfit = [*_not_believed(changes, risks), *_taken_back(changes), *_not_committed(file, rules, volatile)]
    if truncated:
        unfit.append("the report was cut: read and approve the whole one")
    tier, was = tier_of(file), tier_before(file, rules)
    case = Case(
        bound=made,
        tier=_stricter(rules.policy, was or tier, tier),
        policy=rules.policy,
        signers=rules.signers,
        authors=_authors(rules, [letter for _, letter in letters if letter.digest == made.digest]),
        risks=risks,
        unfit=tuple(unfit),
        rules_change=bool(rules.changed) or was not in {"", tier},
        now=now,
        nothing=bool(changes.cluster) and not changes.changes,
    )
    return Subject(file, rules, changes, None if risks is None else tuple(risks), case, letters)


def _stricter(policy: Policy | None, *tiers: str) -> str:
    """Of two tiers the one that demands more people; the first of equals."""
    if policy is None or not all(tiers):
        return tiers[-1]
    return max(tiers, key=lambda tier: policy.rule(tier).approvals)


def _bound(file: StackFile, changes: ChangeSet, rules: Rules, volatile: Volatile) -> Bound:
    return bound(
        changes,
        project=project_name(file.project),
        stack=file.stack,
        files=rules.repository.files() if rules.repository else {},
        config=_whole(file),
        volatile=volatile,
        own=path_of(file),
    )


def _whole(file: StackFile) -> dict[str, Any]:
    """The stack file as it stands, sealed, keys of ``config`` beside Pulumi's own."""
    document = file.document()
    beside = {f"pulumi.{key}": value for key, value in document.items() if key != "config"}
    return {**beside, **document["config"]}


def _not_believed(changes: ChangeSet, risks: Sequence[Risk] | None) -> Iterator[str]:
    if assessment(changes, risks or ()) is Assessment.NOT_TRUSTWORTHY:
        yield from (doubt.text for doubt in changes.doubts if doubt.fatal)


def _taken_back(changes: ChangeSet) -> Iterator[str]:
    """A person lets such a version in by forgiving it, not by approving a change among others."""
    told = [doubt.text for doubt in changes.doubts if doubt.fatal]
    for label, why in changes.stays_out.items():
        if not any(why in text for text in told):
            yield f"{label}: {why}"


def _not_committed(file: StackFile, rules: Rules, volatile: Volatile) -> Iterator[str]:
    """Nobody has written what is not committed, so nobody can be told from its author."""
    repository = rules.repository
    if repository is None:
        if rules.policy is not None:
            yield "the project is not under git, so that nobody knows who wrote it: commit it, and run this there"
        return
    own = path_of(file)
    changed = [name for name in repository.uncommitted() if name != own and decides(name, own)]
    if changed:
        yield f"not committed: {named(changed)}: commit or remove"
    there = repository.text_at(rules.head, own) if own and rules.head else None
    if there is None:
        if rules.head:
            yield f"not committed: {file.source}: commit it"
        return
    before = replace(file, held=parse(there, file.source))
    wrong = _moved(before, file, rules, volatile)
    if wrong:
        yield f"not committed: {file.source}: {'; '.join(wrong)}: commit it, or name the image under volatile"


def _moved(before: StackFile, after: StackFile, rules: Rules, volatile: Volatile) -> list[str]:
    """What differs between the stack file that is committed and the one that stands here, but for what is volatile."""
    declared = rules.policy.volatile if rules.policy else ()
    was = volatile_of(declared, before.document()["config"]).config(_whole(before))
    return differences(_of_config(was), _of_config(volatile.config(_whole(after))))


def _of_config(config: dict[str, Any]) -> Bound:
    return bound(ChangeSet("render"), project="", stack="", files={}, config=config)


def _authors(rules: Rules, mine: Iterable[Letter]) -> Authors:
    """Of every commit since the base; an approval may name an older base, never a younger one."""
    repository = rules.repository
    if repository is None or rules.policy is None or not rules.head:
        return Authors()
    bases = {rules.base}
    bases |= {letter.said.base for letter in mine if repository.is_ancestor(letter.said.base or rules.head, rules.head)}
    commits = {each.sha: each for base in sorted(bases) for each in repository.authors(base, rules.head)}
    return authors_of(commits.values(), rules.policy, rules.principals)
