"""Momentary values that should not grow: memory, CPU, lag. Does the canary's drift away from stable's?

Values are averaged over blocks of 15 s and put on a scale without units,

    z = log((v + s) / (m + s)),   m the mean of stable's pods now, s half of their mean so far,

so that what all pods share (load, time of day) is gone and zeros do no harm. Around its level a healthy pod's z is an
AR(1) process with Student innovations (5 degrees of freedom) whose coefficient and scale stable's pods teach. The level
of the canary's pods is unknown: a Student prior from the levels of stable's pods, the ratio that policy tolerates, and
lower levels. With L the likelihood of the blocks,

    E = sum over levels and faults of w L(level, fault) / sum over levels and healthy starts of w L(level, start)

Faults are slopes and shifts from an unknown onset; a healthy start may fill a cache for some minutes. The level is
integrated out because a level estimated from the first minutes gives ten times too many false alarms.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import t as student

from rollout.judge.batch import MOST_PODS
from rollout.judge.onset import Floats, log_of

BLOCK_SECONDS = 15.0
"""Length of a block: values within it are hardly independent."""

ENOUGH_BLOCKS = 60
"""Pairs of neighbouring blocks of stable's pods before anything is judged."""

SLOPES: Floats = np.array([0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.025, 0.05])
"""Growth of z in a minute that is a fault."""

SHIFTS: Floats = np.log([1.5, 2.0, 4.0, 8.0])
"""Rise of z, beyond what is tolerated, that is a fault."""

ONSETS: Floats = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 25.0])
"""Minutes at which a fault may begin."""

GROSS_SLOPE = 0.025
"""Growth of z in a minute that promotion excludes, as it does any shift."""

PRIOR_SPREAD = 0.1
"""Standard deviation of z between healthy pods, worth two pods."""

_DEGREES = 5.0
_QUANTILES: Floats = (np.arange(15) + 0.5) / 15
_LOWER: Floats = np.array([-0.2, -0.4, -0.8])
_FILLING = (0.1, 3.0)  # a healthy start's growth of z, and the minutes in which most of it happens
_FILLS = 0.2
_AT_START = 0.5


@dataclass(slots=True)
class Gauge:
    """One gauge: what stable teaches, and the evidence against the canary.

    Attributes:
        tolerance: ratio of the canary's level to stable's that is accepted.
        pods: places of stable's pods by name.
        taught: by place: blocks, sums of z, of z squared, of z times the z before, of all z but the first, of all but
            the last, and the last z, shape (MOST_PODS, 7).
        mean: sum of stable's block means, and their number.
        open_since: when the present block began; minus infinity before the first value.
        sums: of values in the present block, and their number, by place and last the canary, shape (MOST_PODS + 1, 2).
        shown: values of the canary and of stable's mean pod in the last block that had both.
        began: time of the canary's first judged block; minus infinity before it.
        last: time and z of the canary's last judged block.
        fixed: AR coefficient, innovation scale and s, from the first judged block on.
        levels: nodes of the canary's level, shape (levels,).
        weights: their prior weights, shape (levels,).
        log_healthy: log likelihoods, shape (levels, 2): flat, and with a filling cache.
        log_fault: log likelihoods, shape (levels, faults, onsets).
    """

    tolerance: float = 1.0
    pods: dict[str, int] = field(default_factory=dict)
    taught: Floats = field(default_factory=lambda: np.zeros((MOST_PODS, 7)))
    mean: tuple[float, int] = (0.0, 0)
    open_since: float = -math.inf
    sums: Floats = field(default_factory=lambda: np.zeros((MOST_PODS + 1, 2)))
    shown: tuple[float, float] = (0.0, 0.0)
    began: float = -math.inf
    last: tuple[float, float] = (-math.inf, 0.0)
    fixed: tuple[float, float, float] = (0.0, 0.0, 0.0)
    levels: Floats = field(default_factory=lambda: np.zeros(0))
    weights: Floats = field(default_factory=lambda: np.zeros(0))
    log_healthy: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    log_fault: Floats = field(default_factory=lambda: np.zeros((0, SLOPES.size + SHIFTS.size, ONSETS.size)))

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Gauge":
        """A gauge from its fields as JSON and arrays.

        Raises:
            TypeError: they are others.
        """
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in state.items()
        }
        return cls(**fields)

    def see(self, at: float, canary: Sequence[float], stable: Mapping[str, float]) -> bool:
        """Take in a look's values.

        Args:
            at: its time.
            canary: values of the canary's pods.
            stable: values of stable's pods by name.

        Returns:
            Whether a block was closed that had a value of the canary.
        """
        if self.open_since == -math.inf:
            self.open_since = at
        for name, value in stable.items():
            if len(self.pods) < MOST_PODS:
                self.pods.setdefault(name, len(self.pods))
            if name in self.pods:
                self.sums[self.pods[name]] += value, 1.0
        if canary:
            self.sums[-1] += sum(canary) / len(canary), 1.0
        if at - self.open_since < BLOCK_SECONDS * 0.99:
            return False
        judged = self._close(at)
        self.open_since = at
        self.sums = np.zeros((MOST_PODS + 1, 2))
        return judged

    def log_e(self) -> float:
        """Natural logarithm of the e-process against the canary."""
        if not self.levels.size:
            return 0.0
        prior = log_of(self.weights)[:, None, None] + _FAULT_PRIOR
        return float(np.logaddexp.reduce((self.log_fault + prior).ravel()) - self._healthy())

    def log_e_good(self) -> float:
        """Natural logarithm of the evidence against gross growth and shifts."""
        if not self.levels.size:
            return 0.0
        gross = np.concatenate([SLOPES >= GROSS_SLOPE, np.ones(SHIFTS.size, dtype=np.bool_)])
        worst = self.log_fault[:, gross, 0] + log_of(self.weights)[:, None]
        return float(self._healthy() - np.logaddexp.reduce(worst, axis=0).max())

    def _healthy(self) -> float:
        prior = log_of(self.weights)[:, None] + np.log([1 - _FILLS, _FILLS])
        return float(np.logaddexp.reduce((self.log_healthy + prior).ravel()))

    def _close(self, at: float) -> bool:
        seen = self.sums[:-1, 1] > 0
        if not seen.any():
            return False
        values = self.sums[:-1, 0] / np.maximum(self.sums[:-1, 1], 1.0)
        mean = float(values[seen].mean())
        if self.began == -math.inf:
            self.mean = (self.mean[0] + mean, self.mean[1] + 1)
        scale = self.fixed[2] if self.levels.size else 0.5 * self.mean[0] / self.mean[1]
        ratio = np.log((np.maximum(values, 0.0) + scale + 1e-12) / (mean + scale + 1e-12))
        judged = self.sums[-1, 1] > 0 and self._bet(at, mean, scale)
        self._learn(np.flatnonzero(seen), ratio)
        return judged

    def _learn(self, places: Sequence[int] | np.ndarray, ratio: Floats) -> None:
        told = self.taught[places]
        now, again = ratio[places], told[:, 0] > 0
        before = np.where(again, told[:, 6], 0.0)
        told[:, 3] += now * before
        told[:, 4] += np.where(again, now, 0.0)
        told[:, 5] += before
        told[:, 0] += 1
        told[:, 1] += now
        told[:, 2] += now**2
        told[:, 6] = now
        self.taught[places] = told

    def _bet(self, at: float, mean: float, scale: float) -> bool:
        """Take in the canary's block; whether it was judged."""
        value = float(self.sums[-1, 0] / self.sums[-1, 1])
        self.shown = (value, mean)
        now = math.log((max(value, 0.0) + scale + 1e-12) / (mean + scale + 1e-12))
        if not self.levels.size and not self._begin(at, scale):
            return False
        coefficient, spread, _ = self.fixed
        gap = 1 if self.last[0] == -math.inf else max(round((at - self.last[0]) / BLOCK_SECONDS), 1)
        carried = 0.0 if self.last[0] == -math.inf else coefficient**gap
        width = spread * math.sqrt((1 - carried**2) / (1 - coefficient**2))
        minutes = (at - self.began) / 60
        earlier = minutes - gap * BLOCK_SECONDS / 60
        own = self.levels[:, None]
        healthy = now - own - _filling(minutes) - carried * (self.last[1] - own - _filling(earlier))
        self.log_healthy = self.log_healthy + _log_density(healthy, width)
        own = self.levels[:, None, None]
        fault = now - own - _fault(minutes) - carried * (self.last[1] - own - _fault(earlier))
        self.log_fault = self.log_fault + _log_density(fault, width)
        self.last = (at, now)
        return True

    def _begin(self, at: float, scale: float) -> bool:
        """Fix what stable has taught; False while that is too little."""
        told = self.taught[self.taught[:, 0] >= 4]  # noqa: PLR2004 - fewer blocks show no correlation
        if (told[:, 0] - 1).sum() < ENOUGH_BLOCKS:
            return False
        number, total, squares, products, later, former = told[:, :6].T
        level = total / number
        around = np.maximum(squares - number * level**2, 1e-12)
        lagged = products - level * (later + former) + (number - 1) * level**2
        coefficient = min(max(float(lagged.sum() / around.sum()) + 1 / float(number.mean()), 0.0), 0.995)
        variance = float(around.sum() / (number - 1).sum()) * (1 - coefficient**2)
        spread = math.sqrt(max(variance * (_DEGREES - 2) / _DEGREES, 1e-8))
        pods = number.size
        between = float(np.var(level, ddof=1)) if pods > 1 else 0.0
        tau = math.sqrt(((pods - 1) * between + 2 * PRIOR_SPREAD**2) / (pods + 1))
        near = float(level.mean()) + tau * math.sqrt(1 + 1 / pods) * student.ppf(_QUANTILES, pods + 1)
        more = math.log((self.tolerance + 0.5) / 1.5)
        self.levels = np.concatenate([near, near[7] + more * np.array([0.5, 1.0]), near[7] + _LOWER])
        self.weights = np.concatenate([np.full(15, 0.85 / 15), np.full(5, 0.03)])
        self.log_healthy = np.zeros((self.levels.size, 2))
        self.log_fault = np.zeros((self.levels.size, SLOPES.size + SHIFTS.size, ONSETS.size))
        self.fixed, self.began = (coefficient, spread, scale), at
        return True


_ONSET_WEIGHTS: Floats = np.array([_AT_START, *[(1 - _AT_START) / (ONSETS.size - 1)] * (ONSETS.size - 1)])
_FAULT_PRIOR: Floats = np.log(_ONSET_WEIGHTS)[None, :] - math.log(SLOPES.size + SHIFTS.size)


def _filling(minutes: float) -> Floats:
    """What healthy starts have added to z by now: nothing, or a cache's share; shape (2,)."""
    rise, pace = _FILLING
    return np.array([0.0, rise * (1 - math.exp(-max(minutes, 0.0) / pace))])


def _fault(minutes: float) -> Floats:
    """What faults have added to z by now, shape (faults, onsets)."""
    since = np.maximum(minutes - ONSETS, 0.0)
    begun = (minutes >= ONSETS) & (minutes >= 0)
    return np.concatenate([SLOPES[:, None] * since, SHIFTS[:, None] * begun])


def _log_density(innovation: Floats, width: float) -> Floats:
    """Log density of Student innovations with 5 degrees of freedom and a scale."""
    constant = gammaln((_DEGREES + 1) / 2) - gammaln(_DEGREES / 2) - 0.5 * math.log(_DEGREES * math.pi)
    found: Floats = constant - math.log(width) - (_DEGREES + 1) / 2 * np.log1p((innovation / width) ** 2 / _DEGREES)
    return found
