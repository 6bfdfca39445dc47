"""A person's word that one thing is accepted until a day: what each waiver has, of risks and of rules of the house."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

LONGEST = dt.timedelta(days=366)
"""From the day on which it is read; after it somebody looks again."""

_SHORTEST_REASON = 10


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


Pattern = Annotated[str, AfterValidator(_names_something)]
Reason = Annotated[str, AfterValidator(_said)]


class Excuse(BaseModel):
    """One entry of ``waivers`` in ``.grayling/review.yaml``, whatever its rule is of.

    Whoever reads the file may give the day as ``context={"today": ...}``; else it is today, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str = Field(description="id of the rule, as `grayling review risks` lists it")
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
    def _not_for_ever(self, info: ValidationInfo) -> Self:
        today = (info.context or {}).get("today") or dt.datetime.now(dt.UTC).date()
        if self.until - today > LONGEST:
            raise ValueError(f"until: {self.until} is more than a year ahead; {today + LONGEST} is the last day")
        return self
