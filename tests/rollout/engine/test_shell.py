"""Laws of the shell: absence is never consent, nothing outranks a rollback, one failing request costs one look."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from rollout.api.revision import RELEASE_LABEL
from rollout.api.status import Outcome, Phase
from rollout.signals.looks import SourceStatus
from tests.rollout.engine.plant import Plant, gray_release

SLOW = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 50, "hold": "60s"}], "bake": "60s"}
SHORT = {**SLOW, "steps": [{"weight": 20, "hold": "500ms"}]}
HOLDS: dict[str, Any] = {
    **gray_release()["spec"]["analysis"],
    **{doubt: {"action": "hold", "deadline": "1h"} for doubt in ("sourceDown", "noTraffic", "noData")},
}


async def canary_at(it: Plant, **changes: Any) -> None:
    """The second version has its first weight, and it is verified."""
    it.declare("shop:v1", **changes)
    await it.served("shop:v1")
    it.declare("shop:v2", **changes)
    await verified(it)


async def verified(it: Plant) -> None:
    await it.until(lambda: it.status.phase is Phase.STEPPING and it.status.verified_at is not None, "verified")


async def held(it: Plant) -> None:
    """Its hold is long over, and it stands where it stood."""
    await asyncio.sleep(1.5)
    assert it.status.phase is Phase.STEPPING
    assert it.status.weight.desired == 20


# ---------------------------------------------------------------------- absence is never consent


@pytest.mark.parametrize("successor", ["one", "two"])
async def test_a_restart_in_a_held_step_does_not_end_it(it: Plant, successor: str) -> None:
    async with it.engine("one"):
        await canary_at(it, strategy=SHORT, analysis=HOLDS)
        it.callers.status = SourceStatus.SOURCE_DOWN
        await it.until(lambda: it.status.held_since is not None, "held")
        since = it.status.held_since
    async with it.engine(successor):
        await it.until(lambda: it.status.holder == successor and it.status.epoch > 1, "taken over", 40)
        await held(it)
        assert since is not None
        assert it.status.held_since is not None
        assert it.status.held_since - since < 15, "its deadline goes on, less the time in which nobody looked"
        it.callers.status = SourceStatus.OK
        await it.phase(Phase.BAKING)


@pytest.mark.parametrize("path", ["leases/", "grayreleases/checkout/status"])
@pytest.mark.parametrize("status", [429, 500])
async def test_one_refused_request_does_not_end_a_held_step(it: Plant, path: str, status: int) -> None:
    async with it.engine():
        await canary_at(it, strategy=SHORT, analysis=HOLDS)
        it.callers.status = SourceStatus.SOURCE_DOWN
        await it.until(lambda: it.status.held_since is not None, "held")
        for method in ("GET", "PATCH", "PUT"):
            it.server.fail(method, path, status, 1)
        await held(it)


async def test_a_source_that_breaks_in_every_pass_is_down_and_not_calm(it: Plant) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("no such page")

    async with it.engine():
        it.declare("shop:v1", strategy=SHORT, analysis=HOLDS)
        await it.served("shop:v1")
        it.callers.sample = broken  # type: ignore[method-assign,assignment]
        it.declare("shop:v2", strategy=SHORT, analysis=HOLDS)
        await it.until(lambda: it.status.doubt == "source-down", "held")
        assert it.status.weight.desired <= 20
        reason = it.status.analysis["reason"]
    assert "source pods failed: ZeroDivisionError: no such page" in reason


# ---------------------------------------------------------------------- nothing outranks a rollback


@pytest.mark.parametrize("status", [413, 403, 500])
async def test_weight_zero_is_written_though_the_status_cannot_be(it: Plant, status: int) -> None:
    async with it.engine():
        await canary_at(it, strategy=SLOW)
        it.server.fail("PUT", "grayreleases/checkout/status", status, 10**6, "Request entity too large")
        it.callers.faults["v2"] = 1.0
        await it.until(lambda: sorted(it.weights.values()) == [0, 100], "taken back", 5.0)
        written = len(it.server.writes)
        it.callers.faults.clear()
        await asyncio.sleep(1.5)
        assert sorted(it.weights.values()) == [0, 100], "it stays so, though the status still says otherwise"
        pods = [path for method, path, _ in it.server.writes[written:] if "deployments" in path or method == "DELETE"]
        assert not pods, "nothing else is done that is not persisted"
        it.server.faults.clear()
        await it.phase(Phase.ROLLED_BACK)


async def test_a_rollback_needs_no_record_and_no_event(it: Plant) -> None:
    async with it.engine():
        await canary_at(it, strategy=SLOW)
        it.server.fail("POST", "/events", 500, 10**6)
        it.server.fail("PATCH", "/configmaps/", 413, 10**6)
        it.callers.faults["v2"] = 1.0
        await it.phase(Phase.ROLLED_BACK)
        await it.until(lambda: len(it.server.all("Deployment")) == 1, "rid of the bad version")


async def test_a_lease_that_somebody_deletes_costs_nothing(it: Plant) -> None:
    async with it.engine():
        await canary_at(it, strategy=SLOW)
        for key in [key for key in it.server.objects if key[1] == "leases"]:
            it.server.remove(key)
        it.callers.faults["v2"] = 1.0
        await it.until(lambda: max(it.weights.values()) == 100, "taken back", 5.0)
        await it.phase(Phase.ROLLED_BACK)


# ---------------------------------------------------------------------- what was persisted is read forgivingly


async def test_with_a_spec_that_is_not_valid_a_restarted_engine_judges_and_obeys(it: Plant) -> None:
    async with it.engine():
        await canary_at(it, strategy=SLOW)
        spoilt = deepcopy(it.release())
        spoilt["spec"]["analysis"]["signals"].append(
            {"name": "panics", "kind": "events", "source": "logs", "pattern": "("}
        )
        it.server.put(spoilt)
        await asyncio.sleep(0.3)
    it.callers.faults["v2"] = 1.0
    async with it.engine():
        await it.until(lambda: max(it.weights.values()) == 100, "taken back")
        await it.phase(Phase.ROLLED_BACK)
        gone = deepcopy(it.release())
        gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        it.server.put(gone)
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")


async def test_an_object_that_was_never_valid_is_told_and_can_be_deleted(it: Plant) -> None:
    it.declare("shop:v1", strategy={"steps": []})
    async with it.engine():
        await it.until(lambda: it.status.waiting is not None, "told")
        assert it.status.waiting is not None
        assert "spec.strategy.steps" in it.status.waiting.reason
        gone = deepcopy(it.release())
        gone["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["grayling.dev/release"]}
        it.server.put(gone)
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")


async def test_a_successor_with_a_silent_watch_decides_nothing_by_the_old_spec(it: Plant) -> None:
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
        standby = it.engine("two")
        controller = await standby.__aenter__()
        await controller.mirror.synced()
        controller.mirror.reflectors["GrayRelease", "shop"]._take = lambda *_: None  # type: ignore[method-assign]
        it.declare("shop:v2", strategy=SLOW)
        await verified(it)
    try:
        await it.until(lambda: it.status.holder == "two", "taken over", 40)
        await asyncio.sleep(1.0)
        assert it.status.phase is Phase.STEPPING, "what its watch shows is history, and desires v1"
        assert it.status.weight.desired == 50
    finally:
        await standby.__aexit__(None, None, None)


# ---------------------------------------------------------------------- the end


async def test_a_namespace_that_is_deleted_ends_cleanly(it: Plant) -> None:
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
    for key in [key for key in it.server.objects if key[1] == "leases"]:
        it.server.remove(key)
    it.server.fail("POST", "/leases", 403, 10**6, "unable to create new content: namespace shop is being terminated")
    gone = deepcopy(it.release())
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    it.server.put(gone)
    async with it.engine("two"):
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        assert not [item for item in it.server.all("Deployment") if item["metadata"]["labels"].get(RELEASE_LABEL)]


# ---------------------------------------------------------------------- edits in flight


async def test_signals_corrected_in_flight_are_read_at_once_and_the_step_is_held_anew(it: Plant) -> None:
    asked: list[list[str]] = []
    async with it.engine() as engine:
        known = engine._parts.sources
        engine._parts.sources = lambda spec, own: (
            asked.append([signal.name for signal in spec.analysis.signals]) or known(spec, own)
        )
        await canary_at(it, strategy=SLOW)
        since = it.status.verified_at
        more = deepcopy(it.release())
        more["spec"]["analysis"]["signals"].append({"name": "slow", "kind": "latency", "source": "pods"})
        it.server.put(more)
        await it.until(lambda: asked[-1] == ["errors", "slow"], "reading both")
        await it.until(lambda: it.status.verified_at not in {None, since}, "held anew")
        generation = it.release()["metadata"]["generation"]
        await it.until(lambda: it.status.spec_generation == generation, "telling which spec is in force")
        it.callers.faults["v2"] = 0.5
        await it.phase(Phase.ROLLED_BACK)
        assert it.status.last is not None
        assert it.status.last.outcome is Outcome.ROLLED_BACK
