"""Momentary values that should not grow: memory, CPU, lag. Does the canary's drift away from stable's?

Values are averaged over blocks of 15 s and put on a scale without units,

    z = log((v + s) / (m + s)),   m the mean of stable's pods now, s half of their mean so far,

so that what all pods share (load, time of day) is gone and zeros do no harm. Around its level a healthy pod's z is an
AR(1) process with Student innovations that stable's pods teach, each held against the mean of the others
(`baseline.gauge_noise`). What matters less than the tolerance, or is a grain of the scraper's, is no news. Where the
canary begins is unknown, and so is its path (`model.gauge_paths`). With L the likelihood of the blocks,

    E = sum over first positions and faults of w L(position, fault) / the same over healthy paths

Positions are integrated out because a level estimated from the first minutes gives ten times too many false alarms.
Pods are left out for their first two minutes. Where the requests for each pod change, a value that follows them is at
another level: the canary's is then unknown anew, and what was proven before counts half.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rollout.judge.baseline.gauge_noise import (
    LEAST,
    GaugeNoise,
    finer,
    gauge_noise,
    learn,
    log_density,
    missing_blocks,
    relative,
)
from rollout.judge.data.batch import MOST_PODS
from rollout.judge.evidence.gauge_drift import drift_of, with_block
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.gauge_paths import (
    AT_START,
    EXCLUDED_SLOPE,
    FAULTS,
    HEALTHY,
    ONSETS,
    SHIFTS,
    SLOPES,
    fault_paths,
    first_positions,
    healthy_paths,
    highest_healthy,
    log_priors,
    log_total,
    with_another_level,
)
from rollout.judge.model.onset_prior import Floats

SETTLED_SECONDS = 120.0
"""Age from which on a pod's values count."""

SAME_LOAD = 1.25
"""Factor by which the requests for each pod, the canary's over stable's, may change without a new level."""

RESTING_BLOCKS = 4
"""So long a gauge settles after that."""

_NEW = frozenset({"newest", "grain", "load", "judged_load", "earned", "resting", "line"})
"""Fields that no older judge has saved."""

_LEAST_RISE = 0.02  # of z, which is about 3 % of the value: nobody tolerates less


@dataclass(slots=True)
class Gauge:
    """One gauge: what stable teaches, and the evidence against the canary.

    Attributes:
        tolerance: ratio of the canary's level to stable's that is accepted.
        pods: slots of stable's pods by name.
        taught: what each slot has taught, as `baseline.gauge_noise` reads it, shape (MOST_PODS, 7).
        mean: sum of stable's block means, and their number.
        open_since: when the present block began; minus infinity before the first value.
        sums: of values in the present block, and their number, by slot and last the canary, shape (MOST_PODS + 1, 2).
        shown: values of the canary and of stable's mean pod in the last block that had both.
        began: time of the canary's first judged block; minus infinity before it.
        last: time and z of the canary's last judged block.
        fixed: AR coefficient, innovation scale and s, from the first judged block on.
        levels: grid of the canary's first z, shape (levels,).
        weights: log prior of another level, shape (1, levels); empty where none is expected.
        log_healthy: log of prior times likelihood, shape (levels, HEALTHY).
        log_fault: the same of faults, shape (levels, FAULTS, ONSETS).
        newest: the last value of each slot; NaN before the first, shape (MOST_PODS,).
        grain: smallest change of a value; infinite before the first.
        load: requests of a canary pod over those of a stable pod; 0 where nobody knows.
        judged_load: the same when judging began.
        earned: log evidence from before the load changed.
        resting: blocks to be left out.
        line: of the canary's judged blocks, as `gauge_drift` has it, shape (6,).
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
    log_fault: Floats = field(default_factory=lambda: np.zeros((0, FAULTS, ONSETS.size)))
    newest: Floats = field(default_factory=lambda: np.full(MOST_PODS, np.nan))
    grain: float = math.inf
    load: float = 0.0
    judged_load: float = 0.0
    earned: float = 0.0
    resting: int = 0
    line: Floats = field(default_factory=lambda: np.zeros(6))

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Gauge":
        """A gauge from what was saved; what an older judge held against the canary is left out.

        Raises:
            TypeError: it is something else.
        """
        plain: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in state.items()}
        found = cls(**plain)
        return found if found.log_healthy.shape in {(0,), (found.levels.size, HEALTHY)} else found._anew()

    def saved(self) -> dict[str, Any]:
        """Its fields as JSON values and arrays; what no older judge had only where it says something."""
        fresh = asdict(Gauge(self.tolerance))
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in _NEW or not np.array_equal(value, fresh[key], equal_nan=True)
        }

    def under(self, tolerance: float) -> "Gauge":
        """The same under another tolerance: what stable taught stays, evidence under the old one goes."""
        return self if tolerance == self.tolerance else self._anew(tolerance)

    def see(self, at: float, canary: Sequence[float], stable: Mapping[str, float], load: float = 0.0) -> bool:
        """Take in a look's values.

        Args:
            at: its time.
            canary: values of the canary's pods.
            stable: values of stable's pods by name.
            load: requests of a canary pod over those of a stable pod; 0 where nobody knows.

        Returns:
            Whether a block was closed that had a value of the canary.
        """
        if self.open_since == -math.inf:
            self.open_since = at
        self.load = load or self.load
        for name, value in stable.items():
            if len(self.pods) < MOST_PODS:
                self.pods.setdefault(name, len(self.pods))
            if name in self.pods:
                slot = self.pods[name]
                self.grain = finer(self.grain, float(self.newest[slot]), value)
                self.newest[slot] = value
                self.sums[slot] += value, 1.0
        if canary:
            self.sums[-1] += sum(canary) / len(canary), 1.0
        if at - self.open_since < BLOCK_SECONDS * 0.99:
            return False
        judged = self._close(at)
        self.open_since = at
        self.sums = np.zeros((MOST_PODS + 1, 2))
        return judged

    @property
    def is_judged(self) -> bool:
        """Whether it is known what is usual."""
        return self.levels.size > 0

    @property
    def levels_shown(self) -> tuple[float | None, float | None]:
        """Values of the canary and of stable's mean pod in the last block that had both; None before any."""
        return self.shown if self.is_judged or self.shown != (0.0, 0.0) else (None, None)

    @property
    def missing_blocks(self) -> int:
        """Blocks that stable has yet to show before anything can be judged."""
        return 0 if self.is_judged else missing_blocks(self.taught)

    @property
    def drift(self) -> tuple[float, float] | None:
        """What the canary's value gains on stable's in an hour, as a part of stable's, and the standard error of that.

        None where it is not more than chance.
        """
        found = drift_of(self.line, self.fixed[0]) if self.is_judged else None
        to_value = 60 * (self.shown[0] + self.fixed[2]) / max(self.shown[1], 1e-12)
        return None if found is None else (found[0] * to_value, found[1] * to_value)

    def log_e(self) -> float:
        """Natural logarithm of the evidence against the canary; what it was learned from makes it no e-process."""
        if not self.levels.size:
            return self.earned
        return self.earned + log_total(self.log_fault) - log_total(self.log_healthy)

    def log_e_good(self) -> float:
        """The same of the evidence against growth that promotion excludes, and shifts."""
        if not self.levels.size:
            return 0.0
        # The roles swapped, against the likeliest fault that is excluded: each by itself, and there from the start on.
        excluded = np.concatenate([SLOPES >= EXCLUDED_SLOPE, np.ones(SHIFTS.size, dtype=np.bool_)])
        worst = np.logaddexp.reduce(self.log_fault[:, :, 0], axis=0) - math.log(AT_START / FAULTS)
        return log_total(self.log_healthy) - float(worst[excluded].max())

    def _anew(self, tolerance: float | None = None) -> "Gauge":
        """The same without any evidence."""
        kept = (self.pods, self.taught, self.mean, self.open_since, self.sums, self.shown)
        again = Gauge(self.tolerance if tolerance is None else tolerance, *kept)
        again.newest, again.grain, again.load = self.newest, self.grain, self.load
        return again

    def _close(self, at: float) -> bool:
        seen = self.sums[:-1, 1] > 0
        if not seen.any():
            return False
        values = self.sums[:-1, 0] / np.maximum(self.sums[:-1, 1], 1.0)
        mean = float(values[seen].mean())
        if self.began == -math.inf:
            self.mean = (self.mean[0] + mean, self.mean[1] + 1)
        usual = self.mean[0] / self.mean[1]
        self._follow_load()
        scale = self.fixed[2] if self.levels.size else 0.5 * usual
        judged = bool(self.sums[-1, 1] > 0) and self._bet(at, mean, scale)
        pods = int(seen.sum())
        others = (mean * pods - values) / (pods - 1) if pods > 1 else np.full(values.size, usual)
        slots = np.flatnonzero(seen)
        learn(self.taught, slots, relative(values, others, scale)[slots])
        return judged

    def _follow_load(self) -> None:
        """Let the canary's level be unknown anew where the requests for each pod have changed."""
        if not self.levels.size or self.load == 0:
            return
        if self.judged_load == 0:
            self.judged_load = self.load
        if abs(math.log(self.load / self.judged_load)) > math.log(SAME_LOAD):
            # The mean of an e-process and 1 is one as well: what was proven for the canary is not held up to it.
            self.earned = float(np.logaddexp(self.log_e(), 0.0)) - math.log(2)
            fresh = Gauge()
            for name in ("began", "last", "levels", "line", "weights", "log_healthy", "log_fault"):
                setattr(self, name, getattr(fresh, name))
            self.resting = RESTING_BLOCKS

    def _bet(self, at: float, mean: float, scale: float) -> bool:
        """Take in the canary's block; whether it was judged."""
        value = float(self.sums[-1, 0] / self.sums[-1, 1])
        self.shown = (value, mean)
        now = float(relative(np.array(value), np.array(mean), scale))
        if not self.levels.size and not self._begin(at, now, mean, scale):
            return False
        # What is left of the block before after `gap` blocks, and how wide the innovations of all of them are.
        coefficient, spread, _ = self.fixed
        gap = 1 if self.last[0] == -math.inf else max(round((at - self.last[0]) / BLOCK_SECONDS), 1)
        carried = 0.0 if self.last[0] == -math.inf else coefficient**gap
        width = spread * math.sqrt((1 - carried**2) / (1 - coefficient**2))
        minutes = (at - self.began) / 60
        earlier = minutes - gap * BLOCK_SECONDS / 60
        # Likelihood of z given the block before: z - first position - path is AR(1).
        drift = now - carried * self.last[1] - (1 - carried) * self.levels
        added = healthy_paths(minutes, self.levels) - carried * healthy_paths(earlier, self.levels)
        self.log_healthy = self.log_healthy + log_density(drift[:, None] - added, width)
        if self.weights.size:
            self.log_healthy[:, 0] = with_another_level(self.log_healthy[:, 0], self.weights[0])
        added = fault_paths(minutes, self.levels) - carried * fault_paths(earlier, self.levels)
        self.log_fault = self.log_fault + log_density(drift[:, None, None] - added, width)
        self.last = (at, now)
        self.line = with_block(self.line, minutes, now)
        return True

    def _begin(self, at: float, now: float, mean: float, scale: float) -> bool:
        """Fix what stable has taught; False while that is too little."""
        if self.missing_blocks or self.resting:
            self.resting = max(self.resting - 1, 0)
            return False
        more = max(math.log((self.tolerance + 0.5) / 1.5), _LEAST_RISE)
        grain = 0.0 if self.grain == math.inf else self.grain / 2 / (mean + scale + 1e-12)
        noise: GaugeNoise = gauge_noise(self.taught, max(LEAST * more, min(grain, more)))
        follows = 0.0 if self.load == 0 else float(relative(np.array(self.load * mean), np.array(mean), scale))
        highest = highest_healthy(noise.tau, more, follows)
        self.levels = first_positions(now, noise.deviation, noise.step, highest)
        self.log_healthy, self.log_fault = log_priors(self.levels, noise.tau, noise.pods, more, follows)
        if noise.steady:
            tolerated = np.where(self.levels <= max(more, follows), self.log_healthy[:, 0], -np.inf)
            self.weights = tolerated[None] - np.logaddexp.reduce(tolerated)
        self.fixed, self.began, self.judged_load = (noise.coefficient, noise.spread, scale), at, self.load
        return True
