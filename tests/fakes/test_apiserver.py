"""What the fake API server does as the real one: fields have owners, versions grow old, rehearsals change nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kube.cache import Reflector
from kube.errors import ConflictError, InvalidError, KubeError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.inprocess import InProcess
from tests.rollout import samples

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


def config(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": data}


async def data_of(cluster: Cluster) -> dict[str, str]:
    found: dict[str, str] = (await cluster.get(CONFIG_MAP, "a", "shop"))["data"]
    return found


async def test_a_manager_takes_away_what_it_no_longer_says(cluster: Cluster) -> None:
    await cluster.apply(config(x="1", y="1"), manager="one")
    await cluster.apply(config(z="2"), manager="two")
    await cluster.apply(config(x="1"), manager="one")
    assert await data_of(cluster) == {"x": "1", "z": "2"}


async def test_what_two_managers_say_stays_until_both_are_silent(cluster: Cluster) -> None:
    for manager in ("one", "two"):
        await cluster.apply(config(x="1", y=manager), manager=manager, force=True)
    await cluster.apply(config(y="one"), manager="one", force=True)
    assert (await data_of(cluster))["x"] == "1"
    await cluster.apply(config(y="one"), manager="two", force=True)
    assert await data_of(cluster) == {"y": "one"}


@pytest.mark.parametrize("by_apply", [True, False])
async def test_a_field_of_another_is_a_conflict_unless_forced(cluster: Cluster, *, by_apply: bool) -> None:
    await cluster.apply(config(x="1", y="1"), manager="one")
    if by_apply:
        await cluster.apply(config(x="2"), manager="two", force=True)
    else:
        await cluster.merge_patch(CONFIG_MAP, "a", "shop", {"data": {"x": "2"}}, manager="two")
    with pytest.raises(ConflictError, match=r'conflict with "two": \.data\.x'):
        await cluster.apply(config(x="3", y="1"), manager="one")
    assert await data_of(cluster) == {"x": "2", "y": "1"}
    await cluster.apply(config(x="2", y="1"), manager="one")
    await cluster.apply(config(x="3", y="1"), manager="one", force=True)
    assert await data_of(cluster) == {"x": "3", "y": "1"}


async def test_a_rehearsal_changes_nothing(server: ApiServer, cluster: Cluster) -> None:
    await cluster.apply(config(x="1"), manager="one")
    told = await cluster.apply(config(y="1"), manager="one", dry_run=True)
    assert told["data"] == {"y": "1"}
    assert await data_of(cluster) == {"x": "1"}
    assert len(server.writes) == 1
    await cluster.apply(config(x="1"), manager="one")
    assert await data_of(cluster) == {"x": "1"}


async def test_unknown_fields_are_dropped_or_refused(cluster: Cluster) -> None:
    made = samples.manifest()
    made["metadata"] = {"name": "checkout", "namespace": "shop"}
    made["spec"]["strategy"]["colour"] = "blue"
    with pytest.raises(InvalidError, match=r"\.spec\.strategy\.colour: field not declared in schema"):
        await cluster.apply(made, manager="t")
    stored = await cluster.create(made)
    assert "colour" not in stored["spec"]["strategy"]
    assert stored["spec"]["workload"]["template"] == made["spec"]["workload"]["template"]
    patched = await cluster.merge_patch(GRAY_RELEASE, "checkout", "shop", {"spec": {"shape": "round"}}, manager="t")
    assert "shape" not in patched["spec"]


async def test_a_typo_in_a_pod_template_is_refused_in_the_servers_words(cluster: Cluster) -> None:
    container = {"name": "x", "image": "x", "readynessProbe": {}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    told = r"failed to create typed patch object: \.template\.spec\.containers\[0\]\.readynessProbe: field not declared"
    with pytest.raises(InvalidError, match=told):
        await cluster.apply(made, manager="t")
    assert await cluster.find(DEPLOYMENT, "a", "shop") is None


async def test_a_watch_from_what_is_forgotten_must_list_again(server: ApiServer, cluster: Cluster) -> None:
    server.put(config(x="1"))
    version = (await cluster.list(CONFIG_MAP, "shop")).resource_version
    server.forget()
    with pytest.raises(KubeError, match="too old resource version") as caught:
        async for _ in cluster.watch(CONFIG_MAP, "shop", resource_version=version):
            pass
    assert caught.value.status == 410


@pytest.mark.looptime
async def test_a_mirror_lists_again_and_misses_nothing() -> None:
    """The log of the server is gone while the mirror was away: what was deleted meanwhile is deleted in it, too."""
    server = InProcess()
    server.put(config(x="1"))
    seen: list[str] = []
    mirror = Reflector(
        server.cluster(), CONFIG_MAP, "shop", on_change=lambda key, item: seen.append(f"{key[1]} {item is not None}")
    )
    task = asyncio.create_task(mirror.run())
    await mirror.synced.wait()
    await asyncio.sleep(1)
    server.down = True
    server.put(config(x="2"))
    await asyncio.sleep(10)
    server.remove(server.key("/api/v1", "configmaps", "shop", "a"))
    server.forget()
    server.down = False
    await asyncio.sleep(30)
    assert mirror.objects == {}
    assert mirror.healthy
    assert seen == ["a True", "a False"]
    task.cancel()
