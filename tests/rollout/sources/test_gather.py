from __future__ import annotations

import asyncio

import pytest

from rollout.sources.fetch import FetchError, MemoryFetch
from rollout.sources.gather import Gather, Target


def target(pod: str) -> Target:
    return Target("shop", pod, "10.0.0.1", 9000, "/metrics?x")


@pytest.fixture
def fetch() -> MemoryFetch:
    made = MemoryFetch()
    made.pages.update({(pod, 9000): f"page of {pod}" for pod in "abc"})
    return made


A, B, C = target("a"), target("b"), target("c")


@pytest.mark.looptime
async def test_the_slow_are_not_waited_for_and_come_in_later(fetch):
    gather, loop = Gather(fetch), asyncio.get_running_loop()
    fetch.delays["b"] = 0.4
    began = loop.time()
    first = await gather.pages([A, B], 100.0)
    assert loop.time() - began == pytest.approx(0.15)
    assert set(first.pages) == {A}
    await gather.pages([A, B], 100.25)
    third = await gather.pages([A, B], 100.5)
    assert {where: page.at for where, page in third.pages.items()} == {A: 100.5, B: 100.0}
    assert [pod for pod, *_ in fetch.asked].count("b") == 1
    assert not third.failed


@pytest.mark.looptime
async def test_who_never_answers_has_failed_after_its_time(fetch):
    gather = Gather(fetch, seconds=1.0, patience=0.6)
    fetch.delays["b"] = 60
    assert not (await gather.pages([A, B], 100)).failed
    await gather.pages([A, B], 101)
    assert (await gather.pages([A, B], 102)).failed == {B: "GET shop/b:9000/metrics: no answer within 1 s"}


async def test_a_failure_stands_until_the_next_answer_or_until_nobody_asks(fetch):
    gather = Gather(fetch)
    fetch.pages["b", 9000] = FetchError("refused")
    assert (await gather.pages([A, B], 1)).failed == {B: "refused"}
    fetch.pages["b", 9000] = "again"
    healed = await gather.pages([B], 2)
    assert (healed.failed, healed.pages[B].text) == ({}, "again")
    fetch.pages["b", 9000] = FetchError("refused")
    await gather.pages([B], 3)
    assert (await gather.pages([A], 4)).failed == {}


@pytest.mark.looptime
async def test_who_is_not_wanted_any_more_is_let_go(fetch):
    gather = Gather(fetch)
    fetch.delays["b"] = 0.5
    await gather.pages([B], 1)
    assert (await gather.pages([], 2)).pages == {}
    assert set((await gather.pages([C], 3)).pages) == {C}
    await asyncio.sleep(1)
    assert (await gather.pages([C], 4)).pages.keys() == {C}


@pytest.mark.looptime
async def test_who_stops_a_pass_stops_its_requests(fetch):
    gather = Gather(fetch)
    fetch.delays["b"] = 0.5
    task = asyncio.create_task(gather.pages([B], 1))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
