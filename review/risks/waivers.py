"""Waivers: a person's word that one risk is accepted for one object until a day, in the project's review file."""

from __future__ import annotations

import datetime as dt
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from review.model.risk import Severity, Waiver
from review.risks.table import BY_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.model.risk import Risk

LONGEST = dt.timedelta(days=366)
"""From the day of the review; after it somebody looks again."""

_SHORTEST_REASON = 10


def _known(rule: str) -> str:
    """A rule of the table.

    Raises:
        ValueError: there is none of that name.
    """
    if rule not in BY_ID:
        raise ValueError(f"{rule!r} is no rule; `grayling review risks` lists them")
    return rule


def _names_something(pattern: str) -> str:
    """A pattern that names at least a kind or a part of a name.

    Raises:
        ValueError: it takes in every object.
    """
    if not pattern.strip("*?/ []!") or not any(map(str.isalnum, pattern)):
        raise ValueError(f"{pattern!r} waives it for every object; name one, for example 'StatefulSet shop/redis'")
    return pattern


def _said(reason: str) -> str:
    """A reason that says something.

    Raises:
        ValueError: it is empty or a word.
    """
    if len(reason.strip()) < _SHORTEST_REASON:
        raise ValueError(f"{reason!r} is no reason; say in a sentence why the risk is accepted")
    return reason.strip()


RuleId = Annotated[str, AfterValidator(_known)]
Pattern = Annotated[str, AfterValidator(_names_something)]
Reason = Annotated[str, AfterValidator(_said)]


class WaiverEntry(BaseModel):
    """One entry of ``waivers`` in ``.grayling/review.yaml``.

    Whoever reads the file may give the day of the review as ``context={"today": ...}``; else it is today, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: RuleId = Field(description="id of the rule, as `grayling review risks` lists it")
    object: Pattern = Field(
        description="which objects: `KIND NAMESPACE/NAME` as the report writes it; `*` stands for any part of it"
    )
    reason: Reason = Field(description="why the risk is accepted")
    until: dt.date = Field(description="the last day, YYYY-MM-DD; at most a year ahead")
    by: str = Field(min_length=1, description="who says so")

    @field_validator("until", mode="before")
    @classmethod
    def _is_a_day(cls, value: Any) -> Any:
        if isinstance(value, dt.datetime) or not isinstance(value, str | dt.date):
            raise ValueError(f"{value!r} is no day; write it like 2026-12-31")  # noqa: TRY004 - pydantic wants it so
        if isinstance(value, str):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{value!r} is no day; write it like 2026-12-31") from None
        return value

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        today = (info.context or {}).get("today") or dt.datetime.now(dt.UTC).date()
        if self.until - today > LONGEST:
            raise ValueError(f"until: {self.until} is more than a year ahead; {today + LONGEST} is the last day")
        if BY_ID[self.rule].severity is Severity.CRITICAL and any(mark in self.object for mark in "*?["):
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
