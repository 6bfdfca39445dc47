"""Whether a change may go in: its digest, its risks and its authors against the policy and what people have signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from review.approval.errors import ApprovalMissingError, PolicyError, StaleError
from review.model.risk import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from review.approval.digest import Bound
    from review.approval.people import Authors
    from review.approval.policy import Policy, TierRule
    from review.model.risk import Risk


DESTROY = "destroy"
"""The source of a change set that ends a stack."""


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
        nothing: the cluster was asked, and nothing there would change.
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
    nothing: bool = False

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
        how: the word for how it was let in: ``no policy``, ``tier``, ``nothing``, ``rule``, ``people``, ``emergency``;
            empty where it was not.
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
            "nothing": "no approval is asked for: nothing would change",
            "rule": "approved by rule: no risk above low",
            "people": f"approved by {', '.join(sorted(self.by))}",
            "emergency": f"let in by the EMERGENCY lane: {', '.join(sorted(self.by))}",
        }
        if self.how:
            return said[self.how]
        missing = self.needed - len(self.by)
        given = f" ({', '.join(sorted(self.by))} did)" if self.by else ""
        return (
            f"needs {missing} more of group {self.group}{given}: grayling review approve {bound.stack}{_where(bound)} "
            f"--digest {bound.digest} --key FILE --as PERSON{' --destroy' if bound.source == DESTROY else ''}"
            f"{self._emergency()}"
        )

    def _emergency(self) -> str:
        """Who has begun the emergency lane, where somebody has."""
        people = ", ".join(sorted(self.urgent))
        return f"; by the emergency lane so far: {people}" if people else ""

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


def _where(bound: Bound) -> str:
    """The flags that look again at what was looked at here."""
    if bound.source in {"render", DESTROY}:
        return "" if bound.asked else " --offline"
    return " --from FILE --context CONTEXT" if bound.asked else " --from FILE"
