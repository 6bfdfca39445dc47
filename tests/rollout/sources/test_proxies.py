"""What many releases want of the same proxies is asked for once."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from rollout.api.spec import GatewayStats
from rollout.signals.looks import SourceStatus
from rollout.sources.fetch import FetchError, MemoryFetch
from rollout.sources.gateway import GatewaySource
from rollout.sources.gather import Target
from rollout.sources.pod_roster import roster_of
from rollout.sources.proxies import CLUSTER_SECONDS, INTERVAL_SECONDS, ProxyHub, Wanted
from tests.rollout.sources.builders import T, pod, signal

if TYPE_CHECKING:
    from rollout.signals.looks import SignalLook

ENVOY = Target("gateway", "envoy-a", "10.0.0.9", 8002, "/stats")
STATS = GatewayStats(namespace="gateway", selector={"app": "envoy"})
PROXY = pod("envoy-a", labels={"app": "envoy"}, namespace="gateway")


def page(*revisions: str, requests: int = 0, failed: int = 0, namespace: str = "shop", port: int = 80) -> str:
    counters = {
        "warming_state": 0,
        "membership_healthy": 1,
        "upstream_rq_completed": requests,
        "upstream_rq_total": requests,
        "upstream_rq_503": failed,
    }
    lines = [
        f"cluster.{namespace}_{each}_{port}.{name}: {value}" for each in revisions for name, value in counters.items()
    ]
    return "\n".join(["server.uptime: 500", *lines])


class Who:
    """Somebody who asks."""


class Release:
    """Somebody who reads the gateway for a release of its own."""

    def __init__(self, name: str, hub: ProxyHub, fetch: MemoryFetch, **rest: object) -> None:
        pods = [pod(f"{name}-{n}-x", revision=f"{name}-{n}") for n in (1, 2)]
        self.roster = roster_of(pods, namespace="shop", stable=f"{name}-1", canary=f"{name}-2")
        self.source = GatewaySource(fetch, STATS, [signal(source="gateway", **rest)], proxies=lambda: [PROXY], hub=hub)

    async def look(self, now: float) -> SignalLook:
        [look] = await self.source.sample(self.roster, now)
        return look


def wanted(*clusters: str, **rest: object) -> Wanted:
    return Wanted(frozenset(clusters), **rest)  # type: ignore[arg-type] - whatever the test says


@pytest.fixture
def fetch() -> MemoryFetch:
    made = MemoryFetch()
    made.pages["envoy-a", 8002] = page("a-1", "a-2", "b-1", "b-2")
    return made


async def test_each_release_gets_its_part_of_one_page(fetch):
    hub = ProxyHub(fetch)
    releases = [Release(name, hub, fetch) for name in "ab"]
    await asyncio.gather(*(each.look(T) for each in releases))
    fetch.asked.clear()
    fetch.pages["envoy-a", 8002] = "\n".join(
        [page("a-1", requests=80), page("a-2", requests=20, failed=20), page("b-1", "b-2", requests=50)]
    )
    first, second = await asyncio.gather(*(each.look(T + 1) for each in releases))
    assert len(fetch.asked) == 1
    assert {name: (each.requests, each.errors) for name, each in first.pods.items()} == {
        "a-1": (80, {}),
        "a-2": (20, {"503": 20}),
    }
    assert {name: (each.requests, each.errors) for name, each in second.pods.items()} == {
        "b-1": (50, {}),
        "b-2": (50, {}),
    }


async def test_a_release_that_comes_later_is_asked_for_at_once(fetch):
    hub = ProxyHub(fetch)
    await hub.read(a := Who(), wanted("shop_a-1"), [ENVOY], T)
    answers = await hub.read(b := Who(), wanted("shop_b-1"), [ENVOY], T)
    assert set(answers.pages[ENVOY].shown.services) == {"shop_a-1", "shop_b-1"}
    assert [unquote(path).count("shop_") for _, _, path in fetch.asked] == [1, 2]
    assert a is not b


async def test_all_who_come_while_it_is_asked_are_in_the_next_question(fetch):
    hub, whos = ProxyHub(fetch), [Who() for _ in range(200)]
    fetch.delays["envoy-a"] = 0.01
    found = await asyncio.gather(*(hub.read(who, wanted(f"shop_r{n}"), [ENVOY], T) for n, who in enumerate(whos)))
    assert all(wanted(f"shop_r{n}") in answers.asked for n, answers in enumerate(found))
    assert len(fetch.asked) <= 2


async def test_how_often_is_asked_follows_from_how_much_is_wanted_and_not_by_how_many(fetch):
    hub, whos = ProxyHub(fetch), [Who() for _ in range(50)]
    for who in whos:
        await hub.read(who, wanted("shop_a-1", "shop_a-2"), [ENVOY], T)
    fetch.asked.clear()
    for hundredths in range(100):
        for who in whos:
            await hub.read(who, wanted("shop_a-1", "shop_a-2"), [ENVOY], T + hundredths / 100)
    assert 1 / (INTERVAL_SECONDS + 2 * CLUSTER_SECONDS + 0.02) <= len(fetch.asked) <= 1 / INTERVAL_SECONDS


async def test_a_page_that_was_seen_is_not_taken_for_a_second_one(fetch):
    hub = ProxyHub(fetch, interval=1.0)
    release = Release("a", hub, fetch)
    await release.look(T)
    begun = page("a-1", "a-2", requests=10).replace("upstream_rq_total: 10", "upstream_rq_total: 11")
    fetch.pages["envoy-a", 8002] = begun
    first, again, later = [await release.look(T + after) for after in (1.1, 1.2, 2.3)]
    assert [look.pods["a-2"].requests for look in (first, again)] == [10, 0]
    assert "abandoned" not in again.pods["a-2"].errors, "one page alone says that somebody gave up"
    assert later.pods["a-2"].errors == {"abandoned": 1}
    assert again.status is SourceStatus.OK


async def test_who_is_gone_is_not_asked_for_any_more_once_the_question_changes(fetch):
    hub, stays = ProxyHub(fetch), Who()
    await hub.read(Who(), wanted("shop_gone"), [ENVOY], T)
    gc.collect()
    await hub.read(stays, wanted("shop_a-1"), [ENVOY], T + 1)
    assert "shop_gone" not in fetch.asked[-1][2]


async def test_a_proxy_that_hangs_delays_the_others_once_and_is_named(fetch):
    hub, who = ProxyHub(fetch, seconds=0.2, patience=0.02), Who()
    slow = Target("gateway", "envoy-b", "10.0.0.8", 8002, "/stats")
    fetch.delays["envoy-b"] = 60.0
    for n in range(20):
        answers = await hub.read(who, wanted("shop_a-1"), [ENVOY, slow], T + n)
        assert ENVOY in answers.pages
    assert "no answer within 0.2 s" in answers.failed[slow]


async def test_a_failure_is_told_until_there_is_a_page(fetch):
    hub, who = ProxyHub(fetch), Who()
    good = fetch.pages["envoy-a", 8002]
    fetch.pages["envoy-a", 8002] = FetchError("refused")
    assert (await hub.read(who, wanted("shop_a-1"), [ENVOY], T)).failed == {ENVOY: "refused"}
    fetch.pages["envoy-a", 8002] = good
    answers = await hub.read(who, wanted("shop_a-1"), [ENVOY], T + 1)
    assert (set(answers.pages), answers.failed) == ({ENVOY}, {})


async def test_too_many_to_be_named_are_all_asked_for_and_strangers_are_left_out(fetch):
    hub, who = ProxyHub(fetch), Who()
    many = frozenset(f"shop_{n}-{'x' * 40}" for n in range(400)) | {"shop_a-1"}
    answers = await hub.read(who, Wanted(many), [ENVOY], T)
    assert len(fetch.asked[-1][2]) < 1_000
    assert set(answers.pages[ENVOY].shown.services) == {"shop_a-1"}


async def test_statuses_of_all_who_ask_are_shown(fetch):
    hub = ProxyHub(fetch)
    await Release("a", hub, fetch).look(T)
    await Release("b", hub, fetch, errors=["404"]).look(T)
    assert r"upstream_rq_[45]\d\d" in unquote(fetch.asked[-1][2])


async def test_a_reader_that_is_cancelled_cancels_nobody_else(fetch):
    hub, whos = ProxyHub(fetch), [Who(), Who()]
    fetch.delays["envoy-a"] = 0.05
    first, second = [asyncio.create_task(hub.read(who, wanted("shop_a-1"), [ENVOY], T)) for who in whos]
    await asyncio.sleep(0.01)
    first.cancel()
    assert ENVOY in (await second).pages


async def test_who_wants_nothing_is_not_shown_everything(fetch):
    await ProxyHub(fetch).read(Who(), wanted(), [ENVOY], T)
    assert "[^.]+" not in unquote(fetch.asked[-1][2])
