"""Native histograms: few buckets told, of any fineness, and what is slower than an edge is the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rollout.judge.model.bucket_edges import choose_edges
from rollout.signals.looks import SourceStatus
from rollout.sources.answers import series_in
from rollout.sources.ask import MemoryAsk
from rollout.sources.counting import counts_of
from rollout.sources.history import history_of
from rollout.sources.native import EDGES_SECONDS
from rollout.sources.prometheus import PrometheusSource
from rollout.sources.prometheus_hub import PrometheusHub
from tests.rollout.sources.builders import STABLE, T, pair, signal

FAMILY = "http_request_duration_seconds"
LATENCY = signal("latency", "prometheus")


def histogram(seconds: np.ndarray, schema: int, zero: float = 2.0**-128) -> dict[str, Any]:
    """As the API of Prometheus tells it: only buckets with something in them, borders and counts as text."""
    base = 2.0 ** (2.0**-schema)
    small = int((seconds <= zero).sum())
    buckets: list[list[Any]] = [[3, f"-{zero!r}", repr(zero), str(small)]] if small else []
    places = np.ceil(np.log(seconds[seconds > zero]) / math.log(base) - 1e-12).astype(int)
    for place, count in zip(*np.unique(places, return_counts=True), strict=True):
        buckets.append([0, repr(base ** float(place - 1)), repr(base ** float(place)), str(count)])
    return {"count": str(seconds.size), "sum": str(seconds.sum()), "buckets": buckets}


def series(pod: str, *told_at: tuple[float, dict[str, Any]]) -> dict[str, Any]:
    return {
        "metric": {"__name__": FAMILY, "namespace": "shop", "pod": pod},
        "histograms": [list(each) for each in told_at],
    }


def answer(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


def counts(seconds: np.ndarray, schema: int) -> dict[Any, int]:
    [(_, [(_, samples)])] = series_in(answer(series("p", (T, histogram(seconds, schema)))))
    return counts_of(LATENCY, samples)


@pytest.mark.parametrize("schema", [1, 2, 3, 5, 8])
def test_every_finer_histogram_says_the_same_at_every_edge(schema):
    seconds = np.random.default_rng(schema).lognormal(math.log(0.08), 0.8, 5000)
    found = counts(seconds, schema)
    assert found == {edge: int((seconds <= edge).sum()) for edge in EDGES_SECONDS} | {math.inf: 5000}


def test_a_coarse_one_is_exact_at_its_own_edges_and_late_between():
    seconds = np.random.default_rng(9).lognormal(math.log(0.08), 0.8, 5000)
    found = counts(seconds, 0)
    assert all(found[edge] == (seconds <= edge).sum() for edge in EDGES_SECONDS[::2])
    assert all(found[edge] == found[below] for below, edge in zip(EDGES_SECONDS[::2], EDGES_SECONDS[1::2], strict=True))


def test_zeros_and_nothing_at_all():
    found = counts(np.array([0.0, 0.0, 3600.0]), 3)
    assert (found[EDGES_SECONDS[0]], found[EDGES_SECONDS[-1]], found[math.inf]) == (2, 2, 3)
    assert set(counts(np.array([]), 3).values()) == {0}


def test_where_there_are_buckets_too_they_count():
    classic = [
        {"metric": {"__name__": f"{FAMILY}_bucket", "le": le}, "values": [[T, n]]}
        for le, n in (("0.1", "3"), ("+Inf", "4"))
    ]
    native = series("p", (T, histogram(np.array([0.05, 0.05, 0.05, 2.0]), 3)))
    told = series_in(answer(native, *classic))
    samples = [sample for _, times in told for _, found in times for sample in found]
    assert counts_of(LATENCY, samples) == {0.1: 3, math.inf: 4}


async def test_increments_of_both_arms_at_the_same_edges_whatever_their_schemas():
    ask = MemoryAsk()
    source = PrometheusSource(PrometheusHub(ask, interval=1.0), [LATENCY])
    rng = np.random.default_rng(3)
    stable, canary = rng.lognormal(math.log(0.05), 0.5, 400), rng.lognormal(math.log(0.2), 0.5, 80)
    for share, at in ((0.25, T), (0.5, T + 1), (1.0, T + 2)):
        seen = {"s": (stable, 3), "c": (canary, 1)}
        found = {
            pod: (at, histogram(values[: int(share * values.size)], schema)) for pod, (values, schema) in seen.items()
        }
        ask.answer = answer(*(series(pod, (at - 1, histogram(stable[:0], 3)), now) for pod, now in found.items()))
        [look] = await source.sample(pair(), at)
    assert look.status is SourceStatus.OK
    assert look.edges_seconds == EDGES_SECONDS
    for pod, values in (("s", stable[200:]), ("c", canary[40:])):
        assert np.cumsum(look.pods[pod].latency_counts)[:-1].tolist() == [
            int((values <= e).sum()) for e in EDGES_SECONDS
        ]
    assert f"{FAMILY}_bucket|{FAMILY}|" in ask.asked[0].replace("\\", "") or f"{FAMILY}|{FAMILY}_bucket" in ask.asked[0]
    pooled = np.cumsum(look.pods["s"].latency_counts[::-1])[::-1]
    chosen = choose_edges(EDGES_SECONDS, pooled[1:].astype(float), float(pooled[0]), None)
    assert min(abs(math.log(edge / float(np.median(stable)))) for edge in chosen) < math.log(2)


async def test_history_knows_them():
    ask = MemoryAsk()
    times = range(int(T) - 300, int(T) + 1, 15)
    seconds = np.full(21 * 30, 0.05)
    ask.answer = answer(
        series(f"{STABLE}-a", *((float(at), histogram(seconds[: 30 * (n + 1)], 3)) for n, at in enumerate(times)))
    )
    looks = await history_of(ask, "shop", STABLE, [LATENCY], T)
    assert looks
    assert all(sum(look.pods[f"{STABLE}-a"].latency_counts) == 30 for look in looks)
    assert looks[0].edges_seconds == EDGES_SECONDS
