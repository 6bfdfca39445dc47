"""Every member's alerts as rules of Prometheus: whose they are, and the page that says what to do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from components.model.exhaustion import EVERY, recordings

if TYPE_CHECKING:
    from components.model.component import Component

RUNBOOKS = "docs/runbooks"
"""Where the pages are, in the repository of Grayling."""


def rules_of(member: Component, runbooks: str | None = None) -> list[dict[str, Any]]:
    """In the order in which the member yields them; pages are below ``runbooks``."""
    labels, page = _whose(member, runbooks)
    return [alert.rule(labels, page) for alert in member.alerts()]


def _whose(member: Component, runbooks: str | None) -> tuple[dict[str, str], str]:
    page = f"{(runbooks or RUNBOOKS).rstrip('/')}/{member.kind}.md"
    return {"component": member.name, "owner": member.owner}, page


def groups_of(member: Component, runbooks: str | None = None) -> list[dict[str, Any]]:
    """Groups of a rules file: one, and one for what is evaluated less often, after what is recorded for it."""
    labels, page = _whose(member, runbooks)
    alerts = sorted(member.alerts(), key=lambda alert: alert.every)
    found: list[dict[str, Any]] = []
    for every, those in groupby(alerts, key=lambda alert: alert.every):
        recorded = recordings(member) if every == EVERY else []
        paced = {"name": f"{member.name}-{every}", "interval": every} if every else {"name": member.name}
        found.append({**paced, "rules": [*recorded, *(alert.rule(labels, page) for alert in those)]})
    return found
