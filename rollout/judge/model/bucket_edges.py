"""Which bucket edges a latency signal is judged at.

Few edges, fixed before the first bet: around the median, p80 and p95 of what is known by then, and two beyond
everything seen, where any slow request of the canary is news. Averaging over edges costs log(number of edges) nats.
"""

from functools import lru_cache

import numpy as np

from rollout.judge.model.onset_prior import Floats, Indices

MOST = 5
"""Edges judged at most."""

ENOUGH = 40
"""Requests of both arms to have seen before edges are chosen."""

ENOUGH_HISTORY = 400
"""Requests of stable alone before they are chosen ahead of the canary."""

_SLOW_SHARES = (0.5, 0.2, 0.05)
_FURTHER = (1.0, 3.0)


def choose_edges(
    edges_seconds: tuple[float, ...], slow: Floats, requests: float, threshold: float | None
) -> list[float]:
    """Pick at most MOST edges, in seconds, ascending.

    Args:
        edges_seconds: all upper bucket edges, ascending.
        slow: requests slower than each, shape (edges,).
        requests: all requests.
        threshold: an edge people care about; the nearest one is always among those picked.
    """
    share = slow / max(requests, 1.0)
    chosen = [int(np.argmin(np.abs(share - target))) for target in _SLOW_SHARES]
    if threshold is not None:
        chosen.insert(0, nearest(edges_seconds, threshold))
    unseen = np.flatnonzero(share < 1 / max(requests, 1.0) + 0.002)
    if unseen.size:
        first = edges_seconds[int(unseen[0])]
        chosen += [int(np.searchsorted(edges_seconds, first * factor)) for factor in _FURTHER]
    inside = [index for index in dict.fromkeys(chosen) if index < len(edges_seconds)]
    return sorted(edges_seconds[index] for index in inside[:MOST])


def nearest(edges_seconds: tuple[float, ...], threshold: float) -> int:
    """Index of the edge nearest to a threshold."""
    return int(np.argmin(np.abs(np.array(edges_seconds) - threshold)))


@lru_cache(maxsize=256)
def positions(chosen: tuple[float, ...], edges_seconds: tuple[float, ...]) -> Indices:
    """Where the chosen edges are among the source's, shape (chosen,); -1 for one the source no longer has."""
    where = {edge: index for index, edge in enumerate(edges_seconds)}
    return np.array([where.get(edge, -1) for edge in chosen], dtype=np.intp)
