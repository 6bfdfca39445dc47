"""The shop as processes, alone: answers, versions, faults, degraded starts and orderly ends."""

import asyncio
import re
import subprocess
import sys
import time

import aiohttp
import pytest
from load import Load

from tests.examples.processes import EXAMPLES


async def test_answers_are_signed_and_v2_differs_visibly(start):
    old, new = start("checkout"), start("checkout", SHOP_VERSION="v2")
    async with aiohttp.ClientSession() as session, session.get(old.http) as first, session.get(new.http) as second:
        assert (first.headers["X-Version"], first.headers["X-Pod"]) == ("v1", "pod-0")
        assert (second.headers["X-Version"], second.headers["X-Pod"]) == ("v2", "pod-1")
        assert set(await second.json()) - set(await first.json()) == {"today"}


async def test_an_order_can_be_placed_and_read(start):
    pod = start("checkout")
    status, order = await pod.post(f"{pod.http}/orders", {"item": "tea", "quantity": 2})
    assert status == 201
    assert await pod.get(f"{pod.http}/orders/{order['id']}") == (200, order | {"billed": False})
    assert (await pod.get(f"{pod.http}/orders/nope"))[0] == 404
    status, refused = await pod.post(f"{pod.http}/orders", {"item": "tea", "quantity": -1})
    assert (status, "quantity" in refused["error"]) == (400, True)


async def test_a_body_that_is_no_json_is_refused(start):
    pod = start("checkout")
    async with aiohttp.ClientSession() as session:
        for url in (f"{pod.http}/orders", f"{pod.admin}/fault"):
            async with session.post(url, data=b"{") as response:
                assert response.status == 400
                assert "not JSON" in (await response.json())["error"]


async def test_metrics_count_answers_by_route_template(start):
    pod = start("checkout")
    await pod.get(pod.http)
    await pod.get(f"{pod.http}/orders/1")
    await pod.get(f"{pod.http}/orders/2")
    await pod.get(f"{pod.http}/some/where")
    metrics = await pod.metrics()
    count = 'http_requests_total{{code="{}",method="GET",route="{}"}}'
    assert metrics[count.format(200, "/")] == 1
    assert metrics[count.format(404, "/orders/{id}")] == 2
    assert metrics[count.format(404, "none")] == 1
    assert metrics['http_request_duration_seconds_bucket{le="10.0",method="GET",route="/"}'] == 1
    assert metrics["process_cpu_seconds_total"] > 0
    assert metrics['shop_info{service="checkout",version="v1"}'] == 1


async def test_errors_begin_at_the_moment_told(start):
    pod = start("checkout")
    assert (await pod.get(pod.http))[0] == 200
    before = time.time()
    status, answer = await pod.fault(errors=1)
    assert status == 200
    assert before <= answer["at"] <= time.time()
    assert answer["fault"] == {"errors": 1.0, "delay_seconds": 0.0, "unready": False, "crash": False, "status": 500}
    status, body = await pod.get(pod.http)
    assert (status, body) == (500, {"error": "a fault was switched on"})
    assert re.search(r"level=ERROR .* GET / failed", pod.log.read_text())
    await pod.fault(status=503)
    assert (await pod.get(pod.http))[0] == 503
    await pod.fault(errors=0)
    assert (await pod.get(pod.http))[0] == 200


async def test_delay_and_readiness_can_be_switched(start):
    pod = start("checkout")
    await pod.fault(delay_seconds=0.2, unready=True)
    began = time.perf_counter()
    assert (await pod.get(pod.http))[0] == 200
    assert time.perf_counter() - began >= 0.2
    assert (await pod.get(f"{pod.admin}/readyz"))[0] == 503
    assert (await pod.get(f"{pod.admin}/healthz"))[0] == 200
    await pod.fault(unready=False)
    assert (await pod.get(f"{pod.admin}/readyz"))[0] == 200


async def test_a_wrong_fault_changes_nothing(start):
    pod = start("checkout")
    status, answer = await pod.fault(errors=1, delay_seconds="long")
    assert (status, "delay_seconds" in answer["error"]) == (400, True)
    assert (await pod.get(pod.http))[0] == 200


async def test_crash_answers_first(start):
    pod = start("checkout")
    status, answer = await pod.fault(crash=True)
    assert (status, answer["fault"]["crash"]) == (200, True)
    assert pod.process.wait(5) == 3


async def test_bad_versions_are_bad_by_themselves(start):
    failing, slow = start("checkout", SHOP_VERSION="v3"), start("checkout", SHOP_VERSION="v4")
    async with Load(failing.http, rate=200, seconds=1.5) as load:
        await load.finished()
    assert 0.35 < load.summary().versions["v3"].failed / load.summary().requests < 0.65
    async with Load(slow.http, rate=20, seconds=0.5) as load:
        await load.finished()
    assert load.summary().failed == 0
    assert load.summary().p50 >= 0.3


def test_v5_exits_after_its_time(start):
    pod = start("checkout", SHOP_VERSION="v5", CRASH_AFTER_SECONDS="0.3")
    assert pod.process.wait(5) == 1
    assert "v5 exits now" in pod.log.read_text()


async def test_without_middleware_it_starts_serves_and_is_not_ready(start):
    pod = start("checkout", REDIS_URL="redis://127.0.0.1:1/0", AMQP_URL="amqp://guest:guest@127.0.0.1:1/")
    assert (await pod.get(pod.http))[0] == 200
    assert await pod.get(f"{pod.admin}/readyz") == (503, {"ready": False, "waiting_for": "Redis"})
    assert (await pod.get(f"{pod.admin}/healthz"))[0] == 200
    assert (await pod.post(f"{pod.http}/orders", {"item": "tea"}))[0] == 503
    assert (await pod.get(f"{pod.http}/orders/1"))[0] == 503
    assert pod.stop() == 0


async def test_billing_waits_for_its_broker(start):
    pod = start("billing", AMQP_URL="amqp://guest:guest@127.0.0.1:1/")
    assert await pod.get(f"{pod.admin}/readyz") == (503, {"ready": False, "waiting_for": "RabbitMQ"})
    assert pod.stop() == 0


async def test_on_sigterm_no_request_is_lost(start):
    """Two pods behind a sender that stops using the first once it is no longer ready, as endpoints do."""
    pod = start("checkout", DRAIN_SECONDS="1.0")
    await pod.fault(delay_seconds=0.1)
    async with Load(pod.http, rate=200, seconds=30) as load:
        await asyncio.sleep(0.5)
        pod.process.terminate()
        await asyncio.sleep(0.3)
        assert (await pod.get(f"{pod.admin}/readyz"))[1]["waiting_for"] == "draining"
        await asyncio.sleep(0.4)
    assert pod.process.wait(10) == 0
    assert load.summary().failed == 0
    assert load.summary().requests > 200
    assert not any(answer.retried for answer in load.answers)


@pytest.mark.parametrize(("argv", "env"), [([], {}), (["shipping"], {}), (["checkout"], {"DRAIN_SECONDS": "x"})])
def test_a_wrong_call_exits_with_2(argv, env):
    done = subprocess.run(
        [sys.executable, "-m", "shop", *argv], env=env | {"PYTHONPATH": str(EXAMPLES)}, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
