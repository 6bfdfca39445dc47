"""Memory that leaks and consumers that lag behind: our judge on gauges, one run after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from bench.judge.tables import OURS, Result
from bench.judge.world import Scenario
from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

if TYPE_CHECKING:
    from bench.judge.world import Floats

THRESHOLD = "1.5 x stable for 5 min"
"""The rival: the canary's value has been so much above the mean of stable's for so long."""

_COMMON = ("stable_pods", "history_minutes", "minutes", "every_seconds", "onset")
_RATIO, _FOR_LOOKS = 1.5, 20
_RATE = 100.0  # messages a second for each pod


class GaugeScenario(Scenario):
    """One row of `gauges` in scenarios.yaml: HG for healthy, BG for bad."""


def gauge_scenarios() -> dict[str, GaugeScenario]:
    """All of them by key."""
    told = yaml.safe_load(Path(__file__).with_name("scenarios.yaml").read_text())
    common = {key: told["defaults"][key] for key in _COMMON}
    found = {}
    for key, own in told["gauges"].items():
        unknown = set(own) - {"name", "model", "leak", "serves", *common}
        if unknown:
            raise ValueError(f"gauges: {key} has unknown keys {sorted(unknown)}")
        found[key] = GaugeScenario(key, own["name"], {"leak": 0.0, "serves": 1.3, **common, **own})
    return found


def play_gauge(scenario: GaugeScenario, replicates: int, seed: int) -> dict[str, Result]:
    """When our judge and the threshold convicted each replicate; nothing is harmed that could be counted."""
    rng = np.random.default_rng([seed, *scenario.key.encode()])
    every, minutes = float(scenario.said["every_seconds"]), float(scenario.said["minutes"])
    history = round(60 * float(scenario.said["history_minutes"]) / every)
    times: dict[str, list[float | None]] = {OURS: [], THRESHOLD: []}
    for _ in range(replicates):
        values = _MODELS[scenario.said["model"]](scenario.said, history, history + round(60 * minutes / every), rng)
        times[OURS].append(_judged(values, history, every))
        high = values[history:, -1] > _RATIO * values[history:, :-1].mean(axis=1)
        lasting = np.convolve(high, np.ones(_FOR_LOOKS))[: high.size] >= _FOR_LOOKS
        times[THRESHOLD].append(every * (int(np.argmax(lasting)) + 1) if lasting.any() else None)
    return {name: Result(each, [0.0] * replicates) for name, each in times.items()}


def _judged(values: Floats, history: int, every: float) -> float | None:
    judge = Judge(JudgePolicy(signals=(SignalPolicy("gauge", SignalKind.GAUGE),)))
    for number, now in enumerate(values):
        at = every * (number + 1)
        pods = {f"p{pod}": PodLook(Arm.STABLE, 9000.0, every, gauges={"gauge": x}) for pod, x in enumerate(now[:-1])}
        if number < history:
            judge.learn([SignalLook("gauge", at, SourceStatus.OK, pods)])
            continue
        pods["c"] = PodLook(Arm.CANARY, at - every * history, every, gauges={"gauge": now[-1]})
        judge.look(at, [SignalLook("gauge", at, SourceStatus.OK, pods)])
        if judge.convicted_at is not None:
            return at - every * history
    return None


def _memory(said: dict[str, Any], history: int, looks: int, rng: np.random.Generator) -> Floats:
    """MB of each pod, the canary's last: AR(1) with Student innovations around a level of its own; (looks, pods)."""
    pods, keep, spread = int(said["stable_pods"]) + 1, 0.95, 12.0
    steps = rng.standard_t(5, (looks, pods)) / np.sqrt(5 / 3) * spread * np.sqrt(1 - keep**2)
    noise = np.empty((looks, pods))
    noise[0] = rng.normal(0, spread, pods)
    for look in range(1, looks):
        noise[look] = keep * noise[look - 1] + steps[look]
    values = 500.0 * np.exp(rng.normal(0, 0.03, pods)) + noise
    values[:, -1] += float(said["leak"]) * np.maximum(np.arange(looks) - history, 0) * float(said["every_seconds"]) / 60
    return np.asarray(values)


def _lag(said: dict[str, Any], history: int, looks: int, rng: np.random.Generator) -> Floats:
    """Messages that wait for each consumer; bursts come to all of them alike; (looks, pods)."""
    pods, every = int(said["stable_pods"]) + 1, float(said["every_seconds"])
    busy = np.where(rng.random(looks) < 0.05, 2.0, 1.0)[:, None]  # noqa: PLR2004 - one look in twenty
    come = rng.poisson(_RATE * every * busy, (looks, pods))
    served = np.full((looks, pods), 1.3 * _RATE * every)
    served[history:, -1] = float(said["serves"]) * _RATE * every
    lag = np.zeros((looks, pods))
    for look in range(1, looks):
        lag[look] = np.maximum(lag[look - 1] + come[look] - served[look], 0.0)
    return lag


_MODELS = {"memory": _memory, "lag": _lag}
