"""Which kind of burst stable's pods show, and for how long: whatever its size lies between."""

import numpy as np
import pytest

from rollout.judge.baseline.calm import STAYS, Calm
from rollout.judge.baseline.pod_against_others import BURST_CHANCES, BURST_LASTS
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.data.batch import Batch

FIRST, PODS = np.array([0]), 9


def hour(worse, blocks, *, expected=200, every=40, count=240):
    """What an hour of pods teaches of which one after the other fails so much more for so many blocks."""
    rng, variation = np.random.default_rng(3), PodVariation(np.array([True]))
    for block in range(count):
        hit = (np.arange(PODS) == block // every % PODS) & (block >= every) & (block % every < blocks)
        batch = Batch.empty(1)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        batch.pods[1, 0, :PODS] = 100 * expected
        batch.pods[0, 0, :PODS] = rng.binomial(100 * expected, 0.01 * np.where(hit, worse, 1.0))
        variation.add(batch)
    return variation


@pytest.mark.parametrize("worse", [1.6, 2.4, 3.7, 4.1, 6.3, 7.5])
def test_a_burst_of_two_minutes_is_of_a_kind_that_lasts_whatever_its_size(worse):
    variation = hour(worse, 8)
    assert variation.bursts(FIRST)[0][0] == BURST_CHANCES[-1]
    assert variation.lasting(FIRST)[0] > 0.7


@pytest.mark.parametrize("worse", [1.65, 4.0, 8.0])
def test_a_burst_of_a_block_is_not(worse):
    variation = hour(worse, 1, every=4)
    assert variation.bursts(FIRST)[0][0] == BURST_CHANCES[1]
    assert variation.lasting(FIRST)[0] == 0.0


def test_where_there_are_none_counting_alone_makes_none():
    services, rng = 400, np.random.default_rng(5)
    variation = PodVariation(np.ones(services, dtype=bool))
    for block in range(240):
        batch = Batch.empty(services)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        batch.pods[1, :, :PODS] = 3300
        batch.pods[0, :, :PODS] = rng.binomial(3300, 0.002, (services, PODS))
        variation.add(batch)
    chances, _ = variation.bursts(np.arange(services))
    assert np.count_nonzero(chances) <= 0.005 * services


def stay(blocks, bursts):
    """Chance that a burst goes on, after so many that each went on for so many blocks."""
    calm, kind = Calm(1), np.array([BURST_LASTS.size - 1])
    begins, before = BURST_CHANCES[kind], np.zeros(1)
    for hit in ([1.0] * blocks + [0.0]) * bursts:
        calm.follow(FIRST, FIRST, kind, begins + BURST_LASTS[kind] * before, np.array([hit]))
        before = np.array([hit])
    return float((calm.lasting(FIRST, kind) + begins)[0])


def test_bursts_go_on_for_as_long_as_those_of_stable_did():
    usual = float(BURST_CHANCES[-1] + BURST_LASTS[-1])
    assert stay(20, 20) == pytest.approx(0.95, abs=0.01)
    assert stay(2, 200) == pytest.approx(0.5, abs=0.05)
    assert stay(2, 2) == pytest.approx(usual, abs=0.05), "few blocks tell little"
    assert hour(5.0, 2, every=20).lasting(FIRST)[0] < usual - 0.1


def test_before_any_was_seen_they_go_on_as_their_kind_does():
    kinds, calm = np.arange(BURST_LASTS.size), Calm(BURST_LASTS.size)
    assert calm.lasting(kinds, kinds) == pytest.approx(BURST_LASTS)
    calm.stayed[:] = 1e6
    goes_on = calm.lasting(kinds, kinds) + BURST_CHANCES
    assert goes_on[BURST_LASTS > 0] == pytest.approx(STAYS[1])
    calm.stayed[:, 0] = 0
    goes_on = calm.lasting(kinds, kinds) + BURST_CHANCES
    assert goes_on[BURST_LASTS > 0] == pytest.approx(STAYS[0])
