"""What a job tells by its environment: each variable that is missing or wrong is named with the fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def required(environment: Mapping[str, str], name: str, fix: str, pattern: str = r"\S+") -> str:
    """A variable; its value is never told, since it may be a secret.

    Raises:
        UsageError: it is missing, empty, or not of that form.
    """
    value = environment.get(name, "").strip()
    if not value:
        raise UsageError(f"the environment has no {name}: {fix}")
    if re.fullmatch(pattern, value) is None:
        raise UsageError(f"{name} of the environment is not what it should be: {fix}")
    return value


def number_of(given: int | None, told: str, variable: str) -> int:
    """The number of the change.

    Raises:
        UsageError: neither the option nor the environment says it.
    """
    if given is None and not told.isdecimal():
        raise UsageError(f"which change? {variable} of the environment does not say: give --number N")
    return int(told) if given is None else given
