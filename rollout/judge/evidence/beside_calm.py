"""The counts of a look beside those of stable's pods that no burst hits: see `rollout.judge.baseline.calm_others`."""

import numpy as np

from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.data.batch import Batch
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Bools, indices_of


def beside_calm(counts: Counts, batch: Batch, variation: PodVariation, changed: Bools) -> Counts:
    """The counts without what stable's pods did that are hit now, in columns that have brief bursts and no scores.

    Pods of stable that nobody tells apart stay, and so does everything where no pod is calm, or where a place changed:
    pods that a place takes down are what a canary there is held against.

    Args:
        counts: of the look; not changed.
        batch: the look.
        variation: what is known of stable's pods, the look not yet in it.
        changed: where a place surely did of late, shape (columns,).
    """
    at = indices_of((variation.burst > 0) & ~variation.scored & ~changed & (counts.values[1] > 0))
    if not at.size:
        return counts
    failed, size = (each[at] for each in variation.so_far(batch))
    less = (batch.pods[:, at] * variation.left_out(at, failed, size)).sum(axis=2)
    left = counts.values[2:, at] - less
    if not less.any():
        return counts
    values = counts.values.copy()
    values[2:, at] = np.where(left[1] > 0, np.maximum(left, 0.0), values[2:, at])
    return Counts(values, counts.whole)
