"""What all objects of ours have in common on the wire: their group, camelCase, and no unknown keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

GROUP = "grayling.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "GrayRelease"

FREE_FORM: JsonDict = {"x-kubernetes-preserve-unknown-fields": True}
INT_OR_STRING: JsonDict = {"x-kubernetes-int-or-string": True}
PORT_NUMBER = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""The number of a port, in the regular expressions of JSON schema, RE2 and Python alike."""


def by_key(key: str) -> JsonDict:
    """Schema of a list whose items several writers may own apart, told apart by `key`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


LONGEST_SHOWN = 60
LONGEST_NAME = 42
Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$", max_length=LONGEST_NAME)]


class Model(BaseModel):
    """Frozen, strict about unknown keys, camelCase on the wire."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, validate_default=True
    )

    def wire(self) -> dict[str, Any]:
        """The JSON form: camelCase, without fields that are unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def said_of(mistake: Mapping[str, Any]) -> str:
    """What pydantic says of one value; a short text is repeated, since rules do not repeat it."""
    value, text = mistake["input"], str(mistake["msg"])
    return f"{text} (found {value!r})" if isinstance(value, str) and len(value) <= LONGEST_SHOWN else text


def none_twice(what: str, found: list[Any]) -> None:
    """Check that a list names each thing once.

    Raises:
        ValueError: it does not; says what is there twice.
    """
    twice = sorted({str(each) for each in found if found.count(each) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} is there twice")
