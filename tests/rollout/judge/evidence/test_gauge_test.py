"""Gauges: growth and height that healthy pods do not show, in spite of autocorrelation."""

import dataclasses
import re

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.judge.baseline.gauge_noise import ENOUGH_BLOCKS
from rollout.judge.evidence.gauge_test import Gauge
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

MEMORY = SignalPolicy("memory_bytes", SignalKind.GAUGE)
POLICY = JudgePolicy(signals=(MEMORY,))
HOUR, RELEASE = 240, 120


def walk(rng, looks, level=500.0, sd=12.0, rho=0.95):
    """An AR(1) series with Student innovations."""
    steps = rng.standard_t(5, looks) / np.sqrt(5 / 3) * sd * np.sqrt(1 - rho**2)
    values = np.empty(looks)
    values[0] = rng.normal(0, sd)
    for k in range(1, looks):
        values[k] = rho * values[k - 1] + steps[k]
    return level + values


def release(seed, *, leak=0.0, height=1.0, history=HOUR, pods=9, policy=POLICY, shared=0.0):
    """When the canary was convicted, in seconds, and the judge; its memory grows by `leak` MB a minute."""
    rng, judge = np.random.default_rng(seed), Judge(policy)
    series = [walk(rng, history + RELEASE, 500.0 * np.exp(rng.normal(0, 0.03))) for _ in range(pods + 1)]
    load = 1 + shared * np.sin(np.arange(history + RELEASE) / 40)
    for k in range(history + RELEASE):
        at = 15.0 * (k + 1)
        values = [each[k] * load[k] for each in series]
        values[-1] = values[-1] * height + leak * max(k - history, 0) / 4
        looks = {f"p{i}": pod(Arm.STABLE, values[i]) for i in range(pods)}
        if k < history:
            judge.learn([SignalLook("memory_bytes", at, SourceStatus.OK, looks)])
            continue
        looks["c"] = pod(Arm.CANARY, values[-1])
        assessment = judge.look(at, [SignalLook("memory_bytes", at, SourceStatus.OK, looks)])
        if assessment.verdict is Verdict.BAD:
            return at - 15.0 * history, judge
    return None, judge


def pod(arm, value):
    return PodLook(arm, 900.0, 15.0, gauges={"memory_bytes": value})


def test_healthy_pods_stay():
    assert [release(seed)[0] for seed in range(12)] == [None] * 12


def test_what_all_pods_share_is_no_fault():
    assert [release(seed, shared=0.3)[0] for seed in range(4)] == [None] * 4


@pytest.mark.parametrize(("leak", "within"), [(10.0, 600), (5.0, 1200)])
def test_a_leak_goes(leak, within):
    found = [release(seed, leak=leak)[0] for seed in range(4)]
    assert all(at is not None and at <= within for at in found)


def test_twice_the_memory_goes_and_a_tenth_more_stays():
    assert all(at is not None and at <= 300 for at, _ in (release(seed, height=2.0) for seed in range(3)))
    assert [release(seed, height=1.1)[0] for seed in range(3)] == [None] * 3


def test_what_is_tolerated_stays():
    tolerant = JudgePolicy(signals=(dataclasses.replace(MEMORY, tolerance=2.2),))
    assert [release(seed, height=2.0, policy=tolerant)[0] for seed in range(3)] == [None] * 3


def test_less_is_good():
    at, judge = release(1, height=0.6)
    assert at is None
    assert judge.signals()[0].log_e < 1


def test_a_steady_canary_is_proven_good():
    _, judge = release(2)
    judged = judge.look(15.0 * (HOUR + RELEASE), [])
    assert judged.verdict is Verdict.GOOD
    assert "the canary's is at" in judge.signals()[0].reason
    assert judge.signals()[0].canary_rate == pytest.approx(500, rel=0.2)
    assert judge.signals()[0].kind == "gauge"


def test_without_a_baseline_nothing_is_judged():
    gauge = Gauge()
    for k in range(ENOUGH_BLOCKS // 2):
        assert not gauge.see(15.0 * k, [1e9], {"a": 500.0 + k % 3})
    assert (gauge.log_e(), gauge.log_e_good()) == (0.0, 0.0)


def test_a_value_that_begins_at_nothing_does_no_harm():
    gauge, rng = Gauge(), np.random.default_rng(3)
    for k in range(300):
        lag = {name: float(rng.poisson(2)) for name in "abc"}
        gauge.see(15.0 * k, [float(rng.poisson(2))] if k > 200 else [], lag)
    assert gauge.log_e() < 4.6
    for k in range(300, 320):
        lag = {name: float(rng.poisson(2)) for name in "abc"}
        gauge.see(15.0 * k, [100.0 * (k - 299)], lag)
    assert gauge.log_e() > 10


def test_gaps_and_restarts_are_survived():
    straight = release(5, leak=6.0)[0]
    rng, judge = np.random.default_rng(5), Judge(POLICY)
    series = [walk(rng, HOUR + RELEASE, 500.0 * np.exp(rng.normal(0, 0.03))) for _ in range(10)]
    convicted = None
    for k in range(HOUR + RELEASE):
        if k % 7 == 3:
            continue
        at = 15.0 * (k + 1)
        looks = {f"p{i}": pod(Arm.STABLE, series[i][k]) for i in range(9)}
        if k >= HOUR:
            looks["c"] = pod(Arm.CANARY, series[9][k] + 6.0 * (k - HOUR) / 4)
            judge = Judge.restore(POLICY, judge.save())
            if judge.look(at, [SignalLook("memory_bytes", at, SourceStatus.OK, looks)]).verdict is Verdict.BAD:
                convicted = at - 15.0 * HOUR
                break
        else:
            judge.learn([SignalLook("memory_bytes", at, SourceStatus.OK, looks)])
    assert straight is not None
    assert convicted is not None
    assert abs(convicted - straight) <= 240


def test_a_source_without_the_value_is_no_data():
    judge = Judge(POLICY)
    bare = {"c": PodLook(Arm.CANARY, 60.0, 15.0)}
    assert judge.look(1.0, [SignalLook("memory_bytes", 1.0, SourceStatus.OK, bare)]).verdict is Verdict.NO_DATA
    down = SignalLook("memory_bytes", 2.0, SourceStatus.SOURCE_DOWN, {})
    assert judge.look(2.0, [down]).verdict is Verdict.SOURCE_DOWN


def test_restored_under_another_tolerance_it_is_judged_by_that():
    _, judge = release(0, height=2.0)
    lenient = JudgePolicy(signals=(dataclasses.replace(MEMORY, tolerance=3.0),))
    same, other = (Judge.restore(policy, judge.save())._panel.evidence.gauges[0] for policy in (POLICY, lenient))
    assert same.log_e() == judge._panel.evidence.gauges[0].log_e() > np.log(100)
    assert (other.tolerance, other.log_e(), other.mean) == (3.0, 0.0, same.mean)


def told(seed, world, *, pods=9, history=HOUR, steps=()):
    """When the canary was convicted in a world of (looks, pods), and the judge."""
    judge = Judge(POLICY)
    minutes = (np.arange(history + RELEASE) - history + 1) / 4
    for at, now in zip(minutes, world(minutes, pods + 1, np.random.default_rng(seed)), strict=True):
        looks = {f"p{i}": pod(Arm.STABLE, value) for i, value in enumerate(now[:-1])}
        if at <= 0:
            judge.learn([SignalLook("memory_bytes", 60 * at, SourceStatus.OK, looks)])
            continue
        for since, share in steps:
            if at == since:
                judge.begin_step(share, 60 * at)
        looks["c"] = pod(Arm.CANARY, now[-1])
        assessment = judge.look(60 * at, [SignalLook("memory_bytes", 60 * at, SourceStatus.OK, looks)])
        if assessment.verdict is Verdict.BAD:
            return 60 * at, judge
    return None, judge


def steady(t, pods, rng, noise=1e-4):
    return 500 * np.exp(rng.normal(0, 0.02, pods) + rng.normal(0, noise, (t.size, pods)))


def of_canary(values, factor):
    values[:, -1] *= factor
    return values


HEALTHY = {
    "constant": lambda t, n, _: np.full((t.size, n), 16.0),
    "constant, a quarter more": lambda t, n, _: of_canary(np.full((t.size, n), 16.0), 1.25),
    "another level that is tolerated": lambda t, n, _: of_canary(
        np.full((t.size, n), 16.0), np.where(t > 10, 1.125, 1)
    ),
    "steady to the last digit": lambda t, n, rng: steady(t, n, rng, 1e-9),
    "rounded": lambda t, n, rng: np.round(steady(t, n, rng, 0.005) / 10) * 10,
    "fills ever slower": lambda t, n, rng: of_canary(steady(t, n, rng), 1 - 0.4 * np.exp(-np.maximum(t, 0) / 8)),
    "fills in a straight line": lambda t, n, rng: of_canary(steady(t, n, rng), 0.6 + 0.4 * np.clip(t / 15, 0, 1)),
    "saw-teeth": lambda t, n, rng: steady(t, n, rng) * (1 + 0.3 * ((t[:, None] / 20 + rng.random(n)) % 1)),
}


@pytest.mark.parametrize("world", HEALTHY)
def test_what_healthy_gauges_do_is_no_fault(world):
    assert [told(seed, HEALTHY[world])[0] for seed in range(2)] == [None] * 2


@pytest.mark.parametrize("noise", [1e-9, 1e-3])
def test_a_leak_of_a_steady_gauge_goes_and_its_drift_is_told(noise):
    at, judge = told(1, lambda t, n, rng: of_canary(steady(t, n, rng, noise), 1 + 0.01 * np.maximum(t, 0)))
    assert at is not None
    assert at <= 900
    gains = re.search(r"and gains ([\d.]+) \(± ([\d.]+)\) % of that an hour", judge.signals()[0].reason)
    assert gains is not None
    assert 45 <= float(gains[1]) <= 65
    assert len(gains[2].strip("0.")) == 1, "no more digits than are known"
    assert gains[1].partition(".")[2] == "" or len(gains[1].partition(".")[2]) == len(gains[2].partition(".")[2])


STEPS = ((0.25, 0.1), (10.0, 0.3), (20.0, 0.5))


def following(t, pods, rng):
    share = np.where(t >= 20, 0.5, np.where(t >= 10, 0.3, 0.1)) * (t > 0)
    load = np.tile((1 - share)[:, None], (1, pods))
    load[:, -1] = share * (pods - 1)
    return load * np.exp(rng.normal(0, 0.05, (t.size, pods)))


def test_what_follows_the_share_is_no_fault_and_three_times_as_much_is():
    assert [told(seed, following, steps=STEPS)[0] for seed in range(2)] == [None] * 2
    thrice = [told(seed, lambda t, n, rng: of_canary(following(t, n, rng), 3.0), steps=STEPS)[0] for seed in range(3)]
    assert all(at is not None and at <= 900 for at in thrice)


def test_a_short_history_is_shown_and_what_is_missing_told():
    short = Judge(POLICY)
    looks = {"a": pod(Arm.STABLE, 16.0), "c": pod(Arm.CANARY, 16.0)}
    for k in range(20):
        said = short.look(15.0 * k, [SignalLook("memory_bytes", 15.0 * k, SourceStatus.OK, looks)])
    assert said.verdict is Verdict.UNDECIDED
    assert (
        "the canary's is at 16, stable's at 16: not judged before stable's pods have shown 10m30s more" in said.reason
    )


def test_a_judge_from_before_keeps_what_stable_taught_and_drops_what_it_held_against_the_canary():
    _, judge = release(0, height=2.0)
    gauge = judge._panel.evidence.gauges[0]
    old = gauge.saved() | {"log_healthy": np.zeros(5), "levels": np.zeros(5), "log_fault": np.zeros((5, 12, 6))}
    again = Gauge.restored(old)
    assert again.log_e() == 0.0
    assert again.taught.tolist() == gauge.taught.tolist()
    assert not again.is_judged
