"""What only a real API server can show: schema defaults, JSON Patch tests, field managers, racing writers."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube.cache import Reflector
from kube.cluster import Cluster
from kube.errors import NotFoundError, StaleHolderError
from kube.kinds import GRAY_RELEASE, HTTP_ROUTE, NAMESPACE
from rollout.drivers.httproute.driver import GatewayDriver
from rollout.drivers.httproute.patch import epoch_on
from rollout.drivers.httproute.route import weights_on
from tests.rollout.drivers.routes import A, B, C, spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollout.api.spec import Spec

CRD = Path(__file__).parents[3] / "manifests" / "crds" / "grayreleases.yaml"


@pytest.fixture
async def cluster(cluster_kubeconfig: str) -> AsyncIterator[Cluster]:
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as it:
        yield it


@pytest.fixture
async def release(cluster: Cluster) -> AsyncIterator[dict[str, Any]]:
    """A GrayRelease in a namespace of its own."""
    await cluster.apply(yaml.safe_load(CRD.read_text()), manager="test", force=True)
    namespace = f"driver-{uuid.uuid4().hex[:8]}"
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    made = {"metadata": {"name": "checkout", "namespace": namespace}, "spec": spec().wire()}
    for _ in range(50):
        try:
            yield await cluster.create({"apiVersion": GRAY_RELEASE.api_version, "kind": "GrayRelease", **made})
            break
        except NotFoundError:
            await asyncio.sleep(0.2)
    await cluster.delete(NAMESPACE, namespace)


class Stage:
    def __init__(self, cluster: Cluster, release: dict[str, Any]) -> None:
        meta = release["metadata"]
        self.cluster, self.namespace, self.spec = cluster, meta["namespace"], spec()
        self.routes = Reflector(cluster, HTTP_ROUTE, self.namespace)
        self.driver = GatewayDriver(
            cluster,
            self.routes,
            name="checkout",
            namespace=self.namespace,
            uid=meta["uid"],
            spec_of=self.current,
            patience=0.1,
        )

    def current(self) -> Spec:
        return self.spec

    async def stored(self) -> dict[str, Any]:
        return await self.cluster.get(HTTP_ROUTE, "checkout", self.namespace)

    async def edit(self, *ops: dict[str, Any]) -> None:
        await self.cluster.json_patch(HTTP_ROUTE, "checkout", self.namespace, ops, manager="kubectl-edit")

    async def until(self, wanted: Any) -> None:
        async with asyncio.timeout(5):
            while not wanted(self.driver.observe()):
                await asyncio.sleep(0.01)


@pytest.fixture
async def stage(cluster: Cluster, release: dict[str, Any]) -> AsyncIterator[Stage]:
    made = Stage(cluster, release)
    watching = asyncio.create_task(made.routes.run())
    await made.routes.synced.wait()
    yield made
    watching.cancel()


async def test_a_route_as_the_schema_completes_it_is_not_outdated(stage):
    stage.spec = spec(
        matches=[
            {"path": {"value": "/api"}, "headers": [{"name": "x", "value": "1"}], "method": "GET"},
            {"queryParams": [{"name": "q", "value": "1"}]},
        ],
        requestTimeout="90s",
    )
    await stage.driver.shift({A: 100}, epoch=1)
    assert not stage.driver.observe().outdated
    generation = (await stage.stored())["metadata"]["generation"]
    await stage.driver.shift({A: 100}, epoch=1)
    assert (await stage.stored())["metadata"]["generation"] == generation
    stage.spec = spec(hostnames=["other.test"])
    assert stage.driver.observe().outdated
    await stage.driver.shift({A: 100}, epoch=1)
    assert not stage.driver.observe().outdated


async def test_weights_move_and_other_peoples_fields_stay(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    mirror = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "1"}]}}
    await stage.edit(
        {"op": "add", "path": "/spec/rules/0/filters", "value": [mirror]},
        {"op": "add", "path": "/metadata/annotations/other", "value": "x"},
        {"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7},
        {"op": "add", "path": "/spec/rules/0/backendRefs/0", "value": {"name": "debug", "port": 80, "weight": 0}},
    )
    await stage.until(lambda seen: seen.foreign_writer == "kubectl-edit")
    await stage.driver.shift({A: 80, B: 20}, epoch=2)
    found = await stage.stored()
    assert (weights_on(found), epoch_on(found)) == ({A: 80, B: 20}, 2)
    assert found["spec"]["rules"][0]["filters"] == [mirror]
    assert found["metadata"]["annotations"]["other"] == "x"
    assert [each["name"] for each in found["spec"]["rules"][0]["backendRefs"]] == ["debug", A, B]
    await stage.until(lambda seen: not seen.foreign_writer)


async def test_a_late_writer_loses_whatever_its_cache_says(stage, cluster, release):
    await stage.driver.shift({A: 80, B: 20}, epoch=3)
    late = Stage(cluster, release)
    late.routes.healthy = True
    late.routes.put(await stage.stored())
    await stage.driver.shift({A: 100, B: 0}, epoch=4)
    with pytest.raises(StaleHolderError):
        await late.driver.shift({A: 50, B: 50}, epoch=3)
    assert weights_on(await stage.stored()) == {A: 100, B: 0}


async def test_writers_that_race_all_get_through_and_the_newest_holder_wins(stage, cluster, release):
    await stage.driver.shift({A: 100}, epoch=1)
    others = [Stage(cluster, release) for _ in range(4)]

    async def write(each: Stage, epoch: int) -> None:
        for share in (10, 20, 30):
            each.routes.healthy = True
            each.routes.put(await stage.stored())
            await each.driver.shift({A: 100 - share, B: share}, epoch=epoch)

    outcomes = await asyncio.gather(
        *(write(each, epoch) for epoch, each in enumerate(others, 2)), return_exceptions=True
    )
    assert all(each is None or isinstance(each, StaleHolderError) for each in outcomes)
    assert outcomes[-1] is None
    assert (weights_on(await stage.stored()), epoch_on(await stage.stored())) == ({A: 70, B: 30}, 5)


async def test_an_epoch_that_was_removed_is_put_back_and_a_deleted_route_too(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    await stage.edit({"op": "remove", "path": "/metadata/annotations"})
    await stage.driver.shift({A: 90, C: 10}, epoch=1)
    assert epoch_on(await stage.stored()) == 1
    await stage.cluster.delete(HTTP_ROUTE, "checkout", stage.namespace)
    await stage.driver.shift({A: 100, C: 0}, epoch=1)
    assert weights_on(await stage.stored()) == {A: 100, C: 0}


async def test_it_goes_with_its_release_or_stays_however_late_the_watch(cluster, release):
    stage = Stage(cluster, release)
    stage.routes.healthy = True
    await stage.driver.shift({A: 100}, epoch=1)
    await stage.driver.disown()
    assert not (await stage.stored())["metadata"].get("ownerReferences")
    await stage.driver.shift({A: 100}, epoch=2)
    assert (await stage.stored())["metadata"]["ownerReferences"][0]["name"] == "checkout"
    await stage.driver.retire()
    assert await cluster.find(HTTP_ROUTE, "checkout", stage.namespace) is None
