"""Counting lines of logs."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from kube.errors import ClusterUnreachableError
from rollout.looks import SourceStatus
from rollout.sources.fetch import FetchError, LogFetch, MemoryFetch
from rollout.sources.logs import LogsSource
from rollout.status import timestamp
from tests.rollout.sources.builders import T, info, pair, roster, signal


def line(at: float, text: str) -> str:
    return f"{timestamp(at).rstrip('Z')}123Z {text}\n"


def counting(pattern: str = "ERROR|panic", **rest: Any) -> Any:
    return signal("events", "logs", pattern=pattern, **rest)


@pytest.fixture
def fetch() -> MemoryFetch:
    made = MemoryFetch()
    made.pages |= {("s", 0): "", ("c", 0): ""}
    return made


async def test_lines_are_counted_once_and_only_those_that_fit(fetch):
    source = LogsSource(fetch, [counting()])
    assert [look.pods for look in await source.sample(pair(), T)] == [{}]
    said = line(T - 0.5, "ERROR before") + line(T + 1, "ERROR one") + line(T + 1.5, "all is well")
    fetch.pages["c", 0] = said
    [look] = await source.sample(pair(), T + 2)
    assert (look.status, look.pods["c"].errors, look.pods["c"].exposure_seconds) == (SourceStatus.OK, {"lines": 1}, 2.0)
    assert look.pods["s"].errors == {"lines": 0}
    fetch.pages["c", 0] = said + line(T + 1.7, "panic: two") + line(T + 2.5, "an ERROR, three")
    [look] = await source.sample(pair(), T + 4)
    assert look.pods["c"].errors == {"lines": 2}
    assert (await source.sample(pair(), T + 6))[0].pods["c"].errors == {"lines": 0}


async def test_what_is_asked_for(fetch):
    source = LogsSource(fetch, [counting(container="app"), counting("WARN", name="warnings", container="app")])
    await source.sample(pair(), T)
    looks = await source.sample(pair(), T + 2)
    assert [look.signal for look in looks] == ["events", "warnings"]
    begin = timestamp(T)[:19]
    query = f"?timestamps=true&limitBytes=1048576&sinceTime={begin}Z&container=app"
    assert fetch.asked == [("s", 0, query), ("c", 0, query)] * 2, "one reading serves both"


async def test_they_are_not_read_more_often_than_every_two_seconds(fetch):
    source = LogsSource(fetch, [counting()])
    passes = [await source.sample(pair(), T + number / 4) for number in range(17)]
    assert [bool(each) for each in passes] == [number in {0, 8, 16} for number in range(17)]
    assert len(fetch.asked) == 6


async def test_all_lines_of_a_pod_that_began_meanwhile_count(fetch):
    source = LogsSource(fetch, [counting()])
    await source.sample(roster(pair().pods[0]), T)
    fetch.pages["c", 0] = line(T + 0.7, "ERROR at the start")
    both = roster(pair().pods[0], info("c", started=T + 0.5))
    [look] = await source.sample(both, T + 2)
    assert (look.pods["c"].errors, look.pods["c"].exposure_seconds) == ({"lines": 1}, 1.5)


async def test_an_arm_that_cannot_be_read_is_down_and_said_once(fetch):
    source = LogsSource(fetch, [counting()])
    await source.sample(pair(), T)
    fetch.pages["c", 0] = FetchError("log of shop/c: a container name must be specified, choose one of: [app proxy]")
    with capture_logs() as logs:
        for number in (1, 2):
            [look] = await source.sample(pair(), T + 2 * number)
            assert (look.status, look.pods) == (SourceStatus.SOURCE_DOWN, {})
    assert [entry["reason"] for entry in logs] == [str(fetch.pages["c", 0])]
    assert (await source.sample(roster(), T + 9))[0].status is SourceStatus.NO_DATA


async def test_time_stamps_of_different_length_are_told_apart(fetch):
    source = LogsSource(fetch, [counting()])
    await source.sample(pair(), T)
    stamp = timestamp(T + 1)[:19]
    fetch.pages["c", 0] = f"{stamp}.5Z ERROR a\n{stamp}.500000001Z ERROR b\n"
    assert (await source.sample(pair(), T + 2))[0].pods["c"].errors == {"lines": 2}
    fetch.pages["c", 0] = f"{stamp}.500000001Z ERROR b\n{stamp}.51Z ERROR c\nno stamp ERROR\n"
    assert (await source.sample(pair(), T + 4))[0].pods["c"].errors == {"lines": 1}


async def test_read_through_the_api_server():
    class Cluster:
        error: Exception | None = None

        async def log_text(self, namespace: str, pod: str, query: str, *, seconds: float) -> str:
            if self.error:
                raise self.error
            return f"{namespace}/{pod}{query} {seconds:g}"

    cluster: Any = Cluster()
    assert await LogFetch(cluster)("shop", "c", "10.0.0.2", 0, "?x", 2.0) == "shop/c?x 2"
    cluster.error = ClusterUnreachableError("away")
    with pytest.raises(FetchError, match="log of shop/c: away"):
        await LogFetch(cluster)("shop", "c", "10.0.0.2", 0, "?x", 2.0)
