"""Who answers for what, and the alerts that call them, each with the page that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.manual.document import Link, Section, listed, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.manual.document import Block, Cell
    from components.manual.subject import Subject
    from components.model.component import Component


@dataclass(frozen=True, slots=True)
class Told:
    """One alert of a member, as Prometheus has it."""

    name: str
    summary: str
    severity: str
    hold: str
    owner: str
    page: Cell


def alerts_of(subject: Subject, member: Component) -> list[Told]:
    """Its alerts, as declared."""
    labels = {"owner": member.owner}
    found = (alert.rule(labels, subject.page(member)) for alert in member.alerts())
    return [_told(each) for each in found]


def _told(rule: dict[str, Any]) -> Told:
    page = rule["annotations"].get("runbook", "")
    where: Cell = Link("what to do", page) if page else "none"
    labels = rule["labels"]
    return Told(rule["alert"], rule["annotations"]["summary"], labels["severity"], rule["for"], labels["owner"], where)


def runbook(subject: Subject, member: Component, section: str = "", called: str = "") -> Link:
    """The page of the member's kind, or a section of it."""
    return Link(called or f"runbook of {member.kind}", subject.page(member, section))


def owners(subject: Subject) -> Section:
    """Who answers for what."""
    known = subject.platform.environment.owners
    asked = {owner: [each.name for each in subject.members.values() if _answers(each) == owner] for owner in known}
    rows = [(owner, ", ".join(names) or "no member by name") for owner, names in asked.items()]
    others = table(
        "Systems that others run: this stack's alerts about them go to its own first owner, who calls these.",
        ("system", "who answers for it", "reached by"),
        [_external(each) for each in subject.scope.of_kind("external")],
        "The stack names no system of others.",
    )
    mine = table("Owners of the environment.", ("owner", "answers for"), rows, "Nobody.")
    return Section("Owners", (mine, others))


def _answers(member: Component) -> str:
    return member.owner if member.kind != "external" else ""


def _external(member: Component) -> tuple[Cell, ...]:
    own: Any = member.settings
    return member.name, own.owner, own.contact or "not said"


def alerts(subject: Subject) -> Section:
    """Every alert, with its runbook."""
    return Section("Alerts and runbooks", tuple(_alerts(subject)))


def _alerts(subject: Subject) -> Iterator[Block]:
    if not subject.scope.of_kind("prometheus"):
        yield text("No Prometheus is declared: nobody evaluates these, unless one outside of the stack does.")
    head = ("member", "alert", "says", "after", "severity", "who is told", "runbook")
    rows = [
        (member.name, each.name, each.summary, each.hold, each.severity, each.owner, each.page)
        for member in subject.members.values()
        for each in alerts_of(subject, member)
    ]
    yield table("Alerts of all members.", head, rows, "No member has an alert.")
    pages = dict.fromkeys(runbook(subject, each) for each in subject.members.values())
    yield table("Pages of all kinds here.", ("runbooks",), [(listed(pages),)], "")
