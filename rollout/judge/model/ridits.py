"""Ridits: all buckets of a latency histogram as one number. Is the canary slower all along, by little?

A slight slowness moves requests across every bucket edge, and any one edge sees only a part of it. So each bucket gets
a score: its mean rank among the requests seen before, from -1 to 1 (its ridit: Wilcoxon 1945, Bross 1958).
The canary's requests are tested by the sum of their scores. On that scale a tilt exp(s score) of the distribution is
near proportional odds of exp(s), so steps, pod effects and tolerances mean the same here as at an edge. `rank_sum`
bounds the law of the sum.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rollout.judge.model.onset_prior import Floats

BINS = 25
"""Buckets told apart at most; those of a finer histogram are put together."""

_FARTHEST = 0.95
"""How far a mean score is moved at most, of the way to the last score."""

_STEPS, _STEP, _START = 5, 2.0, 8.0
"""Of Newton's method: how many, how far one goes at most, and how far off it begins at most."""

RICH = 0.1
"""Least variance of the scores: a distribution that is almost all in one bucket is judged at its edges alone."""


@dataclass(frozen=True, slots=True)
class Ridits:
    """Buckets of a latency signal and their scores.

    Attributes:
        edges: upper bucket edges in seconds, ascending; fewer than BINS.
        scores: of the buckets, the last one open, -1 to 1, shape (BINS,); 0 beyond the buckets.
    """

    edges: tuple[float, ...]
    scores: Floats


def choose_ridits(edges_seconds: tuple[float, ...], slow: Floats, requests: float) -> Ridits | None:
    """Score the buckets by what was seen; None where too much is in one of them.

    Args:
        edges_seconds: all upper bucket edges, ascending.
        slow: requests slower than each, shape (edges,).
        requests: all requests.
    """
    # Share of the requests that are faster than each edge; of a fine histogram about BINS edges, evenly by share.
    below = 1 - slow / max(requests, 1.0)
    kept = np.arange(below.size)
    if below.size >= BINS:
        kept = np.unique(np.minimum(np.searchsorted(below, np.arange(1, BINS) / BINS), below.size - 1))
    # A bucket's mean rank, 0 to 2 with mean 1: the share below it plus the share below its upper end.
    bounds = np.concatenate([[0.0], below[kept], [1.0]])
    shares, ranks = np.diff(bounds), bounds[1:] + bounds[:-1]
    # The variance of the ranks around their mean, which is 1 whatever the shares are.
    if shares @ (ranks - 1) ** 2 < RICH:
        return None
    scores = np.zeros(BINS)
    scores[: ranks.size] = ranks - 1
    return Ridits(tuple(edges_seconds[at] for at in kept), scores)


def moments(scores: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the scores of requests, by how many there are in each bucket; each of shape (k,)."""
    total, weighted = np.maximum(counts.sum(axis=1), 1e-300), counts * scores
    mean = weighted.sum(axis=1) / total
    variance: Floats = np.einsum("ij,ij->i", weighted, scores) / total - mean**2
    return mean, variance


def tilt_of(relative: Floats, scores: Floats, counts: Floats) -> Floats:
    """The tilt s of a distribution of scores at which its mean moves by (relative - 1) x its variance.

    By Newton's method; it starts with Cohen's (1991) approximation of the inverse of coth(s) - 1/s, the law of scores
    that are spread evenly, whose variance is 1/3.

    Args:
        relative: shape (k, m).
        scores: of the buckets, shape (k, BINS).
        counts: requests in each bucket, shape (k, BINS).

    Returns:
        Shape (k, m); 0 where there are no requests. A mean goes `_FARTHEST` of the way to the last score at most.
    """
    mean, variance = (each[:, None] for each in moments(scores, counts))
    seen = np.where(counts > 0, scores, mean)
    low, high = (_FARTHEST * (each[:, None] - mean) for each in (seen.min(axis=1), seen.max(axis=1)))
    moved = np.clip((relative - 1) * variance, low, high)
    scale = np.sqrt(3 * np.maximum(variance, 1e-9))
    part = np.clip(moved / scale, -_FARTHEST, _FARTHEST)
    found: Floats = np.clip(part * (3 - part**2) / (1 - part**2) / scale, -_START, _START)
    for _ in range(_STEPS):
        tilted = counts[:, None] * np.exp(found[:, :, None] * scores[:, None])
        total = np.maximum(tilted.sum(axis=2), 1e-300)
        tilted *= scores[:, None]
        now = tilted.sum(axis=2) / total
        slope = np.einsum("ijk,ik->ij", tilted, scores) / total - now**2
        found += np.clip((mean + moved - now) / np.maximum(slope, 1e-9), -_STEP, _STEP)
    return found


@lru_cache(maxsize=256)
def bins_of(ridit_edges: tuple[float, ...], edges_seconds: tuple[float, ...]) -> Floats:
    """Which of the scored buckets each of the source's belongs to, shape (BINS, edges + 1).

    An edge that the source lost puts two of them together, for both arms alike.
    """
    at = np.searchsorted(ridit_edges, np.append(edges_seconds, np.inf))
    found: Floats = (np.arange(BINS)[:, None] == at).astype(np.float64)
    return found


def centred(score: Floats, size: Floats, scores: Floats, pooled: Floats) -> Floats:
    """Sums of scores, moved so that the mean of all of them is their variance; shape (k, pods).

    As a rate of failures does, it then grows by a factor 1 + s for a small tilt s, and its counting error is one over
    its square root.

    Args:
        score: sum of each pod's requests, shape (k, pods).
        size: its requests, shape (k, pods).
        scores: of the buckets, shape (k, BINS).
        pooled: requests of all pods in each bucket, shape (k, BINS).
    """
    mean, variance = moments(scores, pooled)
    moved: Floats = score + (variance - mean)[:, None] * size
    return moved
