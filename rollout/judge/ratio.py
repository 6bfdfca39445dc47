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

from rollout.judge.counting import Counts, Tilts
from rollout.judge.draws import ScoreTilts, Spread
from rollout.judge.onset import Bools, Floats, Indices, OnsetPrior, log_of

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

BLOCK_SECONDS = 15.0
"""How long a burst lasts."""

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
"""A pod effect (or a fault with it) so much less likely than the likeliest no longer counts."""

_LEAST = -600.0
"""exp of less would be forgotten at once, and is slow."""


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

    L and A are each kept relative to the largest of a channel; what is `_FORGOTTEN` times that is 0 from then on.

    Attributes:
        nodes: pod effects u, shape (channels, nodes).
        usual: pod effect that `USUAL` of healthy canaries stay below, shape (channels,).
        least: node that a young canary is held against at least, shape (channels,).
        temper: eta, shape (channels,).
        chance: that a block is hit, shape (channels,).
        size: log ratio by which the canary then fails more, shape (channels,).
        null: L(u) times the mass of u, with the present block calm, and hit, shape (channels, 2, nodes).
        fault: A times the mass of u and of the step, shape (channels, steps, 2, nodes).
        logs: logarithms of what L and A are relative to, shape (channels, 2).
        elapsed: seconds under judgement, shape (channels,).
        block: seconds of the present block, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "nodes",
        "usual",
        "least",
        "temper",
        "chance",
        "size",
        "null",
        "fault",
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
        self._added = np.tile(np.concatenate([[0.0], steps]), (channels, 1))
        self._step_weights = np.tile(step_weights / step_weights.sum(), (channels, 1))[:, :, None, None]
        self._held = np.broadcast_to(held, channels)
        self.nodes = np.zeros((channels, nodes))
        self.temper = np.ones(channels)
        self.usual, self.least, self.chance, self.size, self.elapsed, self.block = np.zeros((6, channels))
        self.null = np.zeros((channels, 2, nodes))
        self.fault = np.zeros((channels, steps.size, 2, nodes))
        self.logs = np.zeros((channels, 2))
        both = np.tile(self.nodes, (2, 1)), np.tile(self._added, (2, 1))  # of calm blocks, then of hit ones
        self._tilts = Tilts(*both)
        self._score_tilts = ScoreTilts(*both, np.arange(1 + steps.size) > 0)
        self._unspent = np.zeros(channels)
        self.expect(slice(None), self.nodes, np.full(self.nodes.shape, 1 / nodes), self.chance, self.size)

    def settle(self, rows: Indices | slice = slice(None)) -> None:
        """Make the bank follow what was changed in some rows: their nodes, bursts or time."""
        nodes, added, size = self.nodes[rows], self._added[rows], self.size[rows][:, None]
        calm = np.arange(self.size.size)[rows]
        for tilts in (self._tilts, self._score_tilts):
            tilts.put(calm, nodes, added)
            tilts.put(calm + self.size.size, nodes, added + size)
        self._unspent[rows] = self._prior.unspent(self.elapsed[rows])

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
        self.settle(rows)
        self.null[rows] = mass[:, None] * self._chances(rows)
        self.fault[rows] = self.null[rows][:, None] * self._step_weights[rows]
        self.logs[rows] = [0.0, math.log(self._prior.at_start)]

    def look_for(self, row: int, steps: Floats, weights: Floats) -> None:
        """Say which log ratios a fault may add in a channel, and their prior mass; each of shape (steps,)."""
        self._added[row, 1:] = steps
        self._step_weights[row, :, 0, 0] = weights / weights.sum()
        if self.elapsed[row] == 0:
            self.fault[row] = self.null[row] * self._step_weights[row]
        self.settle(slice(row, row + 1))

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
            scored: channels that are told by scores instead, which have no counts, and what those were.
        """
        gain = self._gain(counts, tolerance, scored)
        gain *= self.temper[:, None, None, None]
        if young.any():
            gain[young] = self._rested(gain[young], young)
        self.elapsed = self.elapsed + seconds
        left = self._prior.unspent(self.elapsed)
        self._begin(self._unspent - left)
        self._unspent = left
        kinds = gain.shape[2]
        self.logs[:, 0] += _multiply(self.null[:, :kinds], gain[:, 0])
        self.logs[:, 1] += _multiply(self.fault[:, :, :kinds], gain[:, 1:])
        self.block = self.block + seconds
        over = np.flatnonzero(self.block >= BLOCK_SECONDS * 0.99)
        if over.size:
            self._draw(over)

    def _gain(self, counts: Counts, tolerance: Floats, scored: tuple[Indices, Spread] | None) -> Floats:
        """Log likelihood ratios of u and of each fault with it, in a calm and (where a burst is known) a hit block.

        Returns:
            Shape (channels, 1 + steps, 2, nodes), or (channels, 1 + steps, 1, nodes) where no channel knows bursts; one
            that knows none has those of a calm block twice.
        """
        channels = self.size.size
        whose, rows = self._blocks(np.arange(channels))
        told = self._tilts.told(rows, counts.take(whose), tolerance[whose])
        gain = np.repeat(told[:channels, :, None], 2 if rows.size > channels else 1, axis=2)
        gain[whose[channels:], :, -1] = told[channels:]
        if scored is not None:
            at, rows = self._blocks(scored[0])
            whose, calm = scored[0][at], scored[0].size
            told = self._score_tilts.told(rows, scored[1].take(at), tolerance[whose])
            gain[scored[0]] = told[:calm, :, None]
            gain[whose[calm:], :, -1] = told[calm:]
        return gain

    def _blocks(self, channels: Indices) -> tuple[Indices, Indices]:
        """Rows of the tilts for calm blocks of some channels, then for hit ones of those that know bursts.

        Returns:
            Position among the channels of each row's, and the rows.
        """
        hit = np.flatnonzero(self.chance[channels] > 0)
        whose = np.concatenate([np.arange(channels.size), hit])
        return whose, np.concatenate([channels, channels[hit] + self.size.size])

    def _rested(self, gain: Floats, young: Bools) -> Floats:
        """The gains of canaries that are young."""
        kinds = gain.shape[2]
        null, alike = gain[:, 0], self.null[young][:, :kinds]
        total = alike.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, alike / np.where(total > 0, total, 1.0), self._chances(young)[:, :kinds])
        top = null.max(axis=1, keepdims=True)
        expected = np.log((shares * np.exp(null - top)).sum(axis=1, keepdims=True)) + top
        held = np.maximum(np.arange(null.shape[2]), self.least[young, None].astype(np.intp))[:, None, None]
        fault = np.take_along_axis(gain[:, 1:], held, axis=3) - np.take_along_axis(expected[:, None], held, axis=3)
        return np.concatenate([(null - expected)[:, None], fault], axis=1)

    def _begin(self, mass: Floats) -> None:
        """Let faults begin: A + onset mass * L(u)."""
        null, fault = self.logs.T
        top = np.maximum(null, fault)
        self.fault *= np.exp(fault - top)[:, None, None, None]
        begun = self.null * (mass * np.exp(null - top))[:, None, None]
        self.fault += begun[:, None] * self._step_weights
        self.logs[:, 1] = top

    def _chances(self, rows: Indices | Bools | slice) -> Floats:
        """Chances that a block is calm, and hit; shape (k, 2, 1)."""
        return np.stack([1 - self.chance[rows], self.chance[rows]], axis=1)[:, :, None]

    def _draw(self, rows: Indices) -> None:
        """Begin a new block in some rows: whether it is hit is open again."""
        chances = self._chances(rows)
        self.null[rows] = self.null[rows].sum(axis=1, keepdims=True) * chances
        self.fault[rows] = self.fault[rows].sum(axis=2, keepdims=True) * chances[:, None]
        self.block[rows] = 0.0

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        null, fault = np.log(_flat(self.null).sum(axis=1)), np.log(_flat(self.fault).sum(axis=1))
        evidence: Floats = np.logaddexp(fault - null + self.logs[:, 1] - self.logs[:, 0], log_of(self._unspent))
        return evidence


def _node_above(mass: Floats, share: Floats | float) -> Indices:
    """Node that a share of healthy pods stays below, shape (k,)."""
    below = (np.cumsum(mass, axis=1) < np.reshape(share, (-1, 1))).sum(axis=1)
    nodes: Indices = np.minimum(below, mass.shape[1] - 1)
    return nodes


def _multiply(sums: Floats, gain: Floats) -> Floats:
    """Multiply sums by exp(gain), in place and but for a factor a channel, so that the largest is 1.

    Returns:
        Logarithm of that factor, shape (channels,).
    """
    flat, gain = _flat(sums), _flat(gain)
    top = np.where(flat > 0, gain, -np.inf).max(axis=1, keepdims=True)
    gain = np.minimum(gain - top, 0.0)
    flat *= np.exp(np.maximum(gain, _LEAST, out=gain), out=gain)
    largest = flat.max(axis=1, keepdims=True)
    flat /= largest
    flat *= flat > _FORGOTTEN
    if not sums.flags.c_contiguous:
        sums[...] = flat.reshape(sums.shape)
    factor: Floats = (top + np.log(largest))[:, 0]
    return factor


def _flat(each: Floats) -> Floats:
    """One row a channel; a view where that can be."""
    return each.reshape(len(each), math.prod(each.shape[1:]))
