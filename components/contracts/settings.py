"""What a stack file says of the contracts of a service; all files are of the project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.model.settings import ComponentSettings
from components.model.values import said, whole

ContractFile = Annotated[
    str,
    said(
        lambda text: whole(r"[A-Za-z0-9_][-A-Za-z0-9_./]*\.(ya?ml|json)", 200)(text) and ".." not in text.split("/"),
        "is no file of a contract",
        "write its path from the project's folder, like contracts/orders.yaml (.yaml, .yml or .json)",
    ),
]


class Consumed(ComponentSettings):
    """A part of somebody's contract that the service was built for."""

    service: str | None = Field(default=None, description="a service of this stack")
    external: str | None = Field(default=None, description="an external system of this stack")
    file: ContractFile = Field(description="the part of the provider's document that is used, in its words")

    @model_validator(mode="after")
    def _of_one(self) -> Consumed:
        if (self.service is None) == (self.external is None):
            raise ValueError("say whose it is: service or external, one of the two")
        return self

    @property
    def provider(self) -> str:
        """Whose it is."""
        return self.service or self.external or ""


class Contracts(ComponentSettings):
    """What a service promises, and what it was built for."""

    provides: Annotated[list[ContractFile], Field(max_length=20)] = Field(
        default_factory=list, description="documents of OpenAPI 3 or AsyncAPI 2 or 3"
    )
    consumes: Annotated[list[Consumed], Field(max_length=50)] = Field(
        default_factory=list, description="what of others it was built for"
    )
    dictionary: ContractFile | None = Field(default=None, description="what the fields of its documents mean")
