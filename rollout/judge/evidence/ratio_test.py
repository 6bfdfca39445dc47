"""The core test: is the canary worse than stable, when healthy pods already differ and the onset is unknown?

Null: the canary's log ratio to stable is a random pod effect u. Alternative: it is u before an unknown onset and
u + d after it. With l(s) the conditional likelihood ratio of `hypergeometric`, eta the temper, and the onset mass of a
look (docs/explanation/judge.md, "Ratio"),

    (1)  A[u, d] <- A[u, d] + onset mass * L[u]        a fault may begin at this look
    (2)  A[u, d] <- A[u, d] * l(u + d)^eta             the look, with a fault
    (3)  L[u]    <- L[u] * l(u)^eta                    the look, without one
    (4)  E = (mean of A + unspent mass * mean of L) / mean of L

Now and then a healthy pod is hit for a block of time: l(s) is then l(s + b) for the whole block, under the null and
under the alternative. So L and A are kept twice, for a calm block and for a hit one, and when a block ends

    (5)  calm, hit <- (1 - chance) calm + (1 - chance - lasting) hit, chance calm + (chance + lasting) hit

where the size of bursts that last is drawn (`burst_sizes`), and the pod effect moves to its next nodes (`pod_motion`).
E is a test martingale averaged over the draw of the canary's pods. A single node u = 0 gives the plain ratio e-process.
Many columns (a signal, or one bucket edge of it) are kept side by side, so one look is a handful of array operations.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.baseline.pod_effects import NODES, node_above
from rollout.judge.evidence import pod_motion
from rollout.judge.evidence.burst_sizes import FINE, BurstSizes, log_chances, spacing
from rollout.judge.evidence.fault_sizes import STEP_WEIGHTS, STEPS
from rollout.judge.evidence.scaled_sums import FORGOTTEN, begin_faults, multiply, over_nodes
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts, Tilts
from rollout.judge.model.onset_prior import Bools, Floats, Indices, OnsetPrior, indices_of, log_sum, some
from rollout.judge.model.rank_sum import ScoreTilts, Spread

USUAL = 0.95
"""The ranges shown to people are widened by the pod effect that this share of healthy canaries stays below."""

_HEALTHY, _FAULTY = 0, slice(1, None)
"""Where L and the A of each step stand on the axis of 1 + steps."""


class RatioTest:
    """Evidence that the canary's rate is above stable's, one entry for each column.

    Args:
        columns: how many.
        prior: when a fault begins.
        steps: log ratios d that a fault may add to the pod effect.
        step_weights: prior mass of each.
        nodes: how many nodes the pod effect has; 1 for none.
        held: share of healthy pods that a young canary's lasting effect is taken to stay below, shape (columns,).

    L and the A of each step are kept relative to a number near their sum over u (see `scaled_sums`).

    Attributes:
        nodes: pod effects u, shape (columns, nodes); not saved.
        usual: pod effect that `USUAL` of healthy canaries stay below, shape (columns,).
        least: node that a young canary is held against at least, shape (columns,).
        temper: eta, shape (columns,).
        chance: that a block is hit, shape (columns,).
        size: b, the log ratio by which the canary then fails more, shape (columns,).
        lasting: how much likelier a hit block is after a hit one than after a calm one, shape (columns,).
        noise: variance of a pod effect within a block, shape (columns,).
        information: of a block that is like the last look, shape (columns,); not saved.
        moves: r, how often a pod effect moves between blocks, shape (columns,).
        drawn: 1 where the size of a burst differs from burst to burst, shape (columns,).
        sums: L(u) times the mass of u, then A(u, d) times the mass of u for each step, with the present block calm, and
            hit, shape (columns, 2, 1 + steps, nodes).
        logs: logarithms of what those are relative to, shape (columns, 2, 1 + steps).
        elapsed: seconds under judgement, shape (columns,).
        block: seconds of the present block, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        *("usual", "least", "temper", "chance", "size", "sums", "logs", "elapsed", "block"),
        *("lasting", "noise", "moves", "drawn"),
    )

    def __init__(
        self,
        columns: int,
        prior: OnsetPrior,
        *,
        steps: Floats = STEPS,
        step_weights: Floats = STEP_WEIGHTS,
        nodes: int = NODES,
        held: Floats | float = 0.5,
    ) -> None:
        self._prior = prior
        self._is_fault = np.arange(1 + steps.size) > 0
        self._added = np.tile(np.concatenate([[0.0], steps]), (columns, 1))
        self._weights = np.tile(step_weights / step_weights.sum(), (columns, 1))
        self._is_scored = np.zeros(columns, dtype=np.bool_)
        self._held = np.broadcast_to(held, columns)
        self.nodes = np.zeros((columns, nodes))
        self.temper = np.ones(columns)
        self.usual, self.least, self.chance, self.size, self.elapsed, self.block = np.zeros((6, columns))
        self.lasting, self.noise, self.moves, self.information = np.zeros((4, columns))
        self.drawn, self._sizes = np.zeros(columns), BurstSizes(self._held, nodes)
        self.sums = np.zeros((columns, 2, 1 + steps.size, nodes))
        self.logs = np.zeros((columns, 2, 1 + steps.size))
        self.expect(slice(None), self.nodes, np.full(self.nodes.shape, 1 / nodes), self.chance, self.size)

    def settle(self) -> None:
        """Make the test follow what was changed: nodes, steps, bursts or time."""
        self._settled = False

    def _settle(self) -> None:
        """Lay out the rows it works on: the calm blocks of all columns, then the hit blocks of those that know bursts.

        Of each row: `_whose` is its column, `_kinds` is 0 for calm and 1 for hit.
        """
        self._settled = True
        columns = self.chance.size
        self._bursty = np.flatnonzero(self.chance > 0)
        self._calm, self._hit = slice(0, columns), slice(columns, None)
        self._whose = np.concatenate([np.arange(columns), self._bursty])
        self._kinds = np.repeat([0, 1], [columns, self._bursty.size])
        # The log odds that are asked for: u + d in calm blocks, u + d + b in hit ones.
        nodes, added = self.nodes[self._whose], self._added[self._whose]
        nodes[self._hit] = self._sizes.nodes[self._bursty]
        added[self._hit] += self._sizes.added[self._bursty, None]
        self._tilts = Tilts(nodes, added)
        self._scored_rows = np.flatnonzero(self._is_scored[self._whose])
        self._scored_columns = int(self._is_scored.sum())
        self._score_tilts = ScoreTilts(nodes[self._scored_rows], added[self._scored_rows], self._is_fault)
        # Which part of the onset mass is each step's; L takes nothing of it.
        self._step_mass = np.insert(self._weights[self._whose], 0, 0.0, axis=1)
        self._unspent = self._prior.unspent(self.elapsed)
        self._sum_up()

    def expect(
        self,
        columns: Indices | slice,
        nodes: Floats,
        mass: Floats,
        chance: Floats,
        size: Floats,
        *,
        lasting: Floats | float = 0.0,
        drawn: Bools | bool = False,
        noise: Floats | float = 0.0,
        step: Floats | None = None,
    ) -> None:
        """Say what healthy canaries do, before the first bet of these columns.

        Args:
            columns: which, k of them.
            nodes: pod effects, shape (k, nodes).
            mass: how likely each is, shape (k, nodes).
            chance: that a block is hit by a burst, shape (k,).
            size: log ratio by which it then fails more, shape (k,).
            lasting: what is added to the chance where the block before was hit, shape (k,).
            drawn: where the size differs from burst to burst, shape (k,): see `burst_sizes`.
            noise: variance of a pod effect within a block, shape (k,).
            step: mean squared change of a pod effect from block to block, shape (k,); None for pods that never change.
        """
        self.lasting[columns], self.drawn[columns] = lasting, drawn
        # Within a block nothing is told that is finer than nodes are apart.
        self.noise[columns] = np.maximum(noise, np.where(drawn, FINE * spacing(nodes, size), 0.0) ** 2)
        self.moves[columns] = 0.0 if step is None else pod_motion.moves(nodes, mass, step)
        self.nodes[columns], self.chance[columns], self.size[columns] = nodes, chance, size
        self._sizes.expect(columns, nodes, mass, size, self.drawn[columns] > 0, self.moves[columns])
        self.least[columns] = node_above(mass, self._held[columns])
        self.usual[columns] = np.take_along_axis(nodes, node_above(mass, USUAL)[:, None], axis=1)[:, 0]
        self.sums[columns] = np.maximum(mass, FORGOTTEN)[:, None, None]
        self.sums[columns, 1] = np.maximum(self._sizes.entered(columns, self.sums[columns, 1]), FORGOTTEN)
        self._begin_anew(columns)
        self.settle()

    def put_back(self, nodes: Floats, mass: Floats) -> None:
        """Follow saved sums: pod effects and how likely each is, each of shape (columns, nodes)."""
        self.nodes[:] = nodes
        self._sizes.expect(slice(None), nodes, mass, self.size, self.drawn > 0, self.moves)
        self.settle()

    def look_for(self, column: int, steps: Floats, weights: Floats) -> None:
        """Judge a column by scores: which log ratios a fault may add, and their prior mass; each of shape (steps,)."""
        self._added[column, 1:], self._weights[column] = steps, weights / weights.sum()
        self._is_scored[column] = True
        if self.elapsed[column] == 0:
            self._begin_anew(slice(column, column + 1))
        self.settle()

    def _begin_anew(self, columns: Indices | slice) -> None:
        """L and A before the first bet: L is the chance of the kind of block, A that times the mass at the start."""
        self.logs[columns] = log_chances(self.chance[columns], self.lasting[columns])
        self.logs[columns, :, _FAULTY] += np.log(self._prior.at_start * self._weights[columns])[:, None]

    def bet(
        self,
        counts: Counts,
        tolerance: Floats,
        seconds: Floats,
        young: Bools,
        scored: tuple[Indices, Spread] | None = None,
        apart: Floats | float = 0.0,
        unsure: Floats | float = 0.0,
    ) -> None:
        """Take in one look; a column without counts and seconds has none.

        What a cold start shows says nothing of the pods' lasting effect. While the canary is young L stays as it is,
        and the fault is held against the larger of u and of what a share `held` of healthy pods stays below.

        Args:
            counts: increments, shape (columns,).
            tolerance: the ratio r0 the null allows in this look, shape (columns,).
            seconds: time since the look before, shape (columns,).
            young: r0 is (also) that of a cold start, shape (columns,).
            scored: columns that are judged by scores instead, ascending, which have no counts, and their scores.
            apart: variance between stable's pods now, where that is more than `noise`, shape (columns,).
            unsure: variance of the logarithm of r0 in this look, shape (columns,).
        """
        if not self._settled:
            self._settle()
        whose, rows = self._whose, (self._whose, self._kinds)
        # log l(u + d) of (2) and (3): Fisher's noncentral hypergeometric law, or that of the rank sum.
        gain = self._tilts.log_likelihood_ratios(counts.take(whose), tolerance[whose])
        if scored is not None:
            self._put_scored(gain, tolerance, *scored)
        # To the power of eta, since failures come in clumps (judge.md, "Pods differ"), and of what a block tells.
        self.information = pod_motion.information(counts, seconds, scored)
        told = self.temper / (1 + (np.maximum(self.noise, apart) + unsure) * self.information)
        gain *= told[whose, None, None]
        if some(young):
            self._rest(gain, young)
        # (1): the onset mass of this look is what the prior spends in its seconds.
        self.elapsed = self.elapsed + seconds
        left = self._prior.unspent(self.elapsed)
        sums, logs = self.sums[rows], self.logs[rows]
        begin_faults(sums, logs, (self._unspent - left)[whose, None] * self._step_mass)
        # (2) and (3).
        totals = multiply(sums, logs, gain)
        self._unspent, self.sums[rows], self.logs[rows] = left, sums, logs
        self._log_sums = np.log(totals) + logs
        # (5), where a block is over. A burst lasts for a block, so the hundredth part is for times that are not exact.
        self.block = self.block + seconds
        if (over := indices_of(self.block >= BLOCK_SECONDS * 0.99)).size:
            self.block[over] = 0.0
            self._end_blocks(over[(self.chance[over] > 0) | (self.moves[over] > 0)])

    def _put_scored(self, gain: Floats, tolerance: Floats, columns: Indices, spread: Spread) -> None:
        """Put the log likelihood ratios of columns that are judged by scores into their rows of the gains."""
        rows, whose = self._scored_rows, self._whose[self._scored_rows]
        asked: Indices | slice = slice(None)
        if columns.size < self._scored_columns:  # not all of them have a look
            asked = indices_of(np.isin(whose, columns))
            rows, whose = rows[asked], whose[asked]
        if rows.size > columns.size:  # some know bursts, and have a second row
            spread = spread.take(np.searchsorted(columns, whose))
        gain[rows] = self._score_tilts.log_likelihood_ratios(asked, spread, tolerance[whose])

    def _rest(self, gain: Floats, young: Bools) -> None:
        """Change the gains of young canaries so that L rests: calm and hit together gain nothing at any u.

        docs/explanation/judge.md, "Cold starts".
        """
        whose, bursty = self._whose, self._bursty
        # What L gains at each u: log l(u); where bursts are known the mean over calm and hit, by how likely each is.
        expected, least = gain[:, _HEALTHY].copy(), self.least[whose].astype(np.intp)
        if bursty.size:
            before = np.log(self.sums[bursty, :, _HEALTHY]) + self.logs[bursty, :, :1]
            both = self._sizes.rested(bursty, before, np.stack([expected[bursty], expected[self._hit]], axis=1))
            expected[bursty], expected[self._hit] = both[:, 0], both[:, 1]
            least[self._hit] = self._sizes.least[bursty]
        # All gains are relative to that. A fault at a node below `least` gains what it gains at `least`.
        rests, rows = young[whose, None], np.arange(whose.size)
        gain -= np.where(rests, expected, 0.0)[:, None]
        under = rests & (np.arange(gain.shape[2]) < least[:, None])
        np.copyto(gain[:, _FAULTY], gain[rows, _FAULTY, least][:, :, None], where=under[:, None])

    def _end_blocks(self, columns: Indices) -> None:
        """(5), and let pod effects move: begin a new block of some columns."""
        if (moving := columns[self.moves[columns] > 0]).size:
            self.sums[moving] = self._sizes.moved(moving, self.sums[moving])
        if (bursty := columns[self.chance[columns] > 0]).size:
            chance, lasting = self.chance[bursty], self.lasting[bursty]
            fates = self._sizes.next_fates(bursty, self.sums[bursty], self.logs[bursty], chance, lasting)
            self.sums[bursty], self.logs[bursty] = fates
        self._sum_up()

    def _sum_up(self) -> None:
        """Logarithms of the sums of L and A over the nodes, one entry for each row."""
        rows = self._whose, self._kinds
        self._log_sums = np.log(over_nodes(self.sums[rows])) + self.logs[rows]

    def log_e(self) -> Floats:
        """(4): natural logarithm of the e-processes, shape (columns,)."""
        if not self._settled:
            self._settle()
        # L and A of a column: calm and hit together.
        totals = self._log_sums[self._calm]
        if self._bursty.size:
            totals = totals.copy()
            totals[self._bursty] = np.logaddexp(totals[self._bursty], self._log_sums[self._hit])
        healthy, fault = totals[:, _HEALTHY], log_sum(totals[:, _FAULTY])
        # E = A / L + unspent mass: a fault that has not begun yet is no evidence either way.
        evidence: Floats = np.logaddexp(fault - healthy, np.log(self._unspent))
        return evidence
