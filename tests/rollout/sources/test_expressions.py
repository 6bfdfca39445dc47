"""Signals with PromQL of their own."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from rollout.signals.looks import SourceStatus
from rollout.sources.ask import MemoryAsk
from rollout.sources.expressions import written
from rollout.sources.fetch import FetchError
from rollout.sources.history import history_of
from rollout.sources.pod_roster import Roster
from rollout.sources.prometheus import PrometheusSource
from rollout.sources.prometheus_hub import PrometheusHub
from tests.rollout.sources.builders import CANARY, STABLE, T, pair, signal

LOST = 'sum by (pod) (orders_total{state="lost"})'


def vector(**values: float) -> dict[str, Any]:
    """What Prometheus answers to an expression: one value a pod."""
    found = [{"metric": {"pod": pod}, "value": [T + 99, str(value)]} for pod, value in values.items()]
    return {"status": "success", "data": {"resultType": "vector", "result": found}}


def scraped(at: float, name: str = "up") -> dict[str, Any]:
    """Both pods were scraped, the canary half a second after stable."""
    found = [
        {"metric": {"__name__": name, "namespace": "shop", "pod": pod}, "values": [[when - 1, "1"], [when, "1"]]}
        for pod, when in (("s", at), ("c", at + 0.5))
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": found}}


class Asked:
    """A source with some signals, and what Prometheus answers."""

    def __init__(self, *signals: Any) -> None:
        self.ask = MemoryAsk()
        self.source = PrometheusSource(PrometheusHub(self.ask, interval=1.0), signals)

    async def look(self, at: float, **answers: Any) -> list[Any]:
        self.ask.answer = scraped(at)
        self.ask.answers = {LOST: vector()} | answers
        return list(await self.source.sample(pair(), at + 1))


def events(query: str = LOST, **rest: Any) -> Any:
    return signal("events", "prometheus", "lost", query=query, **rest)


async def test_what_an_expression_counts_belongs_to_the_scrapes():
    it = Asked(events())
    [first] = await it.look(T, **{LOST: vector(s=100, c=3)})
    assert (first.status, first.pods) == (SourceStatus.OK, {})
    [look] = await it.look(T + 1, **{LOST: vector(s=104, c=10, other=50)})
    assert {pod: (seen.errors, seen.exposure_seconds) for pod, seen in look.pods.items()} == {
        "s": ({"events": 4}, 1.0),
        "c": ({"events": 7}, 1.0),
    }
    assert [at for query, at in zip(it.ask.asked, it.ask.asked_at, strict=True) if query == LOST] == [T + 0.5, T + 1.5]
    assert '"process_start_time_seconds|up"' in it.ask.asked[0]


async def test_errors_by_code_latency_by_edge_and_gauges():
    def labelled(name: str, *told: tuple[str, str, float]) -> dict[str, Any]:
        found = [{"metric": {"pod": pod, name: label}, "value": [T, str(value)]} for pod, label, value in told]
        return {"status": "success", "data": {"resultType": "vector", "result": found}}

    it = Asked(
        signal(source="prometheus", query="errors"),
        signal("latency", "prometheus", query="slow"),
        signal("gauge", "prometheus", "lag", query="lag"),
    )
    none = [(pod, label, 0.0) for pod in "sc" for label in ("200", "500")]
    still = [(pod, le, 0.0) for pod in "sc" for le in ("0.1", "+Inf")]
    await it.look(T, errors=labelled("code", *none), slow=labelled("le", *still), lag=vector(s=1, c=2))
    errors, latency, lag = await it.look(
        T + 1,
        errors=labelled("code", ("s", "200", 9), ("c", "200", 6), ("c", "500", 2)),
        slow=labelled("le", ("s", "0.1", 9), ("s", "+Inf", 9), ("c", "0.1", 5), ("c", "+Inf", 8)),
        lag=vector(s=3, c=40),
    )
    assert (errors.pods["c"].requests, errors.pods["c"].errors, errors.pods["s"].requests) == (8, {"500": 2}, 9)
    assert (latency.edges_seconds, latency.pods["c"].latency_counts) == ((0.1,), (5, 3))
    assert {pod: seen.gauges for pod, seen in lag.pods.items()} == {"s": {"lag": 3.0}, "c": {"lag": 40.0}}


async def test_a_native_histogram_of_an_expression():
    def told(count: int) -> dict[str, Any]:
        buckets = [[0, "0.0625", "0.125", str(count)]]
        found = [
            {"metric": {"pod": pod}, "histogram": [T, {"count": str(count), "sum": "1", "buckets": buckets}]}
            for pod in "sc"
        ]
        return {"status": "success", "data": {"resultType": "vector", "result": found}}

    it = Asked(signal("latency", "prometheus", query="slow"))
    await it.look(T, slow=told(10))
    [look] = await it.look(T + 1, slow=told(15))
    at = look.edges_seconds.index(0.125)
    assert look.pods["c"].latency_counts[at] == 5
    assert sum(look.pods["c"].latency_counts) == 5


async def test_scrapes_are_told_by_what_a_pod_shows_and_else_by_up():
    it = Asked(events())
    both = scraped(T)
    both["data"]["result"] += scraped(T - 0.25, "process_start_time_seconds")["data"]["result"][:1]
    it.ask.answer, it.ask.answers = both, {LOST: vector(s=1, c=1)}
    await it.source.sample(pair(), T + 1)
    [look] = await it.look(T + 1, **{LOST: vector(s=2, c=1)})
    assert {pod: seen.exposure_seconds for pod, seen in look.pods.items()} == {"s": 1.25, "c": 1.0}


async def test_an_arm_without_a_value_is_no_data():
    it = Asked(events())
    assert [look.status for look in await it.look(T, **{LOST: vector(s=1)})] == [SourceStatus.NO_DATA]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": "error", "error": "parse error"}, "Prometheus refuses the query: parse error"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [T, "1"]}}, "it gives a scalar, not a value"),
        (
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [T, "1"]}]}},
            "its result has no label pod; write sum by (pod)",
        ),
        (FetchError("gone"), "gone"),
        ([], "no answer of Prometheus"),
        ({"status": "success", "data": 3}, "no answer of Prometheus"),
    ],
)
async def test_an_expression_that_tells_nothing_stops_its_own_signal_alone(said: Any, reason: str):
    it = Asked(events(), signal("gauge", "prometheus", "lag", query="lag"))
    with capture_logs() as logs:
        lost, lag = await it.look(T, **{LOST: said, "lag": vector(s=1, c=2)})
    assert (lost.status, lag.status) == (SourceStatus.SOURCE_DOWN, SourceStatus.OK)
    assert logs[0]["reason"].startswith("signal lost: query: ")
    assert reason in logs[0]["reason"]
    assert (lost.reason, lag.reason) == (logs[0]["reason"], "")


async def test_an_expression_is_given_up_in_time():
    async def hang(query: str, _seconds: float, _at: float | None = None) -> Any:
        if query == LOST:
            raise TimeoutError
        return scraped(T)

    source = PrometheusSource(PrometheusHub(hang, seconds=2), [events()])
    with capture_logs() as logs:
        [look] = await source.sample(pair(), T + 1)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert logs[0]["reason"] == "signal lost: query: Prometheus does not answer within 2 s"


async def test_without_any_scrape_nothing_is_asked():
    it = Asked(events())
    it.ask.answer = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    [look] = await it.source.sample(Roster("shop", STABLE, CANARY), T)
    assert (look.status, len(it.ask.asked)) == (SourceStatus.NO_DATA, 1)


def test_namespace_and_pods_are_filled_in():
    said = events('sum by (pod) (x_total{namespace="$namespace",pod=~"$pods",path=~"/pay$"})')
    assert written(said, "shop", CANARY) == (
        'sum by (pod) (x_total{namespace="shop",pod=~"checkout-[0-9a-f]{8}-.*",path=~"/pay$"})'
    )
    assert written(events('x{pod=~"$pods"}'), "shop", "a-b-11111111") == r'x{pod=~"a\\-b-[0-9a-f]{8}-.*"}'


async def test_history_asks_for_it_too_and_goes_on_without():
    def ranged(pod: str, **labels: str) -> dict[str, Any]:
        times = range(int(T) - 3600, int(T) + 1, 15)
        return {"metric": {"pod": pod} | labels, "values": [[at, str((at - T + 3600) / 15)] for at in times]}

    def matrix(*found: dict[str, Any]) -> dict[str, Any]:
        return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}

    pods = [f"{STABLE}-a", f"{STABLE}-b"]
    ask = MemoryAsk()
    ask.answer = matrix(*(ranged(pod, __name__="http_requests_total", code="200") for pod in pods))
    comment = "lost # each"
    ask.answers = {
        f"({LOST}\n)[3600s:15s]": matrix(*(ranged(pod) for pod in [*pods, "billing-11111111-a"])),
        f"({comment}\n)[3600s:15s]": {"status": "error", "error": "parse error"},
    }
    signals = [events(), signal(source="prometheus"), signal("events", "prometheus", "broken", query=comment)]
    with capture_logs() as logs:
        looks = await history_of(ask, "shop", STABLE, signals, T)
    assert [look.at for look in looks if look.signal == "lost"] == list(range(int(T) - 3585, int(T) + 1, 15))
    assert {look.signal for look in looks} == {"lost", "errors"}
    assert {pod: dict(seen.errors) for pod, seen in looks[0].pods.items()} == {pod: {"events": 1} for pod in pods}
    assert [(each["event"], each["signal"]) for each in logs] == [("no history of a signal", "broken")]
