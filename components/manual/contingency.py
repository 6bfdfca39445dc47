"""What happens when something fails, who hears of it, and where the way back is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.manual.adapters import dead_letters_of, ends_of
from components.manual.document import Code, Items, Section, listed, prose, words
from components.manual.people import alerts_of, runbook
from components.manual.subject import RESTORING
from components.model.endpoints import GATEWAYS, RECONCILERS, SCRAPERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.manual.document import Cell, Words
    from components.manual.subject import Subject
    from components.model.component import Component


def title_of(name: str) -> str:
    """Of the section about one member; other chapters lead there."""
    return f"When {name} fails"


def contingency(subject: Subject) -> Section:
    """A section for each member."""
    inner = [
        Section(title_of(name), (Items(tuple(_plan(subject, member))),)) for name, member in subject.members.items()
    ]
    lead = prose(
        "Who needs each member, by who uses whom. A member that needs another may hold on for a while (a queue, "
        "a cache, a retry); how long is its own business, and not declared."
    )
    return Section("Contingency plans", (Items((lead,)),), tuple(inner))


def _plan(subject: Subject, member: Component) -> Iterator[Words]:
    yield words("Needed by: ", _touched(subject, member))
    if also := _also(member):
        yield prose(also)
    yield from _kept(subject, member)
    found = alerts_of(subject, member)
    told: list[Cell] = [words(f"{each.name} (", each.page, ")") for each in found]
    yield words("Told by: ", listed(told, "no alert: you hear of it from those who need it"), ".")
    if member.kind == "external":
        yield from _of_others(member)
    else:
        yield words(f"Who acts: {member.owner}, by the ", runbook(subject, member), ".")
        back = runbook(subject, member, RESTORING, "its runbook, Backup and restore")
        yield words("The way back of its data: ", back, ".")


def _touched(subject: Subject, member: Component) -> Words:
    found = subject.touched(member.name)
    direct = [name for name, steps in found.items() if steps == 1]
    further = [name for name, steps in found.items() if steps > 1]
    told = f"{', '.join(direct)} (use it themselves)" if direct else "no member"
    return (f"{told}; {', '.join(further)} (by way of those)." if further else f"{told}.",)


def _also(member: Component) -> str:
    """What it does for all, whoever uses it."""
    if member.reads & GATEWAYS:
        return "No request from outside arrives while it is down."
    if member.reads & SCRAPERS:
        return "Nobody evaluates alerts while it is down, and releases that ask it for evidence wait."
    if member.reads & RECONCILERS:
        return "What is declared in brokers stays as it is and is not corrected."
    if member.kind == "controller":
        return "Versions that serve go on serving; none comes in, and none is taken back."
    return ""


def _kept(subject: Subject, member: Component) -> Iterator[Words]:
    """Adapters that say to it, or hear from it, and where their messages are meanwhile."""
    for name in subject.users[member.name]:
        user = subject.members[name]
        letters, (heard, said) = dead_letters_of(user), ends_of(user, member)
        if letters and said:
            yield words(
                f"{name} cannot hand on {', '.join(said)}: after its retries a message goes to ", Code(letters), "."
            )
        elif letters and heard:
            yield (f"{name} gets nothing of {', '.join(heard)} until it is back, and goes on where it was.",)


def _of_others(member: Component) -> Iterator[Words]:
    own: Any = member.settings
    contact = f", by {own.contact}" if own.contact else ""
    yield (f"Who acts: {own.owner}{contact}. Tell them since when, from where, and what the prober saw.",)
    yield ("Here: nothing can be restored. Stop what must not fail again and again, and tell those who wait.",)
