"""Pod effects that move, bursts that last, and what no amount of traffic may do: convict a pod for being one."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from scipy.stats import t as student

from rollout.judge.baseline.pod_effects import block_noise, pod_effects
from rollout.judge.evidence.fault_sizes import RIDIT_STEP_WEIGHTS, RIDIT_STEPS
from rollout.judge.evidence.pod_motion import information, kernels, moves
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import OnsetPrior
from rollout.judge.model.rank_sum import Spread

ONE, FIRST, NO = np.ones(1), np.array([0]), np.array([False])
FROM_START = OnsetPrior(1800.0, at_start=1.0)


def counts(x, n, y, n_stable):
    return Counts(np.array([[x], [n], [y], [n_stable]], dtype=float), np.array([True]))


def some_effects(spread=0.3):
    return pod_effects(np.array([spread]), np.array([5.0]))


@given(rate=st.floats(0.001, 50.0), more=st.floats(0.001, 5.0), spread=st.floats(0.01, 1.0))
@settings(deadline=None)
def test_a_pod_that_moves_keeps_the_law_of_pods(rate, more, spread):
    _, mass = some_effects(spread)
    (one,), (other,), (both,) = (kernels(mass, np.array([r])) for r in (rate, more, rate + more))
    assert one.sum(axis=1) == pytest.approx(np.ones(mass.size), abs=1e-9)
    assert mass[0] @ one == pytest.approx(mass[0], abs=1e-9)
    assert mass[0][:, None] * one == pytest.approx((mass[0][:, None] * one).T, abs=1e-9), "as often there as back"
    assert one @ other == pytest.approx(both, abs=1e-8)


@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_it_moves_as_far_within_a_block_as_it_is_said_to(spread):
    nodes, mass = some_effects(spread)
    step = np.array([(0.2 * spread) ** 2])
    (kernel,) = kernels(mass, moves(nodes, mass, step))
    squared = (mass[0][:, None] * kernel * (nodes[0][:, None] - nodes[0]) ** 2).sum()
    assert squared == pytest.approx(step[0], rel=0.15)
    assert moves(nodes, mass, 0 * step) == pytest.approx([0.02])
    assert moves(np.zeros((1, 1)), np.ones((1, 1)), step) == pytest.approx([0.0]), "a single node has nowhere to go"


@given(n=st.floats(1, 1e7), share=st.floats(0.0001, 0.9), looks=st.integers(1, 60))
def test_information_is_that_of_a_block_however_many_looks_it_has(n, share, looks):
    def told(parts):
        part = counts(share * n / parts, n / parts, 9 * share * n / parts, 9 * n / parts)
        return information(part, np.array([BLOCK_SECONDS / parts]), None)[0]

    assert told(1) == pytest.approx(10 * share * n * 0.1 * 0.9 * (1 - share))
    assert told(looks) == pytest.approx(told(1), rel=1e-9)


@given(n=st.integers(1, 12), n_stable=st.integers(1, 30), m=st.integers(0, 14), noise=st.floats(0.0, 2.0))
@settings(deadline=None)
def test_noise_only_takes_evidence_away(n, n_stable, m, noise):
    m = min(m, n + n_stable)
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)

    def e_value(x):
        test = RatioTest(1, FROM_START, nodes=1)
        test.expect(FIRST, np.zeros((1, 1)), np.ones((1, 1)), 0 * ONE, 0 * ONE, noise=noise)
        test.bet(counts(x, n, m - x, n_stable), ONE, ONE * 15, NO)
        return math.exp(test.log_e()[0])

    mean = sum(hypergeom.pmf(x, n + n_stable, m, n) * e_value(x) for x in support)
    assert mean <= 1 + 1e-9


@given(n=st.integers(1, 6), n_stable=st.integers(1, 20), m=st.integers(1, 6), lasting=st.floats(0.0, 0.9))
@settings(deadline=None, max_examples=40)
def test_expectation_is_one_where_bursts_last_and_pods_move(n, n_stable, m, lasting):
    """Three blocks: which node, and hit or not, go on as the test believes; every outcome is enumerated."""
    m, chance, size = min(m, n + n_stable), 0.05, 1.5
    nodes, mass = np.array([[-0.4, 0.0, 0.7]]), np.array([[0.3, 0.5, 0.2]])
    test = RatioTest(1, FROM_START, nodes=3)
    step = np.array([0.05])
    (kernel,) = kernels(mass, moves(nodes, mass, step))
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)
    base = hypergeom.pmf(support, n + n_stable, m, n)
    started = chance / (1 - lasting)
    if started > 1:
        return
    # The law of each state (node, calm or hit), and how states follow one another.
    tilts = (nodes[0][:, None] + np.array([0.0, size])).ravel()
    laws = base * np.exp(tilts[:, None] * support)
    laws /= laws.sum(axis=1, keepdims=True)
    fate = np.array([[1 - chance, chance], [1 - chance - lasting, chance + lasting]])
    if fate.min() < 0:
        return
    follow = np.kron(kernel, fate)
    begin = (mass[0][:, None] * np.array([1 - started, started])).ravel()
    mean = 0.0
    for seen in product(range(support.size), repeat=2):
        weight = begin * laws[:, seen[0]]
        weight = (weight @ follow) * laws[:, seen[1]]
        test = RatioTest(1, FROM_START, nodes=3)
        test.expect(FIRST, nodes, mass, ONE * chance, ONE * size, lasting=lasting, step=step)
        for at in seen:
            x = int(support[at])
            test.bet(counts(x, n, m - x, n_stable), ONE, ONE * BLOCK_SECONDS, NO)
        mean += weight.sum() * math.exp(test.log_e()[0])
    assert mean == pytest.approx(1.0, abs=1e-6)


def highest(rps, effect, *, noise=True, spread=0.2, looks=120, rate=0.01):
    """Highest log evidence within half an hour against a healthy pod that is worse by `effect` for good.

    Its failures are those that are expected, to the last fraction: nothing is left to chance.
    """
    test, known = RatioTest(1, OnsetPrior(1800.0, 0.65)), (np.array([spread]), np.array([9.0]))
    motion = {"noise": block_noise(*known), "step": np.zeros(1)} if noise else {}
    test.expect(FIRST, *pod_effects(*known), 0 * ONE, 0 * ONE, **motion)
    requests, odds = 15.0 * rps, rate / (1 - rate) * math.exp(effect)
    seen = counts(odds / (1 + odds) * 0.1 * requests, 0.1 * requests, 0.9 * rate * requests, 0.9 * requests)
    found = -math.inf
    for _ in range(looks):
        test.bet(seen, ONE, ONE * 15, NO)
        found = max(found, float(test.log_e()[0]))
    return found


def healthy_pods(count, spread=0.2):
    """Effects of healthy pods at evenly spread quantiles of their law, which are no nodes."""
    shares = (np.arange(count) + 0.5) / count
    return spread * math.sqrt(1 + 1 / 9) * student.ppf(shares, 8)


def test_with_exchangeable_pods_evidence_is_bounded_in_traffic():
    """From 10 to 10,000,000 requests a second: no pod but the last in a hundred is ever nearer to a rollback."""
    pods = healthy_pods(100)
    evidence = np.array([[highest(rps, pod) for pod in pods] for rps in (10, 1e3, 1e5, 1e7)])
    assert (evidence[:, :99] < math.log(100)).all()
    assert evidence[-1, :99] == pytest.approx(evidence[-2, :99], abs=0.5), "a hundred times the traffic tells no more"
    assert evidence[-1, 99] == pytest.approx(evidence[-2, 99], abs=2), "nor beyond the last node, where looks add up"


def test_it_is_the_noise_of_a_block_that_bounds_it():
    between = healthy_pods(20)[12:17]
    assert max(highest(1e6, pod, noise=False) for pod in between) > 100
    assert max(highest(1e6, pod) for pod in between) < 1


@pytest.mark.parametrize("requests", [300, 30_000, 3_000_000])
def test_scores_are_bounded_alike(requests):
    """Slow requests tell most: half of them are above the median. The canary's have odds of 1.15, as its pod has."""
    known = np.array([0.1]), np.array([6.6])
    test = RatioTest(1, OnsetPrior(1800.0, 0.65))
    test.look_for(0, RIDIT_STEPS, RIDIT_STEP_WEIGHTS)
    test.expect(FIRST, *pod_effects(*known), 0 * ONE, 0 * ONE, noise=block_noise(*known), step=0 * ONE)
    scores = np.array([[-0.75, -0.25, 0.25, 0.75]])
    shares = np.exp(math.log(1.15) * scores[0])
    canary = requests * shares / shares.sum()
    pooled = (canary + 9 * requests / 4)[None]
    for _ in range(120):
        spread = Spread(scores, np.array([canary @ scores[0]]), np.array([float(requests)]), pooled)
        test.bet(counts(0, 0, 0, 0), ONE, ONE * 15, NO, (FIRST, spread))
        assert test.log_e()[0] < 1.0


def lasting(effect, known, looks=120):
    """Highest log evidence by scores against a healthy pod that is slower by `effect` for good, at 100,000 a second."""
    test = RatioTest(1, OnsetPrior(1800.0, 0.65))
    test.look_for(0, RIDIT_STEPS, RIDIT_STEP_WEIGHTS)
    test.expect(FIRST, *pod_effects(*known), 0 * ONE, 0 * ONE, noise=block_noise(*known), step=0 * ONE)
    scores = np.array([[-0.75, -0.25, 0.25, 0.75]])
    canary = 150_000 * np.exp(effect * scores[0]) / np.exp(effect * scores[0]).sum()
    spread = Spread(scores, np.array([canary @ scores[0]]), np.array([150_000.0]), (canary + 337_500)[None])
    found = -math.inf
    for _ in range(looks):
        test.bet(counts(0, 0, 0, 0), ONE, ONE * 15, NO, (FIRST, spread))
        found = max(found, float(test.log_e()[0]))
    return found


@pytest.mark.parametrize("pods", [5.0, 6.6, 9.0])
def test_a_pod_between_two_nodes_does_not_become_guilty_by_staying_so(pods):
    """Half an hour of looks that each tell as much as they may: 6 nats while blocks were half as noisy."""
    known = np.array([0.1]), np.array([pods])
    shares = [*np.linspace(0.5, 0.95, 10), 0.97, 0.98, 0.99]
    effects = 0.1 * math.sqrt(1 + 1 / pods) * student.ppf(shares, pods - 1)
    assert max(lasting(effect, known) for effect in effects) < 3


def test_what_no_healthy_pod_comes_to_convicts_within_minutes():
    assert lasting(0.8, (np.array([0.1]), np.array([5.0])), looks=8) > math.log(1000)
