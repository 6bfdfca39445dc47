"""One block of stable's pods: each of them plays the canary against the others (A/A comparison).

docs/explanation/judge.md, "Pods differ". The blocks' sums are kept by `pod_variation`.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from rollout.judge.model.hypergeometric import Counts, Tilts
from rollout.judge.model.onset_prior import TINY, Bools, Floats, Indices, ShortFloats, log_add, log_of
from rollout.judge.model.rank_sum import Spread, log_likelihood_ratios

Beside: TypeAlias = Callable[[Indices, Floats, Floats], Floats]
"""What pods are beside their others, of columns, by their lasting log ratios and sizes: log ratios of that shape."""

BURST_CHANCES: Floats = np.array([0.0, *[0.03] * 3, *[0.006] * 4])
"""Chance that a calm pod is hit in a block, of each kind of burst that is thought of; the first is none."""

BURST_LASTS: Floats = np.array([0.0, *[0.0] * 3, *[0.865] * 4])
"""What is added to that where the pod was hit in the block before: the last kinds last for two minutes on the mean."""

BURST_STARTS: Floats = BURST_CHANCES / (1 - BURST_LASTS)
"""Chance that a pod is hit in a block of which nothing is known before."""

BURST_SIZES: Floats = np.log([1.0, 2.0, 4.0, 10.0, 2.0, 3.0, 5.0, 10.0])
"""Log ratio by which it then fails more, of each kind."""

EXPONENTS: Floats = np.array([1.0, 0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.12])
"""Candidates for eta, descending."""

FAULTS: Floats = np.log([1.4, 3.0, 10.0])
"""Log ratios of the faults that the likelihood ratios are taken for."""

SURE = 1.5
"""Standard deviations (of counting) that a pod's worst block is taken to have been unlucky by."""

_TILTS: Floats = np.concatenate([[0.0], FAULTS])
SIZES: Floats = np.unique(BURST_SIZES)
"""Sizes of all kinds, ascending; the first is none."""

_EACH: Floats = np.log(
    [
        *([1.0, 1.0, 1.0], [1.65, 2.0, 2.5], [3.0, 4.0, 5.0], [6.5, 8.0, 10.0]),
        *([1.4, 1.65, 2.0], [2.5, 3.0, 3.7], [4.4, 5.0, 6.5], [8.0, 10.0, 12.5]),
    ]
)
"""Sizes that each kind is a mixture of. With gaps between them a burst that lasts, of a size between two kinds, is
nearer to a kind that does not."""

_FINE, _FINE_OF = np.unique(np.round(_EACH, 12), return_inverse=True)
_FINE_OF = _FINE_OF.reshape(_EACH.shape)
_AT, _KIND_AT = (np.searchsorted(_FINE, np.round(sizes, 12)) for sizes in (SIZES, BURST_SIZES))
_LASTS: Bools = BURST_LASTS[:, None] > 0

BELIEVED = 0.3
"""Standard deviation of a burst's size around its kind's."""

_ADDED: Floats = (_FINE[:, None] + _TILTS).reshape(1, -1)
_ARE_FAULTS: Bools = np.tile(_TILTS > 0, _FINE.size)
_SHORT: ShortFloats = EXPONENTS[:, None].astype(np.float32)
_MOST_LOG = np.float32(50.0)
_HALF = 0.5


def gains_of(
    pods: Counts, own: Floats, scored: tuple[Indices, Spread], chance: Floats
) -> tuple[Floats, ShortFloats, Floats, Floats]:
    """Each pod as a canary among the others, under each kind of burst.

    Args:
        pods: what each did, and the others.
        own: their lasting log ratios, shape (pods,).
        scored: pods that are judged by scores, and what they did.
        chance: that each is hit in this block, by what is known of the blocks before, shape (pods, bursts).

    Returns:
        Log likelihoods, shape (pods, bursts); likelihood ratios of the faults to each exponent, shape (pods, bursts,
        exponents, faults); the chance that each was hit, now that the block is known, shape (pods, bursts); and log
        likelihoods, over those of calm pods, if it was hit by each of SIZES, shape (pods, sizes).
    """
    at, spread = scored
    # log l(own + burst + fault): the conditional law of the pod's failures, or of its scores.
    log_ratios = Tilts(_ADDED, own[:, None]).log_likelihood_ratios(pods.but(at), np.ones(own.size))
    if at.size:
        log_ratios[at, 0] = log_likelihood_ratios(spread, own[at, None] + _ADDED, _ARE_FAULTS, np.ones(at.size))
    hit = log_ratios.reshape(own.size, _FINE.size, _TILTS.size)
    calm = hit[:, :1]
    # Of each kind of burst the mixture (1 - chance) l(s) + chance l(s + b), over its sizes b; where it does not last a
    # canary is held against the one size.
    every = _log_mean(hit[:, _FINE_OF])
    log_chance, log_calm = log_of(chance)[:, :, None], np.log1p(-chance)[:, :, None] + calm
    log_hit = log_chance + np.where(_LASTS, every, hit[:, _KIND_AT])
    mixed = log_add(log_calm, log_hit)
    likely = log_add(log_calm[:, :, 0], log_chance[:, :, 0] + every[:, :, 0]) - calm[:, :, 0]
    # The likelihood ratio of a fault over none, to the power of each candidate for eta.
    gain = mixed[:, :, 1:] - mixed[:, :, :1]
    powers: ShortFloats = np.exp(np.minimum(_SHORT * gain.astype(np.float32)[:, :, None, :], _MOST_LOG))
    struck = np.exp(log_hit[:, :, 0] - mixed[:, :, 0])
    return likely, powers, struck, hit[:, _AT, 0] - calm[:, :, 0]


def _log_mean(logs: Floats) -> Floats:
    """Logarithm of the mean of exp(logs) over the third axis."""
    top = logs.max(axis=2)
    found: Floats = top + np.log(np.exp(logs - top[:, :, None]).mean(axis=2))
    return found


def likeliest_sizes(sums: Floats, usual: Floats) -> Floats:
    """Log ratios by which pods that were hit are likeliest to have failed more, shape (k,).

    Args:
        sums: log likelihoods of the blocks in which they were hit, for each of SIZES, shape (k, sizes).
        usual: what is believed before, with a standard deviation of BELIEVED, shape (k,).
    """
    sums = sums - ((SIZES - usual[:, None]) / BELIEVED) ** 2 / 2
    rows, top = np.arange(len(sums)), np.clip(sums.argmax(axis=1), 1, SIZES.size - 2)
    # The top of the parabola through the best and its two neighbours.
    low, mid, high = SIZES[top - 1], SIZES[top], SIZES[top + 1]
    left = (sums[rows, top] - sums[rows, top - 1]) / (mid - low)
    right = (sums[rows, top + 1] - sums[rows, top]) / (high - mid)
    bend = np.minimum((right - left) / (high - low), -1e-9)
    found: Floats = np.clip((low + mid) / 2 - left / (2 * bend), low, high)
    return found


def largest_exponents(gains: ShortFloats, blocks: Floats) -> Floats:
    """Largest exponents at which no fault's mean likelihood ratio is above 1, shape (k,).

    The logarithm of the mean is convex in the exponent, so a straight line between two candidates crosses 0 too early
    at worst.

    Args:
        gains: sums of likelihood ratios over the pod-blocks, shape (k, exponents, faults).
        blocks: how many pod-blocks, shape (k,).
    """
    # Log of the mean likelihood ratio, at each exponent for each fault.
    means = np.log(np.maximum(gains.astype(np.float64), TINY)) - np.log(np.maximum(blocks, 1))[:, None, None]
    # Exponents descend: `upper` is at the larger one of two neighbours.
    upper, lower = means[:, :-1], means[:, 1:]
    crosses = (upper > 0) & (lower <= 0)
    inside = np.divide(lower, lower - upper, out=np.zeros(lower.shape), where=crosses)
    between = EXPONENTS[1:, None] + inside * (EXPONENTS[:-1] - EXPONENTS[1:])[:, None]
    crossing = np.where(upper <= 0, EXPONENTS[:-1, None], np.where(crosses, between, EXPONENTS[-1]))
    # The largest exponent for each fault, and the least of them over the faults.
    found: Floats = crossing.max(axis=1).min(axis=1)
    return found


def shares_of(size: Floats) -> Floats:
    """Shares of all failures that fall on each pod where they differ as for good, shape (k, MOST_PODS).

    Args:
        size: sizes, the pods' lasting offsets counted in, shape (k, MOST_PODS).
    """
    shares: Floats = size / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
    return shares


def squares_of(failed: Floats, shares: Floats) -> Floats:
    """How far the pods' failures of a block are from their shares of all, and how far counting alone would bring them.

    Args:
        failed: shape (k, MOST_PODS).
        shares: as of `shares_of`, shape (k, MOST_PODS).

    Returns:
        Sums of squares over the pods: of what was found, and of what is expected where failures come one by one; shape
        (k, 2).
    """
    total = failed.sum(axis=1, keepdims=True)
    expected, found = total * shares, np.empty((len(failed), 2))
    # Of m failures that fall on a pod with chance p each: (x - m p)^2, whose mean is the variance m p (1 - p).
    found[:, 0] = ((failed - expected) ** 2).sum(axis=1)
    found[:, 1] = (expected * (1 - shares)).sum(axis=1)
    return found


def worst_alone(pods: Counts, there: Bools) -> Floats:
    """The highest sure rate of a pod whose others were well, of each column; shape (k,).

    Args:
        pods: what each pod did, and its others, shape (k * MOST_PODS,).
        there: which pods had something, shape (k, MOST_PODS).
    """
    failed, size, others_failed, others_size = pods.values
    failed = np.maximum(failed, 0.0)
    # The rate less SURE standard deviations of counting, of which the square is the count.
    sure = np.maximum(failed - SURE * np.sqrt(failed), 0.0) / np.maximum(size, 1e-300)
    others = others_failed / np.maximum(others_size, 1e-300)
    found: Floats = np.where(others < _HALF * sure, sure, 0.0).reshape(there.shape)
    highest: Floats = np.where(there, found, 0.0).max(axis=1)
    return highest
