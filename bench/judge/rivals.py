"""The rules others decide by, on the same looks: thresholds, a test repeated at each look, tests of fixed length.

Each is written from its documentation. They see sums of the arms (thresholds the canary alone), as their queries do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bench.judge.world import EDGES
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import OnsetPrior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.judge.world import Floats, Look

    Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Arms:
    """Sums of one arm since the last time they were emptied.

    Attributes:
        requests: shape (replicates,).
        failed: shape (replicates,).
        buckets: shape (replicates, edges + 1).
    """

    requests: Floats
    failed: Floats
    buckets: Floats

    @classmethod
    def empty(cls, replicates: int) -> Arms:
        """Nothing."""
        return cls(*np.zeros((2, replicates)), np.zeros((replicates, EDGES.size + 1)))

    def add(self, look: Look, pods: slice) -> None:
        """Add some pods of a look."""
        self.requests = self.requests + look.requests[:, pods].sum(axis=1)
        self.failed = self.failed + look.failed[:, pods].sum(axis=1)
        self.buckets = self.buckets + look.buckets[:, pods].sum(axis=1)

    def quantile(self, q: float) -> Floats:
        """As ``histogram_quantile`` computes it: linear within a bucket; NaN without requests."""
        above = np.cumsum(self.buckets, axis=1)
        total = above[:, -1]
        wanted = q * total
        at = np.minimum((above < wanted[:, None]).sum(axis=1), EDGES.size)
        low = np.where(at > 0, EDGES[np.maximum(at - 1, 0)], 0.0)
        high = np.where(at < EDGES.size, EDGES[np.minimum(at, EDGES.size - 1)], EDGES[-1])
        before = np.where(at > 0, np.take_along_axis(above, np.maximum(at - 1, 0)[:, None], 1)[:, 0], 0.0)
        inside = np.take_along_axis(self.buckets, at[:, None], 1)[:, 0]
        share = np.where(inside > 0, (wanted - before) / np.maximum(inside, 1e-9), 0.0)
        return np.where(total > 0, low + (high - low) * share, np.nan)


CANARY, STABLE = slice(-1, None), slice(0, -1)


@dataclass(slots=True)
class Threshold:
    """A rule on the canary's last interval: success share and, if asked for, p99; so many failed checks end it.

    Flagger counts failed checks in all and rolls back when they reach `threshold`; Argo Rollouts ends an analysis when
    failed measurements exceed `failureLimit`. Without requests Flagger's built-in checks fail for lack of values and
    Argo's are inconclusive; here both are given the benefit of the doubt.
    """

    name: str
    replicates: int
    least_success: float
    most_seconds: float | None
    failures: int
    every_seconds: float
    _arm: Arms = field(init=False)
    _failed: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._arm, self._failed = Arms.empty(self.replicates), np.zeros(self.replicates)

    def look(self, look: Look) -> Bools:
        """Take in a look; which replicates are convicted by now."""
        if not look.history:
            self._arm.add(look, CANARY)
            if look.at % self.every_seconds == 0:
                self._failed += self._bad()
                self._arm = Arms.empty(self.replicates)
        return np.asarray(self._failed >= self.failures)

    def _bad(self) -> Bools:
        some = self._arm.requests > 0
        bad = some & (self._arm.failed > (1 - self.least_success) * self._arm.requests)
        if self.most_seconds is None:
            return np.asarray(bad)
        return np.asarray(bad | (self._arm.quantile(0.99) > self.most_seconds))


@dataclass(slots=True)
class RepeatedZ:
    """A one-sided two-proportion z-test of the errors so far, and one of the requests over 250 ms, at each look."""

    name: str
    replicates: int
    alpha: float = 0.01
    _canary: Arms = field(init=False)
    _stable: Arms = field(init=False)
    _fired: Bools = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._canary, self._stable = Arms.empty(self.replicates), Arms.empty(self.replicates)
        self._fired = np.zeros(self.replicates, dtype=bool)

    def look(self, look: Look) -> Bools:
        """Take in a look; which replicates are convicted by now."""
        if not look.history:
            self._canary.add(look, CANARY)
            self._stable.add(look, STABLE)
            slow = EDGES.size - 5
            limit = -ndtri(self.alpha / 2)
            for canary, stable in (
                (self._canary.failed, self._stable.failed),
                (self._canary.buckets[:, slow:].sum(axis=1), self._stable.buckets[:, slow:].sum(axis=1)),
            ):
                self._fired |= self._z(canary, stable) > limit
        return self._fired

    def _z(self, canary: Floats, stable: Floats) -> Floats:
        n, m = np.maximum(self._canary.requests, 1), np.maximum(self._stable.requests, 1)
        pooled = (canary + stable) / (n + m)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n + 1 / m), 1e-12))
        enough = (canary + stable >= 5) & (canary >= 3)  # noqa: PLR2004 - below this nobody would call it normal
        return np.where(enough, (canary / n - stable / m) / deviation, 0.0)


@dataclass(slots=True)
class PlainE:
    """The ratio e-process as the literature has it, for errors and five latency edges: no pod effect, no tempering."""

    name: str
    replicates: int
    alpha: float = 0.01
    _test: RatioTest = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        steps = np.linspace(np.log(1.4), np.log(10), 12)
        rows = self.replicates * (1 + len(_PLAIN_EDGES))
        self._test = RatioTest(rows, OnsetPrior(1800.0), steps=steps, step_weights=np.ones(steps.size), nodes=1)

    def look(self, look: Look) -> Bools:
        """Take in a look; which replicates are convicted by now."""
        if not look.history:
            values = np.stack([self._counts(look, pods) for pods in (CANARY, STABLE)]).reshape(4, -1)
            counts = Counts(values, np.ones(values.shape[1], dtype=bool))
            seconds = np.repeat(look.seconds, 1 + len(_PLAIN_EDGES))
            ones = np.ones(values.shape[1])
            self._test.bet(counts, ones, seconds, ones < 1)
        log_e = self._test.log_e().reshape(self.replicates, -1)
        weights = np.array([2 / 3] + [1 / 3 / len(_PLAIN_EDGES)] * len(_PLAIN_EDGES))
        return np.asarray(np.logaddexp.reduce(log_e + np.log(weights), axis=1) >= -np.log(self.alpha))

    @staticmethod
    def _counts(look: Look, pods: slice) -> Floats:
        """Failures and sizes of an arm, shape (2, replicates x rows)."""
        requests = look.requests[:, pods].sum(axis=1)
        buckets = look.buckets[:, pods].sum(axis=1)
        slow = [buckets[:, at + 1 :].sum(axis=1) for at in _PLAIN_EDGES]
        failed = np.stack([look.failed[:, pods].sum(axis=1), *slow], axis=1)
        return np.stack([failed, np.repeat(requests[:, None], failed.shape[1], axis=1)]).reshape(2, -1)


_PLAIN_EDGES = (3, 4, 5, 7, 8)


@dataclass(slots=True)
class MannWhitney:
    """A rank test each five minutes on the series of all looks so far: error share, p50, p99 of canary and stable.

    As canary services do it: a metric is worse when the test says so at 2 % and its median is 10 % above stable's; a
    third of the metrics worse ends the release.
    """

    name: str
    replicates: int
    every_seconds: float = 300.0
    _series: list[Floats] = field(default_factory=list)
    _fired: Bools = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._fired = np.zeros(self.replicates, dtype=bool)

    def look(self, look: Look) -> Bools:
        """Take in a look; which replicates are convicted by now."""
        if look.history:
            return self._fired
        self._series.append(np.stack([self._metrics(look, pods) for pods in (CANARY, STABLE)]))
        if look.at % self.every_seconds == 0:
            series = np.stack(self._series)  # looks, arms, metrics, replicates
            worse = np.stack([self._worse(series[:, 0, at], series[:, 1, at]) for at in range(series.shape[2])])
            self._fired = self._fired | (worse.mean(axis=0) > 0.25)  # noqa: PLR2004 - one of three
        return self._fired

    def _metrics(self, look: Look, pods: slice) -> Floats:
        arm = Arms.empty(self.replicates)
        arm.add(look, pods)
        share = np.where(arm.requests > 0, arm.failed / np.maximum(arm.requests, 1), np.nan)
        return np.stack([share, arm.quantile(0.5), arm.quantile(0.99)])

    @staticmethod
    def _worse(canary: Floats, stable: Floats) -> Bools:
        known = np.isfinite(canary) & np.isfinite(stable)
        looks = known.sum(axis=0)
        above = np.where(known[:, None], canary[:, None] > stable[None], 0.0)
        ties = np.where(known[:, None], canary[:, None] == stable[None], 0.0)
        pairs = known[None] & np.ones_like(known)[:, None]
        u = ((above + ties / 2) * pairs).sum(axis=(0, 1))
        n = np.maximum(looks, 1)
        z = (u - n * n / 2) / np.sqrt(n * n * (2 * n + 1) / 12)
        with np.errstate(all="ignore"):
            higher = np.nanmedian(canary, axis=0) > 1.1 * np.nanmedian(stable, axis=0)
        return np.asarray((looks >= 5) & (z > -ndtri(0.02)) & higher)  # noqa: PLR2004 - fewer say nothing


def rivals(replicates: int) -> list[Threshold | RepeatedZ | PlainE | MannWhitney]:
    """All of them, fresh."""
    return [
        Threshold("Flagger 99 % and p99 500 ms, threshold 1", replicates, 0.99, 0.5, 1, 60.0),
        Threshold("Flagger 99 % and p99 500 ms, threshold 5", replicates, 0.99, 0.5, 5, 60.0),
        Threshold("Flagger 99 % and p99 500 ms, threshold 10", replicates, 0.99, 0.5, 10, 60.0),
        Threshold("Argo Rollouts 95 %, each 5 min, limit 3", replicates, 0.95, None, 4, 300.0),
        Threshold("Argo Rollouts 99 %, each minute, limit 3", replicates, 0.99, None, 4, 60.0),
        RepeatedZ("z-test at each look", replicates),
        MannWhitney("Mann-Whitney each 5 min", replicates),
        PlainE("plain e-process", replicates),
    ]
