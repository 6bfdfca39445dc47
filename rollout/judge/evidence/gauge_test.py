"""Momentary values that should not grow: memory, CPU, lag. Does the canary's drift away from stable's?

Values are averaged over blocks of 15 s and put on a scale without units,

    z = log((v + s) / (m + s)),   m the mean of stable's pods now, s half of their mean so far,

so that what all pods share (load, time of day) is gone and zeros do no harm. Around its level a healthy pod's z is an
AR(1) process with Student innovations (5 degrees of freedom) whose coefficient and scale stable's pods teach, each held
against the mean of the others. The level of the canary's pods is unknown: near those of stable's pods (Student), up to
the ratio that policy tolerates, or lower. With L the likelihood of the blocks,

    E = sum over levels and faults of w L(level, fault) / sum over levels of w L(level)

Faults are slopes from any level and shifts from those near stable's, both from an unknown onset. The level is
integrated out because a level estimated from the first minutes gives ten times too many false alarms. Pods are left out
of it for their first two minutes, in which healthy ones fill their caches.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import t as student

from rollout.judge.data.batch import MOST_PODS
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.onset_prior import Floats, Indices, log_of

SETTLED_SECONDS = 120.0
"""Age from which on a pod's values count."""

ENOUGH_BLOCKS = 60
"""Pairs of neighbouring blocks of stable's pods before anything is judged."""

SLOPES: Floats = np.array([0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.025, 0.05])
"""Growth of z in a minute that is a fault."""

SHIFTS: Floats = np.log([1.5, 2.0, 4.0, 8.0])
"""Rise of z, beyond what is tolerated, that is a fault."""

ONSETS: Floats = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 25.0])
"""Minutes at which a fault may begin."""

EXCLUDED_SLOPE = 0.025
"""Growth of z in a minute that promotion excludes, as it does any shift."""

PRIOR_SPREAD = 0.1
"""Standard deviation of z between healthy pods, worth two pods."""

_DEGREES = 5.0
_BLOCKS, _SUM, _SQUARES, _PRODUCTS, _LATER, _FORMER, _LAST = range(7)
"""Columns of what is taught by each slot."""

_LOWEST, _MOST_LEVELS = 1.0, 120
_NEAR = 0.7
_AT_START = 0.5


@dataclass(slots=True)
class Gauge:
    """One gauge: what stable teaches, and the evidence against the canary.

    Attributes:
        tolerance: ratio of the canary's level to stable's that is accepted.
        pods: slots of stable's pods by name.
        taught: by slot: blocks, sums of z, of z squared, of z times the z before, of all z but the first, of all but
            the last, and the last z, shape (MOST_PODS, 7).
        mean: sum of stable's block means, and their number.
        open_since: when the present block began; minus infinity before the first value.
        sums: of values in the present block, and their number, by slot and last the canary, shape (MOST_PODS + 1, 2).
        shown: values of the canary and of stable's mean pod in the last block that had both.
        began: time of the canary's first judged block; minus infinity before it.
        last: time and z of the canary's last judged block.
        fixed: AR coefficient, innovation scale and s, from the first judged block on.
        levels: grid of the canary's level, shape (levels,).
        weights: prior weights of the levels, and of those near stable's alone, shape (2, levels).
        log_healthy: log likelihoods without a fault, shape (levels,).
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
    weights: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    log_healthy: Floats = field(default_factory=lambda: np.zeros(0))
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

    def under(self, tolerance: float) -> "Gauge":
        """The same under another tolerance: what stable taught stays, evidence under the old one goes."""
        if tolerance == self.tolerance:
            return self
        return Gauge(tolerance, self.pods, self.taught, self.mean, self.open_since, self.sums, self.shown)

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
        # E = sum over levels, faults and onsets of w L(level, fault) / sum over levels of w L(level).
        faults = self.log_fault + self._fault_prior()[:, :, None] + _ONSET_PRIOR
        return float(np.logaddexp.reduce(faults.ravel()) - self._healthy())

    def log_e_good(self) -> float:
        """Natural logarithm of the evidence against growth that promotion excludes, and shifts."""
        if not self.levels.size:
            return 0.0
        # The same with the roles swapped: against the likeliest fault that is excluded, one of so many.
        excluded = np.concatenate([SLOPES >= EXCLUDED_SLOPE, np.ones(SHIFTS.size, dtype=np.bool_)])
        worst = self.log_fault[:, :, 0] + self._fault_prior()
        return float(self._healthy() - np.logaddexp.reduce(worst, axis=0)[excluded].max()) - math.log(
            SLOPES.size + SHIFTS.size
        )

    def _fault_prior(self) -> Floats:
        """Log weights of levels and faults, shape (levels, faults)."""
        anywhere, near = log_of(self.weights)
        kinds = [anywhere] * SLOPES.size + [near] * SHIFTS.size
        return np.stack(kinds, axis=1) - math.log(len(kinds))

    def _healthy(self) -> float:
        return float(np.logaddexp.reduce(self.log_healthy + log_of(self.weights[0])))

    def _close(self, at: float) -> bool:
        seen = self.sums[:-1, 1] > 0
        if not seen.any():
            return False
        values = self.sums[:-1, 0] / np.maximum(self.sums[:-1, 1], 1.0)
        mean = float(values[seen].mean())
        if self.began == -math.inf:
            self.mean = (self.mean[0] + mean, self.mean[1] + 1)
        usual = self.mean[0] / self.mean[1]
        scale = self.fixed[2] if self.levels.size else 0.5 * usual
        judged = bool(self.sums[-1, 1] > 0) and self._bet(at, mean, scale)
        pods = int(seen.sum())
        others = (mean * pods - values) / (pods - 1) if pods > 1 else np.full(values.size, usual)
        self._learn(np.flatnonzero(seen), _relative(values, others, scale))
        return judged

    def _learn(self, slots: Indices, relative: Floats) -> None:
        taught = self.taught[slots]
        now, again = relative[slots], taught[:, _BLOCKS] > 0
        before = np.where(again, taught[:, _LAST], 0.0)
        taught[:, _PRODUCTS] += now * before
        taught[:, _LATER] += np.where(again, now, 0.0)
        taught[:, _FORMER] += before
        taught[:, _BLOCKS] += 1
        taught[:, _SUM] += now
        taught[:, _SQUARES] += now**2
        taught[:, _LAST] = now
        self.taught[slots] = taught

    def _bet(self, at: float, mean: float, scale: float) -> bool:
        """Take in the canary's block; whether it was judged."""
        value = float(self.sums[-1, 0] / self.sums[-1, 1])
        self.shown = (value, mean)
        now = float(_relative(np.array(value), np.array(mean), scale))
        if not self.levels.size and not self._begin(at, scale):
            return False
        # What is left of the block before after `gap` blocks, and how wide the innovations of all of them are.
        coefficient, spread, _ = self.fixed
        gap = 1 if self.last[0] == -math.inf else max(round((at - self.last[0]) / BLOCK_SECONDS), 1)
        carried = 0.0 if self.last[0] == -math.inf else coefficient**gap
        width = spread * math.sqrt((1 - carried**2) / (1 - coefficient**2))
        minutes = (at - self.began) / 60
        earlier = minutes - gap * BLOCK_SECONDS / 60
        # Likelihood of z given the block before: z - level - fault is AR(1).
        drift = now - carried * self.last[1]
        kept = (1 - carried) * self.levels
        self.log_healthy = self.log_healthy + _log_density(drift - kept, width)
        added = _fault(minutes) - carried * _fault(earlier)
        self.log_fault = self.log_fault + _log_density(drift - kept[:, None, None] - added, width)
        self.last = (at, now)
        return True

    def _begin(self, at: float, scale: float) -> bool:
        """Fix what stable has taught; False while that is too little."""
        taught = self.taught[self.taught[:, _BLOCKS] >= 4]  # noqa: PLR2004 - fewer blocks show no correlation
        if (taught[:, _BLOCKS] - 1).sum() < ENOUGH_BLOCKS:
            return False
        number, total, squares, products, later, former = taught[:, :_LAST].T
        # Each pod around its own level: squares, and products of neighbouring blocks. Their ratio is the coefficient.
        level = total / number
        around = np.maximum(squares - number * level**2, 1e-12)
        lagged = products - level * (later + former) + (number - 1) * level**2
        # A level estimated from few blocks makes the coefficient too small by about one over their number.
        coefficient = min(max(float(lagged.sum() / around.sum()) + 1 / float(number.mean()), 0.0), 0.995)
        # Innovations of an AR(1) process have the part 1 - coefficient^2 of the variance.
        variance = float(around.sum() / (number - 1).sum()) * (1 - coefficient**2)
        pods = number.size
        if pods == 1:  # it was held against itself, the canary is held against it: twice the chance
            variance *= 2
        # The scale of Student innovations with that variance.
        spread = math.sqrt(max(variance * (_DEGREES - 2) / _DEGREES, 1e-8))
        between = float(np.var(level, ddof=1)) if pods > 1 else 0.0
        # Tau of the pods' levels, with a prior worth two pods, for one more pod beside them.
        tau = math.sqrt(((pods - 1) * between + 2 * PRIOR_SPREAD**2) / (pods + 1)) * math.sqrt(1 + 1 / pods)
        # The grid of levels: from -1 to 6 tau beyond what is tolerated, in steps that the blocks can just tell apart.
        more = math.log((self.tolerance + 0.5) / 1.5)
        known = math.sqrt(variance) * min(1 / math.sqrt(1 - coefficient**2), 0.1 / (1 - coefficient))
        step = max(known, (_LOWEST + more + 6 * tau) / _MOST_LEVELS)
        self.levels = np.arange(-_LOWEST, more + 6 * tau, step)
        # Prior of the level: near stable's pods, anywhere that is tolerated, or lower.
        near = student.pdf(self.levels / tau, pods + 1)
        tolerated = ((self.levels >= 0) & (self.levels <= more + step)).astype(float)
        lower = (self.levels < 0).astype(float)
        near, tolerated, lower = (each / max(each.sum(), 1e-300) for each in (near, tolerated, lower))
        self.weights = np.stack([_NEAR * near + (1 - _NEAR) / 2 * (tolerated + lower), near])
        self.log_healthy = np.zeros(self.levels.size)
        self.log_fault = np.zeros((self.levels.size, SLOPES.size + SHIFTS.size, ONSETS.size))
        self.fixed, self.began = (coefficient, spread, scale), at
        return True


_ONSET_WEIGHTS: Floats = np.array([_AT_START, *[(1 - _AT_START) / (ONSETS.size - 1)] * (ONSETS.size - 1)])
_ONSET_PRIOR: Floats = np.log(_ONSET_WEIGHTS)


def _relative(values: Floats, reference: Floats, scale: float) -> Floats:
    """The z of values against a reference."""
    return np.log((np.maximum(values, 0.0) + scale + 1e-12) / (np.maximum(reference, 0.0) + scale + 1e-12))


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
