"""The manual of a stack, chapter by chapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.manual.configuration import configuration
from components.manual.contingency import contingency
from components.manual.document import Code, Manual, Picture, Section, Text, text, words
from components.manual.flow import flow_of
from components.manual.interfaces import interfaces
from components.manual.people import alerts, owners
from components.manual.promises import contracts, dictionary
from components.manual.questions import questions
from components.manual.risks import risks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.manual.subject import Subject


def manual_of(subject: Subject, beside: Sequence[Subject] = ()) -> Manual:
    """All of it; the same for the same declarations on the same day."""
    place = subject.platform.environment
    services = sum(each.section == "services" for each in subject.members.values())
    lead = words(
        f"{services} services and {len(subject.members) - services} components in the namespace ",
        Code(place.namespace),
        f", tier {place.tier.value}. Made from ",
        Code(subject.platform.source),
        " by ",
        Code(f"grayling stack manual {subject.platform.stack}"),
        ": it says what is declared, not what is running.",
    )
    picture = Section("Landscape", (text(_HOW_TO_READ), Picture(flow_of(subject))))
    chapters = (
        picture,
        interfaces(subject),
        configuration(subject, beside),
        owners(subject),
        contracts(subject),
        dictionary(subject),
        questions(subject),
        alerts(subject),
        risks(subject),
        contingency(subject),
    )
    return Manual(f"Integration manual: {subject.platform.stack}", (Text(lead),), chapters)


_HOW_TO_READ = (
    "An arrow goes from who sends to who takes: a call, or messages. Above is what carries data, below what watches it "
    "and steers it; ways between the two are counted in the boxes, not drawn."
)
