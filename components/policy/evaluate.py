"""A stack held against the rules of the house: what is refused, what is advised, what somebody took on themselves."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from components.policy.of_objects import label_of
from components.policy.rule import Found
from components.policy.table import RULES
from kube.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from components.model.profiles import Tier
    from components.model.waivers import Excuse
    from components.policy.rule import Entry, PolicyRule

EVERY = "*"


class PolicyError(UsageError):
    """A stack breaks a rule of the house that nobody excused. Nothing was changed."""

    exit_code = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it.

    Attributes:
        refused: mandatory rules that are broken.
        advised: other rules that are broken.
        waived: what a waiver that holds excuses.
        expired: waivers of these rules that no longer hold.
    """

    refused: tuple[Found, ...] = ()
    advised: tuple[Found, ...] = ()
    waived: tuple[tuple[Found, Excuse], ...] = ()
    expired: tuple[Excuse, ...] = ()

    def insist(self, source: str) -> None:
        """Go no further where something is refused, or an excuse has run out.

        Raises:
            PolicyError: with every reason.
        """
        told = [f"{each.object}: {each.text} ({each.rule.id}); {each.rule.fix}" for each in self.refused]
        told += [
            f".grayling/review.yaml: waivers: {each.rule} for {each.object!r} ended on {each.until}; "
            f"mend it, or let {each.by} renew it"
            for each in self.expired
        ]
        if told:
            head = f"{source}: {len(told)} broken rules of the house, and nothing was changed"
            raise PolicyError("\n  ".join([head, *told]))


def broken(
    tier: Tier,
    manifests: Sequence[Mapping[str, Any]],
    entries: Iterable[Entry] = (),
    rules: Iterable[PolicyRule] = RULES,
) -> Iterator[Found]:
    """Every rule of the tier that is broken, in the order of the table."""
    listed = list(entries)
    for rule in rules:
        if tier not in rule.tiers:
            continue
        if rule.objects is not None:
            for each in manifests:
                yield from (Found(rule, label_of(each), text) for text in rule.objects(each))
        if rule.every is not None:
            yield from (Found(rule, name, text) for name, text in rule.every(manifests))
        if rule.entries is not None:
            for entry in listed:
                yield from (Found(rule, f"{entry.kind} {entry.name}", text) for text in rule.entries(entry))


def judged(found: Iterable[Found], waivers: Sequence[Excuse], mandatory: Iterable[str], today: dt.date) -> Verdict:
    """Sort what was found; of several waivers for one finding, the first that holds counts."""
    raised = set(mandatory)
    refused, advised, waived = [], [], []
    for each in found:
        excuse = next((one for one in waivers if one.until >= today and _fits(one, each)), None)
        if excuse is not None:
            waived.append((each, excuse))
        elif each.rule.mandatory or raised & {each.rule.id, EVERY}:
            refused.append(each)
        else:
            advised.append(each)
    known = {rule.id for rule in RULES}
    expired = [each for each in waivers if each.rule in known and each.until < today]
    return Verdict(tuple(refused), tuple(advised), tuple(waived), tuple(expired))


def _fits(excuse: Excuse, found: Found) -> bool:
    return excuse.rule == found.rule.id and fnmatchcase(found.object, excuse.object)
