"""Questions that come again and again, answered from what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.manual.contingency import title_of
from components.manual.document import Code, Link, Section, anchor, listed, prose, table, words
from components.manual.flow import Role, role_of
from components.manual.people import runbook
from components.manual.subject import CHANGING
from components.model.endpoints import USERS
from components.model.pods import SecretKey
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from components.manual.document import Block, Cell, Words
    from components.manual.subject import Subject
    from components.model.component import Component


def questions(subject: Subject) -> Section:
    """The chapter."""
    inner = (
        Section("How do I reach something?", (_reached(subject),)),
        Section("What happens when something is down?", (_down(subject),)),
        Section("Who do I call?", (_called(subject),)),
        Section("How do I change something safely?", (_changed(subject),)),
        Section("Which Secrets must be there before?", (_needed(subject),)),
    )
    return Section("Questions and answers", (), inner)


def _reached(subject: Subject) -> Block:
    rows = [(name, _address(subject, member), _bound(member)) for name, member in subject.members.items()]
    head = ("member", "where, inside the cluster", "what a service is given that uses it")
    told = "Name a member under uses of a service: address, account and network follow. USER is the service's name."
    return table(told, head, rows, "")


def _address(subject: Subject, member: Component) -> Words:
    if member.kind == "external":
        urls = getattr(member.settings, "addresses", {})
        return listed(Code(url) for url in urls.values())
    host = f"{member.name}.{subject.platform.environment.namespace}.svc"
    ports = [each.served or each.port for each in member.endpoints if each.open_to(USERS)]
    own = listed((Code(f"{host}:{port}") for port in ports), "by no member")
    if getattr(member.settings, "traffic", None) is not None:
        return words(own, "; from outside as ", listed(map(Code, member.hostnames)))
    return own


def _bound(member: Component) -> Words:
    """Variables, and the Secret that each is kept in; ``USER`` stands for the service."""
    found = member.binding("USER")
    return listed((_variable(name, value) for name, value in sorted(found.items())), "nothing")


def _variable(name: str, value: str | SecretKey) -> Cell:
    if isinstance(value, SecretKey):
        return words(Code(name), f" (Secret {value.secret}, {value.key})")
    return Code(name)


def _down(subject: Subject) -> Block:
    rows = []
    for name in subject.members:
        touched = subject.touched(name)
        told = f"{len(touched)}: {', '.join(touched)}" if touched else "none"
        rows.append((name, told, Link(title_of(name), f"#{anchor(title_of(name))}")))
    return table("By who uses whom.", ("when this fails", "these need it, however far", "plan"), rows, "")


def _called(subject: Subject) -> Block:
    rows: list[tuple[Cell, ...]] = []
    for name, member in subject.members.items():
        own: Any = member.settings
        if member.kind == "external":
            rows.append((name, f"{own.owner}, who runs it; here {member.owner}", own.contact or "not said"))
        else:
            rows.append((name, member.owner, "not declared"))
    return table("Owners, and how they are reached.", ("about", "call", "by"), rows, "")


def _changed(subject: Subject) -> Block:
    rows = [(name, _way(subject, member)) for name, member in subject.members.items()]
    return table("Each kind has its own safe way.", ("what", "how"), rows, "")


def _way(subject: Subject, member: Component) -> Words:
    page = runbook(subject, member, CHANGING, "Changing it")
    if role_of(member) is not Role.SERVICE:
        return words(prose("change its settings, look at `grayling stack diff`, apply; what to mind: "), page)
    own: Any = member.settings
    steps = ", ".join(f"{each.weight} % for {duration_of(each.hold)}" for each in own.strategy.steps) or "at once"
    call = f"grayling release start {member.name} --stack {subject.platform.stack} --image IMAGE"
    return words(Code(call), f": {steps}, then {duration_of(own.strategy.bake)} of bake; ", page)


def _needed(subject: Subject) -> Block:
    rows = [
        (Code(secret), ", ".join(keys), f"{name}: {setting}")
        for name, member in subject.members.items()
        for setting, (secret, keys) in sorted(member.needs_secrets().items())
    ]
    rows += [(Code(each), "", "pulls images") for each in subject.platform.environment.pull_secrets]
    head = ("Secret", "keys", "for")
    return table("Somebody else keeps these.", head, rows, "None: the stack makes every Secret that it needs.")
