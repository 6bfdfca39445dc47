"""Which places have changed of late, beside what they do for good: told from the look that is judged, and fading sums.

A zone that becomes half as slow again within one look is several times as much as convicts a canary in it. So that look
has to count, and so have longer windows, which tell less at once and more surely.
"""

import numpy as np

from rollout.judge.model.onset_prior import Floats

SURE = 16.0
"""z^2 of a change that is sure."""

DOUBT = 6.0
"""z^2 of one that is none: about the largest of twenty that mean nothing. In between a change counts in part, by James
and Stein's 1 - c / z^2, and in full once it is sure: what is left of it in each look would add up."""

LEAST = 0.05
"""Least rate of a place, over what is expected; a sum of scores may be negative."""


def recent_shift(windows: Floats, effects: Floats, noise: Floats, clumps: Floats) -> tuple[Floats, Floats]:
    """Log ratio by which each place has changed, and its variance; each of shape (k, places).

    Of each place the shortest window that is sure is taken, else the surest.

    Args:
        windows: failures and sizes of stable by place in windows, the shortest first, shape (k, windows, 2, places).
        effects: rates of the places for good, in proportion, shape (k, places).
        noise: variance of the log rate of a place by the pods that happen to be there, shape (k, places).
        clumps: how many failures come together, shape (k,).
    """
    failed, size = windows.transpose(2, 0, 1, 3)
    weighed = size * effects[:, None]
    expected = weighed * (failed.sum(axis=2) / np.maximum(weighed.sum(axis=2), 1e-300))[:, :, None]
    ratio = np.divide(failed, expected, out=np.ones(failed.shape), where=expected > 0)
    logs = np.log(np.maximum(ratio, LEAST))
    error = clumps[:, None, None] / np.maximum(expected, 0.5) + noise[:, None]
    squares = logs**2 / error
    sure = squares >= SURE
    chosen = np.where(sure.any(axis=1), sure.argmax(axis=1), squares.argmax(axis=1))[:, None]
    log, square, variance = (np.take_along_axis(each, chosen, axis=1)[:, 0] for each in (logs, squares, error))
    worth = np.clip((1 - DOUBT / np.maximum(square, 1e-300)) / (1 - DOUBT / SURE), 0.0, 1.0)
    return log * worth, np.where(worth > 0, variance, 0.0)
