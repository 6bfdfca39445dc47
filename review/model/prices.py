"""What a month of capacity costs: the section ``prices`` of ``.grayling/review.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollout.api.wire import Model

Price = Annotated[float, Field(ge=0, le=1_000_000)]


class Prices(Model):
    """Of one core, of a gibibyte of memory, and of a gibibyte of storage, a month."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    cpu: Price = 0
    memory: Price = 0
    storage: Price = 0
