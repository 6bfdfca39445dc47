"""Crash loops: crashes of the canary that come sooner after one another than those of healthy pods ever do.

Healthy pods crash at a rate of mu for each pod-second: stable's, history counted in, and never less than the signal's
floor. Crashes of pods of one service are no pure Poisson process: a rate is known up to a Gamma law of shape 1, so that
a pod that has crashed once is one that crashes twice as often, and has j more crashes in a time that asks for m with
chance

    P(NB(2, m) >= j) = I(m / (2 + m); j, 2),    I the regularised incomplete beta function.

Each crash is held against the one before it, against the one before that, and so on: k crashes within w seconds convict
where that chance, of k - 1 more, is at most

    q(t) = share of alpha * s(k) * f(t) / rate at which such a crash comes (per second),

t since the canary began, f a density over t, s(k) shares that sum to 1. Healthy crashes come at that rate, so that the
expected number of false convictions is the integral of rate * q: the share of alpha, however long it goes on and
however many pods there are. That is a union bound, and no e-process. It is held twice where there are several pods: for
each pod (one that crashes again and again), and for the canary as a whole, of which crashes of different pods that come
together (the death of a node) are one event.

A cause that both arms share hits each pod alike. In one release of `STORMS` it begins with the canary; once stable has
crashed as well it is taken to be there. So k convict only where it is unlikely enough that they are the canary's.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from rollout.judge.baseline.crash_log import CrashLog
from rollout.judge.model.onset_prior import Floats

STORMS = 1 / 200
"""Releases in which both arms begin to crash of a cause that they share."""

SHARE_OF_PODS = 0.6
"""What one pod alone has of the rate that is paid, where there are several."""

MOST = 16
"""Crashes that are held against one another at most."""

BELIEVED = 0.25
"""Crashes that the floor is worth beside stable's own: shape of the Gamma law of a rate before history tells."""

SOON = 0.8
"""Part that is spent within the horizon, evenly; the rest is for longer releases."""

_SHARES: Floats = 1 / np.arange(1, MOST) ** 3 / np.sum(1 / np.arange(1, MOST) ** 3)
_AROUND = 60.0


@dataclass(frozen=True, slots=True)
class Loop:
    """Crashes that convict.

    Attributes:
        times: how many.
        seconds: within which they came.
        pods: of how many pods they are.
        stable: crashes of stable's pods about that time.
    """

    times: int
    seconds: float
    pods: int
    stable: int


@dataclass(frozen=True, slots=True)
class Healthy:
    """What healthy pods do, and what may be paid.

    Attributes:
        rate: crashes of a pod in a second.
        again: the same of a pod that has crashed once.
        alpha: what all of it may cost.
        horizon: seconds within which `SOON` of that is spent.
        least: crashes that convict at least.
    """

    rate: float
    again: float
    alpha: float
    horizon: float
    least: int


def healthy_rates(floor: float, history: Floats) -> tuple[float, float]:
    """Crashes of a healthy pod in a second, and of one that has crashed once: pods differ, and history may be short.

    Args:
        floor: the least rate, a second.
        history: stable's crashes and pod-seconds, shape (2,).
    """
    crashes, seconds = float(history[0]), float(history[1])
    floor = max(floor, 1e-9)
    known = seconds + BELIEVED / floor
    rate = max(floor, (crashes + BELIEVED) / known)
    return rate, max(2 * rate, (crashes + BELIEVED + 1) / known)


def crash_loop(log: CrashLog, at: float, healthy: Healthy) -> Loop | None:
    """The crashes that convict at a look in which the canary crashed; None where they do not."""
    if log.began is None or not log.canary or log.canary[-1][0] < at:
        return None
    since, pods = max(at - log.began, 1.0), log.pods[0]
    paid, repeated = healthy.alpha * _density(since, healthy.horizon), _repeated(log)
    of_pods = SHARE_OF_PODS if pods > 1 else 1.0
    for pod, times in log.of_pods().items():
        if times[-1] == at:
            found = _within(times, healthy.again, of_pods * paid / (healthy.rate * pods), healthy.least, repeated)
            if (loop := _told(log, at, found, healthy, pod)) is not None:
                return loop
    events, rate = log.events(), healthy.rate * pods
    if pods > 1 and events[-1] == at:
        found = _within(events, healthy.again * pods, (1 - of_pods) * paid / rate, healthy.least)
        return _told(log, at, found, healthy)
    return None


def _within(times: list[float], rate: float, spent: float, least: int, repeated: float = 0.0) -> list[float]:
    """First times of runs to the last one that come too soon for that rate, the longest run last.

    Args:
        times: of crashes, ascending.
        rate: at which they come after one, a second.
        spent: chance that may be spent here on all of them.
        least: shortest run.
        repeated: chance that a healthy crash is followed by another.
    """
    found = []
    for number in range(2, min(len(times), MOST) + 1):
        expected = rate * max(times[-1] - times[-number], 1.0)
        chance = float(betainc(number - 1, 2.0, expected / (2 + expected)))
        allowed = spent * float(_SHARES[number - 2])
        if number >= least and max(chance, repeated ** (number - 1)) <= allowed:
            found.append(times[-number])
    return found


def _told(log: CrashLog, at: float, runs: list[float], healthy: Healthy, pod: str | None = None) -> Loop | None:
    """The first of some runs that is no cause that both arms share; of one pod, or of all."""
    canary, stable = log.pods
    for first in runs:
        those = [name for then, name in log.canary if then >= first]
        beside = log.stable_since(first - _AROUND)
        share = canary / (canary + stable)
        chance = float(betainc(len(those), beside + 1.0, share)) if stable else 0.0
        if (STORMS if not beside else 1.0) * chance <= healthy.alpha:
            its = [name for name in those if pod in {None, name}]
            return Loop(len(its), at - first, len(set(its)), beside)
    return None


def _repeated(log: CrashLog) -> float:
    """Chance that a crash of a healthy pod is followed by another soon, as stable's show; 0 where none did."""
    return log.repeated / (len(log.stable) + 2) if log.repeated else 0.0


def _density(since: float, horizon: float) -> float:
    """f: even over the horizon, and ever less beyond."""
    return SOON / horizon if since <= horizon else (1 - SOON) / 2 * horizon**0.5 / since**1.5
