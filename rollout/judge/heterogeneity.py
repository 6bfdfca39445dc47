"""What stable's own pods teach about noise: every pod plays the canary against the others (A/A), block by block.

Healthy pods differ for good (tau), and their failures come in clumps: retries, noisy neighbours, garbage collection. A
likelihood that ignores this convicts nearly every canary of a noisy service. So, on blocks of stable's history,

    tau^2 = variance of the pods' log rates, less the part that counting explains, shrunk towards a prior;
    eta   = 0.9 x the largest exponent at which the pods' likelihood ratios, their lasting offsets removed, still have a
            mean of at most 1 for small and large faults.

Both are predictable (a look is judged with what was learned before it). With little history they stay near the prior:
wide and slow rather than wrong.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rollout.judge.counting import Counts, log_normaliser
from rollout.judge.onset import Floats
from rollout.judge.ratio import pod_effects
from rollout.judge.tally import PodShares

BLOCK_SECONDS = 15.0
"""Length of a block: as long as a burst that must not convict."""

MOST_PODS = 12
"""Pods remembered at most."""

ENOUGH_BLOCKS = 600
"""Pod-blocks after which the learned exponent counts fully (15 minutes of ten pods)."""

ENOUGH_FAILURES = 20.0
"""Failures after which it counts fully."""

PRIOR_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods, while history does not tell it."""

PRIOR_PODS = 5
"""Pods that the prior spread is taken to rest on: its tails are Student's with 4 degrees of freedom."""

PRIOR_TEMPER = 0.25
"""Exponent of the likelihood while history does not tell how clumped failures are."""

EXPONENTS: Floats = np.array([1.0, 0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.12])
"""Candidates for eta, descending."""

FAULTS: Floats = np.log([2.0, 10.0])
"""Log ratios of the faults that the likelihood ratios are taken for."""

_HALF = 0.5


@dataclass(slots=True)
class Noise:
    """What has been learned of one signal; every array's last axis is its rows (one, or one a judged edge).

    Attributes:
        pods: names of the pods, in the order of the arrays.
        failed: failures of each pod, shape (pods, rows).
        size: requests or pod-seconds of each pod, shape (pods,).
        block_failed: failures in the present block, shape (pods, rows).
        block_size: requests or pod-seconds in the present block, shape (pods,).
        block_began: time at which it began; minus infinity before the first look.
        blocks: pod-blocks taken in.
        gains: sums of likelihood ratios, shape (exponents, faults, rows).
        worst: highest sure rate of a single pod in a block in which the others were well, shape (rows,).
    """

    rows: int = 1
    pods: list[str] = field(default_factory=list)
    failed: Floats = field(default_factory=lambda: np.zeros((0, 1)))
    size: Floats = field(default_factory=lambda: np.zeros(0))
    block_failed: Floats = field(default_factory=lambda: np.zeros((0, 1)))
    block_size: Floats = field(default_factory=lambda: np.zeros(0))
    block_began: float = -math.inf
    blocks: int = 0
    gains: Floats = field(default_factory=lambda: np.zeros((EXPONENTS.size, FAULTS.size, 1)))
    worst: Floats = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of(cls, rows: int) -> "Noise":
        """Nothing learned yet of a signal with so many rows."""
        return cls(
            rows=rows,
            failed=np.zeros((0, rows)),
            block_failed=np.zeros((0, rows)),
            gains=np.zeros((EXPONENTS.size, FAULTS.size, rows)),
            worst=np.zeros(rows),
        )

    def add(self, at: float, seconds: float, shares: PodShares, *, whole: bool) -> bool:
        """Take in one look of stable's pods.

        Args:
            at: time of the look.
            seconds: time it covers.
            shares: what each pod did in it.
            whole: sizes are requests, each failing at most once.

        Returns:
            Whether a block was closed, so that there is something new to be learned.
        """
        if self.block_began == -math.inf:
            self.block_began = at - seconds
        self._meet(shares.names)
        known = {name: position for position, name in enumerate(self.pods)}
        rows = [(known[name], row) for row, name in enumerate(shares.names) if name in known]
        if rows:
            here, there = (list(side) for side in zip(*rows, strict=True))
            self.block_failed[here] += shares.failed[there]
            self.block_size[here] += shares.size[there]
        if at - self.block_began < BLOCK_SECONDS * 0.99:
            return False
        self._close(whole=whole)
        self.block_began = at
        return True

    def _meet(self, names: Sequence[str]) -> None:
        """Make room for pods not seen before."""
        new = [name for name in names if name not in self.pods][: MOST_PODS - len(self.pods)]
        if not new:
            return
        self.pods.extend(new)
        more = np.zeros((len(new), self.rows))
        self.failed, self.block_failed = np.vstack([self.failed, more]), np.vstack([self.block_failed, more])
        self.size, self.block_size = np.append(self.size, more[:, 0]), np.append(self.block_size, more[:, 0])

    def _close(self, *, whole: bool) -> None:
        """Judge every pod of the block against the others, then add the block to the totals."""
        there = self.block_size > 0
        if there.sum() >= 2 and self.blocks < 4 * ENOUGH_BLOCKS:  # noqa: PLR2004 - a pod and another one
            failed, size = self.block_failed[there], self.block_size[there]
            others_failed, others_size = failed.sum(axis=0) - failed, size.sum() - size
            self._compare(failed, size, others_failed, others_size, self._offsets()[there], whole=whole)
            sure = np.maximum(failed - 2 * np.sqrt(failed), 0.0) / size[:, None]
            alone = others_failed / others_size[:, None] < _HALF * sure
            self.worst = np.maximum(self.worst, np.where(alone, sure, 0.0).max(axis=0))
            self.blocks += int(there.sum())
        self.failed, self.size = self.failed + self.block_failed, self.size + self.block_size
        self.block_failed, self.block_size = np.zeros_like(self.failed), np.zeros_like(self.size)

    def _compare(
        self, failed: Floats, size: Floats, others_failed: Floats, others_size: Floats, offsets: Floats, *, whole: bool
    ) -> None:
        pods, rows = failed.shape
        flat = Counts(
            failed.ravel(),
            np.repeat(size, rows),
            others_failed.ravel(),
            np.repeat(others_size, rows),
            np.full(pods * rows, whole),
        )
        own = offsets.ravel()[:, None]
        tilt = np.concatenate([own, own + FAULTS], axis=1)
        normaliser = log_normaliser(flat, tilt, np.ones(pods * rows))
        gain = flat.failed[:, None] * FAULTS - (normaliser[:, 1:] - normaliser[:, :1])
        powers = np.exp(np.minimum(EXPONENTS[:, None, None] * gain, 50.0))
        self.gains += powers.reshape(EXPONENTS.size, pods, rows, FAULTS.size).sum(axis=1).transpose(0, 2, 1)

    def _offsets(self) -> Floats:
        """Lasting log ratios of the pods to all of them, shrunk as counting demands; shape (pods, rows)."""
        expected = self.size[:, None] * self.failed.sum(axis=0) / max(float(self.size.sum()), 1e-9)
        offsets: Floats = np.log((self.failed + 1 / PRIOR_SPREAD**2) / (expected + 1 / PRIOR_SPREAD**2))
        return offsets

    def tempers(self) -> Floats:
        """eta, shape (rows,)."""
        means = self.gains / max(self.blocks, 1)
        fits = np.all(means <= 1.0, axis=1)
        fits[-1] = True
        learned = 0.9 * EXPONENTS[np.argmax(fits, axis=0)]
        trust = min(1.0, self.blocks / ENOUGH_BLOCKS) * np.minimum(1.0, self.failed.sum(axis=0) / ENOUGH_FAILURES)
        tempers: Floats = PRIOR_TEMPER ** (1 - trust) * learned**trust
        return tempers

    def nodes(self) -> Floats:
        """Nodes of the healthy pod effect, shape (rows, nodes)."""
        return np.stack([pod_effects(*self._spread(row)) for row in range(self.rows)])

    def _spread(self, row: int) -> tuple[float, int]:
        """Tau of one row and the number of pods that it may be taken to rest on."""
        counted = self.failed[:, row] >= 1
        if counted.sum() < 2:  # noqa: PLR2004 - one pod has no spread
            return PRIOR_SPREAD, PRIOR_PODS
        failed, size = self.failed[counted, row], self.size[counted]
        noise = float(np.mean(1 / failed))
        between = max(float(np.var(np.log(failed / size), ddof=1)) - noise, 0.0)
        known = (failed.size - 1) * PRIOR_SPREAD**2 / (PRIOR_SPREAD**2 + noise)
        spread = math.sqrt((PRIOR_SPREAD**2 + known * between) / (1 + known))
        return spread, max(PRIOR_PODS, round(known) + 1)

    @property
    def enough(self) -> bool:
        """Whether history tells the noise: at least half of what full trust asks for."""
        return self.blocks >= _HALF * ENOUGH_BLOCKS and bool(np.all(self.failed.sum(axis=0) >= _HALF * ENOUGH_FAILURES))
