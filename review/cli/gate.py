"""What stands before ``grayling stack apply``: nothing is written that was not approved as it is now.

The command line hands this to ``components`` (:class:`terminal.exits.Session`), which imports no review.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from components.cli.options import say
from components.deploy.session import inventory_of
from components.deploy.survey import find_all
from components.model.layers import identity
from kube.errors import GraylingError
from review.approval.errors import StaleError
from review.approval.kept import Kept
from review.approval.record import keep, record_of
from review.approval.rules import rules_of
from review.approval.statement import now
from review.approval.subject import subject_of
from review.cli.looking import Asked, without_cluster
from review.cli.reviewing import risks_in
from review.reading.render import read_live
from review.reading.standing import standing
from review.reading.urns import ref_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from components.deploy.survey import Survey
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from review.approval.statement import Letter
    from review.approval.subject import Subject
    from review.approval.verdict import Verdict

QUIET = ("local", "dev")
"""Tiers in which nobody misses a policy."""


@asynccontextmanager
async def before_apply(file: StackFile, survey: Survey, cluster: Cluster, name: str) -> AsyncIterator[None]:
    """Let one apply through, or refuse it; what it came to is recorded.

    Args:
        file: the stack.
        survey: what the apply would meet.
        cluster: where it goes.
        name: how people call the cluster.

    Raises:
        ApprovalMissingError: somebody has to approve it first.
        StaleError: what was approved is not this, or the cluster moved.
        PolicyError: no approval helps.
    """
    rules = rules_of(file.project)
    if rules.policy is None:
        if file.section("environment").get("tier") not in QUIET:
            say("no review policy stands here (.grayling/review.yaml): no approval was asked for")
        yield
        return
    kept = Kept(cluster, inventory_of(file))
    changes = await read_live(cluster, survey, stack=file.stack, name=name)
    subject = subject_of(file, changes, risks_in(changes, rules), rules, now())
    await _has_not_moved(cluster, survey, subject)
    revoked = await kept.revocations()
    verdict = subject.verdict(revoked)
    if not verdict.granted and (rule := subject.case.rule) and rule.offline:
        verdict = offline_verdict(subject, revoked) or verdict
    verdict.insist(f"apply stack {file.stack} to {name}", subject.case.bound)
    say(verdict.sentence(subject.case.bound))
    try:
        yield
    except BaseException as error:
        await _keep(kept, subject, verdict, error, name)
        raise
    await _keep(kept, subject, verdict, None, name)


def offline_verdict(subject: Subject, further: Iterable[tuple[str, Letter]]) -> Verdict | None:
    """What people have let in against the base commit alone, where the tier takes that; by the risks seen live."""
    file, rules = subject.file, subject.rules
    changes = without_cluster(Asked(file.stack, offline=True), file, rules)
    other = subject_of(file, changes, subject.risks, rules, subject.case.now)
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
    told = f"{type(error).__name__}: {error}" if error else "applied"
    record = record_of(subject, verdict, ended=now(), error=error, told=told, cluster=name)
    try:
        keep(subject.file.project, record)
        if subject.changes.changes:
            await kept.keep(record)
    except GraylingError as problem:
        say(f"the change record could not be kept: {problem}")
