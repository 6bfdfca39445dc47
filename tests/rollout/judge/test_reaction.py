"""Small fixed-seed versions of the promises: how fast gross faults go, and how rarely healthy canaries do."""

import statistics

from rollout.judge import Judge, Verdict
from tests.rollout.judge.traffic import ERRORS_ONLY, POLICY, Traffic, delay, play


def test_half_of_the_answers_failing_goes_within_a_second():
    delays = sorted(delay(Traffic(onset=60 + seed % 20, canary_fails=0.5), seed) for seed in range(40))
    assert statistics.median(delays) <= 0.5
    assert delays[37] <= 1.0
    assert delays[-1] <= 1.25


def test_three_hundred_milliseconds_slower_goes_within_seconds():
    delays = [delay(Traffic(onset=30, slower_seconds=0.3), seed, POLICY) for seed in range(5)]
    assert max(delays) <= 4.0


def test_healthy_canaries_stay():
    traffic = Traffic(every=2.0)
    signals = ("errors", "latency", "crashes")
    verdicts = [play(Judge(POLICY), traffic.looks(seed, 1800, signals)).verdict for seed in range(6)]
    assert Verdict.BAD not in verdicts


def test_busy_services_with_many_errors_stay():
    traffic = Traffic(every=5.0, healthy=0.03)
    verdicts = [play(Judge(ERRORS_ONLY), traffic.looks(seed, 1800)).verdict for seed in range(10)]
    assert Verdict.BAD not in verdicts
