"""The one way in: all rules over a change set, the worst finding first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from review.model.risk import Risk, Severity
from review.risks.rule import STACK, Finding, Rule
from review.risks.scene import Scene
from review.risks.table import RULES
from review.risks.waivers import expired, waiver_for

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from review.model.change import ChangeSet
    from review.risks.waivers import WaiverEntry


def risks_of(
    changes: ChangeSet, *, waivers: Sequence[WaiverEntry], today: dt.date, rules: Iterable[Rule] = RULES
) -> tuple[Risk, ...]:
    """What may go wrong, the worst first.

    Args:
        changes: what would happen.
        waivers: risks that somebody accepted; a risk that has one is told and counts as low.
        today: decides which waivers still hold.
        rules: other than those of the table, for whoever adds one.
    """
    scene = Scene(changes)
    found = dict.fromkeys(risk for rule in rules for risk in _found(rule, scene))
    told = [_waived(risk, waivers, today) for risk in found]
    return tuple(sorted(told, key=_worst_first))


def _found(rule: Rule, scene: Scene) -> Iterator[Risk]:
    if rule.every is not None:
        for finding in rule.every(scene):
            yield _risk(rule, finding, str(finding.ref) if finding.ref else STACK)
    if rule.each is not None:
        for change in scene.changes.of_kind(*rule.kinds) if rule.kinds else scene.changes.changes:
            for finding in rule.each(change, scene):
                yield _risk(rule, finding, str(finding.ref or change.ref))


def _risk(rule: Rule, finding: Finding, name: str) -> Risk:
    severity = rule.severity if finding.severity is None else finding.severity
    return Risk(rule.id, severity, name, finding.text, rule.undo, path=finding.path)


def _waived(risk: Risk, waivers: Sequence[WaiverEntry], today: dt.date) -> Risk:
    waiver = waiver_for(risk, waivers, today)
    if waiver is not None:
        return replace(risk, waiver=waiver)
    late = next((each for each in expired(waivers, today) if each.fits(risk)), None)
    return replace(risk, text=f"{risk.text} (its waiver expired on {late.until})") if late else risk


def _worst_first(risk: Risk) -> tuple[int, Severity, str, str, str, str]:
    return -risk.counted, Severity(-risk.severity + Severity.CRITICAL), risk.object, risk.id, risk.path, risk.text
