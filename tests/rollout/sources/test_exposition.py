from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from rollout.sources import exposition as module
from rollout.sources.budget import OverBudgetError
from rollout.sources.counting import counts_of
from rollout.sources.exposition import Sample, declares, samples, samples_in_turns
from rollout.sources.increments import ImpossibleError
from tests.rollout.sources.builders import HERE, signal

PAGE = (HERE / "shop-metrics.txt").read_text()
NAMES = ("http_requests_total", "http_request_duration_seconds_bucket", "process_start_time_seconds")


def one(line: str, *names: str):
    found = samples(line, names or ("m",))
    return (found[0].name, dict(found[0].labels), found[0].value) if found else None


def test_a_real_page():
    found = samples(PAGE, NAMES)
    assert len(found) == 2 + 2 * 19 + 1
    assert counts_of(signal(), found) == {"400": 30, "200": 30}
    buckets = counts_of(signal("latency"), found)
    assert buckets[0.005] == buckets[math.inf] == 60
    assert declares(PAGE, "http_requests_total")
    assert not declares(PAGE, "http_request")


def test_forms_of_a_line():
    assert one("m 5") == ("m", {}, 5)
    assert one("m{} 5") == ("m", {}, 5)
    assert one('m{a="x",b="y",} 5.5') == ("m", {"a": "x", "b": "y"}, 5.5)
    assert one('m{a="x"} 5 1700000000') == ("m", {"a": "x"}, 5)
    assert one("m 5 1700000000") == ("m", {}, 5)
    assert one('m{a="x"} 5 # {trace="t"} 0.3 1700000000') == ("m", {"a": "x"}, 5)
    assert one('m{a="x"} 5 # {trace="t"}') == ("m", {"a": "x"}, 5)
    assert one('m{a="}\\"{,b=c\\\\ \\n"} 1e3') == ("m", {"a": '}"{,b=c\\ \n'}, 1000)
    assert one('m{ a = "x" } 5\r\n') == ("m", {"a": "x"}, 5)
    assert one("m +Inf") == ("m", {}, math.inf)


def test_lines_that_are_not_wanted():
    assert one("# TYPE m counter") is None
    assert one("m_created 5") is None
    assert math.isnan(samples("m NaN", ("m",))[0].value)
    assert one("m five") is None
    assert one("m") is None
    assert one("m{") is None
    assert one("m-x 5") is None
    assert one("", "m") is None
    assert samples("1m 5", ("1m",)) == []


def test_a_family_without_samples_is_declared():
    assert declares("# TYPE a_total counter\n", "a_total")
    assert declares("# TYPE a counter\n", "a_total")
    assert not declares("# TYPE ab counter\n", "a_total")


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 10**9), max_size=5))
def test_it_reads_what_the_official_library_writes(values):
    registry = CollectorRegistry()
    counter = Counter("m", "help", ["code"], registry=registry)
    for code, value in values.items():
        counter.labels(code).inc(value)
    found = samples(generate_latest(registry).decode(), ("m_total",))
    assert {sample.labels["code"]: int(sample.value) for sample in found} == values


def test_buckets_without_an_edge_are_left_out_and_what_nobody_counts_is_refused():
    page = 'h_bucket{le="x"} 1\nh_bucket{le="1"} 2\nh_bucket{le="NaN"} 2\n'
    latency = signal("latency", metric="h")
    assert counts_of(latency, samples(page, ("h_bucket",))) == {1.0: 2}
    for value in ("+Inf", "NaN", "-1", "1e160"):
        with pytest.raises(ImpossibleError, match="a counter of h_bucket is at"):
            counts_of(latency, samples(page + f'h_bucket{{le="2"}} {value}\n', ("h_bucket",)))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("m{" + "a" * 40_000 + "} 1", "40,005 characters in a line of m; at most 8,192 are read"),
        ("m{" + ",".join(f'a{number}="x"' for number in range(65)) + "} 1", "65 labels of m; at most 64"),
        ("\n" * 200_001, "200,001 lines; at most 200,000"),
        ("\n".join(f'm{{code="200",path="/users/{number}"}} 1' for number in range(5_001)), "5,001 series of m"),
    ],
)
def test_what_is_more_than_is_read_of_anybody_is_told(line, says):
    with pytest.raises(OverBudgetError, match=says):
        samples(line, ("m",))


def test_all_labels_of_a_page_together_are_bounded():
    labels = ",".join(f'a{label}="x"' for label in range(60))
    with pytest.raises(OverBudgetError, match="labels of the series of m; at most 40,000 are read"):
        samples("\n".join(f'm{{{labels},n="{number}"}} 1' for number in range(700)), ("m",))


def test_a_family_that_is_only_called_alike_may_be_as_large_as_it_likes():
    long, many = "m_other{" + "a" * 40_000 + "} 1", "\n".join(f'm_x{{a="{number}"}} 1' for number in range(6_000))
    assert samples(f"{long}\n{many}\nm 5", ("m",)) == [("m", {}, 5.0)]


def test_what_is_no_label_is_no_sample():
    for line in (
        "m{a} 1",
        'm{a="x"b="y"} 1',
        'm{,a="x"} 1',
        'm{a="x} 1',
        'm{a="x",,} 1',
        'm{1="x"} 1',
        'm{a="x",a="y"} 1',
    ):
        assert one(line) is None, line


def test_a_long_page_is_read_in_turns():
    page = "\n".join(f'm{{a="{number}"}} {number}' for number in range(5_000)) + "\n# " + "x" * 10**6
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> list[Sample]:
        task = asyncio.create_task(other())
        found = await samples_in_turns(page, ("m",))
        task.cancel()
        return found

    assert len(asyncio.run(both())) == 5_000
    assert turns >= 1, "somebody else had a turn in between"
    assert samples(page, ("m",)) == asyncio.run(both())


def test_what_is_remembered_is_bounded_in_bytes():
    for number in range(30_000):
        samples(f'm{{x="{number}{"y" * 900}"}} 1', ("m",))
    samples('m{x="' + "y" * 2_000 + '"} 1', ("m",))
    assert sum(map(len, module._known)) <= module._known.size <= module.MOST_REMEMBERED + 2_000
    assert max(map(len, module._known)) <= module.LONGEST_REMEMBERED


def test_series_are_told_apart_by_all_their_labels_in_any_order():
    page = [
        'm{a="x",b="y"} 1',
        'm{b="y", a="x"} 1',
        'm{a="xb",c="y"} 1',
        'm{a="x",b="z"} 1',
        'm{ab="x",y=""} 1',
        "m 1",
        'm{a="x"} 1',
    ]
    keys = [sample.labels.series for sample in samples("\n".join(page), ("m",))]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 6


PARTS = st.sampled_from(
    ["m", "{", "}", '"', "\\", "=", ",", " ", "\n", "\r", "# TYPE m counter", "le", "1", "NaN", "\x00", "é"]
)


@given(st.lists(PARTS | st.text(max_size=5), max_size=200).map("".join))
def test_whatever_a_page_holds_it_is_read_or_refused(text):
    for sample in samples(text, ("m",)):
        assert sample.name == "m"
        assert isinstance(sample.value, float)
