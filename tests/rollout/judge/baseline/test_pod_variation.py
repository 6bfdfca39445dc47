"""What stable's pods teach, and what the judge does while they have not."""

import math

import numpy as np
import pytest

from rollout.judge import Judge, Verdict
from rollout.judge.baseline.pod_against_others import EXPONENTS
from rollout.judge.baseline.pod_beliefs import BURST_VARIANCE, CAUTION, PRIOR_TEMPER, TELLING
from rollout.judge.baseline.pod_effects import pod_effects
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.baseline.what_history_tells import tells_enough
from rollout.judge.data.ages import AGES
from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.data.pod_slots import PodSlots
from rollout.judge.evidence.battery import Evidence
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.judge.traffic import EPOCH, ERRORS_ONLY

REQUESTS = 300
FIRST = np.array([0])


def look_of(at, failed, seconds=15.0, requests=REQUESTS):
    """A batch of one column in which stable's pods failed so often."""
    batch = Batch.empty(1)
    batch.looked[:], batch.at[:], batch.seconds[:] = True, at, seconds
    batch.pods[0, 0, : len(failed)] = failed
    batch.pods[1, 0, : len(failed)] = requests
    return batch


def taught(rng, *, pods=9, blocks=120, rate=0.01, spread=0.0, burst=0.0, clump=1):
    """Noise after so many blocks of pods that differ by `spread` and fail ten times as often in a `burst`.

    Failures come in groups of `clump`.
    """
    variation = PodVariation(np.array([True]))
    rates = rate * np.exp(rng.normal(0, spread, pods))
    for block in range(blocks):
        hit = np.where(rng.random(pods) < burst, 10.0, 1.0)
        failed = clump * rng.binomial(REQUESTS, np.minimum(rates * hit, 1.0) / clump).astype(float)
        assert variation.add(look_of(15.0 * (block + 1), failed)).size == 1
    return variation


def temper(variation):
    return float(variation.tempers(FIRST)[0])


def widest(variation):
    return float(pod_effects(*variation.spreads(FIRST))[0][0, -1])


def test_quiet_pods_allow_nearly_the_full_likelihood():
    variation = taught(np.random.default_rng(1))
    assert tells_enough(variation, slice(None)).all()
    assert temper(variation) > 0.6
    assert widest(variation) < 0.5 * pod_effects(np.array([0.3]), np.array([5.0]))[0][0, -1]


def test_bursts_are_kept_from_clumps_and_widen_what_is_healthy():
    hit = taught(np.random.default_rng(2), rate=0.002, burst=0.03)
    chance, size = hit.bursts(FIRST)
    assert (float(chance[0]), float(size[0])) == (0.03, pytest.approx(math.log(10)))
    assert temper(hit) > 0.5
    assert float(hit.worst[0]) > 0.01
    quiet = taught(np.random.default_rng(1))
    assert float(quiet.bursts(FIRST)[0][0]) == 0.0
    quiet.burst[:] = 3
    assert temper(quiet) == pytest.approx(0.9, abs=0.1)
    hit.burst[:] = 0
    assert temper(hit) < 0.4, "without the burst in the model only the exponent can hold it down"


def test_failures_in_clumps_temper_the_likelihood():
    variation = taught(np.random.default_rng(5), clump=5)
    variation.bursts(FIRST)
    assert temper(variation) < 0.5


def test_the_exponent_lies_between_the_candidates_where_the_mean_is_one():
    variation = PodVariation(np.array([True]))
    variation.blocks[:], variation.counted[:] = 1000, 1000
    variation.failed[:] = 100
    means = np.exp(3.0 * (EXPONENTS**2 - 0.5 * EXPONENTS))  # convex in the exponent, 1 at one half
    variation.gains[:] = 1000 * means[:, None]
    found = float(variation.tempers(FIRST)[0])
    assert found <= 0.5 * (CAUTION[0] + CAUTION[1] * 0.5)
    assert found == pytest.approx(0.5 * (CAUTION[0] + CAUTION[1] * 0.5), rel=0.05)


def test_what_is_frequent_is_known_no_finer_while_history_is_short():
    rare, busy = (taught(np.random.default_rng(6), pods=2, blocks=20, rate=rate) for rate in (0.003, 0.3))
    assert temper(busy) < 0.5 * temper(rare)


def test_lasting_differences_widen_the_pod_effect():
    alike, apart = (taught(np.random.default_rng(3), spread=spread) for spread in (0.0, 0.6))
    assert widest(apart) > 2 * widest(alike)


def test_a_single_pod_teaches_nothing_of_noise():
    variation = taught(np.random.default_rng(4), pods=1, blocks=200)
    assert not tells_enough(variation, slice(None)).all()
    assert temper(variation) == pytest.approx(PRIOR_TEMPER / (1 + BURST_VARIANCE * 3), abs=0.03)


def test_little_history_stays_near_what_is_believed_and_tells_of_clumps_alone():
    variation = taught(np.random.default_rng(4), pods=3, blocks=2)
    assert not tells_enough(variation, slice(None)).all()
    squares, alone = variation.apart[0]
    believed = (alone + TELLING) / (squares + TELLING / PRIOR_TEMPER)
    assert temper(variation) == pytest.approx(believed / (1 + BURST_VARIANCE * 3), abs=0.03)


def test_clumps_are_seen_before_bursts_are():
    """Fives in five minutes of two pods: too little for tau and eta, enough to see what comes together."""
    one_by_one, fives = (taught(np.random.default_rng(8), pods=2, blocks=40, clump=clump) for clump in (1, 5))
    assert not tells_enough(fives, slice(None)).all()
    assert temper(fives) < 0.6 * temper(one_by_one)
    assert fives.clumped(FIRST)[0] < 0.6 * one_by_one.clumped(FIRST)[0]
    assert one_by_one.clumped(FIRST)[0] > 0.8


def test_pods_come_and_go_and_only_so_many_are_remembered():
    def slots(names, canary=(), young=()):
        bins = [0 if name in young else AGES for name in names] if young else []
        layout = pods.layout(names, [name in canary for name in names], bins)
        assert layout.belongs[:, :2].sum(axis=1).tolist() == [1.0] * len(names), "each is of one arm"
        assert layout.canary == [names.index(name) for name in canary]
        return [row.tolist().index(1) if row.any() else None for row in layout.belongs[:, 2 : 2 + MOST_PODS]]

    pods = PodSlots()
    for block in range(3):
        found = slots([f"p{block * 6 + i}" for i in range(6)])
    assert len(pods.slots) == MOST_PODS
    assert found == [None] * 6
    assert slots(["p3", "p15", "p0"]) == [3, None, 0]
    assert slots(["p3", "p15", "p0"], canary=["p3"]) == [None, None, 0]
    assert slots(["p3", "p15", "p0"], young=["p0"]) == [3, None, None]
    assert slots(["p3", "p15", "p0"]) == [3, None, 0]


def test_short_looks_fill_one_block():
    variation = PodVariation(np.array([True]))
    closed = [variation.add(look_of(0.25 * (k + 1), [1.0, 1.0], 0.25, 10.0)).size for k in range(120)]
    assert sum(closed) == 2
    assert variation.failed.sum() == 240


def recorded(rng, judge, seconds, canary_rate, spread=0.3):
    """Nine noisy stable pods and one canary pod at 200 rps, looked at every 15 s."""
    rates = 0.004 * np.exp(rng.normal(0, spread, 10))
    rates[9] = canary_rate
    for number in range(1, seconds // 15 + 1):
        hit = np.where(rng.random(10) < 0.03, 10.0, 1.0)
        failed = rng.binomial(REQUESTS, np.minimum(rates * hit, 1.0))
        pods = {
            f"p{i}": PodLook(Arm.STABLE if i < 9 else Arm.CANARY, 900, 15.0, REQUESTS, {"5xx": int(failed[i])})
            for i in range(10)
        }
        at = EPOCH + 15.0 * number
        looks = [SignalLook("errors", at, SourceStatus.OK, pods)]
        if number <= 60:
            judge.learn(looks)
        elif judge.look(at, looks).verdict is Verdict.BAD:
            return at - EPOCH - 900
    return None


def test_noisy_healthy_pods_stay_and_a_real_fault_among_them_goes():
    healthy = [recorded(np.random.default_rng(s), Judge(ERRORS_ONLY), 2700, 0.005) for s in range(8)]
    faulty = [recorded(np.random.default_rng(s), Judge(ERRORS_ONLY), 2700, 0.05) for s in range(4)]
    assert healthy == [None] * 8
    assert all(delay is not None and delay <= 300 for delay in faulty)


def test_from_the_first_bet_on_the_exponent_is_that_of_the_burst_that_is_expected():
    rng, evidence = np.random.default_rng(2), Evidence(ERRORS_ONLY)
    believed = int(evidence.pod_variation.burst[0])
    for block in range(120):
        failed = rng.binomial(REQUESTS, 0.01, 9).astype(float)
        evidence.take_in(look_of(15.0 * (block + 1), failed), np.array([False]))
    before = float(evidence.ratio.temper[0])
    first = look_of(15.0 * 120 + 1, np.zeros(9), seconds=1.0, requests=0)
    first.counts[:] = [1, 20, 2, 180]
    evidence.take_in(first, np.array([True]))
    assert int(evidence.pod_variation.burst[0]) != believed
    assert float(evidence.ratio.temper[0]) == temper(evidence.pod_variation) != before
