"""Whether a change may go in: its digest, its risks and its authors against the policy and what people have signed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from review.approval.digest import differences
from review.approval.errors import ApprovalMissingError, PolicyError, StaleError
from review.model.risk import Severity
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from review.approval.digest import Bound
    from review.approval.people import Authors
    from review.approval.policy import Policy, TierRule
    from review.approval.statement import Letter
    from review.model.risk import Risk

AHEAD = timedelta(minutes=2)
"""How far a clock may be ahead of ours; what is dated later does not count."""


@dataclass(frozen=True, slots=True)
class Case:
    """One change that wants to go in.

    Attributes:
        bound: what an approval of it binds.
        tier: of the stack.
        policy: that stands; None where the project has none.
        signers: the file of keys that stands.
        authors: who had a hand in it.
        risks: what was found; None where nobody looked.
        unfit: why nobody may approve it as it stands (not trustworthy, truncated, not committed).
        rules_change: it changes the rules themselves.
        now: the moment.
    """

    bound: Bound
    tier: str
    policy: Policy | None
    signers: bytes
    authors: Authors
    risks: Sequence[Risk] | None
    unfit: tuple[str, ...]
    rules_change: bool
    now: datetime

    @property
    def worst(self) -> Severity:
        """What it weighs; what nobody looked at weighs high."""
        if self.rules_change or self.risks is None:
            return Severity.HIGH
        return max((risk.counted for risk in self.risks), default=Severity.LOW)

    @property
    def rule(self) -> TierRule | None:
        """What the tier demands; None where there is no policy."""
        return None if self.policy is None else self.policy.rule(self.tier)

    @property
    def needed(self) -> int:
        """Of how many people."""
        rule = self.rule
        if rule is None or not rule.approvals:
            return 0
        if self.worst >= Severity.HIGH:
            return max(rule.approvals, rule.high_needs)
        return 0 if rule.by_rule and self.worst <= Severity.LOW else rule.approvals


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        needed: of how many people an approval is needed.
        by: whose approvals count, with the file of each.
        urgent: the same of the emergency lane.
        group: who they must be of.
        how: the word for how it was let in: ``no policy``, ``tier``, ``rule``, ``people`` or ``emergency``.
        left_out: approvals of this digest that do not count, and why.
        stale: approvals of other digests, and what differs.
        refused: why no approval helps.
    """

    needed: int
    by: dict[str, str] = field(default_factory=dict)
    urgent: dict[str, str] = field(default_factory=dict)
    group: str = ""
    how: str = ""
    left_out: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def wire(self, bound: Bound) -> dict[str, Any]:
        """For machines: docs/reference/approvals.md has the form."""
        return {
            "schema": "grayling.verdict/1",
            "stack": bound.stack,
            "digest": bound.digest,
            "parts": bound.part_digests,
            "volatile": list(bound.volatile),
            "granted": self.granted,
            "how": self.how,
            "needed": self.needed,
            "group": self.group,
            "approvals": self.by,
            "emergency": self.urgent,
            "leftOut": self.left_out,
            "stale": self.stale,
            "refused": self.refused,
            "text": self.sentence(bound),
        }

    @property
    def granted(self) -> bool:
        """It may go in."""
        return bool(self.how) and not self.refused

    def sentence(self, bound: Bound) -> str:
        """What is still needed, from whom, and the command to give it."""
        if self.refused:
            return f"cannot be approved as it stands: {'; '.join(self.refused)}"
        said = {
            "no policy": "no approval is asked for: the project has no .grayling/review.yaml",
            "tier": "no approval is asked for in this tier",
            "rule": "approved by rule: no risk above low",
            "people": f"approved by {', '.join(sorted(self.by))}",
            "emergency": f"let in by the EMERGENCY lane: {', '.join(sorted(self.by))}",
        }
        if self.how:
            return said[self.how]
        missing = self.needed - len(self.by)
        given = f" ({', '.join(sorted(self.by))} did)" if self.by else ""
        return (
            f"needs {missing} more of group {self.group}{given}: grayling review approve {bound.stack} --digest "
            f"{bound.digest} --key FILE --as PERSON"
        )

    def insist(self, what: str, bound: Bound) -> None:
        """Go no further where it may not go in.

        Raises:
            PolicyError: no approval helps.
            StaleError: what was approved is not this.
            ApprovalMissingError: somebody has to approve it first.
        """
        if self.granted:
            return
        lines = [f"{what}: refused, and nothing was changed", f"  {self.sentence(bound)}"]
        lines += [f"  does not count: {each}" for each in self.left_out]
        lines += [f"  stale: {each}" for each in self.stale]
        kind = PolicyError if self.refused else StaleError if self.stale else ApprovalMissingError
        raise kind("\n".join(lines))


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
    else:
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
    newest = {}
    for _, letter in every:
        said = letter.said
        if said.kind == "approval" and letter.digest != case.bound.digest and case.now < (said.expires or case.now):
            with suppress(PolicyError):
                letter.check(case.signers, case.now)
                newest[said.approver] = letter
    told = []
    for person, letter in newest.items():
        found = differences(letter.said.bound(), case.bound)
        told.append(f"{person} approved {letter.digest[:12]}…; since then differ {'; '.join(found)}")
    return told


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
