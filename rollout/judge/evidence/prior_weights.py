"""What is believed before the first look: how much each test and each edge counts, and what begins at once."""

import numpy as np

from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.onset_prior import Floats, log_of

ABSOLUTE_RATE_WEIGHT = 0.4
"""Weight of the absolute-rate test in its column; the ratio test has the rest."""

ABSOLUTE_RATE_WEIGHT_LATENCY = 0.35
"""The same at a latency edge."""

ABSOLUTE_RATE_WEIGHT_RIDITS = 0.0
"""The same where all requests have scores: a burst there is nothing gross."""

AT_START = 0.65
"""Onset mass on the first look: most faults come with the version."""

ABSOLUTE_RATE_AT_START = 0.02
"""Onset mass on the first look for gross faults; those are plain at the start anyway."""

EDGE_WEIGHTS: Floats = np.array([0.75, 0.09, 0.07, 0.05, 0.04])
"""Shares of a latency signal's judged edges, ascending, before they are normalised over those there are: most for the
first, which sees a slight slowness in all buckets."""


def log_weights(judged: int) -> Floats:
    """Logarithms of the shares of so many judged edges, minus infinity of those there are not; shape (edges.MOST,)."""
    weights = np.where(np.arange(edges.MOST) < judged, EDGE_WEIGHTS, 0.0)
    return log_of(weights / weights.sum())
