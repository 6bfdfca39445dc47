"""Every member's alerts as rules of Prometheus: whose they are, and the page that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.model.component import Component

RUNBOOKS = "docs/runbooks"
"""Where the pages are, in the repository of Grayling."""


def rules_of(member: Component, runbooks: str | None = None) -> list[dict[str, Any]]:
    """In the order in which the member yields them; pages are below ``runbooks``."""
    labels = {"component": member.name, "owner": member.owner}
    page = f"{(runbooks or RUNBOOKS).rstrip('/')}/{member.kind}.md"
    return [alert.rule(labels, page) for alert in member.alerts()]
