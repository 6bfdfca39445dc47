from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from rollout.api.spec import GatewayStats
from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.envoy import backends_on, statistics_on
from rollout.sources.fetch import FetchError, MemoryFetch
from rollout.sources.gateway import GatewaySource
from tests.rollout.sources.builders import CANARY, HERE, STABLE, T, info, pair, pod, roster, signal

RECORDED = (HERE / "envoy-1.40-stats.txt").read_text()
STATS = GatewayStats(namespace="gateway", selector={"app": "envoy"})


def envoy(name: str = "envoy-a", **rest: Any) -> dict[str, Any]:
    return pod(name, labels=rest.pop("labels", {"app": "envoy"}), namespace=rest.pop("namespace", "gateway"), **rest)


def page(canary: dict[str, int] | None = None, stable: dict[str, int] | None = None, uptime: int = 500) -> str:
    lines = [f"server.uptime: {uptime}"]
    for revision, counters in ((CANARY, canary), (STABLE, stable)):
        if counters is not None:
            found = {"warming_state": 0, "membership_healthy": 1, **counters}
            lines += [f"cluster.shop_{revision}_8080.{name}: {value}" for name, value in found.items()]
    return "\n".join(lines)


def done(requests: int, **codes: int) -> dict[str, int]:
    return {"upstream_rq_completed": requests} | {f"upstream_rq_{key[1:]}": value for key, value in codes.items()}


@pytest.fixture
def fetch() -> MemoryFetch:
    made = MemoryFetch()
    made.pages["envoy-a", 8002] = page({}, done(50))
    return made


def source_of(fetch: MemoryFetch, *proxies: dict[str, Any]) -> GatewaySource:
    pods = proxies or (envoy(),)
    return GatewaySource(fetch, STATS, [signal(source="gateway")], proxies=lambda: pods)


def test_what_envoy_shows_for_each_way_to_fail():
    sorts = ("ok", "err", "refused", "none", "rst", "slow", "cut")
    found = backends_on(RECORDED, {f"shop_{sort}": sort for sort in (*sorts, "away")})
    counts = {sort: dict(found[sort].counts) for sort in sorts}
    assert {sort: each.pop("requests") for sort, each in counts.items()} == dict.fromkeys(sorts, 4)
    assert statistics_on(RECORDED, {}).uptime == 2491
    five = {"refused": {"503": 4}, "none": {"503": 4}, "rst": {"503": 4}, "slow": {"504": 4}}
    assert counts == {"ok": {}, "err": {"500": 4}, "cut": {"torn": 4}} | five
    assert {sort: each.endpoints for sort, each in found.items()} == dict.fromkeys(sorts, 1) | {"none": 0, "away": None}


async def test_each_revision_is_one_pseudo_pod(fetch):
    source = source_of(fetch)
    [first] = await source.sample(pair(), T)
    assert first.status is SourceStatus.OK
    assert {name: (pod.requests, pod.exposure_seconds) for name, pod in first.pods.items()} == {
        CANARY: (0, 0),
        STABLE: (0, 0),
    }
    fetch.pages["envoy-a", 8002] = page(done(20, c500=6, c503=4), done(130))
    [look] = await source.sample(pair(), T + 0.25)
    canary, stable = look.pods[CANARY], look.pods[STABLE]
    assert (canary.arm, canary.requests, canary.errors) == (Arm.CANARY, 20, {"500": 6, "503": 4})
    assert (stable.arm, stable.requests, stable.errors) == (Arm.STABLE, 80, {})
    assert (canary.exposure_seconds, canary.age_seconds) == (0.25, 1000.25)


async def test_answers_that_break_off_are_failures_and_bad_gateways_are_not_counted_twice(fetch):
    source = source_of(fetch)
    await source.sample(pair(), T)
    torn = {"upstream_cx_protocol_error": 5}
    fetch.pages["envoy-a", 8002] = page(done(20, c502=2) | torn, done(60))
    [look] = await source.sample(pair(), T + 1)
    assert look.pods[CANARY].errors == {"502": 2, "cut": 3}


async def test_only_what_is_needed_is_asked_for(fetch):
    await source_of(fetch).sample(pair(), T)
    [(_, port, path)] = fetch.asked
    assert port == 8002
    assert unquote(path) == (
        rf"/stats?usedonly&filter=^(cluster\.(shop_{STABLE}_\d+|shop_{CANARY}_\d+)\."
        r"(warming_state|membership_healthy|upstream_rq_completed|upstream_cx_protocol_error|upstream_rq_total"
        r"|upstream_rq_cancelled|upstream_rq_pending_failure_eject|upstream_rq_pending_overflow|upstream_cx_none_healthy"
        r"|upstream_rq_retry|upstream_rq_active|upstream_rq_pending_active|upstream_rq_[5]\d\d)|server\.uptime)$"
    )
    await source_of(fetch).sample(roster(stable="", canary=CANARY), T)
    assert rf"(shop_{CANARY}_\d+)\." in unquote(fetch.asked[-1][2])


async def test_several_proxies_are_summed_and_a_missing_one_is_made_up_for(fetch):
    fetch.pages["envoy-b", 8002] = page(done(5), done(10))
    source = source_of(fetch, envoy("envoy-a", ip="10.0.1.1"), envoy("envoy-b", ip="10.0.1.2"))
    await source.sample(pair(), T)
    fetch.pages |= {("envoy-a", 8002): page(done(3), done(53)), ("envoy-b", 8002): FetchError("busy")}
    [look] = await source.sample(pair(), T + 1)
    assert (look.status, look.pods[CANARY].requests) == (SourceStatus.OK, 3)
    fetch.pages |= {("envoy-a", 8002): page(done(4), done(53)), ("envoy-b", 8002): page(done(11, c503=2), done(10))}
    [look] = await source.sample(pair(), T + 2)
    assert (look.pods[CANARY].requests, look.pods[CANARY].errors) == (7, {"503": 2})
    assert look.pods[CANARY].exposure_seconds == 2


async def test_a_restarted_envoy_counts_from_zero_even_when_it_overtook_itself(fetch):
    source = source_of(fetch)
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = page(done(9), done(70), uptime=3)
    [look] = await source.sample(pair(), T + 1)
    assert (look.pods[STABLE].requests, look.pods[CANARY].requests) == (70, 9)


async def test_a_backend_without_a_route_is_no_data_and_one_without_requests_is_data(fetch):
    fetch.pages["envoy-a", 8002] = page(None, done(50))
    source = source_of(fetch)
    assert (await source.sample(pair(), T))[0].status is SourceStatus.NO_DATA
    fetch.pages["envoy-a", 8002] = page(done(1, c503=1), done(60))
    [look] = await source.sample(pair(), T + 1)
    assert (look.status, look.pods[CANARY].errors, look.pods[STABLE].requests) == (SourceStatus.OK, {"503": 1}, 10)
    first_release = roster(info("c"), stable="", canary=CANARY)
    assert (await source.sample(first_release, T + 2))[0].status is SourceStatus.OK


@pytest.mark.parametrize(
    "nobody",
    [
        envoy(namespace="elsewhere"),
        envoy(labels={"app": "other"}),
        envoy(phase="Pending"),
        envoy(ip=""),
        envoy(ready=False),
        envoy(deleted=True),
    ],
)
async def test_without_a_data_plane_the_source_is_down(fetch, nobody):
    fetch.pages.clear()
    with capture_logs() as logs:
        [look] = await source_of(fetch, nobody).sample(pair(), T)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert logs[0]["reason"] == "no ready pod in gateway has the labels app=envoy"


async def test_a_last_proxy_that_drains_is_still_counted(fetch):
    source = source_of(fetch, envoy(deleted=True))
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = page(done(4), done(50))
    [look] = await source.sample(pair(), T + 1)
    assert (look.status, look.pods[CANARY].requests) == (SourceStatus.OK, 4)


async def test_a_data_plane_that_does_not_answer_is_down(fetch):
    fetch.pages["envoy-a", 8002] = FetchError("refused")
    with capture_logs() as logs:
        assert (await source_of(fetch).sample(pair(), T))[0].status is SourceStatus.SOURCE_DOWN
    assert logs[0]["reason"] == "refused"


async def test_pages_that_say_nothing(fetch):
    fetch.pages["envoy-a", 8002] = ""
    assert (await source_of(fetch).sample(pair(), T))[0].status is SourceStatus.NO_DATA
    stranger = page({}, {}) + "\ncluster.shop_other-33333333_8080.upstream_rq_completed: 5"
    fetch.pages["envoy-a", 8002] = stranger
    assert (await source_of(fetch).sample(pair(), T))[0].status is SourceStatus.OK


async def test_how_many_endpoints_every_proxy_has(fetch):
    fetch.pages["envoy-b", 8002] = page({"membership_healthy": 3}, {})
    source = source_of(fetch, envoy("envoy-a", ip="10.0.1.1"), envoy("envoy-b", ip="10.0.1.2"))
    assert (await source.sample(pair(), T))[0].pods[CANARY].gauges == {"endpoints": 1}
    fetch.pages["envoy-a", 8002] = page(None, {})
    assert (await source.sample(pair(), T + 1))[0].pods[CANARY].gauges == {"endpoints": 0}
    fetch.pages["envoy-b", 8002] = page(None, {})
    assert CANARY not in (await source.sample(pair(), T + 2))[0].pods
    other = roster(stable="checkout-33333333", canary="checkout-44444444")
    fetch.pages |= {("envoy-a", 8002): FetchError("no"), ("envoy-b", 8002): page(None, None)}
    assert (await source.sample(other, T + 3))[0].pods == {}


async def test_a_cluster_that_warms_up_is_no_restart(fetch):
    source = source_of(fetch)
    fetch.pages["envoy-a", 8002] = page({"warming_state": 1, "membership_healthy": 2} | done(5), {})
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = page({"warming_state": 0, "membership_healthy": 1} | done(6), {})
    assert (await source.sample(pair(), T + 1))[0].pods[CANARY].requests == 1


@pytest.mark.parametrize(
    ("shown", "begun", "abandoned"),
    [  # measured on Envoy 1.40, four requests each: while they are under way, and when the clients have given up
        ({"rq_total": 4, "rq_active": 4}, 4, 0),  # hung
        ({"rq_total": 4, "rq_active": 0}, 4, 4),
        ({"rq_pending_active": 4}, 4, 0),  # never connected
        ({"rq_pending_active": 0, "rq_cancelled": 4}, 4, 4),
        ({"rq_cancelled": 4, "rq_completed": 4, "rq_504": 4}, 4, 0),  # its time-out
        ({"rq_total": 4, "rq_completed": 4, "rq_504": 4, "rq_timeout": 4}, 4, 0),
        ({"rq_total": 4, "rq_active": 4, "rq_completed": 4, "rq_200": 4}, 4, 0),  # amid their bodies
        ({"rq_pending_failure_eject": 4, "rq_completed": 4, "rq_503": 4}, 4, 0),  # refused
        ({"cx_none_healthy": 4, "rq_completed": 4, "rq_503": 4}, 4, 0),
        ({"rq_pending_overflow": 3, "rq_pending_active": 1, "rq_completed": 3, "rq_503": 3}, 4, 0),
        ({"rq_pending_overflow": 3, "rq_cancelled": 1, "rq_completed": 3, "rq_503": 3}, 4, 1),
        ({"rq_total": 7, "rq_retry": 3, "rq_completed": 4, "rq_200": 3, "rq_503": 1}, 4, 0),  # tried again
        ({"rq_completed": 4, "rq_200": 4}, 4, 0),  # nothing else was asked for
    ],
)
def test_what_was_begun_and_what_was_given_up(shown, begun, abandoned):
    counters = {f"upstream_{name}": value for name, value in shown.items()}
    backend = backends_on(page(counters), {f"shop_{CANARY}": CANARY})[CANARY]
    assert (backend.begun, backend.abandoned) == (begun, abandoned)


async def test_requests_that_were_given_up_are_failures_when_two_pages_say_so(fetch):
    source = source_of(fetch)
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = page({"upstream_rq_total": 6, "upstream_rq_active": 6}, done(60))
    [look] = await source.sample(pair(), T + 1)
    assert (look.pods[CANARY].begun, look.pods[CANARY].waiting, look.pods[CANARY].requests) == (6, 6, 0)
    fetch.pages["envoy-a", 8002] = page({"upstream_rq_total": 6, "upstream_rq_active": 1}, done(60))
    counts = []
    for second in (2, 3, 4):
        [look] = await source.sample(pair(), T + second)
        counts.append((look.pods[CANARY].requests, dict(look.pods[CANARY].errors)))
    assert counts == [(0, {}), (5, {"abandoned": 5}), (0, {})]
    assert look.pods[CANARY].waiting == 1


async def test_bodies_under_way_hide_what_was_given_up_and_make_nothing_up(fetch):
    source = source_of(fetch)
    streams = {"upstream_rq_total": 9, "upstream_rq_completed": 5, "upstream_rq_active": 5}  # and four were given up
    for second, change in enumerate(({}, streams, streams, streams | {"upstream_rq_active": 0})):
        fetch.pages["envoy-a", 8002] = page(change, done(50))
        [look] = await source.sample(pair(), T + second)
    assert look.pods[CANARY].errors == {}
    [look] = await source.sample(pair(), T + 9)
    assert look.pods[CANARY].errors == {"abandoned": 4}


async def test_each_revision_is_read_at_its_own_port(fetch):
    source = source_of(fetch, envoy())
    shown = page(done(4), None) + f"\ncluster.shop_{STABLE}_80.upstream_rq_completed: 16"
    fetch.pages["envoy-a", 8002] = shown + f"\ncluster.shop_{STABLE}_80.membership_healthy: 2"
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = fetch.pages["envoy-a", 8002].replace("completed: 16", "completed: 32")
    [look] = await source.sample(pair(), T + 1)
    assert (look.pods[STABLE].requests, look.pods[CANARY].requests) == (16, 0)
    assert look.pods[STABLE].gauges == {"endpoints": 2}
    assert rf"(shop_{STABLE}_\d+|shop_{CANARY}_\d+)\." in unquote(fetch.asked[-1][2])


async def test_one_hung_proxy_of_ten_is_left_out_and_named(fetch):
    names = [f"envoy-{letter}" for letter in "abcdefghij"]
    for name in names:
        fetch.pages[name, 8002] = page({"membership_healthy": 3}, {})
    fetch.pages["envoy-j", 8002] = FetchError("no answer within 1 s")
    source = source_of(fetch, *(envoy(name, ip=f"10.0.1.{number}") for number, name in enumerate(names)))
    with capture_logs() as logs:
        [look] = await source.sample(pair(), T)
    assert (look.status, look.pods[CANARY].gauges) == (SourceStatus.OK, {"endpoints": 3})
    told = "1 of 10 selected pods left out: gateway/envoy-j:8002/stats: no answer within 1 s"
    assert look.reason == told
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("source tells less than it should", told)]


async def test_a_selected_pod_that_is_no_proxy_is_left_out_and_named(fetch):
    fetch.pages["contour-a", 8002] = "# HELP contour_build_info x\ncontour_build_info 1\n"
    source = source_of(fetch, envoy(), envoy("contour-a", ip="10.0.1.9"))
    [look] = await source.sample(pair(), T)
    assert (look.status, look.pods[CANARY].gauges) == (SourceStatus.OK, {"endpoints": 1})
    assert look.reason.endswith("left out: gateway/contour-a:8002/stats shows no statistics of Envoy")


async def test_which_statuses_are_errors_is_each_signals_own(fetch):
    mine = [
        signal(source="gateway"),
        signal(source="gateway", name="missing", errors=["404"]),
        signal(source="gateway", name="callers", errors=["4xx", "!404"]),
    ]
    proxies = [envoy()]
    source = GatewaySource(fetch, STATS, mine, proxies=lambda: proxies)
    await source.sample(pair(), T)
    assert r"upstream_rq_[45]\d\d" in unquote(fetch.asked[-1][2])
    fetch.pages["envoy-a", 8002] = page(done(20, c404=6, c403=2, c500=1), done(50))
    looks = await source.sample(pair(), T + 1)
    assert [look.pods[CANARY].errors for look in looks] == [{"500": 1}, {"404": 6}, {"403": 2}]
    assert {look.pods[CANARY].requests for look in looks} == {20}


async def test_what_no_proxy_can_have_counted_is_left_out_and_told(fetch):
    source = source_of(fetch)
    await source.sample(pair(), T)
    fetch.pages["envoy-a", 8002] = page(done(10**15), done(50))
    [look] = await source.sample(pair(), T + 1)
    assert look.pods[CANARY].requests == 0
    assert "envoy-a: its counters grew by" in look.reason


async def test_statistics_far_longer_than_what_was_asked_for_are_refused(fetch):
    fetch.pages["envoy-a", 8002] = page({}, {}) + "\nx: 1" * 6_000
    [look] = await source_of(fetch).sample(pair(), T)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert "6,004 lines of statistics; at most 5,000 are read" in look.reason


LINES = st.sampled_from(
    [
        f"cluster.shop_{CANARY}_8080.upstream_rq_completed: 5",
        f"cluster.shop_{CANARY}_8080.upstream_rq_total: 99999999999999999999999",
        f"cluster.shop_{CANARY}_8080.membership_healthy: -1",
        "server.uptime: 5",
        "cluster._.: 1",
    ]
)


@given(st.lists(LINES | st.text(max_size=30), max_size=30).map("\n".join))
def test_whatever_a_page_holds_it_is_read(text):
    found = statistics_on(text, {f"shop_{CANARY}": CANARY})
    backend = found.backends[CANARY]
    assert backend.abandoned <= backend.begun
    assert all(count > 0 for count in backend.counts.values())
