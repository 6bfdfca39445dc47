"""What is wrong with a document, in the words of its first mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def first_mistake(error: ValidationError) -> str:
    """``KEY: what is wrong there``; no key where it is the whole."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(key) for key in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"{path}: {said}" if path else said
