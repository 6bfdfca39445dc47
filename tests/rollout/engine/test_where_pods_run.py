"""Where pods run, from the API server to what the judge is shown: the node that a pod names, and that node's zone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from rollout.engine.mirror import Mirror
from rollout.engine.nodes import ZONE_LABEL
from rollout.sources.fetch import MemoryFetch
from rollout.sources.kubernetes import KubernetesSource
from rollout.sources.pod_roster import roster_of
from rollout.sources.pods import PodsSource
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.sources.builders import CANARY, STABLE, T, pod, signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rollout.sources.pod_roster import Roster

KEY = ("shop", "checkout")
PLACES = {"s": ("node-a", "west"), "c": ("node-b", "east"), "n": ("node-c", "")}


def node(name: str, zone: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name} | ({ZONE_LABEL: zone} if zone else {})
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {}}


@asynccontextmanager
async def cluster_with_pods(*, may_read_nodes: bool = True) -> AsyncIterator[tuple[ApiServer, Mirror]]:
    async with running() as server, server.cluster() as cluster:
        if not may_read_nodes:
            server.fail("GET", "/nodes$", 403, times=1000, message="nodes is forbidden")
        for name, (where, zone) in PLACES.items():
            server.put(node(where, zone))
            made = pod(name, CANARY if name == "c" else STABLE)
            owner = {"kind": "ReplicaSet", "name": f"{CANARY if name == 'c' else STABLE}-7d9f", "uid": "rs"}
            made["metadata"]["ownerReferences"] = [owner | {"controller": True}]
            server.put({"apiVersion": "v1", "kind": "Pod"} | made | {"spec": made["spec"] | {"nodeName": where}})
        mirror = Mirror(cluster, ["shop"])
        task = asyncio.create_task(mirror.run())
        try:
            await mirror.synced()
            yield server, mirror
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def roster(mirror: Mirror) -> Roster:
    return roster_of(mirror.pods(KEY), namespace="shop", stable=STABLE, canary=CANARY, zone=mirror.zone)


async def seen(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def places(pods: Any) -> dict[str, tuple[str, str]]:
    return {each.name: (each.node, each.zone) for each in pods}


async def test_a_pod_is_on_its_node_and_in_its_zone() -> None:
    async with cluster_with_pods() as (_, mirror):
        await seen(lambda: mirror.zone("node-a"))
        assert places(roster(mirror).pods) == PLACES
        [kept] = [each for (_, name), each in mirror._nodes._mirror.objects.items() if name == "node-a"]  # type: ignore[union-attr]
        assert kept["metadata"]["labels"] == {ZONE_LABEL: "west"}, "nodes have many labels, and one is read"


async def test_an_engine_that_may_not_read_nodes_knows_their_names_alone() -> None:
    with capture_logs():
        async with cluster_with_pods(may_read_nodes=False) as (_, mirror):
            assert places(roster(mirror).pods) == {name: (where, "") for name, (where, _) in PLACES.items()}


async def test_a_pod_that_was_given_no_node_is_nowhere() -> None:
    async with cluster_with_pods() as (_, mirror):
        waits = pod("w", STABLE)
        assert "nodeName" not in waits["spec"]
        [found] = roster_of([waits], namespace="shop", stable=STABLE, canary=CANARY, zone=mirror.zone).pods
        assert (found.node, found.zone) == ("", "")


@pytest.mark.parametrize("read", ["pods", "kubernetes"])
async def test_what_is_read_of_a_pod_says_where_it_runs(read: str) -> None:
    fetch = MemoryFetch()
    source = PodsSource(fetch, [signal()]) if read == "pods" else KubernetesSource([signal("crashes", "kubernetes")])
    async with cluster_with_pods() as (_, mirror):
        await seen(lambda: mirror.zone("node-a"))
        for count in (10, 20):
            text = f'# TYPE http_requests_total counter\nhttp_requests_total{{code="200"}} {count}\n'
            fetch.pages |= {(name, 9000): text for name in PLACES}
            [look] = await source.sample(roster(mirror), T + count)
    assert {name: (each.node, each.zone) for name, each in look.pods.items()} == PLACES
