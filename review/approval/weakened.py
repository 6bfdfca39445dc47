"""What a change makes weaker in the rules of reviewing themselves: the policy, the keys, and the stack's own tier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.model.mistakes import StackError
from components.model.profiles import Tier
from components.stack.reading import parse
from review.approval.policy import POLICY_FILE, TierRule, read_policy
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.stack.stackfile import StackFile
    from review.approval.policy import Policy
    from review.approval.rules import Rules

_RANKS = [tier.value for tier in Tier]


def weakened(rules: Rules, file: StackFile | None = None) -> tuple[str, ...]:
    """A sentence for everything that is weaker after the change than at the commit it starts from."""
    return (*_lowered(rules, file), *_of_policy(rules), *_of_keys(rules))


def tier_of(file: StackFile) -> str:
    """The tier that a stack file names; empty where it names none."""
    return str(file.section("environment").get("tier") or "")


def tier_before(file: StackFile, rules: Rules) -> str:
    """The tier at the base: a change that lowers it is judged by what it was."""
    own = path_of(file)
    old = rules.repository.text_at(rules.base, own) if rules.repository and own else None
    return tier_of(replace(file, held=parse(old, file.source))) if old is not None else ""


def path_of(file: StackFile) -> str:
    """Where a stack file stands in its project; empty where it stands elsewhere."""
    try:
        return file.path.resolve().relative_to(file.project.resolve()).as_posix()
    except ValueError:
        return ""


def _lowered(rules: Rules, file: StackFile | None) -> Iterator[str]:
    was, now = (tier_before(file, rules), tier_of(file)) if file else ("", "")
    if was in _RANKS and now in _RANKS and _RANKS.index(now) < _RANKS.index(was):
        yield f"the tier of stack {file.stack if file else ''} is lowered from {was} to {now}"


def _of_policy(rules: Rules) -> Iterator[str]:
    if rules.policy is None or POLICY_FILE not in rules.changed:
        return
    if rules.brought is None:
        yield f"{POLICY_FILE} goes: nothing asks for approvals from then on"
        return
    try:
        new = read_policy(rules.brought)
    except StackError:
        yield f"{POLICY_FILE} cannot be read as the change leaves it: what it would ask for is not known"
        return
    yield from (f"{POLICY_FILE}: {told}" for told in _weaker(rules.policy, new))


def _weaker(old: Policy, new: Policy) -> Iterator[str]:
    for tier in _RANKS:
        yield from (f"tiers.{tier}.{told}" for told in _of_tier(old.rule(tier), new.rule(tier)))
    for group in new.groups:
        if came := sorted(new.people(group) - old.people(group)):
            yield f"groups.{group}: {', '.join(came)} may approve too"
    yield from _of_lane(old, new)
    waived, filled, machines = (_came(old, new, key) for key in ("waivers", "volatile", "machines"))
    yield from (f"waivers: {each.rule} is accepted for {each.object}" for each in waived)
    yield from (f"volatile: {each} is filled in after the approval" for each in filled)
    yield from (f"machines: {each} counts as no author" for each in machines)
    gone = sorted(set(old.policy.mandatory) - set(new.policy.mandatory))
    yield from (f"policy.mandatory: {each} refuses no more" for each in gone)
    if old.identities != new.identities:
        yield "identities: who counts as whom is another"
    if old.signers != new.signers:
        yield f"signers: keys are read from {new.signers} instead of {old.signers}"


def _came(old: Policy, new: Policy, key: str) -> list[Any]:
    return [each for each in getattr(new, key) if each not in getattr(old, key)]


def _of_tier(old: TierRule, new: TierRule) -> Iterator[str]:
    fewer = (("approvals", old.approvals, new.approvals), ("highNeeds", old.high_needs, new.high_needs))
    yield from (f"{key}: {then} instead of {was}" for key, was, then in fewer if then < was)
    allowed = (("byRule", old.by_rule, new.by_rule), ("offline", old.offline, new.offline))
    yield from (f"{key}: is turned on" for key, was, then in allowed if then and not was)
    if new.expires > old.expires:
        yield f"expires: {duration_of(new.expires)} instead of {duration_of(old.expires)}"
    if new.group != old.group:
        yield f"group: {new.group} instead of {old.group}"


def _of_lane(old: Policy, new: Policy) -> Iterator[str]:
    was, then = old.emergency, new.emergency
    if then is None:
        return
    if was is None:
        yield f"emergency: a lane for group {then.group} is opened"
        return
    if then.people < was.people:
        yield f"emergency.people: {then.people} instead of {was.people}"
    if then.limit > was.limit:
        yield f"emergency.limit: {duration_of(then.limit)} instead of {duration_of(was.limit)}"
    if then.group != was.group:
        yield f"emergency.group: {then.group} instead of {was.group}"


def _of_keys(rules: Rules) -> Iterator[str]:
    if rules.policy is None or rules.policy.signers not in rules.changed:
        return
    old, new = _lines(rules.signers), _lines(rules.brought_signers)
    if came := sorted({line.split()[0] for line in new - old}):
        yield f"{rules.policy.signers}: has new or other keys of {', '.join(came)}"


def _lines(signers: bytes) -> set[str]:
    lines = (line.strip() for line in signers.decode(errors="replace").splitlines())
    return {line for line in lines if line and not line.startswith("#")}
