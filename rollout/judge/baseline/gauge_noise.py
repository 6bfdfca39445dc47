"""What stable's pods teach about a gauge: how a healthy one goes up and down, and how far pods are apart.

Around its level a healthy pod's z (see `evidence.gauge_test`) is an AR(1) process with Student innovations. What moves
less than matters is taken to move as much as just does not: a constant, a value that is steady to any number of
digits, one that a scraper rounds.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from rollout.judge.model.onset_prior import Floats, Indices

DEGREES = 5.0
"""Degrees of freedom of the innovations."""

PRIOR_SPREAD = 0.1
"""Standard deviation of z between healthy pods, worth two pods."""

ENOUGH_BLOCKS = 60
"""Blocks that a pod of stable has shown before anything is judged, and pairs of neighbouring ones of all of them: what
kind of gauge it is shows in a quarter of an hour, not sooner."""

LEAST = 0.03
"""Standard deviation of z that never matters, as a part of the rise that policy tolerates: with less of it the paths of
`model.gauge_paths`, which are on a grid, no longer fit what fills up."""

_LEAST_COEFFICIENT = 0.95
_HIGHEST_COEFFICIENT = 0.995
_FEWEST = 4
_LARGEST_WHOLE = 1e4
BLOCKS, SUM, SQUARES, PRODUCTS, LATER, FORMER, LAST = range(7)
"""Columns of what is taught by each pod: blocks, sums of z, of z squared, of z times the z before, of all z but the
first, of all but the last, and the last z."""


@dataclass(frozen=True, slots=True)
class GaugeNoise:
    """How a healthy z moves.

    Attributes:
        coefficient: of the AR(1) process, from block to block.
        spread: scale of its Student innovations.
        deviation: standard deviation around the level.
        tau: scale of the levels of pods, for one more pod beside them.
        pods: that have taught it.
        steady: it is less than what matters.
    """

    coefficient: float
    spread: float
    deviation: float
    tau: float
    pods: int
    steady: bool

    @property
    def step(self) -> float:
        """How far apart two levels are that the blocks to come just tell apart."""
        innovation = self.deviation * math.sqrt(1 - self.coefficient**2)
        return min(self.deviation, 0.1 * innovation / (1 - self.coefficient))


def missing_blocks(taught: Floats) -> int:
    """Blocks that pods have yet to show before their noise can be told; ``taught`` as for `gauge_noise`."""
    number = taught[:, BLOCKS]
    pairs = float((number[number >= _FEWEST] - 1).sum())
    each = max(int((number > 0).sum()), 1)
    return max(math.ceil(ENOUGH_BLOCKS - float(number.max())), math.ceil((ENOUGH_BLOCKS - pairs) / each), 0)


def finer(grain: float, before: float, value: float) -> float:
    """The smallest change of a value that is known, after one more.

    Args:
        grain: as known so far; infinite where nothing is.
        before: the value of the same pod before it; NaN where there was none.
        value: the new one; of small whole numbers the grain is 1 until a finer one is seen.
    """
    if math.isnan(before):
        return 1.0 if grain == math.inf and value == int(value) and abs(value) < _LARGEST_WHOLE else grain
    return min(grain, abs(value - before)) if value != before else grain


def learn(taught: Floats, slots: Indices, now: Floats) -> None:
    """Take in a block: the z of those slots, shape (slots,)."""
    its = taught[slots]
    again = its[:, BLOCKS] > 0
    before = np.where(again, its[:, LAST], 0.0)
    its[:, PRODUCTS] += now * before
    its[:, LATER] += np.where(again, now, 0.0)
    its[:, FORMER] += before
    its[:, BLOCKS] += 1
    its[:, SUM] += now
    its[:, SQUARES] += now**2
    its[:, LAST] = now
    taught[slots] = its


def gauge_noise(taught: Floats, least: float) -> GaugeNoise:
    """The noise of what was taught.

    Args:
        taught: sums by pod, at least one with four blocks, shape (pods, 7).
        least: standard deviation that z is taken to have at least.
    """
    number, total, squares, products, later, former = taught[taught[:, BLOCKS] >= _FEWEST, :LAST].T
    # Each pod around its own level: squares, and products of neighbouring blocks. Their ratio is the coefficient.
    level = total / number
    around = np.maximum(squares - number * level**2, 1e-12)
    lagged = products - level * (later + former) + (number - 1) * level**2
    # A level estimated from few blocks makes the coefficient too small by about one over their number.
    coefficient = float(lagged.sum() / around.sum()) + 1 / float(number.mean())
    coefficient = min(max(coefficient, 0.0), _HIGHEST_COEFFICIENT)
    variance, pods = float(around.sum() / (number - 1).sum()), number.size
    if pods == 1:  # it was held against itself, the canary is held against it: twice the chance
        variance *= 2
    if (missing := least**2 - variance) > 0:  # the rest up to what matters wanders slowly
        coefficient = (coefficient * variance + _LEAST_COEFFICIENT * missing) / least**2
        variance = least**2
    # Innovations of an AR(1) process have the part 1 - coefficient^2 of the variance; Student's scale is smaller.
    spread = math.sqrt(variance * (1 - coefficient**2) * (DEGREES - 2) / DEGREES)
    between = float(np.var(level, ddof=1)) if pods > 1 else 0.0
    # Tau of the pods' levels, with a prior worth two pods, for one more pod beside them.
    tau = math.sqrt(((pods - 1) * between + 2 * PRIOR_SPREAD**2) / (pods + 1)) * math.sqrt(1 + 1 / pods)
    return GaugeNoise(coefficient, spread, math.sqrt(variance), tau, pods, missing > 0)


def relative(values: Floats, reference: Floats, scale: float) -> Floats:
    """The z of values against a reference."""
    return np.log((np.maximum(values, 0.0) + scale + 1e-12) / (np.maximum(reference, 0.0) + scale + 1e-12))


_CONSTANT = gammaln((DEGREES + 1) / 2) - gammaln(DEGREES / 2) - 0.5 * math.log(DEGREES * math.pi)


def log_density(innovation: Floats, width: float) -> Floats:
    """Log density of Student innovations with a scale."""
    found: Floats = _CONSTANT - math.log(width) - (DEGREES + 1) / 2 * np.log1p((innovation / width) ** 2 / DEGREES)
    return found
