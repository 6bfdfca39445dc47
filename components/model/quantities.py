"""Amounts as Kubernetes writes them (``500m`` of a CPU, ``512Mi``): read as people write them, kept in one form.

That form is the API server's own, so that what is declared and what is there are the same text.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m?)")
_RETENTION = re.compile(r"([0-9]{1,9})(MB|GB|TB)")
_RETENTION_BYTES = {"MB": 2**20, "GB": 2**30, "TB": 2**40}
_THOUSAND = 1000
MOST_CORES = 1000
MEBIBYTE = 2**20
MOST_BYTES = 2**50


def _text_of(value: Any) -> str:
    """What stands in the file; a float as short as it can be written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    return str(value).strip().removesuffix(".0") if isinstance(value, float) else str(value).strip()


def bytes_of(quantity: Any) -> int:
    """Bytes of a size.

    Raises:
        ValueError: it is none.
    """
    found = _AMOUNT.fullmatch(_text_of(quantity))
    if found is None:
        raise ValueError("is no size; write it like 512Mi or 2Gi")
    unit = {**_BINARY, **_DECIMAL}.get(found[2] or "", 1)
    exact = Decimal(found[1]) * unit
    if exact % 1:
        raise ValueError("is no size: it has parts of a byte; write it like 512Mi or 2Gi")
    return int(exact)


def megabytes(quantity: str) -> float:
    """Mebibytes of a size.

    >>> megabytes("2Gi")
    2048.0

    Raises:
        ValueError: it is none.
    """
    return bytes_of(quantity) / MEBIBYTE


def _written(count: int, units: dict[str, int]) -> str:
    for unit, size in sorted(units.items(), key=lambda each: -each[1]):
        if count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def _size(value: Any, least: int, example: str) -> str:
    count = bytes_of(value)
    if not least <= count <= MOST_BYTES:
        problem = "is too little" if count < least else "is more than there is"
        raise ValueError(f"{problem}; from {_written(least, _BINARY)} to 1Pi, for example {example}")
    binary = _text_of(value).endswith("i")
    return _written(count, _BINARY if binary else _DECIMAL)


def size_from(least: str, example: str) -> BeforeValidator:
    """Sizes of at least ``least``: what a program needs to start, and to hold anything."""
    floor = bytes_of(least)
    return BeforeValidator(lambda value: _size(value, floor, example))


def _cpu(value: Any) -> str:
    """Cores, or thousandths of one.

    Raises:
        ValueError: it is neither.
    """
    found = _CPU.fullmatch(_text_of(value))
    if found is None:
        raise ValueError("is no amount of CPU; write it like 500m, 0.5 or 2")
    thousandths = Decimal(found[1]) * (1 if found[2] else _THOUSAND)
    if thousandths % 1:
        raise ValueError("is finer than 1m; write it like 500m, 0.5 or 2")
    if not 1 <= thousandths <= MOST_CORES * _THOUSAND:
        problem = "is too little" if thousandths < 1 else "is more than there is"
        raise ValueError(f"{problem}; from 1m to {MOST_CORES}, for example 500m, 0.5 or 2")
    count = int(thousandths)
    return str(count // _THOUSAND) if count % _THOUSAND == 0 else f"{count}m"


def millicores(cpu: Any) -> int:
    """Thousandths of a core.

    Raises:
        ValueError: it is no amount of CPU.
    """
    text = _cpu(cpu)
    return int(text.removesuffix("m")) * (1 if text.endswith("m") else _THOUSAND)


def retention_bytes(text: str) -> int:
    """Bytes of a size as Prometheus writes it, by powers of two as Prometheus counts it.

    Raises:
        ValueError: it is none.
    """
    found = _RETENTION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError("is no size to retain; write it like 800MB or 16GB" + (", 0 keeps nothing" if found else ""))
    return int(found[1]) * _RETENTION_BYTES[found[2]]


def _retention(value: Any) -> str:
    retention_bytes(_text_of(value))
    return _text_of(value)


def share_of(quantity: str, share: float) -> int:
    """Whole mebibytes that are ``share`` of a size, at least one."""
    return max(1, int((Decimal(megabytes(quantity)) * Decimal(share)).to_integral_value(ROUND_FLOOR)))


Quantity = Annotated[str, size_from("1Mi", "2Gi")]
Memory = Annotated[str, size_from("4Mi", "256Mi")]
Cpu = Annotated[str, BeforeValidator(_cpu)]
RetentionSize = Annotated[str, BeforeValidator(_retention)]
