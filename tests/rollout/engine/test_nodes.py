"""Which nodes take no pods any more, and what is said where nobody may look."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from rollout.engine.nodes import SILENT_SECONDS, Nodes
from tests.fakes.apiserver import ApiServer, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DRAIN = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
GONE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
OURS = {"key": "team", "value": "shop", "effect": "NoSchedule"}
SOFT = {"key": "team", "value": "shop", "effect": "PreferNoSchedule"}
FOR_A_WHILE = {"key": GONE["key"], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


@asynccontextmanager
async def watched(clock: Callable[[], float] = lambda: 0.0) -> AsyncIterator[tuple[ApiServer, Nodes]]:
    async with running() as server, server.cluster() as cluster:
        nodes = Nodes(cluster, clock)
        task = asyncio.create_task(nodes.run())
        try:
            yield server, nodes
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def node(**spec: Any) -> dict[str, Any]:
    meta = {"name": "a", "labels": {"zone": "x"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": {"images": ["long"] * 50}}


def pod(*tolerations: Any, on: str = "a") -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"nodeName": on, "tolerations": list(tolerations)}}


async def seen(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("spec", "tolerations", "leaves"),
    [
        ({}, (), False),
        ({"unschedulable": True}, (), True),
        ({"unschedulable": True}, ({"operator": "Exists"},), True),
        ({"taints": [DRAIN]}, (), True),
        ({"taints": [GONE]}, (), True),
        ({"taints": [GONE]}, (FOR_A_WHILE,), True),
        ({"taints": [GONE]}, ({"operator": "Exists"},), False),
        ({"taints": [OURS]}, ({"key": "team", "value": "shop"},), False),
        ({"taints": [OURS]}, ({"key": "team", "value": "other"},), True),
        ({"taints": [OURS]}, ({"key": "team", "operator": "Exists", "effect": "NoExecute"},), True),
        ({"taints": [OURS]}, ({"operator": "Equal"}, None), True),
        ({"taints": [SOFT, None]}, (), False),
        ({"taints": None, "unschedulable": None}, (), False),
    ],
)
async def test_a_pod_leaves_a_node_that_takes_no_such_pods(
    *, spec: dict[str, Any], tolerations: tuple[Any, ...], leaves: bool
) -> None:
    async with watched() as (server, nodes):
        server.put(node(**spec))
        await seen(lambda: nodes._mirror.objects)
        assert nodes.leaves(pod(*tolerations)) is leaves
        assert not nodes.leaves(pod(on="elsewhere"))
        assert not nodes.leaves({"metadata": {"name": "p"}})


async def test_of_a_node_little_is_kept() -> None:
    async with watched() as (server, nodes):
        server.put(node(taints=[DRAIN], podCIDR="10.0.0.0/24"))
        await seen(lambda: nodes._mirror.objects)
        [kept] = nodes._mirror.objects.values()
        assert kept["spec"] == {"taints": [DRAIN]}
        assert "status" not in kept
        server.put(node())
        await seen(lambda: not nodes.leaves(pod()))


async def test_nodes_that_nobody_may_read_are_not_known_and_that_is_told_once() -> None:
    now = [0.0]
    async with watched(lambda: now[0]) as (server, nodes):
        server.fail("GET", "/nodes$", 403, times=1000, message="nodes is forbidden")
        with capture_logs() as logs:
            await nodes._mirror.tried.wait()
            assert nodes.known is None, "perhaps in a moment"
            now[0] = SILENT_SECONDS
            assert (nodes.known, nodes.known) == (False, False)
            told = [each["event"] for each in logs if "nodes are not known" in each["event"]]
        assert len(told) == 1
        assert "controller.readNodes" in told[0]
        server.faults.clear()
        await seen(lambda: nodes.known)
