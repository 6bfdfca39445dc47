from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from rollout.sources.exposition import declares, samples
from rollout.sources.tally import counts_of
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
    assert one("m NaN") is None
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


def test_buckets_without_an_edge_and_counters_that_are_no_number_are_left_out():
    page = 'h_bucket{le="x"} 1\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} +Inf\n'
    assert counts_of(signal("latency", metric="h"), samples(page, ("h_bucket",))) == {1.0: 2}
