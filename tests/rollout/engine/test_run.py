from __future__ import annotations

import asyncio
import contextlib
import runpy
import sys

import aiohttp
import pytest

from kube.errors import NotFoundError
from rollout.api.status import Phase
from rollout.engine import drift, metrics
from rollout.engine.run import _again, run_controller, run_foreground
from rollout.engine.worker import Worker
from tests.rollout.engine.plant import Plant, gray_release
from tests.rollout.engine.test_serve import ask, free_port

QUIET = {"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]}


def metrics_of(release: str) -> list[str]:
    """Names of the gauges that still tell of a release."""
    return [
        sample.name
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if family.type == "gauge" and sample.labels.get("name") == release
    ]


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_controller_carries_out_every_release_and_serves_its_metrics(it: Plant):
    port = free_port()
    it.declare("shop:v1", analysis=QUIET)
    async with it.server.cluster() as cluster:
        task = asyncio.create_task(run_controller(cluster, ["shop"], identity="one", metrics_port=port))
        await it.served("shop:v1")
        assert (await ask(port, "/readyz"))[0] == 200
        assert (
            'grayling_release_phase{name="checkout",namespace="shop",phase="Idle"} 1.0'
            in (await ask(port, "/metrics"))[2]
        )
        await ended(task)
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(port, "/readyz")
    lease = it.server.find("Lease", "grayling-checkout")
    assert lease is not None
    assert lease["spec"].get("holderIdentity") is None, "let go on the way out"


async def test_in_the_foreground_only_the_release_asked_for(it: Plant):
    other = gray_release()
    other["metadata"]["name"] = "billing"
    it.server.put(other)
    it.declare("shop:v1", analysis=QUIET)
    async with it.server.cluster() as cluster:
        task = asyncio.create_task(run_foreground(cluster, "shop", "checkout", identity="me"))
        await it.served("shop:v1")
        await ended(task)
    assert "status" not in (it.server.find("GrayRelease", "billing") or {})


async def test_in_the_foreground_a_release_that_is_not_there_is_an_error(it: Plant):
    async with it.server.cluster() as cluster:
        with pytest.raises(NotFoundError, match="nobody"):
            await run_foreground(cluster, "shop", "nobody", identity="me")


async def test_a_release_deleted_and_declared_again_is_carried_out_again(it: Plant):
    async with it.engine() as controller:
        it.declare("shop:v1")
        await it.served("shop:v1")
        gone = it.release()
        it.server.put({**gone, "metadata": {**gone["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        await it.until(lambda: not it.server.all("Pod"), "empty")
        await it.until(lambda: not metrics_of("checkout"), "metrics gone with it")
        it.server.put(gray_release("shop:v2"))
        await it.served("shop:v2")
        assert controller.worker(("shop", "checkout")) is not None


async def test_a_release_whose_status_makes_no_sense_does_not_stop_the_others(it: Plant):
    broken = gray_release()
    broken["metadata"]["name"] = "billing"
    broken["status"] = {"phase": "Dancing"}
    it.server.put(broken)
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        await it.served("shop:v2")
        told = [event["message"] for event in it.server.all("Event") if event["reason"] == "Note"]
    assert len(told) == 1
    assert told[0].startswith("status.phase is 'Dancing', which this engine does not know")
    assert it.server.find("GrayRelease", "billing")["status"]["phase"] != "Dancing", "it is attended"


def test_the_release_group_alone_is_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rollout", "--help"])
    with pytest.raises(SystemExit) as ending:
        runpy.run_module("rollout", run_name="__main__")
    assert ending.value.code == 0
    assert "Usage: python -m rollout" in capsys.readouterr().out


async def test_a_worker_that_breaks_ends_alone_and_gets_a_successor(it: Plant, monkeypatch):
    broken: list[tuple[str, str]] = []
    run = Worker.run

    async def breaks_once(worker: Worker) -> None:
        if worker.name == "billing" and not broken:
            broken.append(worker.key)
            raise SystemError("what nobody has thought of")
        await run(worker)

    monkeypatch.setattr(Worker, "run", breaks_once)  # no part of the engine raises this where it could be made to
    other = gray_release()
    other["metadata"]["name"] = "billing"
    it.server.put(other)
    async with it.engine() as controller:
        it.declare("shop:v1")
        await it.served("shop:v1")
        await it.until(lambda: controller.worker(("shop", "billing")) is not None, "attended again")
        assert broken
        await it.until(lambda: bool((it.server.find("GrayRelease", "billing") or {}).get("status")), "carried out")


async def test_mirrors_that_break_begin_anew(it: Plant):
    async with it.engine() as controller:
        it.declare("shop:v1")
        await it.served("shop:v1")
        broken, run = [], controller.mirror.run

        async def breaks_once() -> None:
            if not broken:
                broken.append(True)
                raise SystemError("what nobody has thought of")
            await run()

        task = asyncio.create_task(_again(breaks_once, 0.01))
        await it.until(lambda: bool(broken), "broken")
        await asyncio.sleep(0.1)
        assert not task.done()
        await ended(task)


async def test_more_than_there_is_room_for_wait_their_turn(it: Plant):
    for name in ("billing", "search"):
        other = gray_release()
        other["metadata"]["name"] = name
        it.server.put(other)
    it.declare("shop:v1")
    async with it.server.cluster() as cluster:
        controller = it.controller(cluster)
        controller._parts.load.max_in_flight = 1
        task = asyncio.create_task(controller.run())
        names = ["billing", "checkout", "search"]
        statuses = lambda: [(it.server.find("GrayRelease", name) or {}).get("status") or {} for name in names]  # noqa: E731 - short
        told = lambda: [str((each.get("waiting") or {}).get("reason", "")) for each in statuses()]  # noqa: E731 - short
        await it.until(lambda: sum("no room" in each for each in told()) == 2, "two that wait")
        await it.until(lambda: bool(it.server.all("Deployment")), "one that does not")
        assert len({each["metadata"]["labels"]["grayling.dev/release"] for each in it.server.all("Deployment")}) == 1
        await ended(task)


async def test_a_controller_watches_for_drift_and_says_that_it_does_not_know(it: Plant, monkeypatch):
    monkeypatch.setattr(drift, "EVERY_SECONDS", 0.1)
    errors = {"signals": [{"name": "errors", "kind": "errors", "source": "pods"}]}
    it.declare("shop:v1", analysis=QUIET)
    labels = {"namespace": "shop", "name": "checkout", "signal": "errors"}
    metrics.DRIFT.clear()
    async with it.server.cluster() as cluster:
        task = asyncio.create_task(run_controller(cluster, ["shop"], identity="one", metrics_port=None))
        await it.served("shop:v1")
        it.declare("shop:v1", analysis=errors, sources={"prometheus": "http://prometheus.shop.svc:9090"})
        async with asyncio.timeout(180):
            while (seen := metrics.REGISTRY.get_sample_value("grayling_errors_drift", labels)) is None:
                assert not task.done()
                await asyncio.sleep(0.1)
        await ended(task)  # and takes what it has said back
    assert seen == -1
