"""The gate of approvals: a step begins once enough people have approved exactly that step of exactly this attempt.

An approval counts as long as the step has not begun: one that is taken back, or expires, closes the gate again. Nobody
approves what they asked for themselves. Where nobody knows who asked, one person more has to approve: of these, all but
one are somebody else for sure.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from rollout.api.approval import ALL_STEPS, same_person
from rollout.api.journal import JournalKind
from rollout.api.status import Approved
from rollout.api.texts import clean, told
from rollout.decide.context import REASON, change_release, write_journal
from rollout.decide.gate import Blocked, Facts
from rollout.decide.moves import is_alone, is_at_its_step

if TYPE_CHECKING:
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.api.strategy import Approvers
    from rollout.decide.context import Context
    from rollout.decide.observation import Given

APPROVAL = "approval"
UNKNOWN_REQUESTER = "one more than the step asks for, because nobody knows who asked for the version"


class Tally(NamedTuple):
    """The approvals of a step.

    Attributes:
        needed: so many people have to approve.
        counted: approvals that count, one a person, the eldest first.
        rest: how many do not count, by what is the matter with them.
    """

    needed: int
    counted: tuple[Given, ...]
    rest: Counter[str]

    @property
    def enough(self) -> bool:
        """Whether the step may begin."""
        return len(self.counted) >= self.needed


def closed(spec: Spec, status: Status, facts: Facts) -> Blocked | None:
    """Whether the step that comes next is not approved."""
    return shut(spec, status, facts, status.step)


def shut(spec: Spec, status: Status, facts: Facts, index: int) -> Blocked | None:
    """Whether a step, counted from 0, is not approved, and what is missing."""
    steps = spec.strategy.steps
    asks = steps[index].approvers if index < len(steps) else None
    if asks is None:
        return None
    known, unblock = status.waiting, f"{_of(asks.count, asks)} (`release approve`)"
    if facts.seen.blind:
        reason = known.reason if known and known.gate == APPROVAL else f"step {index + 1} waits for {unblock}"
        return Blocked(APPROVAL, reason, unblock=unblock, since=known.since if known else None)
    found = tally(asks, status, facts, index)
    if found.enough and not facts.seen.approvals.problem:
        return None
    told_of = facts.seen.approvals.problem or _told(found, asks, status)
    reason = f"step {index + 1} waits for {_of(found.needed, asks)}: {told_of}; `release approve --step {index + 1}`"
    return Blocked(APPROVAL, reason, unblock=unblock, since=status.phase_since)


def tally(asks: Approvers, status: Status, facts: Facts, index: int) -> Tally:
    """Count the approvals of a step, counted from 0."""
    rest: Counter[str] = Counter()
    counted: dict[str, Given] = {}
    for given in sorted(facts.seen.approvals.given, key=lambda each: each.made_at):
        why = _why_not(given, asks, status, facts, index)
        if not why and given.says.approver in counted:
            why = "by somebody who is counted already"
        if why:
            rest[why] += 1
        else:
            counted[given.says.approver] = given
    if facts.seen.approvals.unreadable:
        rest["unreadable or edited"] = facts.seen.approvals.unreadable
    return Tally(asks.count + (not _requester(status)), tuple(counted.values()), rest)


def _requester(status: Status) -> str:
    return status.release.requested_by if status.release else ""


def _why_not(given: Given, asks: Approvers, status: Status, facts: Facts, index: int) -> str:
    """Why an approval does not count for a step; empty where it does."""
    says, release, canary = given.says, status.release, status.canary
    if canary is None or says.revision != canary.revision:
        return f"for revision {clean(says.revision)}"
    if release is None or says.attempt != release.id:
        return "for another attempt"
    if not facts.seen.digest or says.digest != facts.seen.digest:
        return "for another spec"
    if says.step not in {ALL_STEPS, index + 1}:
        return f"for step {says.step}"
    if says.expires is not None and says.expires <= facts.now:
        return "expired"
    if given.made_at < facts.seen.approvals.trusted_since:
        return "from before its policy stood"
    if asks.group is not None and asks.group not in says.groups:
        return f"by nobody of group {clean(asks.group)}"
    return "by who asked for the version" if same_person(says.approver, _requester(status)) else ""


def _of(count: int, asks: Approvers) -> str:
    people = "1 approval" if count == 1 else f"{count} approvals"
    return people + (f" of group {clean(asks.group)}" if asks.group else "")


def _told(found: Tally, asks: Approvers, status: Status) -> str:
    """What there is, and what is the matter with the rest of it."""
    total = len(found.counted) + found.rest.total()
    more = f"; {UNKNOWN_REQUESTER}" if not _requester(status) and asks.count < found.needed else ""
    if not total:
        return f"there is none{more}"
    names = ", ".join(clean(each.says.approver) for each in found.counted)
    parts = [f"{len(found.counted)} count{'s' if len(found.counted) == 1 else ''}{f' ({names})' if names else ''}"]
    parts += [f"{number} {'is' if number == 1 else 'are'} {why}" for why, number in sorted(found.rest.items())]
    return f"of {total}, {', '.join(parts)}{more}"


def ahead(ctx: Context) -> range:
    """Steps that were not begun yet, counted from 0; none where the version comes without steps."""
    return range(0) if is_alone(ctx) else range(ctx.status.step + is_at_its_step(ctx), len(ctx.steps))


def note(ctx: Context, status: Status, index: int) -> Status:
    """Write down who let a step begin, if anybody had to."""
    asks = ctx.steps[index].approvers
    if asks is None or status.release is None:
        return status
    found = tally(asks, status, Facts(ctx.seen, ctx.now), index)
    made = [
        Approved(
            step=index + 1,
            approver=clean(each.says.approver),
            group=clean(asks.group or ""),
            reason=told(each.says.reason, REASON),
            at=each.made_at,
        )
        for each in found.counted[: found.needed]
    ]
    said = ", ".join(each.approver + (f" ({each.reason})" if each.reason else "") for each in made)
    status = change_release(status, approvals=[*status.release.approvals, *made])
    return write_journal(status, ctx.now, JournalKind.GATE, f"step {index + 1} opened by approval of {said}")
