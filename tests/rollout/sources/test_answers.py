"""Answers of Prometheus, and what is none."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from rollout.sources import answers as module
from rollout.sources.answers import series_in, series_in_turns
from rollout.sources.ask import DirectAsk
from rollout.sources.fetch import FetchError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "data", "result", "metric", "value", "values", "histogram", "count", "__name__"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def answer(*series: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


@given(JSON | st.lists(JSON, max_size=3).map(lambda series: answer(*series)))
def test_whatever_is_answered_is_samples_or_an_error_that_is_told(body):
    found: Any = []
    said = ""
    try:
        found = series_in(body, "x")
    except FetchError as error:
        said = str(error)
    assert said.isprintable()
    assert all(isinstance(sample.value, float) for _, times in found for _, many in times for sample in many)


@pytest.mark.parametrize(
    "series",
    [
        {"metric": {"__name__": 5}, "value": [1, "2"]},
        {"metric": ["a"], "value": [1, "2"]},
        {"metric": {"__name__": "a"}, "value": ["NaN", "2"]},
        {"metric": {"__name__": "a"}, "value": [10**400, "2"]},
        {"metric": {"__name__": "a"}, "value": [1]},
        {"metric": {"__name__": "a"}, "histogram": [1, {"count": "1", "buckets": [[0, "0", "1", "1"]] * 6000}]},
    ],
)
def test_what_is_no_series_is_told(series):
    with pytest.raises(FetchError, match="this is no answer of Prometheus"):
        series_in(answer(series))


async def test_a_long_answer_is_read_in_turns():
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    body = answer(*({"metric": {"__name__": f"a{number}"}, "value": [1, "2"]} for number in range(3_000)))
    task = asyncio.create_task(other())
    found = await series_in_turns(body)
    task.cancel()
    assert found == series_in(body)
    assert turns >= 5


def test_more_than_is_read_of_anybody_is_told(monkeypatch):
    monkeypatch.setattr(module, "MOST_SERIES_ANSWERED", 1)
    one = {"metric": {"__name__": "a"}, "value": [1, "2"]}
    with pytest.raises(FetchError, match="2 series; at most 1 are read"):
        series_in(answer(one, one))


def test_what_prometheus_says_is_one_line_without_secrets():
    said = {"status": "error", "error": "bad\n\x1b[31mhttp://me:hunter22@x"}
    with pytest.raises(FetchError, match=r"^Prometheus refuses the query: bad http://me:\[masked\]@x$"):
        series_in(said)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[" * 200_000, "deeper than any of Prometheus|Expecting value"),
        (b'{"status": "succ', "Unterminated string"),
        (b"<html>", "Expecting value"),
        (b" " * 2_000_000, "2,000,000 bytes; at most 1,000,000 are read"),
        (json.dumps({"status": "\ud800"}).encode(), "Prometheus refuses the query"),
    ],
)
async def test_an_answer_that_is_torn_deep_or_endless(body, says):
    async def said(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/api/v1/query", said)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            ask = DirectAsk(session, f"http://127.0.0.1:{runner.addresses[0][1]}", most_bytes=1_000_000)
            with pytest.raises(FetchError, match=says):
                series_in(await ask("up", 5.0))
    finally:
        await runner.cleanup()
