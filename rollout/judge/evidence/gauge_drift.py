"""How fast a gauge of the canary drifts away from stable's of late, for people; no decision rests on it."""

import math

import numpy as np

from rollout.judge.baseline.gauge_noise import ENOUGH_BLOCKS
from rollout.judge.model.onset_prior import Floats

TOLD_FROM = 3.0
"""Standard errors of a drift from which on it is told."""

_FEWEST = 15


def with_block(line: Floats, minutes: float, now: float) -> Floats:
    """The sums of a line with one more block.

    Args:
        line: fading sums over blocks of 1, minutes, z, minutes squared, minutes times z and z squared, shape (6,).
        minutes: time of the block.
        now: its z.
    """
    found: Floats = (1 - 1 / ENOUGH_BLOCKS) * line + np.array([1.0, minutes, now, minutes**2, minutes * now, now**2])
    return found


def drift_of(line: Floats, coefficient: float) -> tuple[float, float] | None:
    """Growth of z in a minute by least squares, and its standard error; None where it is not more than chance.

    What is left around the line is taken to be as correlated as healthy noise: (1 + coefficient) / (1 - coefficient)
    times the variance that independent blocks would have.

    Args:
        line: as `with_block` gives it.
        coefficient: of the AR(1) process.
    """
    blocks, minutes, total, squares, products, own = line.tolist()
    if blocks < _FEWEST:
        return None
    around = squares - minutes**2 / blocks
    slope = (products - minutes * total / blocks) / around
    left = max(own - total**2 / blocks - slope**2 * around, 1e-12) / blocks
    error = math.sqrt(left * (1 + coefficient) / (1 - coefficient) / around)
    return (slope, error) if slope > TOLD_FROM * error else None
