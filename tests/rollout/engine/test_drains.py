"""A node is drained that has the only pod of a canary: a second is ready before it goes, or the drain goes on.

The API server is the fake one, which counts evictions as the disruption controller does: a sandbox has one node, and a
second pod has nowhere to go while that is cordoned.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.revision import REVISION_LABEL
from rollout.api.status import Outcome, Phase
from tests.fakes.apiserver import is_ready
from tests.rollout.engine.plant import Plant, gray_release, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STEPS = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 50, "hold": "3s"}]}


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        made.node("node-a")
        yield made


async def one_pod(it: Plant) -> str:
    it.declare("shop:v1", strategy=STEPS)
    await it.served("shop:v1")
    it.declare("shop:v2", strategy=STEPS)
    await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
    assert it.status.canary is not None
    return it.status.canary.revision


def budget(it: Plant, revision: str) -> dict[str, Any]:
    found = it.server.find("PodDisruptionBudget", revision)
    assert found is not None
    return {key: found["spec"][key] for key in ("minAvailable", "maxUnavailable") if key in found["spec"]}


def pods(it: Plant, revision: str) -> list[dict[str, Any]]:
    return [pod for pod in it.server.all("Pod") if pod["metadata"]["labels"][REVISION_LABEL] == revision]


async def least_ready(it: Plant, revision: str, least: list[int]) -> None:
    while True:
        least.append(sum(map(is_ready, pods(it, revision))))
        await asyncio.sleep(0)


async def test_the_last_pod_of_a_canary_goes_when_a_second_is_ready(it: Plant) -> None:
    async with it.engine():
        revision = await one_pod(it)
        await it.until(lambda: budget(it, revision) == {"minAvailable": 1}, "kept")
        it.node("node-b")
        seen: list[int] = []
        watching = asyncio.create_task(least_ready(it, revision, seen))
        try:
            await it.drain("node-a")
        finally:
            watching.cancel()
        assert min(seen) == 1
        assert {pod["spec"]["nodeName"] for pod in pods(it, revision)} == {"node-b"}
        await it.served("shop:v2")
    assert it.status.last is not None
    assert it.status.last.outcome in {Outcome.PROMOTED, Outcome.PROMOTED_NOT_PROVEN}
    assert "threatened" in {entry.what for entry in it.status.last.journal}
    assert "withdrawn" not in {entry.what for entry in it.status.last.journal}
    await it.until(lambda: budget(it, revision) == {"maxUnavailable": 1}, "let go")
    assert it.server.find("Deployment", revision)["spec"]["replicas"] == 2  # type: ignore[index] # it is there


async def test_a_drain_is_not_held_up_where_there_is_no_room_for_a_second(it: Plant) -> None:
    strategy = {**STEPS, "readyDeadline": "1s", "steps": [{"weight": 50, "hold": "60s"}]}
    async with it.engine():
        it.declare("shop:v1", strategy=strategy)
        await it.served("shop:v1")
        it.declare("shop:v2", strategy=strategy)
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        revision = it.status.canary.revision  # type: ignore[union-attr] # it is stepping
        await it.until(lambda: budget(it, revision) == {"minAvailable": 1}, "kept")
        await it.drain("node-a", of=revision)
        assert not [pod for pod in pods(it, revision) if "nodeName" in pod["spec"]]


@pytest.mark.parametrize("refused", ["list", "foreground"])
async def test_where_nodes_cannot_be_seen_no_budget_holds_up_a_drain(it: Plant, refused: str) -> None:
    if refused == "list":
        it.server.fail("GET", "/nodes$", 403, times=1000, message="nodes is forbidden")
        async with it.engine():
            revision = await one_pod(it)
            await it.drain("node-a", of=revision)
            assert budget(it, revision) == {"maxUnavailable": 1}
    else:
        async with it.server.cluster() as cluster:
            running = asyncio.create_task(it.controller(cluster, only=("shop", "checkout")).run())
            try:
                revision = await one_pod(it)
                assert budget(it, revision) == {"maxUnavailable": 1}
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
