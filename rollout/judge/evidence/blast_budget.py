"""Failed requests of the canary that neither stable's rate nor what healthy pods differ by explains.

The most that a healthy canary may come to, but for the part of the false-rollback rate that the budget pays, is

    most = expected exp(u) (1 + hit (exp(b) - 1)) + z sqrt(clump * that)

expected: what stable's rate asks for, and one failure of stable more; u: how far a pod strays by luck; hit: the largest
part of the time so far in which a pod is hit by bursts of size b, of the kind that stable's pods show; clump: how many
failures come together. All of it is learned from stable's pods: a budget scales with the requests and with what the
service's noise is, and a calm one is held to it nearly to the request.
"""

import math

import numpy as np

from rollout.judge.baseline.pod_against_others import BURST_CHANCES, BURST_LASTS, BURST_SIZES
from rollout.judge.baseline.pod_effects import luck
from rollout.judge.evidence.battery import Evidence
from rollout.judge.model.blocks import BLOCK_SECONDS

SIGMAS = 4.0
"""Standard deviations of counting, and of how often a pod is hit, that are left out: once or twice in ten thousand
releases, however often it is looked."""

BELIEVED_CLUMP = 2.0
"""How many failures come together, before history tells."""


def sure_excess(evidence: Evidence, row: int, alpha: float) -> float:
    """Failed requests above the most that a healthy canary comes to with chance `alpha`; of one column of errors."""
    sums, variation, where = evidence.sums, evidence.pod_variation, np.array([row])
    expected, size = float(sums.expected[row]), float(sums.total[row, 1])
    explained = expected + size / max(float(sums.history[row, 1]), 1.0)
    most = explained * math.exp(float(luck(*variation.spreads(where), alpha)[0]))
    kind = int(np.argmax(variation.likely[row]))
    most *= 1 + _hit(kind, float(evidence.ratio.elapsed[row]) / BLOCK_SECONDS) * math.expm1(float(BURST_SIZES[kind]))
    clump = 1 / float(variation.one_by_one(where, BELIEVED_CLUMP)[0])
    return float(sums.excess[row]) + expected - most - SIGMAS * math.sqrt(clump * most)


def _hit(kind: int, blocks: float) -> float:
    """The largest part of so many blocks in which a pod is hit by bursts of a kind."""
    chance, lasts = float(BURST_CHANCES[kind]), float(BURST_LASTS[kind])
    if chance == 0 or blocks == 0:
        return 0.0
    share = chance / (1 - lasts)
    hits = blocks * share + SIGMAS * math.sqrt(blocks * share * (1 - share) * (1 + lasts) / (1 - lasts))
    return min((hits + 1 / (1 - lasts)) / blocks, 1.0)
