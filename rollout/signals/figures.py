"""How figures are written, the same in every view: by what they are, never by how large they are."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.4g}"


def rough(value: float, digits: int = 2) -> str:
    """Two significant digits, which is what an estimate is worth; never an exponent.

    >>> rough(17_628), rough(3.62), rough(0.0123)
    ('18,000', '3.6', '0.012')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return rounded(value, digits - 1 - math.floor(math.log10(abs(value))))


def known(value: float, error: float) -> str:
    """A value with the digits that its standard error leaves it.

    >>> known(0.23523, 0.08), known(888.4, 94.0)
    ('0.24', '890')
    """
    return rounded(value, -math.floor(math.log10(error))) if error > 0 else rough(value)


def rounded(value: float, decimals: int) -> str:
    """So many digits after the point; before it where there are less than none."""
    found = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return found.rstrip("0").rstrip(".") if "." in found else found


def share(value: float) -> str:
    """A share of requests, 0 to 1, in percent with digits where they matter."""
    return f"{value:.2%}" if value < 0.1 else f"{value:.0%}"  # noqa: PLR2004 - two digits are enough above
