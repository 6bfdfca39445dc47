"""Counting lines of logs."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kube.errors import ClusterUnreachableError
from rollout.api.patterns import compiled
from rollout.api.status import timestamp
from rollout.signals.looks import SourceStatus
from rollout.sources.fetch import FetchError, LogFetch, MemoryFetch
from rollout.sources.logs import LARGEST_BYTES, MOST_BYTES, LogsSource, _search
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


class Kubelet:
    """Pods' logs as the API server gives them: since a second, of so many bytes."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {"s": [], "c": []}
        self.limits: list[int] = []

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - as in the Protocol
        query = dict(parse_qsl(path[1:]))
        self.limits.append(int(query["limitBytes"]))
        text = "".join(each for each in self.lines[pod] if each[:19] >= query["sinceTime"][:19])
        return text.encode()[: int(query["limitBytes"])].decode(errors="replace")

    def write(self, pod: str, at: float, number: int, text: str = "panic: goroutine") -> None:
        self.lines[pod] += [line(at + each * 0.9 / number, f"{text} {each} {'x' * 100}") for each in range(number)]


async def test_more_than_a_reading_holds_is_counted_to_the_last_line():
    kubelet = Kubelet()
    source = LogsSource(kubelet, [counting("panic")])
    await source.sample(pair(), T)
    hits = []
    for number in range(5):
        kubelet.write("c", T + 2 * number + 1, 12_000)  # 1.7 MB
        [look] = await source.sample(pair(), T + 2 * number + 2)
        hits.append(look.pods["c"].errors["lines"])
    assert hits == [12_000] * 5
    assert set(kubelet.limits) == {MOST_BYTES, LARGEST_BYTES}


async def test_what_one_pass_cannot_read_the_next_ones_do():
    kubelet = Kubelet()
    source = LogsSource(kubelet, [counting("panic")])
    await source.sample(pair(), T)
    for second in range(1, 7):  # 10 MB in six seconds
        kubelet.write("c", T + second, 12_000)
    hits, covered = 0, 0.0
    for number in range(6):
        [look] = await source.sample(pair(), T + 8 + 2 * number)
        hits += look.pods["c"].errors["lines"] if "c" in look.pods else 0
        covered += look.pods["c"].exposure_seconds if "c" in look.pods else 0.0
    assert hits == 72_000
    assert covered == 18, "each look covers the time up to its last line"


async def test_a_second_that_holds_more_than_is_ever_read_is_told_and_left_behind():
    kubelet = Kubelet()
    source = LogsSource(kubelet, [counting("panic")])
    await source.sample(pair(), T)
    kubelet.write("c", T + 1, 40_000)  # 5.7 MB in one second
    kubelet.write("c", T + 2, 5)
    looks = [(await source.sample(pair(), T + 4 + 2 * number))[0] for number in range(3)]
    assert looks[0].pods["c"].errors["lines"] > 20_000
    assert (looks[1].status, looks[1].pods) == (SourceStatus.SOURCE_DOWN, {})
    assert "log of c: more than 4 MiB in the second" in looks[1].reason
    assert looks[2].pods["c"].errors == {"lines": 5}


async def test_a_reading_that_lags_too_far_behind_gives_up_and_says_so():
    kubelet = Kubelet()
    source = LogsSource(kubelet, [counting("panic")])
    await source.sample(pair(), T)
    for second in range(1, 4):
        kubelet.write("c", T + second, 25_000)
    [look] = await source.sample(pair(), T + 90)
    assert look.status is SourceStatus.SOURCE_DOWN
    assert look.reason == "log of c: reading is 88 s behind; what lies between is not read"
    assert (await source.sample(pair(), T + 92))[0].pods["c"].errors == {"lines": 0}


async def test_lines_are_searched_in_turns():
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    lines = [line(T + number / 10_000, "x" * 20_000 if number == 7 else "ERROR") for number in range(10_000)]
    hits, newest = await _search(lines, timestamp(T - 1), {"a": compiled("ERROR"), "b": compiled("(x+x+)+y")})
    task.cancel()
    assert (hits, newest) == ({"a": 9_999, "b": 0}, lines[-1].split()[0])
    assert turns >= 9


@given(st.lists(st.text(max_size=40) | st.just(line(T + 1, "ERROR")), max_size=20).map("\n".join))
def test_whatever_a_log_holds_it_is_counted(text):
    async def looks() -> list:
        fetch = MemoryFetch()
        fetch.pages |= {("s", 0): text, ("c", 0): text}
        source = LogsSource(fetch, [counting()])
        return [(await source.sample(pair(), T + 2 * number))[0] for number in range(2)]

    assert [look.status for look in asyncio.run(looks())] == [SourceStatus.OK] * 2
