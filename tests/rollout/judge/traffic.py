"""Made-up traffic for the judge's tests: looks of three signals with a fault that can be switched on."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rollout.judge import Assessment, Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

EPOCH = 1_700_000_000.0
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ERRORS = SignalPolicy("errors", SignalKind.ERRORS)
LATENCY = SignalPolicy("latency", SignalKind.LATENCY)
CRASHES = SignalPolicy("crashes", SignalKind.CRASHES)
POLICY = JudgePolicy(signals=(ERRORS, LATENCY, CRASHES))
ERRORS_ONLY = JudgePolicy(signals=(ERRORS,))


def errors_look(at: float, stable: tuple[int, int], canary: tuple[int, int], seconds: float = 1.0) -> SignalLook:
    """(requests, failed) of each arm."""
    pods = {
        "stable": PodLook(Arm.STABLE, 900, seconds, stable[0], {"5xx": stable[1]}),
        "canary": PodLook(Arm.CANARY, 60, seconds, canary[0], {"5xx": canary[1]}),
    }
    return SignalLook("errors", EPOCH + at, SourceStatus.OK, pods)


def crashes_look(at: float, stable: int = 0, canary: int = 0, seconds: float = 1.0) -> SignalLook:
    pods = {f"s{i}": PodLook(Arm.STABLE, 900, seconds) for i in range(3)}
    pods["s3"] = PodLook(Arm.STABLE, 900, seconds, crashes=stable)
    pods["canary"] = PodLook(Arm.CANARY, 60, seconds, crashes=canary)
    return SignalLook("crashes", EPOCH + at, SourceStatus.OK, pods)


def latency_look(at: float, stable: tuple[int, ...], canary: tuple[int, ...], seconds: float = 1.0) -> SignalLook:
    pods = {
        "stable": PodLook(Arm.STABLE, 900, seconds, sum(stable), {}, stable),
        "canary": PodLook(Arm.CANARY, 60, seconds, sum(canary), {}, canary),
    }
    return SignalLook("latency", EPOCH + at, SourceStatus.OK, pods, EDGES)


def histogram(rng: np.random.Generator, requests: int, shift: float = 0.0, median: float = 0.02) -> tuple[int, ...]:
    """Bucket counts of lognormal latencies."""
    seconds = np.exp(rng.normal(math.log(median), 0.6, requests)) + shift
    return tuple(int(c) for c in np.bincount(np.searchsorted(EDGES, seconds), minlength=len(EDGES) + 1))


@dataclass(frozen=True)
class Traffic:
    """Poisson traffic; from `onset` on the arms fail at other rates and the canary is slower."""

    rps: float = 100.0
    weight: float = 0.2
    healthy: float = 0.002
    every: float = 0.25
    onset: float = math.inf
    canary_fails: float = 0.002
    stable_fails: float = 0.002
    slower_seconds: float = 0.0
    crash_every: float = math.inf

    def looks(self, seed: int, seconds: float, signals: tuple[str, ...] = ("errors",)) -> Iterator[list[SignalLook]]:
        rng = np.random.default_rng(seed)
        makers: dict[str, Callable[[float, bool, int, int], SignalLook]] = {
            "errors": lambda at, bad, s, c: errors_look(
                at,
                (s, int(rng.binomial(s, self.stable_fails if bad else self.healthy))),
                (c, int(rng.binomial(c, self.canary_fails if bad else self.healthy))),
                self.every,
            ),
            "latency": lambda at, bad, s, c: latency_look(
                at, histogram(rng, s), histogram(rng, c, self.slower_seconds if bad else 0.0), self.every
            ),
            "crashes": lambda at, bad, _stable, _canary: crashes_look(
                at, 0, int(bad and (at - self.onset) % self.crash_every < self.every), self.every
            ),
        }
        for number in range(1, round(seconds / self.every) + 1):
            at = number * self.every
            stable, canary = (int(rng.poisson(self.rps * self.every * w)) for w in (1 - self.weight, self.weight))
            yield [makers[signal](at, at > self.onset, stable, canary) for signal in signals]


def play(judge: Judge, rounds: Iterator[list[SignalLook]]) -> Assessment:
    """Show a judge all looks until it convicts."""
    for looks in rounds:
        assessment = judge.look(looks[0].at, looks)
        if assessment.verdict is Verdict.BAD:
            break
    return assessment


def delay(traffic: Traffic, seed: int, policy: JudgePolicy = ERRORS_ONLY, patience: float = 30.0) -> float:
    """Seconds from the onset to the conviction; infinite without one."""
    signals = tuple(signal.name for signal in policy.signals)
    judge = Judge(policy)
    play(judge, traffic.looks(seed, traffic.onset + patience, signals))
    if judge.convicted_at is None:
        return math.inf
    return judge.convicted_at - EPOCH - traffic.onset
