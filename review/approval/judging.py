"""Which approvals of a change count, and whether they are enough.

A signature alone counts for nothing: who gave it must be of the group, no author, in time, and not revoked.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from review.approval.digest import differences
from review.approval.errors import PolicyError
from review.approval.verdict import Case, Verdict
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from review.approval.policy import TierRule
    from review.approval.statement import Letter

AHEAD = timedelta(minutes=2)
"""How far a clock may be ahead of ours; what is dated later does not count."""


def judge(case: Case, letters: Iterable[tuple[str, Letter]]) -> Verdict:
    """Whether a case may go in.

    Args:
        case: the change.
        letters: what people have signed, with where each stands: files of the project and copies of the cluster.
    """
    rule = case.rule
    verdict = Verdict(case.needed, group=rule.group if rule else "")
    if rule is None or not rule.approvals:
        verdict.how = "tier" if rule else "no policy"
        return verdict
    if case.nothing and not case.unfit:
        verdict.how = "nothing"
        return verdict
    verdict.refused += case.unfit
    verdict.refused += _unbound(case, rule)
    _count(case, rule, list(letters), verdict)
    return verdict


def _unbound(case: Case, rule: TierRule) -> list[str]:
    found = []
    try:
        case.authors.insist()
    except PolicyError as error:
        found.append(str(error))
    if not case.bound.asked and not rule.offline:
        found.append(
            f"no cluster was asked what stands there, which tier {case.tier} demands: name it with --context, or set "
            f"tiers.{case.tier}.offline: true"
        )
    return found


def _count(case: Case, rule: TierRule, every: Sequence[tuple[str, Letter]], verdict: Verdict) -> None:
    """Fill in who approved and how it is let in."""
    mine = [(name, each) for name, each in every if each.digest == case.bound.digest]
    revoked = [each for each in mine if each[1].said.kind == "revocation" and _may_revoke(case, each, mine, verdict)]
    if revoked:  # by people alone from then on
        verdict.needed = max(verdict.needed, rule.approvals)
    usual, urgent = _People(), _People()
    for name, letter in mine:
        if letter.said.kind == "approval":
            why, key = _against(case, letter, revoked)
            if why:
                verdict.left_out.append(f"{name}: {why}")
            else:
                (urgent if letter.said.emergency else usual).found.append((letter.said.approver.lower(), key, name))
    verdict.by = usual.distinct()
    verdict.urgent, lane = urgent.distinct(), case.policy.emergency if case.policy else None
    if verdict.needed == 0:
        verdict.how = "rule"
    elif len(verdict.by) >= verdict.needed:
        verdict.how = "people"
    elif lane is not None and len(verdict.urgent) >= lane.people:
        verdict.how, verdict.by = "emergency", verdict.urgent
    elif not mine:  # what was said of this digest tells more than what was said of others
        verdict.stale = _stale(case, every)


def _may_revoke(case: Case, entry: tuple[str, Letter], mine: Sequence[tuple[str, Letter]], verdict: Verdict) -> bool:
    name, letter = entry
    rule, policy = case.rule, case.policy
    person = letter.said.approver.lower()
    approvers = {each.said.approver.lower() for _, each in mine if each.said.kind == "approval"}
    emergency = policy.people(policy.emergency.group) if policy and policy.emergency else frozenset()
    allowed = approvers | emergency | (policy.people(rule.group) if policy and rule else frozenset())
    try:
        letter.check(case.signers, case.now)
    except PolicyError as error:
        verdict.left_out.append(f"{name}: a revocation that does not count: {error}")
        return False
    if person not in allowed:
        verdict.left_out.append(f"{name}: a revocation by {person}, who is in no group that may")
    return person in allowed


def _against(case: Case, letter: Letter, revoked: Sequence[tuple[str, Letter]]) -> tuple[str, str]:
    """Why an approval does not count; else the fingerprint of its key."""
    said, policy = letter.said, case.policy
    person = said.approver.lower()
    lane = policy.emergency if policy and said.emergency else None
    if said.emergency and lane is None:
        return "it was given in the emergency lane, and the policy has none", ""
    group = lane.group if lane else _group(case)
    limit = timedelta(seconds=lane.limit if lane else case.rule.expires if case.rule else 0)
    try:
        key = letter.check(case.signers, case.now)
    except PolicyError as error:
        return str(error), ""
    if person not in (policy.people(group) if policy else ()):
        return f"{person} is not in groups.{group}", ""
    if person in case.authors.people:
        return f"{person} is an author of the change", ""
    if said.created > case.now + AHEAD:
        return f"it is dated {said.created.isoformat()}, which is still to come: is a clock wrong?", ""
    ends = min(said.created + limit, said.expires or said.created + limit)
    if case.now >= ends:
        return f"it expired {ends.isoformat()} (an approval counts for {duration_of(limit.total_seconds())})", ""
    after = [each for _, each in revoked if each.said.created >= said.created]
    if after:
        return f"revoked by {after[-1].said.approver}: {after[-1].said.reason}", ""
    return "", key


def _group(case: Case) -> str:
    return case.rule.group if case.rule else ""


def _stale(case: Case, every: Sequence[tuple[str, Letter]]) -> list[str]:
    """The newest approval of each person for another digest, with what differs."""
    newest: dict[str, tuple[Letter, list[str]]] = {}
    for _, letter in every:
        said = letter.said
        if said.kind == "approval" and letter.digest != case.bound.digest and case.now < (said.expires or case.now):
            with suppress(PolicyError):
                letter.check(case.signers, case.now)
                found = differences(said.bound(), case.bound)
                newest[said.approver] = _newer(newest.get(said.approver), (letter, found))
    return [
        f"{person} approved {letter.digest[:12]}…; since then differ {'; '.join(found)}"
        for person, (letter, found) in newest.items()
    ]


def _newer(known: tuple[Letter, list[str]] | None, other: tuple[Letter, list[str]]) -> tuple[Letter, list[str]]:
    """The later one; of two in one second the one that is nearer to what is here."""
    if known is None:
        return other
    ranks = [(letter.said.created, -len("; ".join(found))) for letter, found in (known, other)]
    return other if ranks[1] > ranks[0] else known


@dataclass(slots=True)
class _People:
    """Approvals, of which one person counts once: with two keys, or under two names that share a key."""

    found: list[tuple[str, str, str]] = field(default_factory=list)

    def distinct(self) -> dict[str, str]:
        """One name for each person, with where the approval stands."""
        groups: list[tuple[set[str], str, str]] = []
        for person, key, name in self.found:
            marks, first = {person, key}, (person, name)
            for group in [group for group in groups if group[0] & marks]:
                groups.remove(group)
                marks |= group[0]
                first = group[1:] if first == (person, name) else first
            groups.append((marks, *first))
        return {person: name for _, person, name in groups}
