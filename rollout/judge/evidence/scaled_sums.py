"""Products that grow and shrink without end, kept as numbers: a sum s stands for s * exp(log).

The ratio test multiplies its sums with likelihood ratios at every look. Each group of nodes has one logarithm beside
it. When the sum over the nodes gets far from 1, the numbers are scaled back and the logarithm takes the difference.
So a look needs one exp for each number and no log.
"""

import numpy as np

from rollout.judge.model.onset_prior import Floats, ShortFloats, log_of

FORGOTTEN = 1e-250
"""Least value of a sum. A pod effect that is less likely than this, beside the likeliest, counts as this likely."""

_LEAST = -600.0
"""exp of less would be forgotten at once, and is slow to compute. exp of more than its opposite may be no number."""

_MOST_GAIN = 300.0
"""A look that changes a log likelihood by more is taken relative to the likeliest node."""

_FRACTION = 52
"""Bits of the fraction of a float64."""

_SHORT_FRACTION = 23
"""The same of a float32."""

_DIGITS = -(1 << (_FRACTION - 36))
"""Mask of the bits that are kept: 36 of the fraction, which is 11 digits. A saved judge takes a quarter less for it."""

_FAR = 1e25
"""A sum over the nodes beyond this, or below its inverse, is scaled back."""


def begin_faults(sums: Floats, logs: Floats, mass: Floats) -> None:
    """Let faults begin, in place: A <- A + onset mass * L (docs/explanation/judge.md, "Ratio").

    Args:
        sums: L first, then the A of each step, shape (rows, 1 + steps, nodes).
        logs: their logarithms, shape (rows, 1 + steps).
        mass: of onsets now: 0 for L, then that of each step, shape (rows, 1 + steps).
    """
    # L is brought to the scale of each A: the factor is exp(log of L - log of A).
    behind = logs[:, :1] - logs
    begun = mass * np.exp(np.minimum(behind, -_LEAST))
    if begun.max() > _FAR:
        # Some A is nothing beside what begins now: its scale moves to that of what begins.
        moved = np.where(begun > _FAR, behind + log_of(mass), 0.0)
        sums *= np.exp(-moved)[:, :, None]
        logs += moved
        begun = mass * np.exp(np.minimum(behind - moved, -_LEAST))
    more = np.repeat(begun[:, :, None], sums.shape[2], axis=2)  # half the time of letting numpy broadcast
    more *= sums[:, :1]
    sums += more


def multiply(sums: Floats, logs: Floats, gain: Floats) -> Floats:
    """Multiply sums by exp(gain), in place.

    Args:
        sums: shape (rows, 1 + steps, nodes).
        logs: their logarithms, shape (rows, 1 + steps).
        gain: log likelihood ratios; their values are lost; shape (rows, 1 + steps, nodes).

    Returns:
        The sums over the nodes, shape (rows, 1 + steps).
    """
    if max(gain.max(), -gain.min()) > _MOST_GAIN:
        # exp would overflow: the gain of the likeliest node goes to the logarithm.
        top = gain.max(axis=2)
        top[np.maximum(top, -gain.min(axis=2)) <= _MOST_GAIN] = 0.0
        gain -= top[:, :, None]
        logs += top
        np.maximum(gain, _LEAST, out=gain)
    sums *= np.exp(gain, out=gain)
    sums.view(np.int64)[:] &= _DIGITS
    totals = over_nodes(sums)
    if totals.max() > _FAR or totals.min() < 1 / _FAR:
        # Far from 1: divide by the nearest power of two, which loses no digit.
        moved = np.where((totals > _FAR) | (totals < 1 / _FAR), np.exp2(np.round(np.log2(totals))), 1.0)
        sums /= moved[:, :, None]
        logs += np.log(moved)
        totals /= moved
    np.maximum(sums, FORGOTTEN, out=sums)
    return totals


def over_nodes(sums: Floats) -> Floats:
    """Sums along the last axis, which is short: one product with ones takes a fraction of the time."""
    totals: Floats = (sums.reshape(-1, sums.shape[-1]) @ np.ones(sums.shape[-1])).reshape(sums.shape[:-1])
    return totals


def shortened(numbers: Floats | ShortFloats, bits: int) -> Floats | ShortFloats:
    """Positive numbers with so many bits of their fraction, rounded; short ones (float32) stay short."""
    fraction, whole = (_FRACTION, np.int64) if numbers.dtype == np.float64 else (_SHORT_FRACTION, np.int32)
    left = 1 << max(fraction - bits, 0)
    rounded = np.ascontiguousarray(numbers).view(whole) + left // 2
    short: Floats | ShortFloats = np.bitwise_and(rounded, -left).view(numbers.dtype)
    return short
