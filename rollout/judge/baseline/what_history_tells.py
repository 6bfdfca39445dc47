"""Whether history is long enough to tell a service's noise, and whether it tells of a calm one."""

import numpy as np

from rollout.judge.baseline.pod_beliefs import ALONE, ENOUGH_BLOCKS, ENOUGH_FAILURES
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.model.onset_prior import Bools

_HALF = 0.5


def is_calm(variation: PodVariation) -> Bools:
    """Where a long history shows no bursts, no clumps and no wandering, shape (columns,)."""
    everything = np.arange(variation.burst.size)
    known = (variation.knowledge() >= 1) & (variation.failed.sum(axis=1) >= ENOUGH_FAILURES)
    alike = (variation.likely.argmax(axis=1) == 0) & (variation.wander.told(everything)[0] == 0)
    calm: Bools = known & alike & (variation.one_by_one(everything, 1.0) > ALONE)
    return calm


def tells_enough(variation: PodVariation, columns: slice) -> Bools:
    """Whether history tells the noise of some columns: at least half of what full trust asks for; (columns,)."""
    blocks, failures = variation.blocks[columns], variation.failed[columns].sum(axis=1)
    found: Bools = (blocks >= _HALF * ENOUGH_BLOCKS) & (failures >= _HALF * ENOUGH_FAILURES)
    return found
