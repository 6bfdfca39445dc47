from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from rollout.looks import Arm, SourceStatus
from rollout.sources.fetch import FetchError, MemoryFetch
from rollout.sources.pods import PodsSource
from rollout.sources.tally import bucket_counts, shared_edges
from tests.rollout.sources.builders import HERE, T, info, pair, roster, signal

PAGE = (HERE / "shop-metrics.txt").read_text()


def page(ok: int = 0, bad: int = 0, *, started: float = 10.0, buckets: dict[str, int] | None = None) -> str:
    lines = ["# TYPE http_requests_total counter", f"process_start_time_seconds {started}"]
    lines += [f'http_requests_total{{code="200"}} {ok}', f'http_requests_total{{code="503"}} {bad}']
    for edge, count in (buckets or {}).items():
        lines.append(f'http_request_duration_seconds_bucket{{le="{edge}"}} {count}')
    return "\n".join(lines)


@pytest.fixture
def fetch() -> MemoryFetch:
    made = MemoryFetch()
    made.pages.update({("s", 9000): page(100), ("c", 9000): page(10)})
    return made


async def test_counters_become_increments_by_pod(fetch):
    source = PodsSource(fetch, [signal()])
    [first] = await source.sample(pair(), T)
    assert (first.status, first.pods) == (SourceStatus.OK, {})
    fetch.pages |= {("s", 9000): page(140, 1), ("c", 9000): page(15, 5)}
    [look] = await source.sample(pair(), T + 0.5)
    assert (look.signal, look.at, look.edges_seconds) == ("errors", T + 0.5, ())
    stable, canary = look.pods["s"], look.pods["c"]
    assert (stable.arm, stable.requests, stable.errors) == (Arm.STABLE, 41, {"503": 1})
    assert (canary.arm, canary.requests, canary.errors) == (Arm.CANARY, 10, {"503": 5})
    assert (canary.exposure_seconds, canary.age_seconds) == (0.5, 1000.5)


async def test_one_page_serves_all_signals(fetch):
    fetch.pages = {("s", 9000): PAGE, ("c", 9000): PAGE}
    source = PodsSource(fetch, [signal(), signal("latency"), signal(name="own", port=9000, metric="none_total")])
    looks = await source.sample(pair(), T)
    assert [look.status.value for look in looks] == ["ok", "ok", "no-data"]
    assert looks[1].edges_seconds[:3] == (0.005, 0.01, 0.025)
    assert len(fetch.asked) == 2


async def test_latency_by_bucket(fetch):
    source = PodsSource(fetch, [signal("latency")])
    for at, fast, all_of_them in ((T, 10, 20), (T + 1, 13, 30)):
        made = page(buckets={"0.1": fast, "0.5": all_of_them, "+Inf": all_of_them + 2})
        fetch.pages |= {("s", 9000): made, ("c", 9000): made}
        [look] = await source.sample(pair(), at)
    assert look.edges_seconds == (0.1, 0.5)
    assert look.pods["c"].latency_counts == (3, 7, 0)
    assert look.pods["c"].requests == 0


async def test_versions_with_other_buckets_meet_at_the_edges_they_share(fetch):
    fetch.pages["s", 9000] = page(buckets={"0.1": 0, "0.25": 0, "0.5": 0, "+Inf": 0})
    fetch.pages["c", 9000] = page(buckets={"0.2": 0, "0.5": 0, "1": 0, "+Inf": 0})
    source = PodsSource(fetch, [signal("latency")])
    await source.sample(pair(), T)
    fetch.pages["c", 9000] = page(buckets={"0.2": 1, "0.5": 3, "1": 7, "+Inf": 8})
    fetch.pages["s", 9000] = FetchError("not now")
    fetch.delays["s"] = 1.0
    [look] = await source.sample(pair(), T + 1)
    assert look.edges_seconds == (0.5,)
    assert look.pods["c"].latency_counts == (3, 5)


async def test_versions_without_a_common_edge_cannot_be_compared(fetch):
    fetch.pages["s", 9000] = page(buckets={"0.1": 0, "+Inf": 0})
    fetch.pages["c", 9000] = page(buckets={"0.2": 0, "+Inf": 0})
    source = PodsSource(fetch, [signal("latency")])
    [look] = await source.sample(pair(), T)
    assert look.status is SourceStatus.NO_DATA
    fetch.pages["c", 9000] = FetchError("down")
    [look] = await source.sample(pair(), T + 1)
    assert look.status is SourceStatus.SOURCE_DOWN


def test_torn_histograms_never_give_negative_counts():
    assert bucket_counts({0.1: 5, 0.5: 3, float("inf"): 6}, (0.1, 0.5)) == (5, 0, 1)
    assert bucket_counts({}, ()) == (0,)
    assert shared_edges([]) == ()


async def test_an_arm_that_does_not_answer_is_a_source_that_is_down_and_is_told_once(fetch):
    source = PodsSource(fetch, [signal()])
    await source.sample(pair(), T)
    fetch.pages["c", 9000] = FetchError("GET c: refused")
    with capture_logs() as logs:
        for at in (1, 2):
            [look] = await source.sample(pair(), T + at)
            assert (look.status, look.pods) == (SourceStatus.SOURCE_DOWN, {})
        fetch.pages |= {("c", 9000): page(10, 9), ("s", 9000): page(150)}
        [look] = await source.sample(pair(), T + 3)
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("source tells nothing", "GET c: refused"),
        ("source is back", None),
    ]
    assert look.pods["c"].errors == {"503": 9}
    assert (look.pods["s"].requests, look.pods["s"].exposure_seconds) == (50, 3)


async def test_one_pod_of_an_arm_that_does_not_answer_is_no_outage(fetch):
    fetch.pages["c2", 9000] = FetchError("refused")
    both = roster(*pair().pods, info("c2"))
    assert [look.status for look in await PodsSource(fetch, [signal()]).sample(both, T)] == [SourceStatus.OK]


async def test_pods_that_are_not_ready_may_be_silent(fetch):
    fetch.pages["c", 9000] = FetchError("refused")
    starting = roster(pair().pods[0], info("c", ready=False))
    source = PodsSource(fetch, [signal()])
    assert (await source.sample(starting, T))[0].status is SourceStatus.OK
    nobody = roster(info("c", ready=False))
    assert (await source.sample(nobody, T + 1))[0].status is SourceStatus.NO_DATA


async def test_a_canary_that_shows_no_such_series_is_no_data_not_an_outage(fetch):
    fetch.pages["c", 9000] = "# TYPE other_total counter\nother_total 5\n"
    source = PodsSource(fetch, [signal()])
    with capture_logs() as logs:
        assert (await source.sample(pair(), T))[0].status is SourceStatus.NO_DATA
    assert logs[0]["reason"] == "signal errors: /metrics of checkout-22222222 shows no http_requests_total"
    fetch.pages["c", 9000] += 'http_requests_total{code="500"} 2\n'
    [look] = await source.sample(pair(), T + 1)
    assert look.pods["c"].errors == {"500": 2}


async def test_a_counter_nobody_touched_yet_is_data(fetch):
    fetch.pages["c", 9000] = "# TYPE http_requests_total counter\n"
    assert (await PodsSource(fetch, [signal()]).sample(pair(), T))[0].status is SourceStatus.OK


async def test_a_port_that_is_not_declared_is_named(fetch):
    with capture_logs() as logs:
        [look] = await PodsSource(fetch, [signal(port="stats")]).sample(pair(), T)
    assert look.status is SourceStatus.NO_DATA
    assert "pods of checkout-" in logs[0]["reason"]
    assert "no port 'stats'" in logs[0]["reason"]


async def test_a_pod_younger_than_the_source_counts_from_its_start(fetch):
    source = PodsSource(fetch, [signal()])
    await source.sample(pair(), T)
    fetch.pages["c2", 9000] = page(3, 2)
    grown = roster(*pair().pods, info("c2", started=T + 1))
    [look] = await source.sample(grown, T + 4)
    assert (look.pods["c2"].requests, look.pods["c2"].exposure_seconds) == (5, 3)


async def test_a_restarted_process_counts_from_zero(fetch):
    source = PodsSource(fetch, [signal()])
    await source.sample(pair(), T)
    fetch.pages["c", 9000] = page(12, 1, started=20.0)
    [look] = await source.sample(pair(), T + 1)
    assert look.pods["c"].requests == 13


async def test_any_counter_and_any_gauge(fetch):
    def made(letters: int, lag: float) -> str:
        return f'dead_letters_total{{queue="a"}} {letters}\ndead_letters_total{{queue="b"}} 1\nlag {lag}\nlag_other 7'

    fetch.pages = {("s", 9000): made(2, 4.5), ("c", 9000): made(0, 3.0)}
    both = [signal("events", metric="dead_letters_total"), signal("gauge", name="lag", metric="lag")]
    source = PodsSource(fetch, both)
    first = await source.sample(pair(), T)
    assert [look.status for look in first] == [SourceStatus.OK, SourceStatus.OK]
    fetch.pages[("c", 9000)] = made(6, 900.0)
    events, lag = await source.sample(pair(), T + 2)
    assert (events.pods["c"].errors, events.pods["c"].exposure_seconds) == ({"events": 6}, 2.0)
    assert events.pods["s"].errors == {"events": 0}
    assert {name: dict(pod.gauges) for name, pod in lag.pods.items()} == {"s": {"lag": 4.5}, "c": {"lag": 900.0}}
    fetch.pages = {("s", 9000): "up 1", ("c", 9000): "up 1"}
    gone = await source.sample(pair(), T + 3)
    assert [look.status for look in gone] == [SourceStatus.NO_DATA, SourceStatus.NO_DATA]
    assert gone[1].pods == {}
