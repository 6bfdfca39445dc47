"""The guard against crash loops: what it costs, and what it must not depend on."""

import json
from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rollout.judge.baseline.crash_log import KEPT, CrashLog
from rollout.judge.evidence.crash_guard import Healthy, crash_loop, healthy_rates

FLOOR = 2e-5
HEALTHY = Healthy(rate=FLOOR, again=2 * FLOOR, alpha=0.002, horizon=1800.0, least=2)

gaps = st.lists(st.tuples(st.floats(1.0, 600.0), st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=12)


def played(crashes, canary=4, stable=9):
    """The log and its last look, of crashes: seconds since the one before, the pod, and whether it is stable's."""
    log, at = CrashLog(began=0.0), 60.0
    for gap, pod, of_stable in crashes:
        at += gap
        log.see(at, {} if of_stable else {f"c{pod}": 1}, {f"s{pod}": 1} if of_stable else {}, (canary, stable))
    return log, at


@given(gaps, st.floats(1.0, 100.0))
def test_crashes_of_stable_never_make_the_canary_guiltier(crashes, more):
    log, at = played(crashes)
    alone, last = played([(gap, pod, 0) if not of_stable else (gap, pod, 1) for gap, pod, of_stable in crashes])
    alone.stable, alone.repeated = [], 0
    guilty = crash_loop(log, at, HEALTHY) is not None
    assert guilty <= (crash_loop(alone, last, HEALTHY) is not None)
    assert (crash_loop(log, at, Healthy(more * FLOOR, 2 * more * FLOOR, 0.002, 1800.0, 2)) is not None) <= guilty


@given(gaps, st.integers(5, 300))
def test_the_same_crashes_of_more_pods_are_never_guiltier(crashes, pods):
    few, many = (played(crashes, canary=canary, stable=300) for canary in (4, pods))
    assert (crash_loop(*many, HEALTHY) is not None) <= (crash_loop(*few, HEALTHY) is not None)


@given(st.integers(4, 150), st.data())
def test_the_death_of_one_node_convicts_nobody(pods, data):
    there = data.draw(st.integers(1, pods // 2))
    log = CrashLog(began=0.0)
    for at, pod in enumerate(range(there)):
        log.see(100.0 + at % 20, {f"c{pod}": 1}, {}, (pods, 300))
        assert crash_loop(log, 100.0 + at % 20, HEALTHY) is None


def test_more_than_half_of_the_canary_at_once_convicts():
    log = CrashLog(began=0.0)
    log.see(100.0, {f"c{pod}": 1 for pod in range(6)}, {}, (10, 90))
    found = crash_loop(log, 100.0, HEALTHY)
    assert found is not None
    assert (found.times, found.pods, found.stable) == (6, 6, 0)


def test_one_crash_convicts_nobody_and_the_second_of_a_loop_does():
    once, at = played([(1.0, 0, 0)])
    assert crash_loop(once, at, HEALTHY) is None
    twice = crash_loop(*played([(1.0, 0, 0), (60.0, 0, 0)], canary=1), HEALTHY)
    assert twice is not None
    assert (twice.times, twice.seconds, twice.pods) == (2, 60.0, 1)
    late = played([(1.0, 0, 0), (3000.0, 0, 0)], canary=1)
    assert crash_loop(*late, HEALTHY) is None


def test_a_cause_that_both_arms_share_is_not_blamed():
    storm = [(20.0, pod, of_stable) for _ in range(3) for pod in range(4) for of_stable in (0, 1)]
    assert crash_loop(*played(storm[:-1]), HEALTHY) is None


def test_where_healthy_pods_crash_twice_two_crashes_convict_nobody():
    twice = [(400.0, pod, 1) for pod in range(4) for _ in range(1)]
    pairs = [each for one in twice for each in (one, (10.0, *one[1:]))]
    canary = [(900.0, 0, 0), (10.0, 0, 0)]
    assert crash_loop(*played([*twice, *canary], canary=1), HEALTHY) is not None
    assert crash_loop(*played([*pairs, *canary], canary=1), HEALTHY) is None


def test_a_healthy_rate_is_stables_and_the_floor_at_least():
    assert healthy_rates(FLOOR, np.array([0.0, 1e6])) == (FLOOR, 2 * FLOOR)
    assert healthy_rates(FLOOR, np.array([100.0, 36_000.0]))[0] > 50 * FLOOR
    assert healthy_rates(FLOOR, np.array([0.0, 60.0]))[1] > 4 * FLOOR, "a short history tells less"
    rates = [healthy_rates(FLOOR, np.array([crashes, 36_000.0])) for crashes in range(20)]
    assert rates == sorted(rates)


@given(gaps)
def test_a_log_that_was_saved_goes_on_as_if_it_had_not_been(crashes):
    log, at = played(crashes)
    again = CrashLog.restored(json.loads(json.dumps(asdict(log))))
    assert again == log
    assert crash_loop(again, at, HEALTHY) == crash_loop(log, at, HEALTHY)


def test_a_log_has_an_end():
    log, _ = played([(1.0, 0, 0), (1.0, 0, 1)] * 200)
    assert len(log.canary) == len(log.stable) == KEPT
