"""Lines that a team adds to the configuration of a store; what Grayling sets itself is not set a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from components.model.values import said, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def _line(value: object) -> object:
    """A number or a word as the file has it."""
    if isinstance(value, bool):
        raise ValueError("is yes or no, which files write differently; quote what the file shall say")  # noqa: TRY004
    return str(value) if isinstance(value, int | float) else value


Keyword = Annotated[str, said(whole(r"[a-z][a-z0-9._-]*", 100), "is no keyword", "use a-z, 0-9, -, _ and .")]
Line = Annotated[
    str,
    BeforeValidator(_line),
    said(lambda text: text.strip() == text and text.isprintable() and text, "is no single line", "write one value"),
]
ExtraConfig = Annotated[dict[Keyword, Line], Field(max_length=64)]


def checked(extra: Mapping[str, str], written: str, *, ours: Iterable[str] = ()) -> None:
    """Nothing, if no keyword of ``extra`` is one of ``written`` (the file as it is made) or begins as one of ``ours``.

    Raises:
        ValueError: which one is.
    """
    taken = {line.split()[0] for line in written.splitlines() if line.strip() and not line.startswith("#")}
    for keyword in extra:
        if keyword in taken or any(keyword.startswith(each) for each in ours):
            raise ValueError(f"extraConfig.{keyword}: is set by Grayling from the other settings; leave it out")
