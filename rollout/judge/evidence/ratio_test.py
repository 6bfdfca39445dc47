"""The core test: is the canary worse than stable, when healthy pods already differ and the onset is unknown?

Null: the canary's log ratio to stable is a random pod effect u. Alternative: it is u before an unknown onset and
u + delta after it. With L(s) the conditional likelihood of `counting`, tempered by eta,

    A[u, d] <- (A[u, d] + onset mass * L(u)) * l(u + d),     L(u) <- L(u) * l(u)
    E = (mean of A + unspent onset mass * mean of L(u)) / mean of L(u)

Now and then a healthy pod is hit for a block of time: with the chance of a burst l(s) is l(s + b) for that block, both
under the null and under the alternative, so every sum is kept for a calm and for a hit block. E is a test martingale
averaged over the draw of the canary's pods. A single node u = 0 gives the plain ratio e-process.
Many channels (a signal, or one bucket edge of it) are kept side by side so that one look is a handful of array
operations.
"""

import math
from typing import ClassVar

import numpy as np
from scipy.stats import t as student

from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts, Tilts
from rollout.judge.model.onset_prior import (
    Bools,
    Floats,
    Indices,
    OnsetPrior,
    indices_of,
    log_of,
    log_sum,
    some,
)
from rollout.judge.model.rank_sum import ScoreTilts, Spread

NODES = 17
"""Nodes of the pod effect, close together: a healthy effect between two of them, or beyond the last, must not look
like a fault after an hour of busy latency."""

LINEAR = 3.0
"""Standard deviations beyond which nodes are so far apart as they are far out."""

REACH = (0.1, 0.998, 0.9998)
"""Shares of healthy pods that stay below the first and the last node, the latter of failures and of slow requests:
those tell so much that an outlier needs a node of its own. Pods far better than the others need none: no fault explains
them better."""

USUAL = 0.95
"""The ranges shown to people are widened by the pod effect that this share of healthy canaries stays below."""


STEPS: Floats = np.linspace(math.log(1.4), math.log(20), 6)
"""Log ratios that a fault may add to the pod effect: 1.4 to 20, below which a rollback is not worth it."""

BODY_STEPS: Floats = np.log([1.25, 1.6, 2.2, 3.5, 7, 20])
"""The same where requests have scores: a median slower by a tenth moves their odds by little more than the first."""

BODY_WEIGHTS: Floats = np.array([0.29, 0.10, 0.12, 0.33, 0.08, 0.08])
"""Prior mass of each of those."""

STEP_WEIGHTS: Floats = np.array([0.18, 0.22, 0.18, 0.14, 0.14, 0.14])
"""Prior mass of each: more of it where a fault is so small that it takes long."""

_MOST = 20.0
"""A pod effect beyond this is the same: exp of it, to the power of the largest exact support, is still a number."""

_FORGOTTEN = 1e-250
"""A pod effect (or a fault with it) so much less likely than the likeliest is taken to be no less likely than this."""

_LEAST = -600.0
"""exp of less would be forgotten at once, and is slow; exp of more than its opposite may be no number."""

_MOST_GAIN = 300.0
"""A look in which a log likelihood changes by more is taken relative to the likeliest."""

_FRACTION = 52
"""Bits that the fraction of a number has."""

_DIGITS = -(1 << (_FRACTION - 36))
"""Bits of a number that are kept: 36 of its fraction, 11 digits. A saved judge takes a quarter less for it."""

_FAR = 1e25
"""What L and A are relative to is moved when their sum over u is this far from 1."""


def pod_effects(spread: Floats, pods: Floats, latency: Bools) -> tuple[Floats, Floats]:
    """The healthy pod effect: spread * sqrt(1 + 1/pods) * Student's t with pods - 1 degrees of freedom, on nodes.

    Args:
        spread: standard deviation (tau) of the log rate between healthy pods, shape (k,).
        pods: number of stable pods it was learned from, at least 2, shape (k,).
        latency: slow requests are counted, not failures, shape (k,).

    Returns:
        Nodes and their prior mass, each of shape (k, nodes).
    """
    few = np.maximum(pods, 2.0)[:, None]
    first, last = (student.ppf(share, few - 1) for share in (REACH[0], np.where(latency, *REACH[:0:-1])[:, None]))
    ends = np.arcsinh(np.stack([first, last]) / LINEAR)
    points = LINEAR * np.sinh(ends[0] + (ends[1] - ends[0]) * np.linspace(0.0, 1.0, NODES))
    below = student.cdf((points[:, 1:] + points[:, :-1]) / 2, few - 1)
    mass = np.diff(below, axis=1, prepend=0.0, append=1.0)
    nodes = np.clip(spread[:, None] * np.sqrt(1 + 1 / few) * points, -_MOST, _MOST)
    return nodes, mass


class RatioBank:
    """Evidence that the canary's rate is above stable's, one row a channel.

    Args:
        channels: how many.
        prior: when a fault begins.
        steps: log ratios that a fault may add to the pod effect.
        step_weights: prior mass of each.
        nodes: how many of the pod effect; 1 for none.
        held: share of healthy pods that a young canary's lasting effect is taken to stay below, shape (channels,).

    L and the A of each step are kept relative to some number that their sum over u is near; what is less than
    `_FORGOTTEN` times that is taken to be so much.

    Attributes:
        nodes: pod effects u, shape (channels, nodes); not saved.
        usual: pod effect that `USUAL` of healthy canaries stay below, shape (channels,).
        least: node that a young canary is held against at least, shape (channels,).
        temper: eta, shape (channels,).
        chance: that a block is hit, shape (channels,).
        size: log ratio by which the canary then fails more, shape (channels,).
        sums: L(u) times the mass of u, then A(u, d) times the mass of u for each step, with the present block calm, and
            hit, shape (channels, 2, 1 + steps, nodes).
        logs: logarithms of what those are relative to, shape (channels, 2, 1 + steps).
        elapsed: seconds under judgement, shape (channels,).
        block: seconds of the present block, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "usual",
        "least",
        "temper",
        "chance",
        "size",
        "sums",
        "logs",
        "elapsed",
        "block",
    )

    def __init__(
        self,
        channels: int,
        prior: OnsetPrior,
        *,
        steps: Floats = STEPS,
        step_weights: Floats = STEP_WEIGHTS,
        nodes: int = NODES,
        held: Floats | float = 0.5,
    ) -> None:
        self._prior = prior
        self._faults = np.arange(1 + steps.size) > 0
        self._added = np.tile(np.concatenate([[0.0], steps]), (channels, 1))
        self._weights = np.tile(step_weights / step_weights.sum(), (channels, 1))
        self._scores = np.zeros(channels, dtype=np.bool_)
        self._held = np.broadcast_to(held, channels)
        self.nodes = np.zeros((channels, nodes))
        self.temper = np.ones(channels)
        self.usual, self.least, self.chance, self.size, self.elapsed, self.block = np.zeros((6, channels))
        self.sums = np.zeros((channels, 2, 1 + steps.size, nodes))
        self.logs = np.zeros((channels, 2, 1 + steps.size))
        self.expect(slice(None), self.nodes, np.full(self.nodes.shape, 1 / nodes), self.chance, self.size)

    def settle(self) -> None:
        """Make the bank follow what was changed: nodes, steps, bursts or time."""
        self._settled = False

    def _settle(self) -> None:
        """Lay out what it works on: calm blocks of all channels, then hit ones of those that know bursts."""
        self._settled = True
        channels = self.chance.size
        hit = np.flatnonzero(self.chance > 0)
        self._whose = np.concatenate([np.arange(channels), hit])
        self._kinds = np.repeat([0, 1], [channels, hit.size])
        nodes, added = self.nodes[self._whose], self._added[self._whose]
        added[channels:] += self.size[hit, None]
        self._shares = np.insert(self._weights[self._whose], 0, 0.0, axis=1)
        self._tilts = Tilts(nodes, added)
        self._scored = np.flatnonzero(self._scores[self._whose])
        self._tellers = int(self._scores.sum())
        self._score_tilts = ScoreTilts(nodes[self._scored], added[self._scored], self._faults)
        self._unspent = self._prior.unspent(self.elapsed)
        self._sum_up()

    def expect(self, rows: Indices | slice, nodes: Floats, mass: Floats, chance: Floats, size: Floats) -> None:
        """Say what healthy canaries do, before the first bet of these rows.

        Args:
            rows: channels, shape (k,).
            nodes: pod effects, shape (k, nodes).
            mass: how likely each is, shape (k, nodes).
            chance: that a block is hit by a burst, shape (k,).
            size: log ratio by which it then fails more, shape (k,).
        """
        self.nodes[rows], self.chance[rows], self.size[rows] = nodes, chance, size
        self.least[rows] = _node_above(mass, self._held[rows])
        self.usual[rows] = np.take_along_axis(nodes, _node_above(mass, USUAL)[:, None], axis=1)[:, 0]
        self.sums[rows] = np.maximum(mass, _FORGOTTEN)[:, None, None]
        self._begin_anew(rows)
        self.settle()

    def look_for(self, row: int, steps: Floats, weights: Floats) -> None:
        """Tell a channel by scores: which log ratios a fault may add, and their prior mass; each of shape (steps,)."""
        self._added[row, 1:], self._weights[row], self._scores[row] = steps, weights / weights.sum(), True
        if self.elapsed[row] == 0:
            self._begin_anew(slice(row, row + 1))
        self.settle()

    def _begin_anew(self, rows: Indices | slice) -> None:
        """What L and A are relative to before the first bet."""
        self.logs[rows] = self._log_chances(rows)
        self.logs[rows, :, 1:] += np.log(self._prior.at_start * self._weights[rows])[:, None]

    def bet(
        self,
        counts: Counts,
        tolerance: Floats,
        seconds: Floats,
        young: Bools,
        scored: tuple[Indices, Spread] | None = None,
    ) -> None:
        """Take in one look; a channel without counts and seconds has none.

        What a cold start shows says nothing of the pods' lasting effect: while the canary is young L stays as it is,
        and the fault is held against the larger of u and of what a share `held` of healthy pods stays below.

        Args:
            counts: increments, shape (channels,).
            tolerance: the ratio r0 the null allows in this look, shape (channels,).
            seconds: time since the look before, shape (channels,).
            young: r0 is (also) that of a cold start, shape (channels,).
            scored: channels that are told by scores instead, ascending, which have no counts, and what those were.
        """
        if not self._settled:
            self._settle()
        whose, at = self._whose, (self._whose, self._kinds)
        gain = self._tilts.told(counts.take(whose), tolerance[whose])
        if scored is not None:
            self._tell_by_scores(gain, tolerance, *scored)
        gain *= self.temper[whose, None, None]
        if some(young):
            self._rest(gain, young)
        self.elapsed = self.elapsed + seconds
        left = self._prior.unspent(self.elapsed)
        sums, logs = self.sums[at], self.logs[at]
        _begin(sums, logs, (self._unspent - left)[whose, None] * self._shares)
        totals = _multiply(sums, logs, gain)
        self._unspent, self.sums[at], self.logs[at] = left, sums, logs
        self._log_sums = np.log(totals) + logs
        self.block = self.block + seconds
        over = indices_of(self.block >= BLOCK_SECONDS * 0.99)
        if over.size:
            self.block[over] = 0.0
            self._draw(over[self.chance[over] > 0])

    def _tell_by_scores(self, gain: Floats, tolerance: Floats, channels: Indices, spread: Spread) -> None:
        """Put the log likelihood ratios of channels that are told by scores where they belong."""
        rows, whose = self._scored, self._whose[self._scored]
        told: Indices | slice = slice(None)
        if channels.size < self._tellers:
            told = indices_of(np.isin(whose, channels))
            rows, whose = rows[told], whose[told]
        if rows.size > channels.size:  # some know bursts
            spread = spread.take(np.searchsorted(channels, whose))
        gain[rows] = self._score_tilts.told(told, spread, tolerance[whose])

    def _rest(self, gain: Floats, young: Bools) -> None:
        """Change the gains of canaries that are young: both kinds of a block together gain nothing at any u."""
        channels, whose = young.size, self._whose
        expected, hit = gain[:channels, 0].copy(), whose[channels:]
        if hit.size:
            before = np.log(self.sums[hit, :, 0]) + self.logs[hit, :, :1]
            after = before + np.stack([gain[hit, 0], gain[channels:, 0]], axis=1)
            expected[hit] = np.logaddexp.reduce(after, axis=1) - np.logaddexp.reduce(before, axis=1)
        expected[~young] = 0.0
        gain -= expected[whose, None]
        rows, least = np.arange(whose.size), self.least[whose].astype(np.intp)
        under = young[whose, None] & (np.arange(gain.shape[2]) < least[:, None])
        np.copyto(gain[:, 1:], gain[rows, 1:, least][:, :, None], where=under[:, None])

    def _log_chances(self, rows: Indices | slice) -> Floats:
        """Logarithms of the chances that a block is calm, and hit; shape (k, 2, 1)."""
        return log_of(np.stack([1 - self.chance[rows], self.chance[rows]], axis=1)[:, :, None])

    def _draw(self, channels: Indices) -> None:
        """Begin a new block of some channels that know bursts: whether it is hit is open again."""
        logs = self.logs[channels]
        top = logs.max(axis=1, keepdims=True)
        both = (self.sums[channels] * np.exp(logs - top)[:, :, :, None]).sum(axis=1, keepdims=True)
        self.sums[channels], self.logs[channels] = both, top + self._log_chances(channels)
        self._sum_up()

    def _sum_up(self) -> None:
        at = self._whose, self._kinds
        self._log_sums = np.log(_over_nodes(self.sums[at])) + self.logs[at]

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        if not self._settled:
            self._settle()
        channels = self.chance.size
        hit, totals = self._whose[channels:], self._log_sums[:channels]
        if hit.size:
            totals = totals.copy()
            totals[hit] = np.logaddexp(totals[hit], self._log_sums[channels:])
        fault = log_sum(totals[:, 1:])
        evidence: Floats = np.logaddexp(fault - totals[:, 0], np.log(self._unspent))
        return evidence


def shortened(sums: Floats, bits: int) -> Floats:
    """Positive numbers with so many bits of their fraction, rounded."""
    left = 1 << (_FRACTION - bits)
    rounded = np.ascontiguousarray(sums).view(np.int64) + left // 2
    short: Floats = (rounded & -left).view(np.float64)
    return short


def _node_above(mass: Floats, share: Floats | float) -> Indices:
    """Node that a share of healthy pods stays below, shape (k,)."""
    below = (np.cumsum(mass, axis=1) < np.reshape(share, (-1, 1))).sum(axis=1)
    nodes: Indices = np.minimum(below, mass.shape[1] - 1)
    return nodes


def _begin(sums: Floats, logs: Floats, mass: Floats) -> None:
    """Let faults begin, in place: A + onset mass * L(u).

    Args:
        sums: L and A, shape (rows, 1 + steps, nodes).
        logs: logarithms of what they are relative to, shape (rows, 1 + steps).
        mass: of onsets now, of each step, after 0 for L, shape (rows, 1 + steps).
    """
    behind = logs[:, :1] - logs
    begun = mass * np.exp(np.minimum(behind, -_LEAST))
    if begun.max() > _FAR:
        moved = np.where(begun > _FAR, behind + log_of(mass), 0.0)
        sums *= np.exp(-moved)[:, :, None]
        logs += moved
        begun = mass * np.exp(np.minimum(behind - moved, -_LEAST))
    more = np.repeat(begun[:, :, None], sums.shape[2], axis=2)  # half the time of letting numpy broadcast
    more *= sums[:, :1]
    sums += more


def _multiply(sums: Floats, logs: Floats, gain: Floats) -> Floats:
    """Multiply sums by exp(gain), in place; where they went far what they are relative to is moved.

    Args:
        sums: shape (rows, 1 + steps, nodes).
        logs: logarithms of what they are relative to, shape (rows, 1 + steps).
        gain: its values are lost, shape (rows, 1 + steps, nodes).

    Returns:
        The sums over the nodes, shape (rows, 1 + steps).
    """
    if max(gain.max(), -gain.min()) > _MOST_GAIN:
        top = gain.max(axis=2)
        top[np.maximum(top, -gain.min(axis=2)) <= _MOST_GAIN] = 0.0
        gain -= top[:, :, None]
        logs += top
        np.maximum(gain, _LEAST, out=gain)
    sums *= np.exp(gain, out=gain)
    sums.view(np.int64)[:] &= _DIGITS
    totals = _over_nodes(sums)
    if totals.max() > _FAR or totals.min() < 1 / _FAR:
        moved = np.where((totals > _FAR) | (totals < 1 / _FAR), np.exp2(np.round(np.log2(totals))), 1.0)
        sums /= moved[:, :, None]
        logs += np.log(moved)
        totals /= moved
    np.maximum(sums, _FORGOTTEN, out=sums)
    return totals


def _over_nodes(sums: Floats) -> Floats:
    """Sums along the last axis, which is short: one product with ones takes a fraction of the time."""
    totals: Floats = (sums.reshape(-1, sums.shape[-1]) @ np.ones(sums.shape[-1])).reshape(sums.shape[:-1])
    return totals
