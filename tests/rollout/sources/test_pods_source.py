from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.counting import bucket_counts, shared_edges
from rollout.sources.fetch import FetchError, MemoryFetch
from rollout.sources.pods import PodsSource
from tests.rollout.sources.builders import CANARY, HERE, STABLE, T, info, pair, roster, signal

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
    assert shared_edges([[-1.0, 0.0, 0.1, float("inf")]]) == (0.0, 0.1), "no answer takes less than no time"


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


async def passes(fetch: MemoryFetch, source: PodsSource, *pages: str) -> list:
    """The looks of a source whose canary shows one page after the other."""
    looks = []
    for second, shown in enumerate(pages):
        fetch.pages["c", 9000] = shown
        looks += await source.sample(pair(), T + second)
    return looks


def lines(*series: str) -> str:
    return "\n".join(f"http_requests_total{{{labels}}} {value}" for labels, value in (one.split(" ") for one in series))


async def test_a_series_that_is_gone_is_no_reset_of_the_others(fetch):
    before = lines('code="500",path="/a" 900', 'code="500",path="/b" 40')
    looks = await passes(
        fetch,
        PodsSource(fetch, [signal()]),
        before,
        lines('path="/b",code="500" 41'),
        lines('code="500",path="/a" 902', 'code="500",path="/b" 41'),
        lines('code="500",path="/a" 3', 'code="500",path="/b" 41'),
    )
    assert [look.pods["c"].errors for look in looks[1:]] == [{"500": 1}, {"500": 2}, {"500": 3}]


@pytest.mark.parametrize("value", ["1e160", "1e300", "NaN", "+Inf", "-5", "9007199254740993e3"])
async def test_counts_that_nobody_can_have_never_reach_the_judge(fetch, value):
    source = PodsSource(fetch, [signal()])
    await passes(fetch, source, page(10), page(11))
    fetch.pages["c", 9000] = lines(f'code="500" {value}', 'code="200" 12')
    [look] = await source.sample(pair(), T + 5)
    assert (look.status, look.pods) == (SourceStatus.SOURCE_DOWN, {})
    assert look.reason.startswith("signal errors: pod c: a counter of http_requests_total is at ")
    fetch.pages["c", 9000] = page(15)
    [look] = await source.sample(pair(), T + 6)
    assert (look.status, look.pods["c"].requests) == (SourceStatus.OK, 4)


async def test_one_pod_of_several_that_shows_nonsense_is_left_out_and_told(fetch):
    both = roster(*pair().pods, info("d", ip="10.0.0.3"))
    fetch.pages["d", 9000] = page(10)
    source = PodsSource(fetch, [signal()])
    await source.sample(both, T)
    fetch.pages |= {("c", 9000): page(12), ("d", 9000): page(10**17)}
    [look] = await source.sample(both, T + 1)
    assert (look.status, set(look.pods)) == (SourceStatus.OK, {"s", "c"})
    assert "pod d: a counter of http_requests_total is at 1e+17; it is not counted" in look.reason


async def test_gauges_beyond_all_measures_are_left_out(fetch):
    source = PodsSource(fetch, [signal("gauge", name="memory", metric="m")])
    fetch.pages |= {("s", 9000): "m 5", ("c", 9000): "m 1e300\nm NaN\nm 7"}
    [look] = await source.sample(pair(), T)
    assert look.pods["c"].gauges == {"memory": 7}


async def test_a_counter_without_the_label_of_the_status_is_no_data_and_says_which_there_are(fetch):
    shown = lines('method="GET",status="500" 5')
    [_, look] = await passes(fetch, PodsSource(fetch, [signal()]), shown, lines('method="GET",status="500" 9'))
    assert (look.status, look.pods) == (SourceStatus.NO_DATA, {})
    assert look.reason == (
        "signal errors: no sample of http_requests_total has the label code, there are method, status; "
        "name it by `label`"
    )
    bare = (await passes(fetch, PodsSource(fetch, [signal()]), "http_requests_total 5"))[0]
    assert "has the label code, there is none" in bare.reason
    fetch.pages["s", 9000] = shown
    mine = PodsSource(fetch, [signal(label="status")])
    [_, look] = await passes(fetch, mine, shown, lines('method="GET",status="500" 9'))
    assert (look.status, look.pods["c"].errors) == (SourceStatus.OK, {"500": 4})


async def test_errors_are_what_the_signal_says(fetch):
    shown = [
        lines(f'code="404" {number}', f'code="403" {number}', f'code="500" {number}', f'code="200" {number}')
        for number in (1, 3)
    ]
    fetch.pages["s", 9000] = shown[0]
    mine = [
        signal(name="usual"),
        signal(name="callers", errors=["4xx", "5xx", "!404"]),
        signal(name="one", errors=["404"]),
    ]
    looks = await passes(fetch, PodsSource(fetch, mine), *shown)
    assert [look.pods["c"].errors for look in looks[3:]] == [{"500": 2}, {"403": 2, "500": 2}, {"404": 2}]


async def test_statuses_of_grpc(fetch):
    shown = [
        "\n".join(
            f'grpc_server_handled_total{{grpc_code="{code}"}} {number}' for code in ("OK", "Internal", "Canceled")
        )
        for number in (1, 8)
    ]
    fetch.pages["s", 9000] = shown[0]
    grpc = {"metric": "grpc_server_handled_total", "label": "grpc_code"}
    mine = [signal(errors=["!OK", "!Canceled"], **grpc), signal(name="internal", errors=["Internal"], **grpc)]
    looks = await passes(fetch, PodsSource(fetch, mine), *shown)
    assert [look.pods["c"].errors for look in looks[2:]] == [{"Internal": 7}, {"Internal": 7}]
    assert looks[2].pods["c"].requests == 21


async def test_statuses_that_are_made_up_are_few_and_fit_to_be_shown(fetch):
    codes = [f"E{number}\\n\x1b[31m{'x' * 99}" for number in range(99)]
    shown = [lines(*(f'code="{code}" {number}' for code in codes)) for number in (1, 2)]
    fetch.pages["s", 9000] = shown[0]
    look = (await passes(fetch, PodsSource(fetch, [signal(errors=["!200"])]), *shown))[1]
    errors = look.pods["c"].errors
    assert (len(errors), errors["others"]) == (33, 99 - 32)
    assert all(name.isprintable() and len(name) <= 40 for name in errors)


async def test_a_page_over_its_budget_is_down_and_says_whose_and_by_how_much(fetch):
    fetch.pages["c", 9000] = lines(*(f'code="200",path="/users/{number}" 1' for number in range(6_000)))
    [look] = await PodsSource(fetch, [signal()]).sample(pair(), T)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert look.reason.startswith("shop/c:9000/metrics: ")
    assert look.reason.endswith("series of http_requests_total; at most 5,000 are read")


async def test_a_pod_that_is_down_beside_others_is_told(fetch):
    both = roster(*pair().pods, info("d", ip="10.0.0.3"))
    fetch.pages["d", 9000] = FetchError("d:9000: connection refused")
    with capture_logs() as logs:
        [look] = await PodsSource(fetch, [signal()]).sample(both, T)
    assert (look.status, look.reason) == (SourceStatus.OK, "d:9000: connection refused")
    assert logs[0]["event"] == "source tells less than it should"


# ------------------------------------------------------------------ each revision by its own spec


def fetch_of(pages: dict[tuple[str, int], str]) -> MemoryFetch:
    made = MemoryFetch()
    made.pages.update(pages)
    return made


def at_stable(**own: object):
    return lambda revision, given: given.model_copy(update=own) if revision == STABLE else given


async def test_each_revision_is_read_where_its_own_spec_says():
    old = page(100, 2).replace("http_requests_total", "requests_total").replace("code=", "status=")
    fetch = fetch_of({("s", 9000): old, ("c", 9100): page(10, 1)})
    own = at_stable(port=9000, path="/old", metric="requests_total", label="status")
    source = PodsSource(fetch, [signal(port=9100)], own=own)
    await source.sample(pair(), T)
    fetch.pages["s", 9000] = old.replace(" 100", " 150").replace(" 2", " 4")
    fetch.pages["c", 9100] = page(30, 6)
    [look] = await source.sample(pair(), T + 1)
    assert {name: (pod.requests, pod.errors) for name, pod in look.pods.items()} == {
        "s": (52, {"503": 2}),
        "c": (25, {"503": 5}),
    }
    assert {(pod, path) for pod, _, path in fetch.asked} == {("s", "/old"), ("c", "/metrics")}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"port": "stats"}, f"signal errors: pods of {STABLE} have no port 'stats'"),
        ({"metric": "requests_total"}, f"signal errors: /metrics of {STABLE} shows no requests_total"),
        ({"label": "status"}, "signal errors: no sample of http_requests_total has the label status"),
    ],
)
async def test_what_a_revision_does_not_show_is_told_in_its_own_words(own, told):
    fetch = fetch_of({("s", 9000): page(100), ("c", 9000): page(10)})
    source = PodsSource(fetch, [signal(port=9000)], own=at_stable(**own))
    await source.sample(pair(), T)
    [look] = await source.sample(pair(), T + 1)
    assert look.status is SourceStatus.NO_DATA
    assert told in look.reason
    assert CANARY not in look.reason


async def test_a_gauge_of_another_name_is_read_at_the_old_revision():
    fetch = fetch_of({("s", 9000): "old_bytes 5\n", ("c", 9000): "new_bytes 7\n"})
    memory = signal("gauge", name="memory", port=9000, metric="new_bytes")
    [look] = await PodsSource(fetch, [memory], own=at_stable(metric="old_bytes")).sample(pair(), T)
    assert {name: pod.gauges for name, pod in look.pods.items()} == {"s": {"memory": 5}, "c": {"memory": 7}}
