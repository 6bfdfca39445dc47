"""The information limit of a scenario: the mean delay that no judge of the same promise can stay below."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import xlogy

from bench.judge.world import EDGES, lognormal
from rollout.judge.limits import kl_two_sample

if TYPE_CHECKING:
    from bench.judge.world import Floats, Scenario


def limit_seconds(scenario: Scenario, alpha: float = 0.01) -> float:
    """Seconds from the onset until log(1/alpha) nats have come in, errors and latency together; infinity if never.

    Pods are taken to be alike and failures to come one by one, so it is low where they are not. Crashes are left out.
    """
    every, need, got = float(scenario.said["every_seconds"]), math.log(1 / alpha), 0.0
    at = scenario.onset_seconds
    while at < 60 * float(scenario.said["minutes"]):
        nats = _nats(scenario, at, every)
        if got + nats >= need:
            return at - scenario.onset_seconds + every * (need - got) / nats
        got, at = got + nats, at + every
    return math.inf


def _nats(scenario: Scenario, at: float, every: float) -> float:
    said = scenario.said
    load = float(said["rps"]) * every
    canary = load * scenario.at("share", at)
    stable = load - canary
    errors, healthy = scenario.canary_errors(at), scenario.at("stable_errors", at)
    nats = kl_two_sample(canary, stable, errors, healthy) if errors > healthy else 0.0
    own, other = _buckets(scenario, at)
    pooled = (canary * own + stable * other) / (canary + stable)
    gain = canary * xlogy(own, own / pooled) + stable * xlogy(other, other / pooled)
    return nats + max(float(np.nansum(gain)), 0.0)


def _buckets(scenario: Scenario, at: float) -> tuple[Floats, Floats]:
    """Shares of the buckets, canary's and stable's."""
    said = scenario.said
    median, sigma, slow = float(said["median_seconds"]), float(said["sigma"]), float(said["slow_share"])
    stable = lognormal(np.array(median), sigma, EDGES)
    typical = np.array(median * scenario.at("latency_factor", at))
    late = lognormal(typical, sigma, np.maximum(EDGES - float(said["slow_seconds"]), 1e-9))
    return (1 - slow) * lognormal(typical, sigma, EDGES) + slow * late, stable
