from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kube.cache import Reflector
from kube.errors import (
    ClusterUnreachableError,
    ConflictError,
    DeniedError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    error_for,
)
from kube.kinds import CONFIG_MAP, NAMESPACE, POD, kind_of, label_of
from tests.fakes.apiserver import ApiServer, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.cluster import Cluster


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as it:
        yield it


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    async with server.cluster() as it:
        yield it


def config(name: str = "a", **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


async def test_create_get_apply_patch_delete(cluster: Cluster) -> None:
    await cluster.create(config(x="1"))
    with pytest.raises(ConflictError, match=r"create ConfigMap shop/a.*already exists"):
        await cluster.create(config())
    await cluster.apply(config(y="2"), manager="me")
    assert (await cluster.get(CONFIG_MAP, "a", "shop"))["data"] == {"x": "1", "y": "2"}
    await cluster.merge_patch(CONFIG_MAP, "a", "shop", {"data": {"x": None}}, manager="me")
    ops = [{"op": "test", "path": "/data/y", "value": "2"}, {"op": "replace", "path": "/data/y", "value": "3"}]
    await cluster.json_patch(CONFIG_MAP, "a", "shop", ops, manager="me")
    with pytest.raises(InvalidError):
        await cluster.json_patch(CONFIG_MAP, "a", "shop", ops, manager="me")
    assert (await cluster.list(CONFIG_MAP, "shop")).items[0]["data"] == {"y": "3"}
    assert await cluster.delete(CONFIG_MAP, "a", "shop")
    assert not await cluster.delete(CONFIG_MAP, "a", "shop")
    assert await cluster.find(CONFIG_MAP, "a", "shop") is None


async def test_replace_is_an_optimistic_lock(cluster: Cluster) -> None:
    first = await cluster.create(config(x="1"))
    await cluster.replace({**first, "data": {"x": "2"}}, manager="test")
    with pytest.raises(ConflictError):
        await cluster.replace({**first, "data": {"x": "3"}}, manager="test")


async def test_unknown_kind_is_named(cluster: Cluster) -> None:
    with pytest.raises(NotFoundError, match="no kind Unicorn in zoo/v1: is its CRD installed"):
        await cluster.apply({"apiVersion": "zoo/v1", "kind": "Unicorn", "metadata": {"name": "u"}}, manager="me")


async def test_server_that_is_gone(server: ApiServer, cluster: Cluster) -> None:
    server.down = True
    with pytest.raises(ClusterUnreachableError, match="no answer from") as caught:
        await cluster.get(NAMESPACE, "x")
    assert caught.value.exit_code == 12


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(401, ForbiddenError, 1), (403, ForbiddenError, 1), (404, NotFoundError, 1), (409, ConflictError, 11)]
    + [(422, InvalidError, 13), (400, InvalidError, 13), (503, ClusterUnreachableError, 12), (500, KubeError, 1)],
)
def test_errors_by_status(status: int, kind: type, code: int) -> None:
    error = error_for(status, {"message": "because", "reason": "R"}, "get X")
    assert type(error) is kind
    assert str(error) == "get X: because"
    assert (error.exit_code, error.reason, error.status) == (code, "R", status)


def test_an_applied_object_that_the_schema_refuses_is_told_with_500() -> None:
    """So does Kubernetes 1.34 where server-side apply meets a field that is not in the schema."""
    typo = {"message": "failed to create typed patch object (shop/x; apps/v1, Kind=Deployment): .spec.x: not declared"}
    assert type(error_for(500, typo, "apply Deployment shop/x")) is InvalidError


def test_names() -> None:
    assert label_of(config()) == "ConfigMap shop/a"
    assert label_of({"kind": "Namespace", "metadata": {"name": "n"}}) == "Namespace n"
    assert kind_of(config()) == ("v1", "ConfigMap")
    assert POD.path("shop", "p", "log") == "/api/v1/namespaces/shop/pods/p/log"
    assert NAMESPACE.path("shop", "n") == "/api/v1/namespaces/n"


async def eventually(condition, seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_reflector_follows_and_survives_an_outage(server: ApiServer, cluster: Cluster) -> None:
    server.put(config("early"))
    seen: list[tuple[str, bool]] = []
    mirror = Reflector(cluster, CONFIG_MAP, "shop", on_change=lambda key, item: seen.append((key[1], item is not None)))
    task = asyncio.create_task(mirror.run())
    await mirror.synced.wait()
    await eventually(lambda: server.watchers)
    server.put(config("late"))
    await eventually(lambda: ("shop", "late") in mirror.objects)
    server.down = True
    await eventually(lambda: not mirror.healthy)
    server.remove(server.key("/api/v1", "configmaps", "shop", "early"))
    server.down = False
    await eventually(lambda: mirror.healthy and ("shop", "early") not in mirror.objects)
    await eventually(lambda: server.watchers)
    server.remove(server.key("/api/v1", "configmaps", "shop", "late"))
    await eventually(lambda: not mirror.objects)
    assert seen == [("early", True), ("late", True), ("early", False), ("late", False)]
    task.cancel()


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ('pods "x" is forbidden: exceeded quota: small, requested: pods=1', DeniedError, 13),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot', DeniedError, 13),
        ('admission webhook "tags" denied the request: no latest', DeniedError, 13),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", DeniedError, 13),
        (
            'deployments.apps is forbidden: User "ann" cannot create resource "deployments" in API group',
            ForbiddenError,
            1,
        ),
        ('roles "r" is forbidden: user "ann" is attempting to grant RBAC permissions not held', ForbiddenError, 1),
        ("<html>Forbidden</html>", ForbiddenError, 1),
    ],
)
def test_admission_and_permission_are_told_apart(message: str, kind: type, code: int) -> None:
    error = error_for(403, {"message": message}, "create X")
    assert (type(error), error.exit_code) == (kind, code)
