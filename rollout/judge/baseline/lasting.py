"""How far pods are apart for good, by all that each of them ever did: their variance, and the offset of each.

docs/explanation/judge.md, "Pods differ".
"""

import numpy as np

from rollout.judge.model.onset_prior import Floats

PRIOR_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods, while history does not tell it."""

PRIOR_PODS = 5
"""Pods that the prior spread is taken to rest on: its tails are Student's with 4 degrees of freedom."""

TRUSTED_PODS = (9.0, 6.6)
"""Pods that tau is taken to rest on at most, of failures and of slow requests: tails are never lighter than Student's
with 8 and 5.6 degrees of freedom. That pods differ by outliers is not to be seen in a dozen of them."""

PRIOR_WORTH = (1.0, 2.5)
"""The prior spread is worth 1 / (2 + pods that showed theirs) pods, to this power: of failures, and of slow requests.
The more pods show, the less it is worth. Requests are slow often enough for nine pods to show a spread of 1 %."""


def lasting_variance(failed: Floats, size: Floats, power: Floats) -> tuple[Floats, Floats]:
    """Variance of the log rates of pods, and the number of pods that it may be taken to rest on; each (k,).

    Args:
        failed: failures of the pods, shape (k, MOST_PODS).
        size: requests or pod-seconds of each, shape (k, MOST_PODS).
        power: as of `PRIOR_WORTH`, shape (k,).
    """
    # Log rates of the pods that failed at all, and the mean of 1 / failures: what counting adds to their variance.
    counted = failed >= 1
    pods = np.maximum(counted.sum(axis=1), 1)
    logs = np.where(counted, np.log(np.maximum(failed, 1) / np.maximum(size, 1e-300)), 0.0)
    chance = np.where(counted, 1 / np.maximum(failed, 1), 0.0).sum(axis=1) / pods
    # Variance between the pods, less what counting explains.
    around = np.where(counted, logs - (logs.sum(axis=1) / pods)[:, None], 0.0)
    between = np.maximum((around**2).sum(axis=1) / np.maximum(pods - 1, 1) - chance, 0.0)
    # Pods that this is worth: one whose counting error is large shows little. What the prior is worth beside them.
    known = (pods - 1) * PRIOR_SPREAD**2 / (PRIOR_SPREAD**2 + chance)
    prior_pods = (2 + known) ** -power
    # tau^2: the mean of prior and found variance, weighted by what each is worth.
    variance = (prior_pods * PRIOR_SPREAD**2 + known * between) / (prior_pods + known)
    return variance, np.maximum(np.round(known) + 1, PRIOR_PODS)


def lasting_offsets(failed: Floats, size: Floats) -> Floats:
    """Lasting log ratios of the pods to all of them, shrunk as counting demands; shape (k, MOST_PODS).

    Args:
        failed: failures of the pods, shape (k, MOST_PODS).
        size: requests or pod-seconds of each, shape (k, MOST_PODS).
    """
    total = np.maximum(size.sum(axis=1, keepdims=True), 1e-9)
    expected = size * failed.sum(axis=1, keepdims=True) / total
    # A gamma prior of mean 1 and standard deviation PRIOR_SPREAD: its shape is one over the variance.
    offsets: Floats = np.log((failed + 1 / PRIOR_SPREAD**2) / (expected + 1 / PRIOR_SPREAD**2))
    return offsets
