"""Young pods are judged as young pods of this service usually are, and no more leniently than that."""

from dataclasses import replace

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, Verdict
from rollout.judge.baseline.cold_start import UNSEEN, ColdStart
from rollout.judge.data.ages import AGES, YOUNG_SECONDS, age_bin
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.judge.traffic import EDGES, EPOCH, ERRORS, LATENCY

POLICY = JudgePolicy(signals=(ERRORS, LATENCY))
REQUESTS, EVERY = 300, 15.0
COLD_SECONDS = 120.0


def pod(rng, arm, age, *, errors, median):
    seconds = np.exp(rng.normal(np.log(median), 0.6, REQUESTS))
    buckets = np.bincount(np.searchsorted(EDGES, seconds), minlength=len(EDGES) + 1)
    failed = int(rng.binomial(REQUESTS, errors))
    return PodLook(arm, age, EVERY, REQUESTS, {"5xx": failed}, tuple(int(each) for each in buckets))


def cold(age):
    """Errors and median latency of a healthy pod of this age, at the middle of the look."""
    left = max(0.0, 1 - (age - EVERY / 2) / COLD_SECONDS)
    return {"errors": 0.002 + 0.02 * left, "median": 0.08 * (1 + 1.5 * left)}


def looks_at(at, pods):
    both = (("errors", ()), ("latency", EDGES))
    return [SignalLook(name, EPOCH + at, SourceStatus.OK, pods, edges) for name, edges in both]


def release(seed, *, starts, canary, looks=40):
    """An hour of nine stable pods that were restarted one after the other (or never), then a canary."""
    rng, judge = np.random.default_rng(seed), Judge(POLICY)
    for k in range(1, 241):
        at = EVERY * k
        born = {f"p{i}": 60.0 + 300 * i if starts else -9000.0 for i in range(9)}
        judge.learn(
            looks_at(
                at,
                {n: pod(rng, Arm.STABLE, at - b, **cold(at - b)) for n, b in born.items() if at > b}
                | {f"old{i}": pod(rng, Arm.STABLE, 9000.0, **cold(9000)) for i in range(9) if at <= born[f"p{i}"]},
            )
        )
    for k in range(1, looks + 1):
        stable = {f"p{i}": pod(rng, Arm.STABLE, 9000.0, **cold(9000)) for i in range(9)}
        age = EVERY * k
        assessment = judge.look(
            EPOCH + 3600 + age, looks_at(3600 + age, stable | {"c": pod(rng, Arm.CANARY, age, **canary(age))})
        )
        if assessment.verdict is Verdict.BAD:
            return age
    return None


def test_a_cold_start_like_those_before_is_no_fault():
    assert [release(seed, starts=True, canary=cold) for seed in range(6)] == [None] * 6


def test_a_fault_is_found_beyond_the_cold_start():
    faulty = [release(seed, starts=True, canary=lambda age: {**cold(age), "errors": 0.15}) for seed in range(3)]
    assert all(found is not None and found <= 45 for found in faulty)
    late = [release(seed, starts=True, canary=lambda age: {**cold(age), "errors": 0.02}) for seed in range(3)]
    assert all(found is not None and found <= 300 for found in late)


def test_a_service_that_starts_warm_is_judged_from_the_start():
    warm = {"errors": 0.05, "median": 0.08}
    assert release(1, starts=False, canary=lambda _age: warm) <= 30


def start(seed, began, *, canary=cold):
    """Looks at nine grown-up pods and one that began at a time."""
    rng = np.random.default_rng(seed)
    for k in range(1, 25):
        pods = {f"old{i}": pod(rng, Arm.STABLE, 9000.0, **cold(9000)) for i in range(9)}
        pods["young"] = pod(rng, Arm.STABLE, EVERY * k, **canary(EVERY * k))
        yield from (replace(look, starts=True) for look in looks_at(began + EVERY * k, pods))


def after(*starts):
    """What is said after five minutes of a canary that starts as cold as the service does."""
    rng, judge = np.random.default_rng(1), Judge(POLICY)
    grown = {f"p{i}": pod(rng, Arm.STABLE, 9000.0, **cold(9000)) for i in range(9)}
    hour = [look for k in range(1, 241) for look in looks_at(EVERY * k, grown)]
    judge.learn([*starts, *hour])
    for k in range(1, 21):
        stable = {f"p{i}": pod(rng, Arm.STABLE, 9000.0, **cold(9000)) for i in range(9)}
        age = EVERY * k
        canary = {"c": pod(rng, Arm.CANARY, age, **cold(age))}
        assessment = judge.look(EPOCH + 3600 + age, looks_at(3600 + age, stable | canary))
    return assessment, judge


def test_starts_of_long_ago_tell_what_a_cold_start_is():
    days_ago = [look for nth in range(3) for look in start(nth, -86400.0 * (nth + 1))]
    assert after()[0].verdict is Verdict.BAD
    told, judge = after(*days_ago)
    assert told.verdict is not Verdict.BAD
    before = judge.save()
    judge.learn(days_ago)
    assert judge.save() == before, "shown twice they teach once"
    again = Judge.restore(POLICY, before)
    again.learn(days_ago)
    assert again.save() == before


def cold_start(*, whole=True):
    return ColdStart(np.array([whole]))


def one_bin(value, age_bin):
    found = np.zeros((1, AGES))
    found[0, age_bin] = value
    return found


def test_before_any_start_was_seen_little_is_tolerated_and_soon_nothing():
    by_bin = [float(cold_start().tolerance(one_bin(1.0, each))[0]) for each in range(AGES)]
    assert by_bin == pytest.approx(UNSEEN.tolist())
    assert by_bin[0] < 2
    assert by_bin[3] < 1.05
    assert float(cold_start().tolerance(np.zeros((1, AGES)))[0]) == 1.0
    assert cold_start().age_unknown(one_bin(0.5, 1)).all()
    assert not cold_start().age_unknown(one_bin(0.5, 5)).any()


@pytest.mark.parametrize("whole", [True, False])
def test_what_starts_did_is_tolerated_with_a_margin(whole):
    start = cold_start(whole=whole)
    for _ in range(20):
        start.learn(one_bin(6.0, 2), one_bin(300.0, 2), np.array([6.0 + 5.4]), np.array([300.0 + 2700.0]))
    assert 10 < float(start.tolerance(one_bin(1.0, 2))[0]) < 16
    assert float(start.tolerance(one_bin(1.0, 3))[0]) == pytest.approx(UNSEEN[3])
    assert not start.age_unknown(one_bin(1.0, 2)).any()


def test_odds_of_slow_requests_are_tolerated_not_shares():
    start = cold_start()
    for _ in range(20):
        start.learn(one_bin(270.0, 0), one_bin(300.0, 0), np.array([270.0 + 1350]), np.array([300.0 + 2700]))
    assert 9 < float(start.tolerance(one_bin(1.0, 0))[0]) < 13


def test_without_grown_up_pods_nothing_is_learned():
    start = cold_start()
    start.learn(one_bin(6.0, 2), one_bin(300.0, 2), np.array([6.0]), np.array([300.0]))
    assert not start.size.any()


def test_ages_fall_into_bins():
    ages = (-3.0, 0.0, 14.9, 15.0, 119.0, 299.9, YOUNG_SECONDS, 9000.0)
    assert [age_bin(age) for age in ages] == [0, 0, 0, 1, 7, 11, AGES, AGES]
