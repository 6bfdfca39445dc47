"""What a real Prometheus says of the requests and errors of five minutes, whatever pods they were of."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.api.spec import Signal
from rollout.sources.ask import DirectAsk, MemoryAsk
from rollout.sources.days import SLOT_SECONDS, Answered, Days, answered
from rollout.sources.fetch import FetchError
from tests.components.conftest import program

FIRST = 5_666_400
SIGNAL = {"name": "errors", "kind": "errors", "source": "pods"}
PODS = {"checkout-0a1b2c3d-x-1": 2, "checkout-ffffffff-y-2": 3, "checkout-api-0a1b2c3d-x": 50, "billing-0a1b2c3d-z": 70}
"""How many answers of each status each pod counts a second: of two revisions of the service, and of others."""


def exposition():
    """Half an hour; the second pod begins anew in the middle of it."""
    lines = ["# TYPE http_requests_total unknown"]
    for pod, pace in PODS.items():
        for code, part in (("200", 100), ("404", 10), ("503", 1)):
            for at in range(0, 1800, 15):
                since = at - 900 if pod == "checkout-ffffffff-y-2" and at >= 900 else at
                labels = f'namespace="shop",pod="{pod}",code="{code}"'
                lines.append(f"http_requests_total{{{labels}}} {since * pace * part} {FIRST * SLOT_SECONDS + at}")
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture
async def prometheus(tmp_path):
    """Its address, with half an hour of samples."""
    (tmp_path / "page").write_text(exposition())
    (tmp_path / "prometheus.yml").write_text("{}")
    promtool, server = (program(each, tmp_path) for each in ("promtool", "prometheus"))
    made = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "page"), str(tmp_path / "data")]
    subprocess.run(made, check=True, capture_output=True)  # noqa: ASYNC221 - nothing runs beside it
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = (f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data")
    more = (f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=90y")
    with (tmp_path / "log").open("w") as log:
        running = await asyncio.create_subprocess_exec(server, *options, *more, stderr=log)
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(90), aiohttp.ClientSession() as client:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if (await client.get(f"{url}/-/ready")).status == 200:
                        break
                await asyncio.sleep(0.2)
        yield url
        running.terminate()
        await running.wait()


async def test_each_five_minutes_have_their_requests_and_errors(prometheus):
    async with aiohttp.ClientSession() as session:
        ask = DirectAsk(session, prometheus)
        found = await answered(ask, "shop", "checkout", Signal(**SIGNAL), FIRST + 1, FIRST + 5)
        others = await answered(ask, "shop", "checkout", Signal(**SIGNAL, errors=["4xx"]), FIRST + 2, FIRST + 2)
        nobody = await answered(ask, "shop", "nobody", Signal(**SIGNAL), FIRST + 1, FIRST + 5)
    assert list(found) == [FIRST + slot for slot in range(1, 6)]
    whole = 300 * sum(pace for pod, pace in PODS.items() if pod in {"checkout-0a1b2c3d-x-1", "checkout-ffffffff-y-2"})
    for slot in (2, 5):
        assert found[FIRST + slot].requests == pytest.approx(111 * whole, rel=0.02)
        assert found[FIRST + slot].errors == pytest.approx(whole, rel=0.02)
    assert 0.9 * 111 * whole < found[FIRST + 4].requests < 1.02 * 111 * whole  # the pod that began anew
    assert others[FIRST + 2].errors == pytest.approx(10 * whole, rel=0.02)
    assert nobody == {}


async def test_an_error_of_prometheus_is_no_quiet_day():
    ask = MemoryAsk()
    ask.answer = {"status": "error", "error": "query timed out in expression evaluation"}
    with pytest.raises(FetchError, match="timed out"):
        await answered(ask, "shop", "checkout", Signal(**SIGNAL), 1, 2)


async def test_counts_of_several_errors_are_summed_and_slots_without_answers_left_out():
    ask, times = MemoryAsk(), [[300, "0"], [600, "10.4"]]
    result = [{"metric": {"code": code}, "values": times} for code in ("500", "503", "200")]
    ask.answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    assert await answered(ask, "shop", "checkout", Signal(**SIGNAL), 1, 2) == {2: Answered(31, 21)}
    assert ask.asked_at == [600.0]


async def test_what_is_no_number_counts_as_nothing():
    ask = MemoryAsk()
    values = [[SLOT_SECONDS * FIRST, "NaN"], [SLOT_SECONDS * (FIRST + 1), "+Inf"], [SLOT_SECONDS * (FIRST + 2), "7"]]
    result = [{"metric": {"code": "200"}, "values": values}]
    ask.answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    found = await answered(ask, "shop", "checkout", Signal.model_validate(SIGNAL), FIRST, FIRST + 2)
    assert found == {FIRST + 2: Answered(7, 0)}


KEPT = 20
PUT_IN = st.dictionaries(st.integers(0, 99), st.builds(Answered, st.integers(1, 10**15), st.integers(0, 10**15)))


@given(st.lists(PUT_IN))
def test_days_know_the_newest_slots_as_they_were_last_put_in(steps):
    days, all_known = Days(KEPT), {}
    for step in steps:
        days.add(step)
        all_known |= step
    newest = max(all_known, default=None)
    assert days.newest == newest
    for slot in range(-KEPT, 99 + KEPT):
        kept = newest is not None and newest - KEPT < slot <= newest
        # One that was too old when it came, or that a newer one has driven out, does not come back.
        assert days.get(slot) == (all_known.get(slot) if kept else None)
