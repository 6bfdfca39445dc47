"""What comes and goes for minutes is told from counting, from clumps and from bursts that last."""

import numpy as np
import pytest

from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.baseline.wander import Wander
from rollout.judge.data.batch import MOST_PODS, Batch

FIRST = np.array([0])
PODS = 9


def wandered(rng, *, deviation, seconds, mean, blocks=240, clump=1):
    """What is learned of pods that fail `mean` times a block, give or take what wanders."""
    wander, logs = Wander(1), deviation * rng.standard_normal(PODS)
    kept = np.exp(-15 / seconds)
    shares = np.zeros((1, MOST_PODS))
    shares[0, :PODS] = 1 / PODS
    for _ in range(blocks):
        logs = kept * logs + np.sqrt(1 - kept**2) * deviation * rng.standard_normal(PODS)
        failed = np.zeros((1, MOST_PODS))
        failed[0, :PODS] = clump * rng.poisson(mean / clump * np.exp(logs))
        wander.add(FIRST, failed, shares, np.ones((2, 1, MOST_PODS)))
    return wander


@pytest.mark.parametrize("mean", [3.0, 300.0])
@pytest.mark.parametrize("seconds", [60.0, 300.0])
def test_variance_and_duration_are_told(mean, seconds):
    found = [
        wandered(np.random.default_rng(seed), deviation=0.4, seconds=seconds, mean=mean).told(FIRST)
        for seed in range(12)
    ]
    variance, kept = np.array(found)[:, :, 0].T
    assert np.median(variance) == pytest.approx(0.16, rel=0.4)
    assert np.median(kept) == pytest.approx(np.exp(-15 / seconds), abs=0.08)


@pytest.mark.parametrize(("mean", "clump"), [(0.7, 1), (0.7, 5), (300.0, 1), (20.0, 20)])
def test_counting_and_clumps_do_not_wander(mean, clump):
    found = [
        wandered(np.random.default_rng(seed), deviation=0.0, seconds=60, mean=mean, clump=clump).told(FIRST)[0][0]
        for seed in range(20)
    ]
    assert np.median(found) == 0.0
    assert sum(each > 0 for each in found) <= 4
    assert max(found) < 0.5 * clump / mean


def test_where_a_pod_is_now_is_followed():
    wander, shares = Wander(1), np.zeros((1, MOST_PODS))
    shares[0, :PODS] = 1 / PODS
    for block in range(120):
        failed = np.full((1, MOST_PODS), 100.0) * (shares > 0)
        failed[0, block // 20 % PODS] = 150.0  # each pod in turn for five minutes
        wander.add(FIRST, failed, shares, np.ones((2, 1, MOST_PODS)))
    strays = wander.lately(FIRST)[0]
    assert strays[5] == pytest.approx(np.log(1.5), abs=0.15)
    assert abs(strays[:5]).max() < 0.15


@pytest.mark.parametrize(("seconds", "lasts"), [(15, False), (120, True)])
def test_bursts_that_last_are_told_from_those_that_do_not(seconds, lasts):
    rng, variation = np.random.default_rng(1), PodVariation(np.array([True]))
    hit = rng.random(PODS) < 0.05
    for block in range(200):
        ends = 15 / seconds
        drawn = rng.random(PODS)
        hit = np.where(hit & (ends < 1), drawn >= ends, drawn < ends * 0.05)
        batch = Batch.empty(1)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        batch.pods[0, 0, :PODS] = rng.binomial(600, np.where(hit, 0.05, 0.005))
        batch.pods[1, 0, :PODS] = 600
        variation.add(batch)
    chance, size = variation.bursts(FIRST)
    assert chance[0] > 0
    assert size[0] == pytest.approx(np.log(10), abs=0.8)
    assert (variation.lasting(FIRST)[0] > 0) == lasts
