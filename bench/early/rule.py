"""The rule of `components.model.exhaustion` on arrays, for more weeks than a Prometheus evaluates in an hour.

`bench/early_warning.py` asks a real Prometheus for the shipped expression on some of the same series, and tells at how
many of its steps the two differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d

from components.model.exhaustion import FLOOR, HOLD, PACES
from rollout.api.durations import seconds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.early.worlds import Floats
    from components.model.exhaustion import Pace

    Bools = NDArray[np.bool_]

DAY, WEEK = 1440, 7 * 1440
HOLD_MINUTES = round(seconds_of(HOLD) / 60)


def condition(used: Floats) -> Bools:
    """Where the warning's expression is true, minute by minute; shape kept."""
    found = np.logical_or.reduce([_grows(used, pace) for pace in PACES])
    found[:, : DAY + 1] = False
    return np.asarray(found)


def plain(used: Floats) -> Bools:
    """What everybody writes: `predict_linear(x[1h], 4h) > 1`."""
    window = 60
    mean = _windows(used, window)[0] / window
    with np.errstate(invalid="ignore"):
        found = mean + _slope(used, window) * ((window - 1) / 2 + 240) > 1
    found[:, : DAY + 1] = False
    return np.asarray(found)


def held(found: Bools, every: int = 1) -> Bools:
    """Where it has been true for as long as an alert's `for`; samples are ``every`` minutes apart."""
    steps = HOLD_MINUTES // every + 1
    count = np.cumsum(np.pad(found, ((0, 0), (1, 0))), axis=1)
    firing = np.zeros_like(found)
    firing[:, steps - 1 :] = count[:, steps:] - count[:, :-steps] == steps
    return firing


def alarms(firing: Bools) -> NDArray[np.int64]:
    """How often each series begins to fire."""
    return np.asarray((firing[:, 1:] & ~firing[:, :-1]).sum(axis=1))


def _grows(used: Floats, pace: Pace) -> Bools:
    window, ahead = pace.window * 60, pace.ahead * 60
    slope, highest = _slope(used, window), _later(_highest(used), 2 * window)
    with np.errstate(invalid="ignore"):
        soon = (used + ahead * slope > 1) & (used + ahead * _later(slope, window) > 1)
        return np.asarray(soon & (used > FLOOR) & (used > (1 - pace.margin) * highest + pace.margin))


def _later(values: Floats, minutes: int) -> Floats:
    return np.concatenate([np.full((values.shape[0], minutes), np.nan), values[:, :-minutes]], axis=1)


def _highest(used: Floats) -> Floats:
    """Of the week that ends here."""
    padded = np.pad(used, ((0, 0), (WEEK, 0)), constant_values=-np.inf)
    return np.asarray(maximum_filter1d(padded, WEEK, axis=1, origin=(WEEK - 1) // 2)[:, WEEK:])


def _windows(used: Floats, window: int) -> tuple[Floats, Floats]:
    """Sums of the values, and of the values times their minute, over the window that ends here; nan before."""
    found = []
    for values in (used, used * np.arange(used.shape[1])):
        sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
        empty = np.full((used.shape[0], window - 1), np.nan)
        found.append(np.concatenate([empty, sums[:, window:] - sums[:, :-window]], axis=1))
    return found[0], found[1]


def _slope(used: Floats, window: int) -> Floats:
    """Least squares over the window that ends here, a minute."""
    values, moments = _windows(used, window)
    middle = np.arange(used.shape[1]) - (window - 1) / 2
    return np.asarray((moments - middle * values) / (window * (window**2 - 1) / 12))
