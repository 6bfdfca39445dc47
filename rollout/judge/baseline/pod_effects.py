"""How far one healthy pod may be from the others for good: nodes of the lasting pod effect u, and their prior mass.

docs/explanation/judge.md, "Pods differ": u is tau * sqrt(1 + 1/pods) * T. T has Student's law with pods - 1 degrees of
freedom: its tails are heavy because a few pods do not tell how far the next one may be.
"""

from typing import ClassVar

import numpy as np
from scipy.stats import t as student

from rollout.judge.model.onset_prior import Bools, Floats, Indices

NODES = 17
"""Nodes of the pod effect. They are close together: a healthy effect between two of them, or beyond the last, must not
look like a fault after an hour of busy latency."""

LINEAR = 3.0
"""Up to so many standard deviations nodes are evenly far apart. Beyond it they are as far apart as they are far out."""

REACH = (0.1, 0.998)
"""Shares of healthy pods below the first node, and below the last. Pods far better than the others need no node: no
fault explains them better."""

FAR = 0.9998
"""Share below the last node of slow requests that releases have which began before `NOISE_SHARE` was what it is."""

NOISE_SHARE = 1.0
"""Standard deviation of a pod effect within a block, over that between pods: twice as much as nodes are apart near 0,
as much as they are far out. A look tells nothing finer than that, so that a pod between two nodes is near both, and
looks at it do not add up to a fault: half way between two nodes one costs 0.03 nats."""

FINEST = 0.01
"""The same at least, as a log ratio: no two pods are as alike as a hundred thousand requests could tell."""

_MOST = 20.0
"""A pod effect beyond this is the same: exp of it, to the power of the largest exact support, is still a number."""


class PodEffectPrior:
    """What the nodes of the ratio test were made of.

    Attributes:
        tau: standard deviation of the log rate between healthy pods, shape (columns,).
        pods: number of pods that it was learned from, shape (columns,).
        near: 1 where the last node is where `REACH` has it, 0 where it is at `FAR`, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("tau", "pods", "near")

    def __init__(self, columns: int) -> None:
        self.tau, self.pods = np.zeros((2, columns))
        self.near = np.ones(columns)


def pod_effects(spread: Floats, pods: Floats, far: Bools | None = None) -> tuple[Floats, Floats]:
    """The healthy pod effect on nodes.

    Args:
        spread: standard deviation (tau) of the log rate between healthy pods, shape (k,).
        pods: number of stable pods it was learned from, at least 2, shape (k,).
        far: where the last node is at `FAR`, shape (k,); None for nowhere.

    Returns:
        Nodes and their prior mass, each of shape (k, nodes).
    """
    few = np.maximum(pods, 2.0)[:, None]
    # The first and the last node: quantiles of Student's t that REACH asks for.
    first = student.ppf(REACH[0], few - 1)
    shares = np.full(few.shape, REACH[1]) if far is None else np.where(far, FAR, REACH[1])[:, None]
    last = student.ppf(shares, few - 1)
    # The nodes: evenly spaced in asinh(t / LINEAR), that is, evenly near 0 and by a factor far out.
    ends = np.arcsinh(np.stack([first, last]) / LINEAR)
    points = LINEAR * np.sinh(ends[0] + (ends[1] - ends[0]) * np.linspace(0.0, 1.0, NODES))
    # The mass of a node: Student's mass between the two points half way to its neighbours.
    below = student.cdf((points[:, 1:] + points[:, :-1]) / 2, few - 1)
    mass = np.diff(below, axis=1, prepend=0.0, append=1.0)
    # The effect: u = tau * sqrt(1 + 1/pods) * t, the law of one more pod beside those that were seen.
    nodes = np.clip(spread[:, None] * np.sqrt(1 + 1 / few) * points, -_MOST, _MOST)
    return nodes, mass


def block_noise(spread: Floats, pods: Floats) -> Floats:
    """Variance of a pod effect within a block, shape (k,): a share of what pods differ by, and FINEST at least.

    Args:
        spread: as of `pod_effects`, shape (k,).
        pods: as of `pod_effects`, shape (k,).
    """
    found: Floats = NOISE_SHARE**2 * spread**2 * (1 + 1 / np.maximum(pods, 2.0)) + FINEST**2
    return found


def luck(spread: Floats, pods: Floats, share: float) -> Floats:
    """Log ratio by which only a share of the pods is better than their version, shape (k,).

    Args:
        spread: as of `pod_effects`, shape (k,).
        pods: as of `pod_effects`, shape (k,).
        share: of healthy pods.
    """
    few = np.maximum(pods, 2.0)
    found: Floats = np.minimum(spread * np.sqrt(1 + 1 / few) * student.isf(share, few - 1), _MOST)
    return found


def node_above(mass: Floats, share: Floats | float) -> Indices:
    """First node that a share of healthy pods stays below, shape (k,)."""
    below = (np.cumsum(mass, axis=1) < np.reshape(share, (-1, 1))).sum(axis=1)
    nodes: Indices = np.minimum(below, mass.shape[1] - 1)
    return nodes
