from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from rollout.api.spec import GatewayStats
from rollout.engine.mirror import Mirror
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ENVOY = GatewayStats(namespace="gateway", selector={"app": "envoy"})
KEY = ("shop", "checkout")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


@asynccontextmanager
async def mirrored(server: ApiServer, *namespaces: str | None) -> AsyncIterator[tuple[Mirror, list[Any]]]:
    changed: list[Any] = []
    async with server.cluster() as cluster:
        mirror = Mirror(cluster, namespaces or ["shop"], changed.append)
        task = asyncio.create_task(mirror.run())
        await mirror.synced()
        try:
            yield mirror, changed
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def pod(name: str, namespace: str = "shop", **labels: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    if revision := labels.get(REVISION_LABEL):
        owner = {"kind": "ReplicaSet", "name": f"{revision}-7d9f", "uid": "rs", "controller": True}
        meta["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {}}


def of(release: str, revision: str) -> dict[str, str]:
    return {RELEASE_LABEL: release, REVISION_LABEL: revision}


async def test_what_belongs_to_a_release_is_found_by_its_label(server):
    async with mirrored(server) as (mirror, changed):
        server.put(gray_release())
        server.put(pod("a", **of("checkout", "r1")))
        server.put(pod("b", **of("billing", "r1")))
        server.put(pod("c"))
        await until(lambda: bool(mirror.pods(KEY)) and bool(mirror.pods(("shop", "billing"))))
        assert [item["metadata"]["name"] for item in mirror.pods(KEY)] == ["a"]
        assert mirror.releases() == [KEY]
        assert mirror.release(KEY)["spec"] == gray_release()["spec"]
        assert mirror.release(("shop", "nobody")) is None
        assert set(changed) == {KEY, ("shop", "billing")}


async def test_a_pod_that_goes_tells_its_release(server):
    async with mirrored(server) as (mirror, changed):
        server.put(pod("a", **of("checkout", "r1")))
        await until(lambda: bool(mirror.pods(KEY)))
        changed.clear()
        server.remove(server.key("/api/v1", "pods", "shop", "a"))
        await until(lambda: not mirror.pods(KEY))
        assert changed == [KEY]


async def test_proxies_of_a_gateway_are_mirrored_once_from_the_first_call_on(server):
    server.put(pod("envoy-1", "gateway", app="envoy"))
    server.put(pod("other", "gateway", app="other"))
    async with mirrored(server) as (mirror, _):
        proxies = mirror.proxies(ENVOY)
        await until(lambda: bool(proxies()))
        again = mirror.proxies(ENVOY)
        server.put(pod("envoy-2", "gateway", app="envoy"))
        await until(lambda: len(again()) == 2)
        assert sorted(item["metadata"]["name"] for item in proxies()) == ["envoy-1", "envoy-2"]
        assert sum(labels == "app=envoy" for _, _, _, labels, _ in server.watchers) == 1


async def test_proxies_asked_for_before_it_runs_are_mirrored_too(server):
    server.put(pod("envoy-1", "gateway", app="envoy"))
    async with server.cluster() as cluster:
        mirror = Mirror(cluster, ["shop"])
        proxies = mirror.proxies(ENVOY)
        task = asyncio.create_task(mirror.run())
        await until(lambda: len(proxies()) == 1)
        task.cancel()
        await asyncio.wait([task])


async def test_routes_of_a_namespace_that_nobody_mirrors_are_an_error(server):
    async with server.cluster() as cluster:
        assert Mirror(cluster, [None]).routes("anywhere")
        with pytest.raises(KeyError, match="elsewhere"):
            Mirror(cluster, ["shop"]).routes("elsewhere")


async def test_not_healthy_while_the_server_is_gone(server):
    async with mirrored(server) as (mirror, _):
        await until(lambda: mirror.healthy)
        server.down = True
        await until(lambda: not mirror.healthy)
        server.down = False
        await until(lambda: mirror.healthy)


def deployment(name: str, *owners: dict[str, Any], **labels: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", "labels": labels, "ownerReferences": list(owners)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}}


def owner(uid: str, kind: str = "GrayRelease", name: str = "checkout") -> dict[str, Any]:
    return {"apiVersion": "grayling.dev/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": True}


async def test_names_and_labels_are_no_identity(server):
    release = server.put(gray_release())
    uid, mine, left, orphan, other = release["metadata"]["uid"], *(f"checkout-{each * 8}" for each in "abcd")
    async with mirrored(server) as (mirror, _):
        for name, owners in (
            (mine, [owner(uid)]),
            (left, [owner("gone")]),
            (orphan, []),
            (other, [owner("x", "Team")]),
        ):
            server.put(deployment(name, *owners, **of("checkout", name)))
        server.put(deployment("legacy", **{RELEASE_LABEL: "checkout"}))
        server.put(deployment("empty", **of("checkout", "")))
        server.put(deployment("renamed", owner(uid), **of("checkout", mine)))
        stray = pod("stray", **of("checkout", mine))
        stray["metadata"]["ownerReferences"][0]["name"] = "other-7d9f"
        server.put(stray)
        await until(lambda: len(mirror.strangers(KEY)) == 5)
        assert sorted(mirror.deployments(KEY)) == [mine, left, orphan], "ours, and what an earlier one left"
        assert mirror.pods(KEY) == []
        told = mirror.strangers(KEY)
    assert any(other in each and "belongs to Team checkout" in each for each in told)
    assert any(
        "Deployment legacy carries the label grayling.dev/release=checkout and belongs to nobody" in each
        for each in told
    )
