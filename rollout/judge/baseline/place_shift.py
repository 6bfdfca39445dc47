"""Which places have changed of late, beside what they do for good: told from the look that is judged, and fading sums.

A zone that becomes half as slow again within one look is several times as much as convicts a canary in it. So that look
has to count, and so have longer windows, which tell less at once and more surely.
"""

import numpy as np

from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.onset_prior import Bools, Floats, Indices

WINDOWS: Floats = np.array([0.0, 5.0, 20.0, 80.0, 320.0])
"""Seconds within which sums fade; the first is of the look alone."""

SURE = 16.0
"""z^2 of a change that is sure."""

DOUBT = 3.0
"""z^2 of one that is none; one window in twelve shows as much by chance. In between a change counts in part, by James
and Stein's 1 - c / z^2, and in full once it is sure: what is left of it in each look would add up."""

LEAST = 0.05
"""Least rate of a place, over what is expected; a sum of scores may be negative."""

_FEWEST = 0.5
"""Failures below which counting is taken to err as with so many."""


def recent_shift(
    windows: Floats, effects: Floats, noise: Floats, clumps: Floats, owner: Indices
) -> tuple[Floats, Floats, Bools]:
    """Log ratio by which each place has changed to stable as a whole, its variance, and where one surely has.

    Of each place the shortest window that is sure is taken, else the surest. Where one place surely changed, what all
    of them do now is taken in full, in all columns of the signal: few requests above a far edge are not held against
    what their place was either.

    Args:
        windows: failures and sizes of stable by place, shape (k, WINDOWS, 2, places).
        effects: rates of the places for good, in proportion, shape (k, places).
        noise: variance of the log rate of a place by the pods that happen to be there, shape (k, places).
        clumps: how many failures come together, at least 1, shape (k,).
        owner: signal of each column, ascending, shape (k,).

    Returns:
        Of shape (k, places), (k, places) and (k,). The variance is one of blocks that are noisy each on their own; what
        is wrong in a longer window is wrong in many, so it counts as often as there are blocks in two windows.
    """
    failed, size = windows.transpose(2, 0, 1, 3)
    weighed, clumps, noise = size * effects[:, None], clumps[:, None, None], noise[:, None]
    rate = failed.sum(axis=2) / np.maximum(weighed.sum(axis=2), 1e-300)
    expected = weighed * rate[:, :, None]
    squares = _squares(failed, expected, noise, clumps)
    sure = squares >= SURE
    chosen = np.where(sure.any(axis=1), sure.argmax(axis=1), squares.argmax(axis=1))
    at = np.arange(len(chosen))[:, None], chosen, np.arange(chosen.shape[1])
    failed, expected, square, clumps = failed[at], expected[at], squares[at], clumps[:, 0]
    # Beside a clump that came as expected: of few failures the logarithm is no measure.
    log = np.log((np.maximum(failed, LEAST * expected) + clumps) / (expected + clumps))
    error = clumps / np.maximum((failed + expected) / 2, _FEWEST) + noise[:, 0]
    error *= np.maximum(2 * WINDOWS[chosen] / BLOCK_SECONDS, 1.0)
    changed = _of_signal(square.max(axis=1), owner) >= SURE
    part = np.clip((1 - DOUBT / np.maximum(square, 1e-300)) / (1 - DOUBT / SURE), 0.0, 1.0)
    worth = np.where(changed[:, None], 1.0, part)
    return log * worth, np.where(worth > 0, error + ((1 - worth) * log) ** 2, 0.0), changed


def _squares(failed: Floats, expected: Floats, noise: Floats, clumps: Floats) -> Floats:
    """z^2 of failures against what is expected, given how many there are in all; shape (k, WINDOWS, places)."""
    others = 1 - expected / np.maximum(expected.sum(axis=2, keepdims=True), 1e-300)
    variance = clumps * np.maximum(expected, _FEWEST) * others + expected**2 * noise
    found: Floats = (failed - expected) ** 2 / np.maximum(variance, 1e-300)
    return found


def _of_signal(squares: Floats, owner: Indices) -> Floats:
    """The largest of the columns of a signal, in each of them; shape (k,)."""
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    found: Floats = np.repeat(np.maximum.reduceat(squares, starts), np.diff(starts, append=owner.size))
    return found
