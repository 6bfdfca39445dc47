"""``grayling review approve`` and ``revoke``: a person's signed word about one digest."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.cli.options import say
from kube.errors import UsageError
from review.cli.looking import Asked, about_a_stack, cluster_of, looked, of_a_change, run
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from review.approval.policy import Policy
    from review.approval.rules import Rules
    from review.approval.statement import Letter, Said
    from review.approval.subject import Subject
    from review.approval.verdict import Verdict
    from terminal.output import Wanted

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNED = (
    click.option("--digest", required=True, metavar="DIGEST", help="Of what was read, as `review preview` shows it."),
    click.option("--key", required=True, type=click.Path(path_type=Path), help="SSH key; the .pub of one in an agent."),
    click.option("--as", "person", required=True, metavar="PERSON", help="As .grayling/allowed_signers names you."),
)


def _signed(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in _SIGNED:
        command = option(command)
    return command


@click.command("approve")
@of_a_change
@_signed
@click.option("--reason", default="", help="Why; needed in the emergency lane.")
@click.option("--emergency", is_flag=True, help="In the emergency lane: two people, a reason, a time limit.")
@output_option("text", "json", "yaml")
def approve_command(
    *, digest: str, key: Path, person: str, reason: str, emergency: bool, wanted: Sequence[Wanted], **asked: Any
) -> None:
    """Say yes to exactly one digest of STACK, signed."""
    ask = Asked(**asked)
    file, rules = ask.file(), _rules(ask)
    _check(digest, person)
    subject, further = run(looked(ask, file, rules))
    verdict = subject.verdict(further)
    _may_approve(subject, verdict, digest, person, reason=reason, emergency=emergency)
    if verdict.how in {"tier", "nothing"}:
        say("nothing was written")
    elif person.lower() in (verdict.urgent if emergency else verdict.by):
        say(f"{person} has approved {digest[:12]}… already; nothing was written")
    else:
        _give(subject, digest, key, _said(subject, person, reason, emergency=emergency))
        subject, further = run(looked(ask, file, rules))
        verdict = subject.verdict(further)
    _tell(wanted, subject, verdict)


@click.command("revoke")
@about_a_stack
@_signed
@click.option("--reason", required=True, help="Why.")
def revoke_command(*, digest: str, key: Path, person: str, reason: str, **asked: Any) -> None:
    """Take back every approval of one digest of STACK, signed; with --context at once and from everywhere."""
    from components.stack.project import project_name
    from review.approval.statement import Said, now, write
    from review.approval.store import Store

    ask = Asked(**asked)
    file, rules = ask.file(), _rules(ask)
    _check(digest, person)
    _may_revoke(rules.policy, file.section("environment").get("tier"), Store(file.project, file.stack), digest, person)
    said = Said(
        kind="revocation",
        project=project_name(file.project),
        stack=file.stack,
        tier=str(file.section("environment").get("tier")),
        commit=rules.head,
        base=rules.base,
        approver=person,
        created=now(),
        reason=reason,
    )
    letter = write(said, digest, key)
    _is_theirs(letter, rules)
    path = Store(file.project, file.stack).add(letter)
    say(f"revoked in {path.relative_to(file.project)}")
    if not (ask.context or ask.kubeconfig):
        say("no cluster was told: where this file is not, it counts for nothing; tell the cluster with --context")
        return

    async def tell() -> str:
        """Write the copy of the cluster."""
        async with cluster_of(ask, file) as (_, kept, name):
            await kept.revoke(letter)
            return name

    say(f"told {run(tell())}: `stack apply` refuses it from now on, from anywhere")


def _rules(ask: Asked) -> Rules:
    from review.approval.rules import rules_of

    rules = rules_of(ask.file().project, ask.base)
    if rules.policy is None:
        raise UsageError(
            ".grayling/review.yaml: is not there: nothing asks for approvals; write it (docs/how-to/approvals.md)"
        )
    return rules


def _check(digest: str, person: str) -> None:
    from review.approval.policy import principal

    if not _DIGEST.fullmatch(digest):
        raise UsageError(f"--digest {digest!r}: is no digest of 64 hexadecimal digits; copy it whole from the report")
    try:
        principal(person)
    except ValueError as error:
        raise UsageError(f"--as {person!r}: {error}") from error


def _may_approve(subject: Subject, verdict: Verdict, digest: str, person: str, *, reason: str, emergency: bool) -> None:
    from review.approval.digest import differences
    from review.approval.errors import PolicyError, StaleError

    case = subject.case
    if digest != case.bound.digest:
        known = [letter for _, letter in subject.letters if letter.digest == digest and letter.said.parts]
        differing = "; ".join(differences(known[-1].said.bound(), case.bound)) if known else ""
        raise StaleError(
            f"--digest {digest[:12]}…: is not that of what is here now ({case.bound.digest})"
            f"{': ' + differing if differing else ''}; read the preview again"
        )
    if verdict.refused:
        raise PolicyError(verdict.sentence(case.bound))
    lane = case.policy.emergency if case.policy else None
    if emergency and lane is None:
        raise PolicyError("--emergency: the policy has no emergency lane; add `emergency` to .grayling/review.yaml")
    if emergency and not reason.strip():
        raise UsageError("--emergency: needs a reason: pass --reason 'what is broken, and for whom'")
    group = lane.group if lane and emergency else verdict.group
    if case.policy and group and person.lower() not in case.policy.people(group):
        raise PolicyError(f"--as {person}: is not in groups.{group} of .grayling/review.yaml, which approves this")
    if person.lower() in case.authors.people:
        raise PolicyError(f"--as {person}: is an author of this change; somebody else of {group} approves it")


def _may_revoke(policy: Policy | None, tier: Any, store: Any, digest: str, person: str) -> None:
    from review.approval.errors import PolicyError

    assert policy is not None  # noqa: S101 - for the type checker
    allowed = {letter.said.approver.lower() for _, letter in store.letters() if letter.digest == digest}
    allowed |= policy.people(policy.rule(str(tier)).group)
    allowed |= policy.people(policy.emergency.group) if policy.emergency else set()
    if person.lower() not in allowed:
        raise PolicyError(f"--as {person}: has not approved it, and is in no group of .grayling/review.yaml that may")


def _said(subject: Subject, person: str, reason: str, *, emergency: bool) -> Said:
    from review.approval.record import releases_in
    from review.approval.statement import Said, now

    case, moment = subject.case, now()
    lane = case.policy.emergency if case.policy and emergency else None
    seconds = lane.limit if lane else case.rule.expires if case.rule else 0
    return Said(
        kind="approval",
        project=case.bound.project,
        stack=case.bound.stack,
        tier=case.tier,
        source=case.bound.source,
        commit=subject.rules.head,
        base=subject.rules.base,
        approver=person,
        created=moment,
        expires=moment + timedelta(seconds=seconds),
        reason=reason,
        emergency=emergency,
        volatile=case.bound.volatile,
        parts={name: dict(entries) for name, entries in case.bound.parts.items()},
        releases=releases_in(subject),
    )


def _give(subject: Subject, digest: str, key: Path, said: Said) -> None:
    from review.approval.statement import write
    from review.approval.store import Store

    letter = write(said, digest, key)
    _is_theirs(letter, subject.rules)
    path = Store(subject.file.project, subject.file.stack).add(letter)
    by = "ssh-keygen and tools of in-toto verify it" if letter.plain else "only ssh-keygen verifies it (docs: Keys)"
    say(f"approved in {path.relative_to(subject.file.project)}; {by}")


def _is_theirs(letter: Letter, rules: Rules) -> None:
    from review.approval.errors import PolicyError
    from review.approval.statement import now

    try:
        letter.check(rules.signers, now())
    except PolicyError as error:
        where = f"{rules.policy.signers if rules.policy else ''} as of {rules.base[:12] or 'this folder'}"
        raise PolicyError(f"--key: {error}; {where} must have this key for {letter.said.approver}") from error


def _tell(wanted: Sequence[Wanted], subject: Subject, verdict: Verdict) -> None:
    text = verdict.sentence(subject.case.bound)
    emit(wanted, {"text": lambda: text, **data_writers(lambda: verdict.wire(subject.case.bound))})
