"""When a fault may have begun: prior mass over time, and the mixture that a fault of unknown onset is tested with.

Mass is spent per unit of *time*, so looking more often costs nothing. It is uniform in the logarithm of time: a fault
is likeliest soon after the version came in, and twenty minutes later it costs hardly more than with a flat prior. Some
mass is kept beyond the horizon (a tail that falls like 1/t), so that a bake of any length still sees faults, only more
slowly.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ShortFloats = NDArray[np.float32]
"""Sums that nothing is decided by to the seventh digit; they take half the room when the judge is saved."""

Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]

TAIL = 0.1
"""Share of the late mass that is kept for onsets beyond the horizon."""

EARLY = 200.0
"""The horizon over the time within which onsets are equally likely."""

TINY = 1e-300
"""Mass that counts for nothing, and has a logarithm."""

_NOTHING = -40.0
"""exp of this and less is nothing beside 1; of much less it is slow."""


@dataclass(frozen=True, slots=True)
class OnsetPrior:
    """Prior of the moment at which a fault begins: density 1 / (t + horizon / EARLY) up to the horizon, 1 / t^2 after.

    Attributes:
        horizon_seconds: the span over which a late onset is expected.
        at_start: mass on "from the first look on".
    """

    horizon_seconds: float
    at_start: float = 0.5

    def unspent(self, elapsed: Floats) -> Floats:
        """Mass of onsets after `elapsed` seconds, shape kept, decreasing from 1 - at_start towards TINY."""
        late = 1 - self.at_start
        left = np.log1p(np.minimum(elapsed * (EARLY / self.horizon_seconds), EARLY))
        left *= -late * (1 - TAIL) / math.log1p(EARLY)
        left += late  # TAIL of it at the horizon
        left /= np.maximum(elapsed / self.horizon_seconds, 1.0)
        unspent: Floats = np.maximum(left, TINY)
        return unspent


def indices_of(mask: Bools) -> Indices:
    """Positions that are true, shape (found,): what numpy.flatnonzero says, without its way there through Python."""
    found: Indices = mask.nonzero()[0]
    return found


def some(mask: Bools) -> bool:
    """Whether anything is true: what `any` says, without its way there through Python."""
    return bool(np.count_nonzero(mask))


def log_of(mass: Floats) -> Floats:
    """Natural logarithm that maps 0 to minus infinity without a warning."""
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(mass)
    return logs


def log_sum(logs: Floats) -> Floats:
    """Logarithm of the sum of exp along the last of two axes, shape (rows,).

    Along the first numpy takes half the time for it.
    """
    total: Floats = np.logaddexp.reduce(np.ascontiguousarray(logs.T), axis=0)
    return total


def log_add(one: Floats, other: Floats) -> Floats:
    """Logarithm of exp(one) + exp(other), broadcast: a third of the time that numpy.logaddexp takes on large arrays."""
    with np.errstate(invalid="ignore"):
        apart = np.asarray(one - other)
    np.abs(apart, out=apart)
    np.negative(apart, out=apart)
    np.fmax(apart, _NOTHING, out=apart)  # also where both are minus infinity
    np.exp(apart, out=apart)
    apart += 1.0
    np.log(apart, out=apart)
    apart += np.maximum(one, other)
    return apart
