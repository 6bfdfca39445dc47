"""Lines that a team adds to the configuration of a store; what Grayling sets itself is not set a second time."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from components.model.mistakes import nearest
from components.model.values import said, whole
from manifests.render import known_keys

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


def checked(extra: Mapping[str, str], written: str, program: str, *, ours: Iterable[str] = ()) -> None:
    """Nothing, if ``program`` knows every keyword of ``extra``, and none is set already.

    Those are set that are in ``written`` (the file as it is made), and those that begin as one of ``ours``.

    Raises:
        ValueError: which one it is.
    """
    taken = {line.split()[0] for line in written.splitlines() if line.strip() and not line.startswith("#")}
    for keyword in extra:
        if keyword in taken or any(keyword.startswith(each) for each in ours):
            raise ValueError(f"extraConfig.{keyword}: is set by Grayling from the other settings; leave it out")
        if not _known(program).fullmatch(keyword):
            near = nearest(keyword, sorted(known_keys(program)))
            fix = near if near.startswith("did you mean") else "look it up in its documentation"
            raise ValueError(f"extraConfig.{keyword}: {program} knows no such keyword and would not start; {fix}")


def words(extra: Mapping[str, str]) -> None:
    """Nothing, if every value can be taken apart into words as redis.conf has them.

    Raises:
        ValueError: one has a quote that does not end.
    """
    for keyword, value in extra.items():
        try:
            shlex.split(value)
        except ValueError:
            problem = f"{value!r} has a quote, or a backslash, that nothing follows"
            raise ValueError(f"extraConfig.{keyword}: {problem}; write one behind it, or leave it out") from None


@cache
def _known(program: str) -> re.Pattern[str]:
    """What fits one of its keywords, whole."""
    patterns = (re.sub(r"\\\$\w+", "[^.]+", re.escape(keyword)) for keyword in known_keys(program))
    return re.compile("|".join(sorted(patterns)))
