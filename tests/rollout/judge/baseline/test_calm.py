"""What bursts do is not counted as wandering as well, and what wanders is not taken for a burst."""

import numpy as np
import pytest

from rollout.judge.baseline.calm import Calm
from rollout.judge.baseline.pod_against_others import BURST_LASTS, BURST_SIZES, SIZES, likeliest_sizes
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.data.batch import MOST_PODS, Batch

FIRST = np.array([0])
PODS = 9
FAILURES, SLOW = np.array([False]), np.array([True])
TENFOLD = np.flatnonzero(BURST_LASTS > 0)[-1:]


def learned(rng, *, chance=0.0, deviation=0.0, failures=0.6, blocks=240, worse=10, slow=False):
    """What an hour of nine pods teaches: hit tenfold for two minutes on the mean, or wandering over five minutes."""
    variation, hit = PodVariation(np.array([True]), np.array([slow])), rng.random(PODS) < chance
    logs, kept, ends = deviation * rng.standard_normal(PODS), np.exp(-15 / 300), 15 / 120
    for block in range(blocks):
        drawn = rng.random(PODS)
        hit = np.where(hit, drawn >= ends, drawn < ends * chance / (1 - chance))
        logs = kept * logs + np.sqrt(1 - kept**2) * deviation * rng.standard_normal(PODS)
        batch = Batch.empty(1)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        batch.pods[1, 0, :PODS] = 300
        batch.pods[0, 0, :PODS] = rng.binomial(300, failures / 300 * np.exp(logs) * np.where(hit, worse, 1))
        variation.add(batch)
    return variation


def test_bursts_that_last_do_not_wander():
    found = [learned(np.random.default_rng(seed), chance=0.08).wander.told(FIRST)[0][0] for seed in range(10)]
    assert np.median(found) < 0.15


def test_pods_that_wander_still_do():
    found = [
        learned(np.random.default_rng(seed), deviation=0.4, failures=3.0).wander.told(FIRST)[0][0] for seed in range(10)
    ]
    assert np.median(found) == pytest.approx(0.16, rel=0.4)


def block(calm, failed, *, strays=0.0):
    counts, size = np.zeros((2, 1, MOST_PODS))
    counts[0, :PODS], size[0, :PODS] = failed, 1000
    return calm.add(FIRST, counts, size, TENFOLD, np.full((1, MOST_PODS), strays) * (np.arange(MOST_PODS) == 0))


def test_a_pod_that_is_hit_is_no_worse_a_pod_and_hides_no_other():
    calm, hit = Calm(1), np.where(np.arange(PODS) < 2, 40, 4)
    for _ in range(40):
        block(calm, np.full(PODS, 4))
    for _ in range(8):
        shares, (before, now) = block(calm, hit)
    assert before[0, :2].max() < 0.2
    assert now[0, :2].max() < 1e-6
    assert now[0, 2:PODS].min() > 0.99
    assert shares[0, :PODS] == pytest.approx(1 / PODS, rel=0.05)
    assert not shares[0, PODS:].any()


def test_where_a_pod_strays_to_already_is_no_burst():
    known = []
    for strays in (0.0, np.log(5.0)):
        calm = Calm(1)
        for _ in range(20):
            block(calm, np.full(PODS, 4))
        known.append(block(calm, np.where(np.arange(PODS) < 1, 20, 4), strays=strays)[1][1, 0, 0])
    assert known[0] < 0.9
    assert known[1] > 0.99


def test_a_burst_that_lasts_is_as_large_as_those_that_were_seen():
    calm, usual = Calm(1), float(BURST_SIZES[TENFOLD[0]])
    assert calm.sizes(FIRST, TENFOLD, FAILURES)[0] == pytest.approx(usual), "none was seen"
    for number in range(60):
        block(calm, np.where((np.arange(PODS) == number // 8) & (number % 20 < 8), 600, 100))
    assert calm.sizes(FIRST, TENFOLD, FAILURES)[0] == pytest.approx(np.log(6), abs=0.1)
    assert calm.sizes(FIRST, np.array([0]), FAILURES)[0] == 0.0
    assert calm.sizes(FIRST, np.array([3]), FAILURES)[0] == BURST_SIZES[3], "of a block its size matters less"


def test_slowness_that_lasts_is_as_large_as_it_was_seen_to_be():
    calm, usual = Calm(1), BURST_SIZES[TENFOLD]
    assert calm.sizes(FIRST, TENFOLD, SLOW)[0] == pytest.approx(usual[0]), "none was seen"
    calm.slower[:] = -200 * (SIZES - np.log(6)) ** 2
    assert calm.sizes(FIRST, TENFOLD, SLOW)[0] == pytest.approx(np.log(6), abs=0.05)
    assert calm.sizes(FIRST, TENFOLD, FAILURES)[0] == pytest.approx(usual[0])
    beyond = likeliest_sizes(-200 * (SIZES - np.log(300))[None] ** 2, usual)
    assert beyond[0] == pytest.approx(SIZES[-1]), "never more than was tried"


def test_of_slow_requests_the_size_is_learned_from_the_pods_that_are_hit():
    sizes = []
    for worse in (4, 8):
        found = learned(np.random.default_rng(0), chance=0.08, failures=15.0, worse=worse, slow=True)
        chance, size = found.bursts(FIRST)
        assert chance[0] > 0
        sizes.append(size[0])
    assert np.abs(BURST_SIZES - sizes[1]).min() > 0.02, "no kind has that size"
    assert sizes[0] + 0.2 < sizes[1] < np.log(8), "where a pod strays to already is not the burst's"
