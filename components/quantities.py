"""Sizes as Kubernetes writes them (``512Mi``, ``2Gi``): checked when a stack file is read, counted to split a limit."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)$")
_MEGABYTES = {"Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "Ti": 1024.0 * 1024}


def _checked(value: str) -> str:
    if not _QUANTITY.match(value):
        raise ValueError(f"{value!r} is no size: write it like 512Mi or 2Gi")
    return value


def megabytes(quantity: str) -> float:
    """Mebibytes of a quantity.

    >>> megabytes("2Gi")
    2048.0

    Raises:
        ValueError: it is not one.
    """
    found = _QUANTITY.match(_checked(quantity))
    return float(found[1]) * _MEGABYTES[found[2]] if found else 0.0


Quantity = Annotated[str, AfterValidator(_checked)]
