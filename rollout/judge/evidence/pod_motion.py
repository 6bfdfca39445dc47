"""How a healthy pod effect moves on the nodes of the ratio test, and how much a look can tell of it.

Nodes are as fine as the spread of pods asks for, and no finer: at a hundred thousand requests a second a likelihood is
far narrower than the distance between two of them, and every healthy pod between two nodes would look like a fault. But
nothing is as constant as that. So within a block a pod effect has noise of its own, of variance v, and from block to
block it moves.

Integrated over the noise of a block, a likelihood of information I (nats for each squared log ratio) is

    l(s)^(1 / (1 + v I)),

exact where it is Gaussian, and below 1 on the mean under the null by Jensen's inequality. So a look tells at most what
1/v tells, however many requests there are. From block to block L and A are multiplied with exp(r G), where G moves a
pod effect to the next node and has the pods' law as its stationary one:

    G[i, j] = sqrt(mass[j] / mass[i]) / 2   for neighbours i and j.

r is such that the squared step of a block is what stable's pods show, and LEAST_MOVES at least, which keeps the
posterior as wide as the nodes are apart.
"""

import numpy as np

from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Floats, Indices
from rollout.judge.model.rank_sum import Spread

LEAST_MOVES = 0.02
"""r of pods that stay as they are."""

MOST_MOVES = 1e3
"""r of pods that are another in each block."""

_SHORTEST = 0.05
"""Seconds that a look is taken to last at least."""


def moves(nodes: Floats, mass: Floats, step: Floats) -> Floats:
    """The r of pods whose log rate changes so much within a block, shape (k,).

    Args:
        nodes: pod effects, shape (k, nodes).
        mass: how likely each is, shape (k, nodes).
        step: mean squared change, shape (k,).
    """
    each = squared_step(nodes, mass)
    found: Floats = np.maximum(step / np.maximum(each, 1e-300), LEAST_MOVES)
    return np.where(each > 0, np.minimum(found, MOST_MOVES), 0.0)


def squared_step(nodes: Floats, mass: Floats) -> Floats:
    """Mean squared step of exp(r G), over r, for small r; shape (k,).

    Args:
        nodes: pod effects, shape (k, nodes).
        mass: how likely each is, shape (k, nodes).
    """
    # sum_i mass[i] G[i, j] (u_j - u_i)^2
    between = np.sqrt(mass[:, 1:] * mass[:, :-1]) * np.diff(nodes, axis=1) ** 2
    found: Floats = between.sum(axis=1)
    return found


def kernels(mass: Floats, rate: Floats) -> Floats:
    """exp(r G), shape (k, nodes, nodes).

    Args:
        mass: of the nodes, shape (k, nodes).
        rate: r, shape (k,); 0 for pods that never move.
    """
    if not rate.any():
        return np.tile(np.eye(mass.shape[1]), (len(mass), 1, 1))
    # sqrt(mass) G / sqrt(mass) is symmetric, with 1/2 beside its diagonal.
    root = np.sqrt(np.maximum(mass, 1e-30))
    up, down = root[:, 1:] / root[:, :-1] / 2, root[:, :-1] / root[:, 1:] / 2
    nodes = np.arange(mass.shape[1])
    symmetric = np.zeros((*mass.shape, mass.shape[1]))
    symmetric[:, nodes[:-1], nodes[1:]] = symmetric[:, nodes[1:], nodes[:-1]] = 0.5
    symmetric[:, nodes[:-1], nodes[:-1]] -= up
    symmetric[:, nodes[1:], nodes[1:]] -= down
    values, vectors = np.linalg.eigh(symmetric)
    moved = (vectors * np.exp(rate[:, None] * values)[:, None]) @ vectors.transpose(0, 2, 1)
    found: Floats = np.maximum(moved * root[:, None] / root[:, :, None], 0.0)
    return found


def information(counts: Counts, seconds: Floats, scored: tuple[Indices, Spread] | None) -> Floats:
    """I of a block that is like a look: nats for each squared log ratio, shape (columns,).

    A block's noise is the same in all its looks, so a look is taken to be as noisy as its share of the block makes it.

    Args:
        counts: of the look.
        seconds: that it covers, shape (columns,).
        scored: columns that are judged by scores, and their scores.
    """
    failed, size, stable_failed, stable_size = counts.values
    # The variance of the canary's failures, given the totals.
    total = np.maximum(size + stable_size, 1e-9)  # not less: counts go up to 2^53
    share, found = size / total, failed + stable_failed
    variance = found * share * (1 - share)
    variance *= np.where(counts.whole, np.maximum(1 - found / total, 0.0), 1.0)
    if scored is not None:
        at, spread = scored
        pooled = np.maximum(spread.pooled.sum(axis=1), 1e-300)
        mean = (spread.pooled * spread.scores).sum(axis=1) / pooled
        each = (spread.pooled * spread.scores**2).sum(axis=1) / pooled - mean**2
        variance[at] = spread.size * np.maximum(1 - spread.size / pooled, 0.0) * each
    whole: Floats = variance * (BLOCK_SECONDS / np.maximum(seconds, _SHORTEST))
    return whole
