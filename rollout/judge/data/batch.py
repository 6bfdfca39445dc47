"""One look of some signals as arrays over all channels."""

from dataclasses import dataclass

import numpy as np

from rollout.judge.model.onset_prior import Bools, Floats
from rollout.judge.model.ridits import BINS

MOST_PODS = 12
"""Pods of stable told apart at most."""


@dataclass(slots=True)
class Batch:
    """What happened between two looks; channels without a look have zeros everywhere.

    Attributes:
        looked: channels that have a look, shape (channels,).
        at: time of the look, seconds since the epoch, shape (channels,).
        seconds: time since the look before, shape (channels,).
        columns: canary failures, canary size, stable failures, stable size, shape (channels, 4).
        pods: failures of stable's grown-up pods, and their requests or pod-seconds, shape (2, channels, MOST_PODS).
        young: the young pods' share of the canary's size, and failures and size of stable's, by bin of age, shape
            (3, channels, `ages.AGES`); None where no pod is young.
        bodies: requests in each bucket of those channels whose requests have scores, of the canary, of stable, and of
            those pods of stable that `pods` is about, shape (3, channels, `body.BINS`). Their `pods` have sums of
            scores for failures.
    """

    looked: Bools
    at: Floats
    seconds: Floats
    columns: Floats
    pods: Floats
    bodies: Floats
    young: Floats | None = None

    @classmethod
    def empty(cls, channels: int) -> "Batch":
        """A look of nothing."""
        at, seconds = np.zeros((2, channels))
        pods = np.zeros((2, channels, MOST_PODS))
        bodies = np.zeros((3, channels, BINS))
        return cls(np.zeros(channels, dtype=np.bool_), at, seconds, np.zeros((channels, 4)), pods, bodies)
