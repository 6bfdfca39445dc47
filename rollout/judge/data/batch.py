"""One look of some signals as arrays with one entry for each column."""

from dataclasses import dataclass

import numpy as np

from rollout.judge.model.onset_prior import Bools, Floats
from rollout.judge.model.ridits import BINS

MOST_PODS = 12
"""Pods of stable told apart at most."""


@dataclass(slots=True)
class Batch:
    """What happened between two looks; columns without a look have zeros everywhere.

    Attributes:
        looked: columns that have a look, shape (columns,).
        at: time of the look, seconds since the epoch, shape (columns,).
        seconds: time since the look before, shape (columns,).
        counts: canary failures, canary size, stable failures, stable size, shape (columns, 4).
        pods: failures of stable's grown-up pods, and their requests or pod-seconds, shape (2, columns, MOST_PODS).
        young: the young pods' share of the canary's size, and failures and size of stable's, by bin of age, shape
            (3, columns, `ages.AGES`); None where no pod is young.
        bucket_counts: requests in each bucket, of those columns whose requests have scores: of the canary, of stable,
            and of those pods of stable that `pods` is about, shape (3, columns, `ridits.BINS`). In these columns `pods`
            has sums of scores instead of failures.
        places: failures (sums of scores) of stable's grown-up pods, their sizes, and the canary's sizes, by place; the
            last place is any in which stable has no pod. Shape (3, columns, MOST_PLACES + 1); None where no pod's is
            known.
        pod_places: place of each of stable's pods, -1 where it is not known, shape (columns, MOST_PODS).
    """

    looked: Bools
    at: Floats
    seconds: Floats
    counts: Floats
    pods: Floats
    bucket_counts: Floats
    young: Floats | None = None
    places: Floats | None = None
    pod_places: Floats | None = None

    @classmethod
    def empty(cls, columns: int) -> "Batch":
        """A look of nothing."""
        at, seconds = np.zeros((2, columns))
        pods = np.zeros((2, columns, MOST_PODS))
        bucket_counts = np.zeros((3, columns, BINS))
        return cls(np.zeros(columns, dtype=np.bool_), at, seconds, np.zeros((columns, 4)), pods, bucket_counts)
