"""The information limit of a scenario: the mean delay that no judge of the same promise can stay below.

A fault that begins with the release needs log(1/alpha) nats. Where it may begin at any of H looks, a judge that is as
quick at each of them, and wrong at none with probability alpha in all, needs log H more (Lai 1998; Tartakovsky &
Veeravalli 2005). Failures that come in groups of c tell as much as a c-th of them. What a healthy canary may do as well
tells nothing against one: the information is that beyond the healthy canary that is most like it. Where no start of the
service was ever seen, as in H18, it may be cold for some seconds.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import rel_entr

from bench.judge.world import EDGES, lognormal, scenarios
from rollout.judge.model.power import kl_two_sample

if TYPE_CHECKING:
    from bench.judge.world import Floats, Scenario

STEP_SECONDS = 5.0


def limit_seconds(scenario: Scenario, alpha: float = 0.01) -> float:
    """Seconds from the onset until enough nats have come in, errors and latency together; infinity if never.

    Pods are taken to be alike, without bursts, and their history to be as long as need be, so it is low where they are
    not. Crashes are left out.
    """
    need, got = math.log(1 / alpha), 0.0
    at, end = scenario.onset_seconds, 60 * float(scenario.said["minutes"])
    if at > 0:
        need += math.log(end / float(scenario.said["every_seconds"]))
    while at < end:
        nats = _nats(scenario, at, STEP_SECONDS)
        if got + nats >= need:
            return at - scenario.onset_seconds + STEP_SECONDS * (need - got) / nats
        got, at = got + nats, at + STEP_SECONDS
    return math.inf


def _nats(scenario: Scenario, at: float, seconds: float) -> float:
    said = scenario.said
    load = float(said["rps"]) * seconds
    canary = load * scenario.at("share", at)
    stable = load - canary
    errors, healthy = scenario.canary_errors(at), scenario.at("stable_errors", at)
    failures = kl_two_sample(canary, stable, errors, healthy) / float(said["clump"]) if errors > healthy else 0.0
    own, other = _buckets(scenario, at)
    slowness = nats_of_buckets(canary, stable, own, other)
    cold = _cold()
    if not said["starts"] and at < float(cold["seconds"]):
        null = _two(min(errors, float(cold["errors"])))
        failures = min(failures, _divergence(canary, _two(errors), null) / float(said["clump"]))
        factor = min(scenario.at("latency_factor", at), float(cold["latency_factor"]))
        slow = lognormal(np.array(float(said["median_seconds"]) * factor), float(said["sigma"]), EDGES)
        slowness = min(slowness, _divergence(canary, own, slow))
    return failures + slowness


def nats_of_buckets(canary: float, stable: float, own: Floats, other: Floats) -> float:
    """Nats of so many requests of both arms, whose shares of the buckets are these, against one for both."""
    pooled = (canary * own + stable * other) / (canary + stable)
    return _divergence(canary, own, pooled) + _divergence(stable, other, pooled)


@cache
def _cold() -> dict[str, float]:
    """What a healthy start may be like where none was seen."""
    found: dict[str, float] = scenarios()["H18"].said["cold"]
    return found


def _two(share: float) -> Floats:
    return np.array([share, 1 - share])


def _divergence(requests: float, seen: Floats, null: Floats) -> float:
    """Nats that so many requests of one distribution tell against another."""
    return requests * max(float(rel_entr(seen, null).sum()), 0.0)


def _buckets(scenario: Scenario, at: float) -> tuple[Floats, Floats]:
    """Shares of the buckets, canary's and stable's."""
    said = scenario.said
    median, sigma, slow = float(said["median_seconds"]), float(said["sigma"]), float(said["slow_share"])
    stable = lognormal(np.array(median), sigma, EDGES)
    typical = np.array(median * scenario.at("latency_factor", at))
    late = lognormal(typical, sigma, np.maximum(EDGES - float(said["slow_seconds"]), 1e-9))
    return (1 - slow) * lognormal(typical, sigma, EDGES) + slow * late, stable
