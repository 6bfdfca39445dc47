"""Numbers on the command line."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click import Context, Parameter


class Number(click.FloatRange):
    """A number within bounds; what is no number is none, though every comparison lets it through."""

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        """Read the option.

        Raises:
            BadParameter: it is no number, or out of the bounds.
        """
        found = float(super().convert(value, param, ctx))
        if isnan(found):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return found


REQUESTS_PER_SECOND = Number(min=0.001, max=1e9)
FAILURE_SHARE = Number(min=1e-9, max=1, max_open=True)
PROBABILITY = Number(min=0, max=1, min_open=True, max_open=True)
