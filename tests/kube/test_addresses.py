"""Where a request goes: never to a place that nobody named, whatever a manifest or a server says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from kube.cache import Reflector
from kube.errors import ClusterUnreachableError, InvalidError, NotFoundError
from kube.kinds import CONFIG_MAP
from tests.fakes.apiserver import running
from tests.kube.test_torn import answering, http

if TYPE_CHECKING:
    from kube.kinds import Manifest

FOUND = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "a manifest has no apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "a manifest has no kind"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "ConfigMap ?: metadata is missing"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": 3}, "ConfigMap ?: metadata is missing"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
            "an object of this kind has a namespace",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 3, "namespace": "shop"}}, "name 3 is no text"),
        ({"apiVersion": "../v1", "kind": "X", "metadata": {"name": "a"}}, "apiVersion '../v1' is none"),
        ({"apiVersion": "a/b/v1", "kind": "X", "metadata": {"name": "a"}}, "apiVersion 'a/b/v1' is none"),
    ],
)
async def test_a_manifest_that_does_not_say_where_it_belongs_is_not_sent(manifest: Manifest, told: str) -> None:
    async with running() as server, server.cluster() as cluster:
        for write in (cluster.apply(manifest, manager="t"), cluster.replace(manifest, manager="t")):
            with pytest.raises(InvalidError) as caught:
                await write
            assert told in str(caught.value)
        if manifest.get("metadata", {}) != {"name": 3, "namespace": "shop"}:
            with pytest.raises(InvalidError):
                await cluster.create(manifest)
        assert server.writes == []


async def test_one_without_a_name_is_not_applied() -> None:
    async with running() as server, server.cluster() as cluster:
        with pytest.raises(InvalidError, match=r"ConfigMap shop/\?: metadata.name is missing"):
            await cluster.apply({**FOUND, "metadata": {"namespace": "shop"}}, manager="t")


async def test_nothing_of_a_namespace_is_found_without_one() -> None:
    """A 404 for a path that is none would read as "there is none"."""
    async with running() as server, server.cluster() as cluster:
        for ask in (cluster.find, cluster.get, cluster.delete):
            with pytest.raises(InvalidError, match="an object of this kind has a namespace"):
                await ask(CONFIG_MAP, "a")
        with pytest.raises(InvalidError):
            await cluster.merge_patch(CONFIG_MAP, "a", None, {}, manager="t")


RESOURCES: list[Any] = [
    {"name": "unicorns", "kind": "Unicorn", "namespaced": True},
    {"name": "unicorns/status", "kind": "Unicorn", "namespaced": True},
    {"kind": "Unicorn"},
    {"name": "../secrets", "kind": "Unicorn", "namespaced": True},
    {"name": "unicorns2", "kind": "Unicorn", "namespaced": "yes"},
    {"name": 3, "kind": "Unicorn", "namespaced": True},
    "unicorns",
    None,
]


@pytest.mark.parametrize("resources", [RESOURCES, list(reversed(RESOURCES))])
async def test_odd_entries_of_a_discovery_are_left_out(resources: list[Any]) -> None:
    body = json.dumps({"resources": resources}).encode()
    async with answering(http("200 OK", body, "Connection: close")) as cluster:
        kind = await cluster.resolve({"apiVersion": "zoo/v1", "kind": "Unicorn"})
        assert kind.path("shop", "u") == "/apis/zoo/v1/namespaces/shop/unicorns/u"


@pytest.mark.parametrize("body", [b"{}", b'{"resources": null}', b'{"resources": 3}', b"3"])
async def test_a_discovery_of_nothing(body: bytes) -> None:
    async with answering(http("200 OK", body)) as cluster:
        with pytest.raises(NotFoundError, match="no kind Unicorn in zoo/v1"):
            await cluster.resolve({"apiVersion": "zoo/v1", "kind": "Unicorn"})


@pytest.mark.parametrize(
    "body", [b"{}", b'{"items": 3}', b'{"items": [3]}', b'{"items": [{"metadata": {"name": ""}}]}', b'{"items": {}}']
)
async def test_a_list_that_is_none_is_not_an_empty_one(body: bytes) -> None:
    async with answering(http("200 OK", body)) as cluster:
        with pytest.raises(ClusterUnreachableError, match="list ConfigMap shop: "):
            await cluster.list(CONFIG_MAP, "shop")


async def test_an_empty_list_is_one() -> None:
    for body in (b'{"items": [], "metadata": {"resourceVersion": "7"}}', b'{"items": null, "metadata": {}}'):
        async with answering(http("200 OK", body)) as cluster:
            assert (await cluster.list(CONFIG_MAP, "shop")).items == []


async def test_every_request_may_be_urgent_and_has_a_deadline() -> None:
    """Over connections of its own: those of others may all be taken."""
    used: list[tuple[str, float]] = []
    async with running() as server, server.cluster() as cluster:
        known = cluster._session.request

        async def urgent(method: str, *given: Any, **rest: Any) -> Any:
            used.append((method, rest["timeout"].total))
            return await known(method, *given, **rest)

        class Urgent:
            request = staticmethod(urgent)

            async def close(self) -> None:
                """Nothing is open."""

        cluster._urgent = Urgent()  # type: ignore[assignment]
        made = {**FOUND, "metadata": {"name": "a", "namespace": "shop"}}
        how: Any = {"seconds": 3.0, "urgent": True}
        there = await cluster.create(made, **how)
        await cluster.replace(there, manager="t", **how)
        await cluster.apply(made, manager="t", **how)
        await cluster.merge_patch(CONFIG_MAP, "a", "shop", {"data": {"x": "1"}}, manager="t", **how)
        await cluster.json_patch(CONFIG_MAP, "a", "shop", [], manager="t", **how)
        assert len((await cluster.list(CONFIG_MAP, "shop", **how)).items) == 1
        await cluster.get(CONFIG_MAP, "a", "shop", **how)
        await cluster.delete(CONFIG_MAP, "a", "shop", **how)
    assert used == [(method, 3.0) for method in ("POST", "PUT", "PATCH", "PATCH", "PATCH", "GET", "GET", "DELETE")]


async def test_a_reader_that_raises_misses_nothing_that_follows() -> None:
    told: list[str] = []

    def reader(key: tuple[str, str], _: Any) -> None:
        told.append(key[1])
        if key[1] in {"a", "c"}:
            raise RuntimeError("a reader's own fault")

    async with running() as server, server.cluster() as cluster:
        for name in ("a", "b"):
            server.put({**FOUND, "metadata": {"name": name, "namespace": "shop"}})
        mirror = Reflector(cluster, CONFIG_MAP, "shop", on_change=reader)
        task = asyncio.create_task(mirror.run())
        async with asyncio.timeout(10):
            while not server.watchers:
                await asyncio.sleep(0.01)
            for name in ("c", "d"):
                server.put({**FOUND, "metadata": {"name": name, "namespace": "shop"}})
            while "d" not in told:
                await asyncio.sleep(0.01)
        assert told == ["a", "b", "c", "d"]
        assert mirror.healthy
        task.cancel()
