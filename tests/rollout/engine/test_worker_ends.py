"""A release that is deleted or taken over is let go as it should be, whenever that happens."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import pytest

from rollout.api.status import Phase
from rollout.engine.worker import _pause
from tests.rollout.engine.plant import Plant, gray_release
from tests.rollout.engine.worker_cases import first


async def test_deleting_removes_everything(it: Plant) -> None:
    async with it.engine():
        await first(it)
        found = deepcopy(it.release())
        assert found["metadata"]["finalizers"]
        found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        it.server.put(found)
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        await it.until(lambda: not it.server.all("Deployment") and not it.server.all("HTTPRoute"), "clean")


async def test_deleting_an_orphan_leaves_it_serving(it: Plant) -> None:
    async with it.engine():
        it.declare("shop:v1", deletion="Orphan")
        await it.served("shop:v1")
        found = deepcopy(it.release())
        found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        it.server.put(found)
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        assert it.server.all("Deployment")
        assert list(it.weights.values()) == [100]


async def test_a_release_deleted_while_its_engine_was_away_is_cleaned_up(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
    found = deepcopy(it.release())
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    it.server.put(found)
    async with it.engine("two"):
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        await it.until(lambda: not it.server.all("Deployment"), "clean")


async def test_who_is_being_taken_back_does_not_queue_to_be_taken_over(
    it: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with it.engine("one"):
        await first(it)
        it.declare("shop:v2", strategy={**gray_release()["spec"]["strategy"], "steps": [{"weight": 20, "hold": "60s"}]})
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
    monkeypatch.setattr("rollout.engine.load.TAKEN_OVER_AT_ONCE", 0)
    epoch = it.status.epoch
    async with it.engine("two"):
        await asyncio.sleep(0.5)
        assert it.status.epoch == epoch, "there is no room at the entrance"
    turned = deepcopy(it.release())
    turned["status"] |= {"phase": "RollingBack", "weight": {"desired": 0}, "writtenAt": None, "verifiedAt": None}
    it.server.put(turned)
    async with it.engine("two"):
        await it.phase(Phase.ROLLED_BACK)


@pytest.mark.parametrize(("attempts", "most"), [(1, 0.05), (2, 0.1), (3, 0.2), (7, 3.2), (8, 5.0), (500, 5.0)])
def test_attempts_are_further_and_further_apart_up_to_a_bound(attempts: int, most: float) -> None:
    pauses = [_pause(attempts) for _ in range(200)]
    assert all(0.5 * most <= pause <= 1.5 * most for pause in pauses)
    assert max(pauses) - min(pauses) > 0.5 * most, "no two workers come at the same time"


async def test_a_release_that_is_deleted_with_its_namespace_is_let_go_without_a_lease(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
    for key in [key for key in it.server.objects if key[1] == "leases"]:
        it.server.remove(key)
    it.server.fail("POST", "leases", 403, times=10**6, message="the namespace is being terminated")
    it.server.writes.clear()
    async with it.engine("two"):
        await asyncio.sleep(0.5)
        assert [path for _, path, _ in it.server.writes if "leases" not in path] == [], (
            "without a lease nothing is done"
        )
        gone = deepcopy(it.release())
        gone["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
        it.server.put(gone)
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "let go")


async def test_a_release_that_is_gone_before_it_was_ever_held_ends_nothing(it: Plant) -> None:
    it.server.fail("POST", "leases", 403, times=10**6)
    async with it.engine():
        it.declare("shop:v1")
        await asyncio.sleep(0.3)
        for key in [key for key in it.server.objects if key[1] == "grayreleases"]:
            it.server.remove(key)
        await asyncio.sleep(0.5)
        it.server.faults.clear()
        await first(it)
