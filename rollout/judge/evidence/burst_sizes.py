"""How large a lasting burst of the canary is: drawn anew when it begins, and as it is until it ends.

At thousands of requests a second a burst half as large as those that were seen is told from them within a look, and
from a calm pod as well. What explains it then is a fault. But bursts differ, and where one of several canary pods is
hit the canary as a whole is hit by less. So while a burst of a kind that lasts hits it, a pod has nodes of its own,
totals of pod effect and burst:

    P(total | u) = f(total - u),   f = NEAR of a normal law around what bursts had, the rest alike from nothing to that

and when it is over the pod effect is what the total tells of it,

    P(u | total) = mass[u] P(total | u) / sum of that over u.

The size is drawn once for a burst, not in each look: eight looks of one burst cost as much as one.
"""

import numpy as np
from scipy.special import ndtr

from rollout.judge.baseline.pod_effects import node_above
from rollout.judge.evidence import pod_motion
from rollout.judge.evidence.scaled_sums import FORGOTTEN
from rollout.judge.model.onset_prior import Bools, Floats, Indices, log_of

NEAR = 0.5
"""Share of bursts that are as large as those that were seen, give or take."""

DOUBT = 0.1
"""Standard deviation of those, over the logarithm of what was seen."""

FINE = 0.75
"""Standard deviation of a pod effect within a block, over the distance of totals: one between two of them loses a fifth
of a nat in a block."""

_HALF = 0.5


class BurstSizes:
    """Nodes of pods that are hit, and how pods get there and back, of each column.

    Args:
        held: share of healthy pods that a young canary is taken to stay below, shape (columns,).
        nodes: how many there are.

    Attributes:
        nodes: of hit pods, shape (columns, nodes).
        added: what a burst adds to those, shape (columns,): all of it where every burst has the same size.
        least: node that a young canary is held against at least while it is hit, shape (columns,).
    """

    def __init__(self, held: Floats, nodes: int) -> None:
        self._held, columns = held, held.size
        self.nodes, self.added = np.zeros((columns, nodes)), np.zeros(columns)
        self._kernels = np.tile(np.eye(nodes), (columns, 2, 1, 1))
        self._enter, self._leave = np.tile(np.eye(nodes), (2, columns, 1, 1))
        self.least = np.zeros(columns, dtype=np.intp)
        self._drawn = np.zeros(columns, dtype=np.bool_)

    def expect(
        self,
        columns: Indices | slice,
        nodes: Floats,
        mass: Floats,
        size: Floats,
        drawn: Bools,
        moves: Floats,
    ) -> None:
        """Say what healthy pods do.

        Args:
            columns: which, k of them.
            nodes: pod effects, shape (k, nodes).
            mass: how likely each is, shape (k, nodes).
            size: log ratio by which a pod that is hit fails more, shape (k,).
            drawn: where that differs from burst to burst, shape (k,).
            moves: how often a pod effect moves between blocks, shape (k,).
        """
        hits, enter = totals(nodes, size)
        enter = np.where(drawn[:, None, None], enter, np.eye(nodes.shape[1]))
        hits = np.where(drawn[:, None], hits, nodes)
        law = np.maximum((mass[:, None] @ enter)[:, 0], 1e-30)
        self.nodes[columns], self.added[columns], self._drawn[columns] = hits, np.where(drawn, 0.0, size), drawn
        self.least[columns], self._enter[columns] = node_above(law, self._held[columns]), enter
        self._leave[columns] = (enter * mass[:, :, None]).transpose(0, 2, 1) / law[:, :, None]
        self._kernels[columns, 0] = pod_motion.kernels(mass, moves)
        # They move as far there: the squared step of a block is the same.
        far = moves * pod_motion.squared_step(nodes, mass) / np.maximum(pod_motion.squared_step(hits, law), 1e-300)
        rate = np.where(drawn & (moves > 0), np.clip(far, pod_motion.LEAST_MOVES, pod_motion.MOST_MOVES), moves)
        self._kernels[columns, 1] = pod_motion.kernels(law, rate)

    def entered(self, columns: Indices | slice, sums: Floats) -> Floats:
        """Sums over pod effects as sums over the nodes of pods that are hit, shape (k, ..., nodes)."""
        found: Floats = sums @ self._enter[columns]
        return found

    def moved(self, columns: Indices, sums: Floats) -> Floats:
        """Sums after pod effects have moved, shape (k, 2, 1 + steps, nodes)."""
        return np.maximum(sums @ self._kernels[columns], FORGOTTEN)

    def next_fates(
        self, columns: Indices, sums: Floats, logs: Floats, chance: Floats, lasting: Floats
    ) -> tuple[Floats, Floats]:
        """Sums of calm and of hit blocks when the next block begins: of what was hit a share goes on to be hit.

        Args:
            columns: which, k of them.
            sums: shape (k, 2, 1 + steps, nodes).
            logs: what they are relative to, shape (k, 2, 1 + steps).
            chance: that a calm pod is hit, shape (k,).
            lasting: what is added to that where the pod was hit before, shape (k,).

        Returns:
            The same, and the logarithms that they are relative to then.
        """
        top = logs.max(axis=1, keepdims=True)
        calm, hit = np.moveaxis(sums * np.exp(logs - top)[:, :, :, None], 1, 0)
        begin, goes_on = chance[:, None, None], (chance + lasting)[:, None, None]
        found: Floats = np.stack(
            [
                (1 - begin) * calm + (1 - goes_on) * (hit @ self._leave[columns]),
                begin * self.entered(columns, calm) + goes_on * hit,
            ],
            axis=1,
        )
        return np.maximum(found, FORGOTTEN), np.broadcast_to(top, logs.shape)

    def rested(self, columns: Indices, before: Floats, gain: Floats) -> Floats:
        """What L gains by a look that says nothing of the pods' lasting effect, shape (k, 2, nodes).

        Args:
            columns: which, k of them.
            before: logarithms of L in calm and in hit blocks, shape (k, 2, nodes).
            gain: what they would gain, shape (k, 2, nodes).
        """
        after = before + gain
        alike = np.logaddexp.reduce(after, axis=1) - np.logaddexp.reduce(before, axis=1)
        # Where hit pods have nodes of their own: each node beside all of the other kind.
        whole = np.logaddexp.reduce(before, axis=2)
        share = (whole - np.logaddexp.reduce(whole, axis=1)[:, None])[:, :, None]
        others = (np.logaddexp.reduce(after, axis=2) - whole)[:, ::-1, None]
        apart = np.logaddexp(share + gain, share[:, ::-1] + others)
        found: Floats = np.where(self._drawn[columns, None, None], apart, alike[:, None])
        return found


def log_chances(chance: Floats, lasting: Floats) -> Floats:
    """Logarithms of the chances that a first block is calm, and hit; shape (k, 2, 1)."""
    hit = chance / (1 - lasting)
    return log_of(np.stack([1 - hit, hit], axis=1)[:, :, None])


def spacing(nodes: Floats, size: Floats) -> Floats:
    """How far totals are apart, shape (k,).

    Args:
        nodes: pod effects, shape (k, nodes).
        size: log ratio by which a pod that is hit fails more, shape (k,).
    """
    last = nodes[:, -1] + (1 + DOUBT) * size
    found: Floats = (last - nodes[:, 0]) / max(nodes.shape[1] - 1, 1)
    return found


def totals(nodes: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Totals of pod effect and burst, evenly far apart, shape (k, nodes), and P(total | u), shape (k, nodes, nodes).

    Args:
        nodes: pod effects, shape (k, nodes).
        size: log ratio by which a pod that is hit fails more, shape (k,).
    """
    step = np.maximum(spacing(nodes, size), 1e-9)[:, None]
    found = nodes[:, :1] + step * np.arange(nodes.shape[1])
    away = found[:, None] - nodes[:, :, None]
    step, size = step[:, :, None], np.maximum(size, 1e-9)[:, None, None]
    # Mass between the points half way to the neighbours, each law as wide as totals are apart.
    width = np.hypot(DOUBT * size, step * _HALF)
    ends = away + step * np.array([-_HALF, _HALF])[:, None, None, None]
    near = ndtr((ends[1] - size) / width) - ndtr((ends[0] - size) / width)
    less = (np.clip(ends[1], 0, size) - np.clip(ends[0], 0, size)) / size
    law = NEAR * near + (1 - NEAR) * less + 1e-12
    return found, law / law.sum(axis=2, keepdims=True)
