"""What stands before ``stack apply``, ``stack destroy`` and each target of waves.

Nothing is written that was not approved as it is now.

The command line hands this to ``components`` (:class:`terminal.exits.Session`), which imports no review.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from components.cli.options import say
from components.deploy.session import inventory_of, served
from components.deploy.survey import find_all
from components.model.layers import identity
from kube.errors import GraylingError, UsageError
from review.approval.errors import StaleError
from review.approval.kept import Kept
from review.approval.record import keep, record_of
from review.approval.rules import rules_of
from review.approval.statement import now
from review.approval.subject import subject_of
from review.approval.verdict import DESTROY
from review.approval.weakened import tier_of, weakened
from review.reading.at_commit import render_at
from review.reading.render import between, read_live
from review.reading.standing import standing
from review.reading.taken_back import by_records
from review.reading.urns import ref_of
from review.reports.capacity import capacity_of, cost_of
from review.risks.find import risks_of
from rollout.api.kept_records import records_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from components.deploy.survey import Survey
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from review.approval.rules import Rules
    from review.approval.statement import Letter
    from review.approval.subject import Subject
    from review.approval.verdict import Verdict
    from review.model.change import ChangeSet
    from review.model.risk import Risk

QUIET = ("local", "dev")
"""Tiers in which nobody misses a policy."""
_DONE = {DESTROY: "destroyed"}


@asynccontextmanager
async def before_apply(
    file: StackFile, survey: Survey, cluster: Cluster, name: str, *, destroys: bool = False
) -> AsyncIterator[None]:
    """Let one apply through, or refuse it; what it came to is recorded.

    Args:
        file: the stack.
        survey: what the apply would meet.
        cluster: where it goes.
        name: how people call the cluster.
        destroys: it is the end of the stack.

    Raises:
        ApprovalMissingError: somebody has to approve it first.
        StaleError: what was approved is not this, or the cluster moved.
        PolicyError: no approval helps.
    """
    rules = rules_of(file.project)
    if rules.policy is None:
        if tier_of(file) not in QUIET:
            say("no review policy stands here (.grayling/review.yaml): no approval was asked for")
        yield
        return
    kept = Kept(cluster, inventory_of(file))
    subject, verdict = await _judged(file, survey, cluster, name, rules, destroys=destroys)
    say(verdict.sentence(subject.case.bound))
    try:
        yield
    except BaseException as error:
        await _keep(kept, subject, verdict, error, name)
        raise
    await _keep(kept, subject, verdict, None, name)


async def insist(file: StackFile, survey: Survey, cluster: Cluster, name: str) -> None:
    """Ask the same of an apply that comes later; nothing is recorded.

    Raises:
        GraylingError: as :func:`before_apply`.
    """
    rules = rules_of(file.project)
    if rules.policy is not None:
        await _judged(file, survey, cluster, name, rules)


async def _judged(
    file: StackFile, survey: Survey, cluster: Cluster, name: str, rules: Rules, *, destroys: bool = False
) -> tuple[Subject, Verdict]:
    """The change, and that it may go in."""
    changes = await read_live(cluster, survey, stack=file.stack, name=name, destroys=destroys)
    subject = subject_of(file, changes, risks_in(changes, rules, file), rules, now())
    await _has_not_moved(cluster, survey, subject)
    revoked = await Kept(cluster, inventory_of(file)).revocations()
    verdict = subject.verdict(revoked)
    if not verdict.granted and not destroys and (rule := subject.case.rule) and rule.offline:
        verdict = offline_verdict(subject, revoked) or verdict
    verdict.insist(f"{DESTROY if destroys else 'apply'} stack {file.stack} on {name}", subject.case.bound)
    return subject, verdict


def risks_in(changes: ChangeSet, rules: Rules, file: StackFile | None = None) -> tuple[Risk, ...]:
    """What the table of rules finds, with the waivers that stand; of the rules of reviewing too."""
    told = replace(changes, weakened=weakened(rules, file))
    return risks_of(told, waivers=rules.policy.waivers if rules.policy else (), today=now().date())


def between_commits(file: StackFile, base: str) -> ChangeSet:
    """The change of a stack since a commit, without a cluster.

    Raises:
        UsageError: the stack is wrong, now or at that commit, or nobody would carry its releases out.
    """
    declared, before = served(file), render_at(base, project=file.project, stack_file=file.path)
    return by_records(between(before, declared, stack=file.stack), declared, records_of(file.project))


def offline_verdict(subject: Subject, further: Iterable[tuple[str, Letter]]) -> Verdict | None:
    """What people have let in against the base commit alone, where the tier takes that; by the risks seen live."""
    file, rules = subject.file, subject.rules
    if not rules.base:
        raise UsageError("--offline: the project is not under git: name the cluster with --context")
    other = subject_of(file, between_commits(file, rules.base), subject.risks, rules, subject.case.now)
    verdict = other.verdict(further)
    verdict.refused += [each for each in subject.case.unfit if each not in verdict.refused]
    return verdict if verdict.granted and verdict.how in {"people", "emergency"} else None


async def _has_not_moved(cluster: Cluster, survey: Survey, subject: Subject) -> None:
    """Between the survey and now a person may have been asked for minutes."""
    wanted = {str(change.ref) for change in subject.changes.changes}
    everything = {identity(item): item for item in (*survey.written, *survey.gone)}
    asked = [item for item in everything.values() if str(ref_of("", item)) in wanted]
    found = await find_all(cluster, asked, {})
    moved = []
    for item in asked:
        label = str(ref_of("", item))
        if standing(found.get(identity(item))) != subject.changes.live.get(label):
            moved.append(label)
    if moved:
        raise StaleError(f"the cluster moved while this command looked: {', '.join(moved[:8])}; run it again")


async def _keep(kept: Kept, subject: Subject, verdict: Verdict, error: BaseException | None, name: str) -> None:
    """A record that cannot be kept hides no result."""
    told = f"{type(error).__name__}: {error}" if error else _DONE.get(subject.changes.source, "applied")
    prices = subject.rules.policy.prices if subject.rules.policy else None
    cost = cost_of(capacity_of(subject.changes, prices))
    record = record_of(subject, verdict, ended=now(), error=error, told=told, cluster=name, cost=cost)
    try:
        keep(subject.file.project, record)
        if subject.changes.changes:
            await kept.keep(record)
    except GraylingError as problem:
        say(f"the change record could not be kept: {problem}")
