"""The fake API server answers as the real one does: the same requests, statuses, reasons and shapes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from kube.cluster import Cluster
from kube.errors import ConflictError, KubeError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, NAMESPACE
from rollout.api.crd import definition
from tests.fakes import apiserver
from tests.rollout import samples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SHOP = "fake-answers"
WRONG_UID = "00000000-0000-0000-0000-000000000000"
Said = tuple[int, str]


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    made = {"name": name, "namespace": SHOP, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": made, "data": {"a": "1"}}


def release(name: str) -> dict[str, Any]:
    return samples.manifest(name) | {"metadata": {"name": name, "namespace": SHOP}}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "none.test/none"}]}}
    told = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": told,
    }


async def said(asked: Awaitable[Any]) -> Any:
    """What an answer says: status and reason where it is no, else the answer."""
    try:
        return await asked
    except KubeError as error:
        return error.status, error.reason


async def put_that_is_late(it: Cluster) -> Any:
    made = await it.create(config_map("late"))
    await it.merge_patch(CONFIG_MAP, "late", SHOP, {"data": {"a": "2"}}, manager="t")
    return await said(it.replace(made, manager="t"))


async def delete_of_another(it: Cluster) -> Any:
    await it.create(config_map("other"))
    return await said(it.delete(CONFIG_MAP, "other", SHOP, uid=WRONG_UID))


async def delete_of_what_was_written(it: Cluster) -> Any:
    made = await it.create(config_map("written"))
    await it.merge_patch(CONFIG_MAP, "written", SHOP, {"data": {"a": "2"}}, manager="t")
    version = made["metadata"]["resourceVersion"]
    return await said(it.delete(CONFIG_MAP, "written", SHOP, resource_version=version))


async def patch_of_another(it: Cluster) -> Any:
    await it.create(config_map("patched"))
    patch = {"metadata": {"uid": WRONG_UID}, "data": {"a": "2"}}
    return await said(it.merge_patch(CONFIG_MAP, "patched", SHOP, patch, manager="t"))


async def changes_of_one_that_was_made_anew(it: Cluster) -> Any:
    before = await it.create(config_map("anew"))
    await it.delete(CONFIG_MAP, "anew", SHOP)
    await it.create(config_map("anew"))
    read = {key: before["metadata"][key] for key in ("uid", "resourceVersion")} | {"uid": WRONG_UID}
    return (
        await said(it.merge_patch(CONFIG_MAP, "anew", SHOP, {"metadata": read, "data": {"a": "2"}}, manager="t")),
        await said(it.replace({**before, "metadata": {**before["metadata"], "uid": WRONG_UID}}, manager="t")),
    )


async def put_of_another(it: Cluster) -> Any:
    made = await it.create(release("put"))
    wrong = {**made, "metadata": {**made["metadata"], "uid": WRONG_UID}, "status": {"phase": "Idle"}}
    return await said(it.replace(wrong, manager="t", subresource="status"))


async def patch_that_is_late(it: Cluster) -> Any:
    made = await it.create(config_map("stale"))
    await it.merge_patch(CONFIG_MAP, "stale", SHOP, {"data": {"a": "2"}}, manager="t")
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    return await said(it.merge_patch(CONFIG_MAP, "stale", SHOP, patch, manager="t"))


async def json_patch_whose_test_fails(it: Cluster) -> Any:
    await it.create(config_map("tested"))
    ops = [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    answer = await said(it.json_patch(CONFIG_MAP, "tested", SHOP, ops, manager="t"))
    return answer, (await it.get(CONFIG_MAP, "tested", SHOP))["data"]


async def json_patch_of_nothing(it: Cluster) -> Any:
    await it.create(config_map("pathless"))
    ops = [{"op": "replace", "path": "/spec/no/such", "value": "2"}]
    return await said(it.json_patch(CONFIG_MAP, "pathless", SHOP, ops, manager="t"))


async def create_twice(it: Cluster) -> Any:
    await it.create(config_map("twice"))
    return await said(it.create(config_map("twice")))


async def what_is_not_there(it: Cluster) -> Any:
    patch: dict[str, Any] = {"data": {"a": "1"}}
    return (
        await said(it.get(CONFIG_MAP, "none", SHOP)),
        await said(it.merge_patch(CONFIG_MAP, "none", SHOP, patch, manager="t")),
        await said(it.json_patch(CONFIG_MAP, "none", SHOP, [], manager="t")),
        await it.delete(CONFIG_MAP, "none", SHOP),
        await it.find(CONFIG_MAP, "none", SHOP),
    )


async def apply_of_an_unknown_field(it: Cluster) -> Any:
    return await said(it.apply(deployment("odd", replicaas=3), manager="t"))


async def an_object_that_breaks_its_schema(it: Cluster) -> Any:
    wrong = release("wrong")
    wrong["spec"]["strategy"]["steps"][0]["weight"] = 400
    less = release("less")
    del less["spec"]["workload"]
    return await said(it.create(wrong)), await said(it.create(less))


async def the_status_is_apart(it: Cluster) -> Any:
    made = await it.create(release("apart"))
    first = made["metadata"]["generation"]
    both = {"spec": {"workload": {"replicas": 9}}, "status": {"phase": "Idle"}}
    told = await it.merge_patch(GRAY_RELEASE, "apart", SHOP, both, manager="t", subresource="status")
    kept = told["metadata"]["generation"] - first, told["spec"]["workload"]["replicas"], told["status"]["phase"]
    other = {"spec": {"workload": {"replicas": 9}}, "status": {"phase": "Baking"}}
    told = await it.merge_patch(GRAY_RELEASE, "apart", SHOP, other, manager="t")
    return kept, told["metadata"]["generation"] - first, told["spec"]["workload"]["replicas"], told["status"]["phase"]


async def a_finalizer_keeps_an_object(it: Cluster) -> Any:
    await it.create(config_map("kept", finalizers=["grayling.dev/test"]))
    await it.delete(CONFIG_MAP, "kept", SHOP)
    marked = bool((await it.get(CONFIG_MAP, "kept", SHOP))["metadata"].get("deletionTimestamp"))
    await it.merge_patch(CONFIG_MAP, "kept", SHOP, {"metadata": {"finalizers": None}}, manager="t")
    return marked, await it.find(CONFIG_MAP, "kept", SHOP)


async def what_cannot_be_changed(it: Cluster) -> Any:
    await it.create(deployment("fixed"))
    await it.create({**config_map("frozen"), "immutable": True})
    selector = {"spec": {"selector": {"matchLabels": {"app": "another"}}}}
    return (
        await said(it.merge_patch(DEPLOYMENT, "fixed", SHOP, selector, manager="t")),
        await said(it.merge_patch(CONFIG_MAP, "frozen", SHOP, {"data": {"a": "2"}}, manager="t")),
    )


async def what_is_too_large(it: Cluster) -> Any:
    await it.create(release("large"))
    status = {"status": {"phase": "Idle", "judge": "x" * 1_600_000}}
    answer = await said(it.merge_patch(GRAY_RELEASE, "large", SHOP, status, manager="t", subresource="status"))
    return isinstance(answer, tuple)


async def a_list_and_what_comes_after_it(it: Cluster) -> Any:
    await it.create(config_map("seen", labels={"t": "watch"}))
    found = await it.list(CONFIG_MAP, SHOP, labels="t=watch")
    told = []
    async with (
        contextlib.aclosing(
            it.watch(CONFIG_MAP, SHOP, resource_version=found.resource_version, labels="t=watch")
        ) as events,
        asyncio.timeout(20),
    ):
        await it.merge_patch(CONFIG_MAP, "seen", SHOP, {"data": {"a": "2"}}, manager="t")
        await it.delete(CONFIG_MAP, "seen", SHOP)
        async for event in events:
            told.append((event.type, event.object["metadata"]["name"], event.object["data"]["a"]))
            if event.type == "DELETED":
                break
    return [item["metadata"]["name"] for item in found.items], told


async def apply_of_what_is_anothers(it: Cluster) -> Any:
    await it.apply(config_map("owned"), manager="one")
    other = config_map("owned") | {"data": {"a": "2"}}
    answer = await said(it.apply(other, manager="two"))
    await it.apply(other, manager="two", force=True)
    return answer, (await it.get(CONFIG_MAP, "owned", SHOP))["data"]


async def apply_that_says_less(it: Cluster) -> Any:
    await it.apply(config_map("less") | {"data": {"a": "1", "b": "1"}}, manager="one")
    await it.apply(config_map("less") | {"data": {"c": "2"}}, manager="two")
    await it.apply(config_map("less") | {"data": {"a": "1"}}, manager="one")
    return (await it.get(CONFIG_MAP, "less", SHOP))["data"]


async def apply_as_a_rehearsal(it: Cluster) -> Any:
    told = await it.apply(config_map("rehearsed"), manager="one", dry_run=True)
    return told["data"], await it.find(CONFIG_MAP, "rehearsed", SHOP)


async def apply_of_a_typo_in_a_pod_template(it: Cluster) -> Any:
    wrong = deployment("typo")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    return await said(it.apply(wrong, manager="one", dry_run=True))


async def a_field_that_the_definition_does_not_know(it: Cluster) -> Any:
    odd = release("pruned")
    odd["spec"]["strategy"]["colour"] = "blue"
    made = await it.create(odd)
    return "colour" in made["spec"]["strategy"], await said(it.apply(odd, manager="one", force=True))


REQUESTS: list[tuple[Callable[[Cluster], Awaitable[Any]], Any]] = [
    (put_that_is_late, (409, "Conflict")),
    (delete_of_another, (409, "Conflict")),
    (delete_of_what_was_written, (409, "Conflict")),
    (patch_of_another, (422, "Invalid")),
    (changes_of_one_that_was_made_anew, ((409, "Conflict"), (409, "Conflict"))),
    (put_of_another, (409, "Conflict")),
    (patch_that_is_late, (409, "Conflict")),
    (json_patch_whose_test_fails, ((422, "Invalid"), {"a": "1"})),
    (json_patch_of_nothing, (422, "Invalid")),
    (create_twice, (409, "AlreadyExists")),
    (what_is_not_there, ((404, "NotFound"), (404, "NotFound"), (404, "NotFound"), False, None)),
    (apply_of_an_unknown_field, (500, "")),
    (an_object_that_breaks_its_schema, ((422, "Invalid"), (422, "Invalid"))),
    (the_status_is_apart, ((0, 4, "Idle"), 1, 9, "Idle")),
    (a_finalizer_keeps_an_object, (True, None)),
    (what_cannot_be_changed, ((422, "Invalid"), (422, "Invalid"))),
    (what_is_too_large, True),
    (apply_of_what_is_anothers, ((409, "Conflict"), {"a": "2"})),
    (apply_that_says_less, {"a": "1", "c": "2"}),
    (apply_as_a_rehearsal, ({"a": "1"}, None)),
    (apply_of_a_typo_in_a_pod_template, (500, "")),
    (a_field_that_the_definition_does_not_know, (False, (500, ""))),
    (a_list_and_what_comes_after_it, (["seen"], [("MODIFIED", "seen", "2"), ("DELETED", "seen", "2")])),
]


@pytest.fixture(scope="module")
def prepared(cluster_kubeconfig: str) -> Iterator[str]:
    asyncio.run(prepare(cluster_kubeconfig))
    yield cluster_kubeconfig
    asyncio.run(clear(cluster_kubeconfig))


async def prepare(kubeconfig: str) -> None:
    async with await Cluster.open(kubeconfig=kubeconfig) as it:
        await it.apply(definition(), manager="grayling-stack", force=True)
        with contextlib.suppress(ConflictError):
            await it.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP}})
        for _ in range(50):
            with contextlib.suppress(KubeError):
                await it.list(GRAY_RELEASE, SHOP)
                return
            await asyncio.sleep(0.1)


async def clear(kubeconfig: str) -> None:
    async with await Cluster.open(kubeconfig=kubeconfig) as it:
        await it.delete(NAMESPACE, SHOP)


@pytest.mark.parametrize(("ask", "answer"), REQUESTS, ids=[ask.__name__ for ask, _ in REQUESTS])
async def test_both_servers_answer_alike(prepared: str, ask: Callable[[Cluster], Awaitable[Any]], answer: Any) -> None:
    async with await Cluster.open(kubeconfig=prepared) as real:
        assert await ask(real) == answer
    async with apiserver.running() as server, server.cluster(SHOP) as fake:
        assert await ask(fake) == answer
