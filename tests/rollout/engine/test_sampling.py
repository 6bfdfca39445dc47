"""The pace at which sources are read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollout.engine.sampling import Sampler
from rollout.signals.looks import SignalLook, SourceStatus
from rollout.sources.pod_roster import Roster


class Watched:
    name = "pods"

    def __init__(self) -> None:
        self.times: list[float] = []

    async def sample(self, _roster: Roster, _now: float) -> list[SignalLook]:
        self.times.append(asyncio.get_running_loop().time())
        return []


class Broken(Watched):
    async def sample(self, roster: Roster, now: float) -> list[SignalLook]:
        await super().sample(roster, now)
        raise ZeroDivisionError("no such page")


LOOK = SignalLook("errors", 1.0, SourceStatus.OK, {})


async def history() -> list[SignalLook]:
    """What was before, two seconds late."""
    await asyncio.sleep(2)
    return [LOOK]


async def times(
    seconds: float, *, hurry: Any = lambda: False, history: Any = None
) -> tuple[list[float], list[SignalLook]]:
    source, loop = Watched(), asyncio.get_running_loop()
    sampler = Sampler(
        key=("shop", "checkout"),
        roster=lambda: Roster("shop", "a", "b"),
        interval=lambda: 1.0,
        wake=lambda: None,
        hurry=hurry,
    )
    began = loop.time()
    sampler.start([source], history)
    assert sampler.running
    await asyncio.sleep(seconds)
    taken = sampler.take()
    await sampler.stop()
    return [round(at - began, 1) for at in source.times], taken


@pytest.mark.looptime
async def test_usually_once_an_interval():
    assert (await times(3.5))[0] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.looptime
async def test_more_often_while_there_is_suspicion():
    loop = asyncio.get_running_loop()
    began = loop.time()
    found, _ = await times(3.3, hurry=lambda: 1.0 <= loop.time() - began <= 2.0)
    assert found == [0.0, 1.0, 1.4, 1.8, 2.8]


@pytest.mark.looptime
async def test_history_comes_first_and_is_waited_for():
    found, taken = await times(3.5, history=history())
    assert (found, taken) == ([2.0, 3.0], [LOOK])


@pytest.mark.looptime
async def test_history_is_kept_when_looks_are_taken_while_it_is_asked_for():
    sampler = Sampler(
        key=("shop", "checkout"), roster=lambda: Roster("shop", "a", "b"), interval=lambda: 1.0, wake=lambda: None
    )
    sampler.start([Watched()], history())
    await asyncio.sleep(1)
    assert sampler.take() == []
    await asyncio.sleep(2)
    assert sampler.take() == [LOOK]
    await sampler.stop()


@pytest.mark.looptime
async def test_a_source_that_breaks_is_told_once_for_all_releases_of_a_service(
    capsys: pytest.CaptureFixture[str],
):
    sampler = Sampler(
        key=("shop", "checkout"), roster=lambda: Roster("shop", "a", "b"), interval=lambda: 1.0, wake=lambda: None
    )
    for source in (Broken(), Broken()):
        sampler.start([source])
        await asyncio.sleep(2.5)
        await sampler.stop()
        assert len(source.times) == 3
    assert capsys.readouterr().out.count("source failed") == 1
    sampler.start([Watched()])
    await asyncio.sleep(0.5)
    await sampler.stop()
    sampler.start([Broken()])
    await asyncio.sleep(0.5)
    await sampler.stop()
    assert capsys.readouterr().out.count("source failed") == 1, "it had worked in between"


@pytest.mark.looptime
async def test_what_several_sources_say_at_the_same_moment_is_one_look():
    class Timed:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self._seconds = name, seconds

        async def sample(self, _roster, _now):
            await asyncio.sleep(self._seconds)
            return [LOOK]

    loop, woken = asyncio.get_running_loop(), []
    sampler = Sampler(
        key=("shop", "checkout"),
        roster=lambda: Roster("shop", "a", "b"),
        interval=lambda: 1.0,
        wake=lambda: woken.append(round(loop.time() - began, 3)),
    )
    began = loop.time()
    sampler.start([Timed("quick", 0.0), Timed("usual", 0.01), Timed("slow", 0.5)])
    await asyncio.sleep(1.9)
    await sampler.stop()
    assert woken[0] == 0.0, "there is no history"
    assert woken[1:] == [0.02, 0.5, 1.02, 1.5], "with the slow one on its way, the others are waited for a moment"
    sampler.start([Timed("quick", 0.0), Timed("usual", 0.01)])
    began = loop.time()
    woken.clear()
    await asyncio.sleep(0.5)
    await sampler.stop()
    assert woken[1:] == [0.01], "the last of them is not waited for any longer"
