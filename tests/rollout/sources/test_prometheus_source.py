"""Answers of a Prometheus become what each arm did, and one that is down, late or too large is said."""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from rollout.signals.looks import SourceStatus
from rollout.sources.ask import MemoryAsk
from rollout.sources.fetch import FetchError, TooMuchError
from rollout.sources.prometheus import PrometheusSource
from rollout.sources.prometheus_hub import REFUSED_SECONDS, PrometheusHub
from tests.rollout.sources.builders import STABLE, T, info, pair, roster, signal

if TYPE_CHECKING:
    from rollout.api.spec import Signal


def series(pod: str, at: float, value: float, *, before: float = 1.0, **labels: str) -> dict[str, Any]:
    metric = {"__name__": "http_requests_total", "namespace": "shop", "pod": pod, "code": "200"} | labels
    return {"metric": metric, "values": [[at - before, "0"], [at, str(value)]]}


def answer(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


@pytest.fixture
def ask() -> MemoryAsk:
    return MemoryAsk()


@pytest.fixture
def hub(ask: MemoryAsk) -> PrometheusHub:
    return PrometheusHub(ask, interval=1.0)


@pytest.fixture
def source(hub: PrometheusHub) -> PrometheusSource:
    return PrometheusSource(hub, [signal(source="prometheus")])


async def test_counters_become_increments_by_the_time_of_their_scrape(ask, source):
    ask.answer = answer(series("s", T, 100, code="200"), series("c", T + 0.5, 10, code="200"))
    [first] = await source.sample(pair(), T + 1)
    assert (first.status, first.pods) == (SourceStatus.OK, {})
    ask.answer = answer(
        series("s", T + 1, 120, code="200"),
        series("c", T + 1.5, 13, code="200"),
        series("c", T + 1.5, 7, code="500"),
        series("other", T + 1.5, 7, code="500"),
    )
    [look] = await source.sample(pair(), T + 2)
    assert (look.pods["c"].requests, look.pods["c"].errors) == (10, {"500": 7})
    assert (look.pods["s"].requests, look.pods["c"].exposure_seconds) == (20, 1)


async def test_a_scrape_seen_twice_counts_once(ask, source):
    for at in (T, T + 1):
        ask.answer = answer(series("s", at, at - T, code="200"), series("c", at, at - T, code="500"))
        await source.sample(pair(), at)
    [look] = await source.sample(pair(), T + 2)
    assert (look.status, look.pods) == (SourceStatus.OK, {})


async def test_samples_of_an_older_scrape_are_not_mixed_in(ask, source):
    ask.answer = answer(series("s", T, 1), series("c", T, 5, code="200"))
    await source.sample(pair(), T)
    late = series("c", T - 1, 400, code="500")
    ask.answer = answer(series("s", T, 1), late, series("c", T + 1, 6, code="200"), late)
    [look] = await source.sample(pair(), T + 1)
    assert look.pods["c"].requests == 1


class Scraped:
    """A Prometheus that scrapes stable at .3 and the canary at .6 of every second; ``lag`` later it is seen."""

    def __init__(self, lag: float = 0.02, *, until: float = float("inf"), every: float = 1.0) -> None:
        self.lag, self.until, self.every, self.asked = lag, until, every, 0

    async def __call__(self, query: str, seconds: float) -> Any:  # noqa: ARG002 - as in the Protocol
        self.asked += 1
        now = min(asyncio.get_running_loop().time(), self.until)
        return answer(*(self._series(pod, phase, now) for pod, phase in (("s", 0.3), ("c", 0.6))))

    def _series(self, pod: str, phase: float, now: float) -> dict[str, Any]:
        last = max(0, int((now - self.lag - phase) / self.every))
        times = [each * self.every + phase for each in range(max(0, last - 2), last + 1)]
        found = series(pod, T, 0, code="200")
        return found | {"values": [[T + at, str(round(10 * at))] for at in times]}


async def looks_of(ask: Any, seconds: float, pause: float = 0.25) -> list[tuple[float, Any]]:
    """When there were looks, as the engine asks for them, and what of."""
    source, clock = PrometheusSource(PrometheusHub(ask), [signal(source="prometheus")]), asyncio.get_running_loop().time
    found: list[tuple[float, Any]] = []
    while clock() < seconds:
        began = clock()
        found += [(clock(), look) for look in await source.sample(pair(), T + began)]
        await asyncio.sleep(max(0.01, pause - (clock() - began)))
    return found


@pytest.mark.looptime
async def test_a_look_comes_when_the_scrape_of_the_canary_is_seen_and_takes_what_stable_did_along():
    ask = Scraped()
    late = [(at - 0.62) % 1 for at, look in await looks_of(ask, 40) if look.pods]
    assert len(late) >= 38, "each scrape is looked at"
    assert max(late[20:]) <= 0.055, "and soon"
    assert ask.asked <= 140, "with few questions"
    found = (await looks_of(ask, 52))[-1][1]
    assert {name: pod.requests for name, pod in found.pods.items()} == {"s": 10, "c": 10}


@pytest.mark.looptime
async def test_scrapes_that_do_not_come_are_looked_at_each_second_so_that_their_age_is_known():
    ask = Scraped(until=5.0)
    empty = [at for at, look in await looks_of(ask, 15) if not look.pods and at > 6]
    assert 8 <= len(empty) <= 10
    assert ask.asked <= 5 * 4 + 10 * 6, "at the pace of the sampling, no faster"


@pytest.mark.looptime
async def test_a_rare_scrape_makes_nobody_wait_longer_than_a_second():
    looked = [at for at, _ in await looks_of(Scraped(every=15.0), 70)]
    assert max(later - earlier for earlier, later in pairwise(looked)) <= 1.3
    assert min(abs(at - 60.62) for at in looked) <= 0.26


@pytest.mark.looptime
async def test_clocks_that_differ_do_not_matter():
    late = [(at - 0.1) % 1 for at, look in await looks_of(Scraped(lag=-0.5), 40) if look.pods]
    assert max(late[20:]) <= 0.055


async def test_that_prometheus_is_down_is_said_at_once(ask):
    source = PrometheusSource(PrometheusHub(ask), [signal(source="prometheus")])
    ask.answer = answer(series("s", T, 100, code="200"), series("c", T, 10, code="200"))
    await source.sample(pair(), T)
    ask.answer = FetchError("gone")
    [look] = await source.sample(pair(), T + 0.3)
    assert look.status is SourceStatus.SOURCE_DOWN


async def test_a_restart_is_told_by_the_start_time(ask, source):
    def born(at: float, when: float) -> dict[str, Any]:
        return series("c", at, when) | {
            "metric": {"__name__": "process_start_time_seconds", "namespace": "shop", "pod": "c"}
        }

    ask.answer = answer(series("s", T, 1), series("c", T, 5, code="200"), born(T, 100))
    await source.sample(pair(), T)
    ask.answer = answer(series("s", T, 1), series("c", T + 1, 9, code="200"), born(T + 1, 200))
    assert (await source.sample(pair(), T + 1))[0].pods["c"].requests == 9


async def test_latency_comes_with_the_same_answer(ask, hub):
    both = PrometheusSource(hub, [signal("latency", "prometheus"), signal(source="prometheus")])
    edges = [("0.1", 3), ("+Inf", 5)]
    for at in (T, T + 1):
        buckets = [
            series(pod, at, (at - T) * count, __name__="http_request_duration_seconds_bucket", le=edge)
            for pod in ("s", "c")
            for edge, count in edges
        ]
        ask.answer = answer(*buckets, series("s", at, 1), series("c", at, 1))
        latency, errors = await both.sample(pair(), at)
    assert latency.edges_seconds == (0.1,)
    assert latency.pods["c"].latency_counts == (3, 2)
    assert errors.status is SourceStatus.OK
    assert len(ask.asked) == 2


async def test_no_series_of_an_arm_is_no_data(ask, source):
    ask.answer = answer(series("s", T, 1))
    assert (await source.sample(pair(), T))[0].status is SourceStatus.NO_DATA
    alone = roster(pair().pods[0], info("c", ready=False))
    assert (await source.sample(alone, T + 2))[0].status is SourceStatus.OK
    assert (await source.sample(roster(), T + 4))[0].status is SourceStatus.NO_DATA


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (FetchError("gone"), "gone"),
        ({"status": "error", "error": "parse error"}, "Prometheus refuses the query: parse error"),
        ({"status": "error"}, "refuses the query: error"),
        ([], "no answer of Prometheus"),
        ({"status": "success", "data": {"result": [{"metric": {}, "values": []}]}}, "no answer of Prometheus"),
    ],
)
async def test_prometheus_that_does_not_answer_is_down(ask, source, said, reason):
    ask.answer = said
    with capture_logs() as logs:
        assert (await source.sample(pair(), T))[0].status is SourceStatus.SOURCE_DOWN
    assert reason in logs[0]["reason"]


@pytest.mark.looptime
async def test_a_prometheus_that_hangs_is_down():
    async def hang(query: str, seconds: float) -> Any:
        await asyncio.sleep(60)

    hub = PrometheusHub(hang, seconds=2)
    hub.subscribe(hub, "shop", ["m"])
    assert (await hub.read(T)).problem == "Prometheus does not answer within 2 s"


async def test_one_question_for_all_and_not_more_often_than_the_interval(ask, hub):
    sources = [PrometheusSource(hub, [signal(source="prometheus", metric=f"m{each % 2}_total")]) for each in range(50)]
    await asyncio.gather(*(source.sample(pair(), T) for source in sources))
    assert len(ask.asked) == 1
    await asyncio.gather(*(source.sample(pair(), T + 0.5) for source in sources))
    await asyncio.gather(*(source.sample(pair(), T + 0.9) for source in sources))
    assert len(ask.asked) == 1
    await asyncio.gather(*(source.sample(pair(), T + 1.5) for source in sources))
    assert len(ask.asked) == 2
    assert 'm0_total|m1_total|process_start_time_seconds",namespace=~"shop"}[60000ms]' in ask.asked[-1]


@pytest.mark.looptime
async def test_a_question_that_takes_long_is_asked_less_often():
    asked = []

    async def slow(query: str, seconds: float) -> Any:
        asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.3)
        return answer()

    hub, clock = PrometheusHub(slow), asyncio.get_running_loop().time
    while clock() < 10:
        await hub.read(T + clock())
        await asyncio.sleep(0.05)
    assert len(asked) <= 8


async def test_who_is_gone_is_not_asked_for(ask, hub):
    kept = PrometheusSource(hub, [signal(source="prometheus", metric="kept_total")])
    gone = PrometheusSource(hub, [signal(source="prometheus", metric="gone_total")])
    await gone.sample(pair(), T)
    await kept.sample(pair(), T + 2)
    assert "gone_total" in ask.asked[-1]
    del gone
    gc.collect()
    await kept.sample(pair(), T + 4)
    assert ask.asked[-1] == '{__name__=~"kept_total|process_start_time_seconds",namespace=~"shop"}[60000ms]'


async def test_the_window_is_three_scrapes_of_the_slowest(ask, hub):
    hub.subscribe(hub, "team-a", ["m"])
    ask.answer = answer(series("s", T, 1), series("c", T, 1, before=5))
    missed = series("c", T, 1) | {"values": [[T - 7, "1"], [T - 5, "1"], [T, "2"]]}
    for expected, said in (
        ("60000ms", answer(series("s", T, 1), series("c", T, 1, before=5))),
        ("15000ms", answer(missed)),
        ("6000ms", answer(series("s", T, 1, before=0.25))),
        ("2000ms", answer(series("s", T, 1) | {"values": [[T, "1"]]})),
        ("2000ms", answer()),
        ("60000ms", answer(series("s", T, 1, before=900))),
        ("300000ms", answer()),
    ):
        ask.answer = said
        assert hub.query().endswith(f'namespace=~"team\\\\-a"}}[{expected}]')
        hub._asked_at = float("-inf")
        await hub.read(T)


async def test_one_pod_with_more_series_than_are_read_of_anybody_is_down_and_named(ask, source):
    many = [series("c", T, 1, path=f"/users/{number}") for number in range(5_001)]
    ask.answer = answer(series("s", T, 1), *many)
    [look] = await source.sample(pair(), T)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert "pod c: 5,001 series of http_requests_total; at most 5,000 are read" in look.reason


async def test_a_counter_without_the_label_of_the_status_is_no_data(ask, source):
    ask.answer = answer(
        *(
            {
                "metric": {"__name__": "http_requests_total", "namespace": "shop", "pod": pod, "status": "500"},
                "values": [[T, "5"]],
            }
            for pod in ("s", "c")
        )
    )
    [look] = await source.sample(pair(), T)
    assert look.status is SourceStatus.NO_DATA
    assert "has the label code, there are namespace, pod, status; name it by `label`" in look.reason


async def test_each_revision_is_read_by_the_metric_of_its_own_spec(ask, hub):
    def own(revision: str, given: Signal) -> Signal:
        old = {"metric": "requests_total", "label": "status"}
        return given.model_copy(update=old) if revision == STABLE else given

    def shown(at: float, stable: int, canary: int) -> dict[str, Any]:
        old = series("s", at, stable, __name__="requests_total", status="500")
        return answer(old, series("s", at, 9 * stable), series("c", at, canary, code="500"))

    source = PrometheusSource(hub, [signal(source="prometheus")], own=own)
    ask.answer = shown(T, 10, 5)
    await source.sample(pair(), T)
    assert "http_requests_total|process_start_time_seconds|requests_total" in ask.asked[-1]
    ask.answer = shown(T + 1, 12, 8)
    [look] = await source.sample(pair(), T + 1)
    assert {name: (pod.requests, pod.errors) for name, pod in look.pods.items()} == {
        "s": (2, {"500": 2}),
        "c": (3, {"500": 3}),
    }


# ------------------------------------------------------------------ an answer that is too large


class Many:
    """A Prometheus with so many series by name, of whose answers only ``most`` series are read."""

    def __init__(self, **series: int) -> None:
        self.series, self.most, self.asked = series, 10, list[str]()

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:  # noqa: ARG002 - as in the Protocol
        self.asked.append(query)
        found = {name: count for name, count in self.series.items() if f"{name}_total" in query}
        if sum(found.values()) > self.most:
            raise TooMuchError(f"{sum(found.values())} series; at most {self.most} are read")
        now = T + asyncio.get_running_loop().time()
        return answer(*(series(pod, now, 1, __name__=f"{name}_total") for name in found for pod in "sc"))


def readers(hub: PrometheusHub, *names: str) -> dict[str, PrometheusSource]:
    return {name: PrometheusSource(hub, [signal(source="prometheus", metric=f"{name}_total")]) for name in names}


async def told_by(sources: dict[str, PrometheusSource]) -> dict[str, tuple[SourceStatus, str]]:
    now = T + asyncio.get_running_loop().time()
    looks = await asyncio.gather(*(source.sample(pair(), now) for source in sources.values()))
    return {name: (look.status, look.reason) for name, (look,) in zip(sources, looks, strict=True)}


@pytest.mark.looptime
async def test_an_answer_that_is_too_large_is_the_problem_of_those_who_asked_for_it():
    ask = Many(a=1, b=1, large=11, d=1, f=1)
    sources = readers(PrometheusHub(ask), *ask.series)
    fine, down = (SourceStatus.OK, ""), (SourceStatus.SOURCE_DOWN, "11 series; at most 10 are read")
    expected = {name: down if name == "large" else fine for name in sources}
    for _ in range(3):
        assert await told_by(sources) == expected
        await asyncio.sleep(1.2)
    before = len(ask.asked)
    await told_by(sources)
    assert len(ask.asked) == before + 1, "one question again for all others"
    assert "large_total" not in ask.asked[-1]


@pytest.mark.looptime
async def test_what_was_too_large_is_tried_again_apart_and_read_when_it_is_less():
    ask = Many(a=1, large=11, c=1)
    sources = readers(PrometheusHub(ask), *ask.series)
    await told_by(sources)
    await asyncio.sleep(REFUSED_SECONDS + 2)
    ask.asked.clear()
    assert (await told_by(sources))["a"] == (SourceStatus.OK, "")
    assert not [query for query in ask.asked if "large_total" in query and "a_total" in query]
    assert [query for query in ask.asked if "large_total" in query]
    ask.series["large"] = 5
    await asyncio.sleep(REFUSED_SECONDS + 2)
    await told_by(sources)
    await asyncio.sleep(1.2)
    assert await told_by(sources) == dict.fromkeys(sources, (SourceStatus.OK, ""))


@pytest.mark.looptime
async def test_many_that_are_too_much_together_are_asked_for_in_parts():
    ask = Many(a=4, b=4, c=4, d=4)
    sources = readers(PrometheusHub(ask), *ask.series)
    for _ in range(2):
        assert await told_by(sources) == dict.fromkeys(sources, (SourceStatus.OK, ""))
        await asyncio.sleep(1.2)
    ask.asked.clear()
    await told_by(sources)
    assert len(ask.asked) == 2, "in the parts that were answered before"


async def test_a_query_that_costs_prometheus_too_much_is_too_large(ask, hub):
    said = "query processing would load too many samples into memory in query execution"
    ask.answer = {"status": "error", "errorType": "execution", "error": said}
    [look] = await PrometheusSource(hub, [signal(source="prometheus")]).sample(pair(), T)
    assert (look.status, look.reason) == (SourceStatus.SOURCE_DOWN, f"Prometheus refuses the query: {said}")
    assert hub._refused
