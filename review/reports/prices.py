"""What a month of capacity costs: the section ``prices`` of ``.grayling/review.yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from components.model.mistakes import StackError, mistakes_of
from rollout.api.wire import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

Price = Annotated[float, Field(ge=0, le=1_000_000)]


class Prices(Model):
    """Of one core, of a gibibyte of memory, and of a gibibyte of storage, a month."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    cpu: Price = 0
    memory: Price = 0
    storage: Price = 0


def prices_of(section: Mapping[str, Any], source: str) -> Prices | None:
    """The table of prices; None where there is none.

    Raises:
        StackError: a key or a value of it is wrong.
    """
    if not section:
        return None
    try:
        return Prices.model_validate(section)
    except ValidationError as error:
        raise StackError(source, mistakes_of(error, Prices, "prices")) from error
