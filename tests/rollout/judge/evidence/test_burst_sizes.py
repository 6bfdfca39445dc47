"""Bursts that last have a size of their own: one that is smaller than those seen is no fault while it may last."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from rollout.judge.baseline.pod_effects import block_noise, pod_effects
from rollout.judge.evidence.burst_sizes import totals
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import OnsetPrior

ONE, FIRST, NO = np.ones(1), np.array([0]), np.array([False])
KNOWN = np.array([0.05]), np.array([5.0])
CHANCE, LASTS = 0.006, 0.865
CALM = 40
"""Blocks before the canary is hit: nothing is said by a fault that comes with the version."""


def counts(x, n, y, n_stable):
    return Counts(np.array([[x], [n], [y], [n_stable]], dtype=float), np.array([True]))


def evidence(rps, ratio, blocks, *, drawn, size=2.0, rate=0.05):
    """Log evidence at the end of so many blocks in which the canary fails that much more; failures as are expected."""
    test = RatioTest(1, OnsetPrior(1800.0, 0.65))
    motion = {"noise": block_noise(*KNOWN), "step": np.zeros(1), "lasting": LASTS, "drawn": np.array([drawn])}
    test.expect(FIRST, *pod_effects(*KNOWN), ONE * CHANCE, ONE * math.log(size), **motion)
    requests = BLOCK_SECONDS * rps
    for block in range(CALM + blocks):
        odds = rate / (1 - rate) * (ratio if block >= CALM else 1.0)
        mine = odds / (1 + odds) * 0.2 * requests
        test.bet(counts(mine, 0.2 * requests, 0.8 * rate * requests, 0.8 * requests), ONE, ONE * BLOCK_SECONDS, NO)
    return float(test.log_e()[0])


@pytest.mark.parametrize("rps", [1e3, 1e4, 1e5])
@pytest.mark.parametrize("ratio", [1.2, 1.45, 1.6, 1.8, 2.0])
def test_a_burst_up_to_those_seen_is_no_fault_for_two_minutes(rps, ratio):
    assert evidence(rps, ratio, 8, drawn=True) < math.log(100)


def test_with_one_size_for_all_of_them_it_is_at_once():
    assert evidence(1e4, 1.45, 2, drawn=False) > math.log(1000)


@pytest.mark.parametrize("rps", [1e3, 1e5])
def test_what_is_larger_than_any_is_seen_within_two_looks(rps):
    assert evidence(rps, 6.0, 2, drawn=True) > math.log(100)


def test_more_traffic_makes_it_no_guiltier():
    some, many = evidence(1e5, 1.45, 8, drawn=True), evidence(1e7, 1.45, 8, drawn=True)
    assert many == pytest.approx(some, abs=0.5)


def test_a_burst_that_goes_on_and_on_is_a_fault():
    assert evidence(1e4, 1.8, 120, drawn=True) > math.log(100)


@given(spread=st.floats(0.01, 1.0), size=st.floats(0.2, 3.0))
@settings(deadline=None)
def test_totals_cover_every_burst_up_to_those_that_were_seen(spread, size):
    nodes, _ = pod_effects(np.array([spread]), np.array([9.0]))
    found, law = totals(nodes, np.array([size]))
    assert law.sum(axis=2) == pytest.approx(np.ones(law.shape[:2]), abs=1e-9)
    middle = int(np.argmin(np.abs(nodes[0])))
    inside = (found[0] > nodes[0, middle]) & (found[0] < nodes[0, middle] + size)
    assert law[0, middle, inside].min(initial=1.0) > 0.2 / nodes.shape[1]
    assert law[0, middle] @ (found[0] - nodes[0, middle]) == pytest.approx(0.75 * size, abs=0.25 * size + 0.1 * spread)


@given(n=st.integers(1, 5), n_stable=st.integers(1, 15), m=st.integers(1, 5), lasting=st.floats(0.0, 0.9))
@settings(deadline=None, max_examples=30)
def test_expectation_is_one_where_the_size_is_drawn(n, n_stable, m, lasting):
    """Two blocks: which node, calm or hit, and of which size, go on as the test believes; every outcome is counted."""
    m, chance, size = min(m, n + n_stable), 0.05, np.array([1.5])
    nodes, mass = np.array([[-0.4, 0.0, 0.7]]), np.array([[0.3, 0.5, 0.2]])
    (hits,), (enter,) = totals(nodes, size)
    law = mass[0] @ enter
    leave = (mass[0][:, None] * enter / law).T
    fate = np.array([[1 - chance, chance], [1 - chance - lasting, chance + lasting]])
    started = chance / (1 - lasting)
    if fate.min() < 0 or started > 1:
        return
    follow = np.block([[fate[0, 0] * np.eye(3), fate[0, 1] * enter], [fate[1, 0] * leave, fate[1, 1] * np.eye(3)]])
    begin = np.concatenate([(1 - started) * mass[0], started * law])
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)
    laws = hypergeom.pmf(support, n + n_stable, m, n) * np.exp(np.concatenate([nodes[0], hits])[:, None] * support)
    laws /= laws.sum(axis=1, keepdims=True)
    mean = 0.0
    for seen in product(range(support.size), repeat=2):
        weight = ((begin * laws[:, seen[0]]) @ follow) * laws[:, seen[1]]
        test = RatioTest(1, OnsetPrior(1800.0, at_start=1.0), nodes=3)
        test.expect(FIRST, nodes, mass, ONE * chance, size, lasting=lasting, drawn=np.array([True]))
        test.noise[:] = 0.0
        for at in seen:
            x = int(support[at])
            test.bet(counts(x, n, m - x, n_stable), ONE, ONE * BLOCK_SECONDS, NO)
        mean += weight.sum() * math.exp(test.log_e()[0])
    assert mean == pytest.approx(1.0, abs=1e-6)
