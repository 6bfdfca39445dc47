"""Stable's last hour out of Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from rollout.signals.looks import Arm
from rollout.sources.ask import MemoryAsk
from rollout.sources.fetch import FetchError
from rollout.sources.history import history_of
from tests.rollout.sources.builders import STABLE, T, signal

HOUR = range(int(T) - 3600, int(T) + 1, 15)


def series(pod: str, name: str, values: dict[int, float], **labels: str) -> dict[str, Any]:
    metric = {"__name__": name, "namespace": "shop", "pod": pod} | labels
    return {"metric": metric, "values": [[at, str(value)] for at, value in values.items()]}


def pod(name: str, *, born: float = T - 90_000, since: float = T - 3600, until: float = T) -> list[dict[str, Any]]:
    """20 requests a second of which one in a hundred fails; counters begin at the pod's birth."""
    times = [at for at in HOUR if since <= at <= until]
    return [
        series(name, "process_start_time_seconds", dict.fromkeys(times, born)),
        series(name, "http_requests_total", {at: 1980 * (at - since) / 100 for at in times}, code="200"),
        series(name, "http_requests_total", {at: 20 * (at - since) / 100 for at in times}, code="500"),
        series(name, "http_request_duration_seconds_bucket", {at: 18 * (at - since) for at in times}, le="0.1"),
        series(name, "http_request_duration_seconds_bucket", {at: 20 * (at - since) for at in times}, le="+Inf"),
    ]


def answer(*pods: list[dict[str, Any]]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": [each for pod in pods for each in pod]}}


async def test_the_hour_comes_as_looks_of_every_pod():
    ask = MemoryAsk()
    ask.answer = answer(pod(f"{STABLE}-a"), pod(f"{STABLE}-b"))
    both = [signal(source="gateway"), signal("latency", "pods"), signal("crashes", "kubernetes")]
    looks = await history_of(ask, "shop", STABLE, both, T)
    errors = [look for look in looks if look.signal == "errors"]
    assert [look.at for look in errors] == list(HOUR)[1:]
    assert {
        name: (seen.requests, dict(seen.errors), seen.exposure_seconds) for name, seen in errors[7].pods.items()
    } == {
        f"{STABLE}-a": (300, {"500": 3}, 15.0),
        f"{STABLE}-b": (300, {"500": 3}, 15.0),
    }
    assert errors[7].pods[f"{STABLE}-a"].arm is Arm.STABLE
    assert errors[7].pods[f"{STABLE}-a"].age_seconds > 80_000
    latency = [look for look in looks if look.signal == "latency"]
    assert (latency[3].edges_seconds, latency[3].pods[f"{STABLE}-a"].latency_counts) == ((0.1,), (270, 30))
    assert not [look for look in looks if look.signal == "crashes"]
    hour, starts = ask.asked
    latencies = "http_request_duration_seconds|http_request_duration_seconds_bucket"
    names = f'{{__name__=~"{latencies}|http_requests_total|process_start_time_seconds",'
    assert hour == names + 'namespace="shop",pod=~"checkout\\\\-11111111-.*"}[3600s:15s]'
    born = int(T - 90_000)
    assert starts == names + f'namespace="shop",pod=~"checkout-[0-9a-f]{{8}}-.*"}}[600s:15s] @ {born + 300}'


async def test_pods_that_began_or_went_within_it_are_told_with_their_age():
    ask = MemoryAsk()
    young = pod(f"{STABLE}-b", born=T - 600, since=T - 600)
    ask.answer = answer(pod(f"{STABLE}-a"), young, pod(f"{STABLE}-gone", until=T - 1800))
    looks = await history_of(ask, "shop", STABLE, [signal(source="pods")], T)
    ages = [look.pods[f"{STABLE}-b"].age_seconds for look in looks if f"{STABLE}-b" in look.pods]
    assert ages[:3] == [15.0, 30.0, 45.0]
    assert looks[-1].pods[f"{STABLE}-b"].age_seconds == 600
    assert max(look.at for look in looks if f"{STABLE}-gone" in look.pods) == T - 1800


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (FetchError("gone"), "gone"),
        ({"status": "error", "error": "too many samples"}, "refuses the query: too many samples"),
        ({"status": "success", "data": {}}, "no answer of Prometheus"),
        ({"status": "success", "data": {"result": [{"metric": {}, "values": []}]}}, "no answer of Prometheus"),
    ],
)
async def test_without_an_answer_there_is_none_and_it_is_said(said, reason):
    ask = MemoryAsk()
    ask.answer = said
    with capture_logs() as logs:
        assert await history_of(ask, "shop", STABLE, [signal(source="pods")], T) == []
    assert reason in logs[0]["reason"]


@pytest.mark.looptime
async def test_nobody_waits_for_it_for_long():
    async def hang(query: str, seconds: float) -> Any:
        await asyncio.sleep(3600)

    assert await history_of(hang, "shop", STABLE, [signal(source="pods")], T) == []
    assert asyncio.get_running_loop().time() < 6


async def test_where_nothing_is_counted_nothing_is_asked():
    ask = MemoryAsk()
    assert await history_of(ask, "shop", STABLE, [signal("crashes", "kubernetes")], T) == []
    assert await history_of(ask, "shop", STABLE, [signal("events", "logs", pattern="ERROR")], T) == []
    assert await history_of(ask, "shop", "", [signal(source="pods")], T) == []
    assert ask.asked == []


class Stored:
    """A Prometheus that has one answer for the hour and one for each time that is asked for."""

    def __init__(self, hour: Any, **then: Any) -> None:
        self.hour, self.then = hour, then
        self.asked: list[str] = []

    async def __call__(self, query: str, seconds: float) -> Any:  # noqa: ARG002 - as in the Protocol
        self.asked.append(query)
        _, found, at = query.partition(" @ ")
        said = self.then.get(f"at{at}", answer()) if found else self.hour
        if isinstance(said, Exception):
            raise said
        return said


def then(name: str, *, born: float, around: float) -> list[dict[str, Any]]:
    """A pod in the ten minutes around a moment."""
    times = [at for at in range(int(around) - 300, int(around) + 301, 15) if at >= born]
    return [
        series(name, "process_start_time_seconds", dict.fromkeys(times, born)),
        series(name, "http_requests_total", {at: 20 * (at - times[0]) for at in times}, code="200"),
    ]


async def test_starts_of_long_ago_are_told_beside_the_version_before():
    born = T - 90_000
    old = "checkout-22222222-x"
    started = answer(then(f"{STABLE}-a", born=born, around=born), then(old, born=born - 5000, around=born))
    ask = Stored(answer(pod(f"{STABLE}-a", born=born)), **{f"at{born + 300:.0f}": started})
    looks = await history_of(ask, "shop", STABLE, [signal(source="pods")], T)
    starts = [look for look in looks if look.starts]
    assert looks[-len(starts) :] == starts
    young = [look.pods[f"{STABLE}-a"].age_seconds for look in starts if f"{STABLE}-a" in look.pods]
    assert (young[0], young[-1]) == (15.0, 300.0)
    assert all(look.pods[old].age_seconds >= 4700 for look in starts)
    assert {pod.arm for look in starts for pod in look.pods.values()} == {Arm.STABLE}


async def test_only_starts_that_the_hour_does_not_tell_are_asked_for():
    scaled = [pod(f"{STABLE}-a", born=T - 3000, since=T - 3000), pod(f"{STABLE}-b", born=T - 900, since=T - 900)]
    together = [pod(f"{STABLE}-c", born=T - 2900, since=T - 2900), pod(f"{STABLE}-d", born=0.0)]
    ask = Stored(answer(*scaled, *together))
    await history_of(ask, "shop", STABLE, [signal(source="pods")], T)
    assert [query.rpartition("}")[2] for query in ask.asked] == ["[3600s:15s]", f"[600s:15s] @ {T - 2600:.0f}"]
    many = [pod(f"{STABLE}-{n}", born=T - 10_000 * n) for n in range(1, 9)]
    ask = Stored(answer(*many))
    await history_of(ask, "shop", STABLE, [signal(source="pods")], T)
    assert [query.partition(" @ ")[2] for query in ask.asked[1:]] == [f"{T - 10_000 * n + 300:.0f}" for n in (3, 2, 1)]


async def test_lost_starts_cost_no_history():
    born = T - 90_000
    ask = Stored(answer(pod(f"{STABLE}-a", born=born)), **{f"at{born + 300:.0f}": FetchError("too old")})
    with capture_logs() as logs:
        looks = await history_of(ask, "shop", STABLE, [signal(source="pods")], T)
    assert looks
    assert not [look for look in looks if look.starts]
    assert [(line["event"], line["reason"]) for line in logs] == [("no history of stable's starts", "too old")]
