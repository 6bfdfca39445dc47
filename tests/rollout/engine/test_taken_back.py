"""What was taken back on evidence stays out, whatever becomes of the release and its engine, until a person says so."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from kube.errors import UsageError
from kube.kinds import CONFIG_MAP, GRAY_RELEASE
from rollout.api.status import Outcome, Phase
from rollout.api.taken_back import KEY, LABEL, Memory, entry_in, memory_in
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from kube.kinds import Kind
    from tests.rollout.engine.plant import Object, Plant

COUNTED = {"sources": {"gateway": {"namespace": "gateway", "selector": {"app": "envoy"}}}}
DIGEST = "sha256:" + "ab" * 32


def kept(it: Plant) -> list[Object]:
    found = [each for each in it.server.all("ConfigMap") if LABEL in (each["metadata"].get("labels") or {})]
    return sorted(found, key=lambda each: str(each["metadata"]["name"]))


def memory(it: Plant) -> Memory:
    return memory_in(kept(it))


def status_of(it: Plant, name: str) -> dict[str, Any]:
    found = it.server.find("GrayRelease", name)
    assert found is not None
    return found.get("status") or {}


def held(it: Plant, name: str = "checkout") -> bool:
    waiting = status_of(it, name).get("waiting") or {}
    return waiting.get("gate") == "taken-back" and status_of(it, name).get("phase") in {"Idle", "RolledBack", None}


def said_by(it: Plant) -> str:
    return str((status_of(it, "checkout").get("waiting") or {}).get("reason", ""))


async def delete(it: Plant, kind: Kind, name: str) -> None:
    async with it.server.cluster() as cluster:
        await cluster.delete(kind, name, "shop")


async def first(it: Plant) -> None:
    it.declare("shop:v1")
    await it.served("shop:v1")


async def taken_back(it: Plant, image: str = "shop:v3", **changes: Any) -> None:
    it.callers.faults[image] = 0.5
    it.declare(image, **changes)
    await it.phase(Phase.ROLLED_BACK)
    it.callers.faults.clear()


def ready(image_id: str) -> Object:
    container = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}, "imageID": image_id}
    return {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [container],
    }


async def test_evidence_is_remembered_with_the_digest_and_outlives_the_release(it: Plant) -> None:
    it.broken["v3"] = ready(f"registry.example/shop@{DIGEST}")
    async with it.engine():
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        entry = memory(it).entries[0]
        assert (entry.name, entry.image, entry.evidence, entry.keeps_out) == ("checkout", "shop:v3", "errors", True)
        assert entry.pair is not None
        assert entry.pair.containers[0].digest == DIGEST
        assert "ownerReferences" not in kept(it)[0]["metadata"]
        it.declare("shop:v3", deletion="Delete")
        await delete(it, GRAY_RELEASE, "checkout")
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        assert memory(it).knows(entry.release)
        it.declare("shop:v3")
        await it.until(lambda: held(it), "held although its release is gone")
        assert it.server.all("Deployment") == [] or it.weights == {}
        it.declare("shop:v3", workload=gray_release("shop:v3")["spec"]["workload"] | {"config": {"app.yaml": "a: 2\n"}})
        await it.served("shop:v3")


@pytest.mark.parametrize("change", ["name", "label", "annotation", "replicas", "strategy", "container"])
async def test_what_runs_the_same_is_the_same(it: Plant, change: str) -> None:
    async with it.engine():
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        again = gray_release("shop:v3")
        work = again["spec"]["workload"]
        match change:
            case "name":
                again["metadata"]["name"] = "copy"
            case "label":
                work["template"]["metadata"] = {"labels": {"team": "b"}}
            case "annotation":
                work["template"]["metadata"] = {"annotations": {"team": "b"}}
            case "replicas":
                work["replicas"] = 3
            case "strategy":
                again["spec"]["strategy"]["bake"] = "1s"
            case "container":
                work["template"]["spec"]["containers"][0]["name"] = "main"
        name = again["metadata"]["name"]
        if name == "checkout":
            known = it.release()
            again["metadata"], again["status"] = deepcopy(known["metadata"]), deepcopy(known["status"])
        it.server.put(again)
        seen = it.server.find("GrayRelease", name)
        assert seen is not None
        generation = seen["metadata"]["generation"]
        await it.until(lambda: status_of(it, name).get("observedGeneration") == generation and held(it, name), "held")
        await asyncio.sleep(0.3)
        assert held(it, name)


async def test_another_tag_of_the_same_image_is_known_by_its_pods_before_it_has_a_share(it: Plant) -> None:
    for tag in ("v3", "hotfix"):
        it.broken[tag] = ready(f"registry.example/shop@{DIGEST}")
    async with it.engine():
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        it.declare("shop:hotfix")
        await it.phase(Phase.PREPARING)
        await it.until(lambda: (status_of(it, "checkout").get("waiting") or {}).get("gate") == "taken-back", "held")
        assert it.status.phase is Phase.PREPARING
        await asyncio.sleep(0.5)
        assert it.status.weight.desired == 0
        await it.forgive()
        await it.served("shop:hotfix")


async def test_what_a_person_took_back_is_not_remembered_as_bad(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        it.say("abort")
        await it.phase(Phase.ROLLED_BACK)
        await asyncio.sleep(0.3)
        assert kept(it) == []
        it.say("retry")
        await it.served("shop:v2")


async def test_pods_that_are_late_are_no_evidence(it: Plant) -> None:
    it.broken["v2"] = {"phase": "Pending"}
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.ROLLED_BACK)
        last = it.status.last
        assert last is not None
        assert (last.outcome, last.evidence) == (Outcome.ROLLED_BACK, "")
        await asyncio.sleep(0.3)
        assert kept(it) == []


async def test_pods_that_crash_are(it: Plant) -> None:
    container = {"name": "app", "ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    it.broken["v2"] = {"phase": "Running", "containerStatuses": [container]}
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.ROLLED_BACK)
        await it.until(lambda: [each.evidence for each in memory(it).entries] == ["crashes"], "remembered")


async def test_an_engine_that_dies_before_it_remembers_leaves_that_to_the_next(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
        it.server.fail("PATCH", "configmaps/grayling-taken-back", 500, 10**6)
        await taken_back(it)
    assert kept(it) == []
    it.server.faults.clear()
    async with it.engine("two"):
        await it.until(lambda: len(kept(it)) == 1, "remembered by the next one")


async def test_a_release_that_is_deleted_on_its_way_back_is_remembered_first(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.server.fail("PATCH", "configmaps/grayling-taken-back", 500, 10**6)
        await taken_back(it)
        await delete(it, GRAY_RELEASE, "checkout")
        await asyncio.sleep(0.5)
        assert it.server.find("GrayRelease", "checkout") is not None, "it waits for what it has to leave"
        it.server.faults.clear()
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "let go")
        assert len(kept(it)) == 1


async def test_a_persons_word_is_in_the_journal_and_is_not_written_over(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        it.say("retry")
        await it.until(lambda: it.status.command_done is False, "answered")
        assert "release forgive checkout -n shop" in it.status.command_answer
    await it.forgive()
    async with it.engine("two"):
        await it.served("shop:v3")
        last = it.status.last
        assert last is not None
        told = next(entry.text for entry in last.journal if entry.what == "forgiven")
        assert "forgiven by alice: the database was down" in told
        assert not memory(it).entries[0].keeps_out


async def test_found_bad_again_it_is_out_again(it: Plant) -> None:
    async with it.engine():
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        before = memory(it).entries[0]
        it.callers.faults["v3"] = 0.5
        await it.forgive()
        await it.until(lambda: memory(it).entries[0].release != before.release, "taken back again", 20)
        assert memory(it).entries[0].keeps_out
        await it.phase(Phase.ROLLED_BACK)
        await asyncio.sleep(0.3)
        assert held(it)


async def test_memory_that_cannot_be_read_lets_nothing_in(it: Plant) -> None:
    async with it.engine():
        await first(it)
        await taken_back(it)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        torn = deepcopy(kept(it)[0])
        torn["data"] = {KEY: '{"schema": "grayling.taken-back/1"'}
        it.server.put(torn)
        it.declare("shop:v4")
        await it.until(lambda: held(it) and "cannot be read" in said_by(it), "held")
        said = said_by(it)
        assert torn["metadata"]["name"] in said
        with pytest.raises(UsageError, match="put it back from a backup"):
            await it.forgive()
        await delete(it, CONFIG_MAP, torn["metadata"]["name"])
        await it.served("shop:v4")


async def test_an_engine_that_may_not_read_it_begins_nothing_and_still_takes_back(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
        it.callers.faults["v3"] = 0.5
        it.declare("shop:v3")
        await it.phase(Phase.STEPPING)
    it.server.fail("GET", "/configmaps", 403, 10**6, message='configmaps is forbidden: User "x" cannot list resource')
    async with it.engine("two"):
        await it.phase(Phase.ROLLED_BACK)
        it.declare("shop:v5")
        await it.until(lambda: held(it), "held")
        await it.until(lambda: "were not read yet" in said_by(it), "told why")


async def test_what_is_kept_can_be_read_back(it: Plant) -> None:
    async with it.engine():
        await first(it)
        await taken_back(it, **COUNTED)
        await it.until(lambda: len(kept(it)) == 1, "remembered")
        assert entry_in(kept(it)[0]).told().startswith("shop:v3 with this configuration was taken back on ")
