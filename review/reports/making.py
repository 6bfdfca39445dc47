"""From a report to the document that every form is made of."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from review.model.change import path_text
from review.reports.amounts import Amount
from review.reports.capacity import Usage, capacity_of
from review.reports.document import Review
from review.reports.people import dependants_of, owners_of
from review.reports.releases import USUAL, releases_of
from terminal.visible import all_visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.model.change import Change, Edit
    from review.model.prices import Prices
    from review.model.report import Report
    from review.model.risk import Risk
    from review.reports.capacity import Capacity
    from review.reports.releases import Expected


def document_of(report: Report, *, prices: Prices | None = None, traffic: Expected = USUAL) -> Review:
    """The document of a report.

    Args:
        report: what was found.
        prices: what a month of capacity costs; None where nobody says.
        traffic: what a service under gray release gets.
    """
    found = report.changes
    data = {
        "project": found.project,
        "stack": found.stack,
        "source": found.source,
        "cluster": found.cluster,
        "created": report.created,
        "commit": report.commit,
        "base": report.base,
        "counts": found.counts(),
        "assessment": report.assessment.value,
        "trust": [each.text for each in found.doubts],
        "doubts": [asdict(each) for each in found.doubts],
        "risks": [_finding(each) for each in _worst_first(report.risks)],
        "changes": [_touched(each) for each in found.changes],
        "drift": [_touched(each) for each in found.drift],
        "digest": report.digest,
        "parts": dict(sorted(report.parts.items())),
        "unbound": report.unbound,
        "approval": report.approval,
        "capacity": _capacity(capacity_of(found, prices)),
        "releases": [_release(each) for each in releases_of(found, _moment(report.created), traffic)],
        "owners": [{"owner": each.owner, "objects": list(each.objects)} for each in owners_of(found)],
        "dependants": [asdict(each) for each in dependants_of(found)],
        "messages": [{"severity": severity, "text": text} for severity, text in found.messages],
        "truncated": False,
    }
    return Review.model_validate(all_visible(data))


def _moment(created: str) -> float:
    return datetime.fromisoformat(created).timestamp() if created else 0.0


def _worst_first(risks: Iterable[Risk]) -> list[Risk]:
    return sorted(risks, key=lambda each: (-each.counted, -each.severity, each.id, each.object, each.path, each.text))


def _finding(risk: Risk) -> dict[str, Any]:
    return {
        "id": risk.id,
        "severity": risk.severity.word,
        "object": risk.object,
        "text": risk.text,
        "undo": risk.undo,
        "path": risk.path,
        "waiver": asdict(risk.waiver) if risk.waiver else None,
    }


def _touched(change: Change) -> dict[str, Any]:
    return {
        "object": str(change.ref),
        **change.ref._asdict(),
        "ops": [op.value for op in change.ops],
        "edits": [_difference(edit, change) for edit in change.edits],
        "forced_by": list(change.forced_by),
        "component": change.component,
        "owners": list(change.owners),
        "protected": change.protected,
        "unknown": [path_text(path) for path in change.unknown],
        "problem": change.problem,
        "urn": change.urn,
    }


def _difference(edit: Edit, change: Change) -> dict[str, Any]:
    return {
        "path": edit.text,
        "before": edit.before,
        "after": edit.after,
        "replaces": edit.replaces,
        "hidden": edit.hidden,
        "writer": change.others.get(edit.text, ""),
    }


def _capacity(capacity: Capacity) -> dict[str, Any]:
    before, after = capacity.sums()
    return {
        "before": _use(before),
        "after": _use(after),
        "rows": [
            {"object": row.object, "before": _use(row.before), "after": _use(row.after), "notes": list(row.notes)}
            for row in capacity.rows
        ],
        "notes": list(capacity.notes),
        "cost": capacity.cost,
        "currency": capacity.currency,
    }


def _use(usage: Usage) -> dict[str, Any]:
    parts = {part: getattr(usage, part) for part in Usage.__slots__}
    return {name: asdict(each) if isinstance(each, Amount) else each for name, each in parts.items()}


def _release(release: Any) -> dict[str, Any]:
    plan = release.plan
    return {
        "object": release.object,
        "first": release.first,
        "before": release.before,
        "after": release.after,
        "plan": plan.wire() if plan else None,
        "problem": release.problem,
    }
