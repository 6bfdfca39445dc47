"""Waivers: a person's word that one risk is accepted for one object until a day, in the project's review file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from components.model.waivers import LONGEST, Excuse
from components.policy.table import BY_ID as HOUSE
from review.model.risk import Severity, Waiver
from review.risks.table import BY_ID

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from review.model.risk import Risk

__all__ = ["LONGEST", "WaiverEntry", "expired", "waiver_for"]


def _known(rule: str) -> str:
    """A rule of the table, or of the house.

    Raises:
        ValueError: there is none of that name.
    """
    if rule not in BY_ID and rule not in HOUSE:
        raise ValueError(f"{rule!r} is no rule; `grayling review risks` lists them")
    return rule


RuleId = Annotated[str, AfterValidator(_known)]


class WaiverEntry(Excuse):
    """One entry of ``waivers``, whose rule is one that there is."""

    rule: RuleId = Field(description="id of the rule, as `grayling review risks` lists it")

    @model_validator(mode="after")
    def _names_the_one(self) -> Self:
        row = BY_ID.get(self.rule)
        if row and row.severity is Severity.CRITICAL and any(mark in self.object for mark in "*?["):
            raise ValueError(f"object: {self.rule} is critical, {self.object!r} is a pattern; name the one object")
        return self

    def fits(self, risk: Risk) -> bool:
        """Whether it is about this risk; one that turned out critical needs the object's own name."""
        if risk.severity is Severity.CRITICAL and self.object != risk.object:
            return False
        return self.rule == risk.id and fnmatchcase(risk.object, self.object)

    @property
    def told(self) -> Waiver:
        """As a risk carries it."""
        return Waiver(self.reason, self.until.isoformat(), self.by)


def waiver_for(risk: Risk, waivers: Iterable[WaiverEntry], today: dt.date) -> Waiver | None:
    """The waiver that holds today; None where there is none. What cannot be believed is never waived."""
    rule = BY_ID.get(risk.id)
    if rule is not None and not rule.waivable:
        return None
    return next((each.told for each in waivers if each.until >= today and each.fits(risk)), None)


def expired(waivers: Iterable[WaiverEntry], today: dt.date) -> tuple[WaiverEntry, ...]:
    """Waivers that no longer hold; they are told, so that somebody renews or removes them."""
    return tuple(each for each in waivers if each.until < today)
