"""A worker carries a release out on an API server: it outlives failures, kills and what other hands do."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from rollout.api.spec import COMMAND_ANNOTATION
from rollout.api.status import Outcome, Phase
from tests.rollout.engine.plant import Plant, gray_release
from tests.rollout.engine.worker_cases import first, looks


async def test_first_version_then_a_good_one(it: Plant) -> None:
    async with it.engine():
        await first(it)
        assert list(it.weights.values()) == [100]
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        await it.until(lambda: it.status.weight.accepted == 50, "at 50 %")
        await it.served("shop:v2")
        await it.until(lambda: len(it.server.all("Deployment")) == 1, "rid of the old revision")
    release = it.status.last
    assert release is not None
    assert release.outcome in {Outcome.PROMOTED, Outcome.PROMOTED_NOT_PROVEN}
    assert [step.weight for step in release.steps] == [20, 50]
    assert all(step.verified_at for step in release.steps)
    assert it.server.find("ConfigMap", f"checkout-release-{release.id}") is not None


async def test_the_gateway_may_answer_before_the_api_server_does(it: Plant) -> None:
    it.server.late = 0.1
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.until(lambda: it.status.weight.accepted == 20, "accepted at 20 %", 2.5)


COUNTED_BY_THE_GATEWAY = {
    "sources": {"gateway": {"namespace": "gateway", "selector": {"app": "envoy"}}},
    "analysis": {
        "signals": [{"name": "errors", "kind": "errors", "source": "gateway", "weight": 1.0}],
        "sampling": {"young": "50ms", "settled": "50ms"},
    },
}
"""Only the gateway can say that nobody reaches the canary any more."""


async def test_bad_version_is_taken_back(it: Plant) -> None:
    it.callers.faults["v3"] = 0.5
    async with it.engine():
        await first(it)
        it.declare("shop:v3", **COUNTED_BY_THE_GATEWAY)
        await it.phase(Phase.ROLLED_BACK)
        release = it.status.last
        assert release is not None
        assert release.outcome is Outcome.ROLLED_BACK
        assert it.status.judge == "", "its sums are of no use any more"
        times = release.reaction
        moments = [times.evidence_at, times.decided_at, times.written_at, times.observed_at]
        assert None not in moments
        assert moments == sorted(moments)
        await it.until(lambda: list(it.weights.values()) == [100], "back at one backend")
        await asyncio.sleep(0.5)
        assert it.status.phase is Phase.ROLLED_BACK, "a refused revision is not tried again"
        it.callers.faults.clear()
        await it.forgive()
        await it.served("shop:v3")


@pytest.mark.parametrize("turns", range(6))
async def test_told_to_end_at_the_moment_it_is_woken_it_ends(it: Plant, turns: int) -> None:
    async with it.server.cluster() as cluster:
        controller = it.controller(cluster)
        task = asyncio.create_task(controller.run())
        await first(it)
        worker = controller.worker(("shop", "checkout"))
        assert worker is not None
        await asyncio.sleep(0.5)
        worker.wake()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done


async def test_weight_zero_is_the_first_write_after_the_decision(it: Plant) -> None:
    it.callers.faults["v3"] = 0.5
    async with it.engine():
        await first(it)
        it.declare("shop:v3")
        await it.phase(Phase.ROLLING_BACK)
        await it.phase(Phase.ROLLED_BACK)
    ours = [each for each in it.server.writes if "/events" not in each[1] and "/leases" not in each[1]]
    decided = next(
        index
        for index, (_, path, body) in enumerate(ours)
        if path.endswith("/status") and body["status"]["phase"] == "RollingBack"
    )
    beside = [ours[index][1] for index in (decided - 1, decided + 1)]
    assert any("httproutes/checkout" in path for path in beside), "only the status is written as early as weight 0"


@pytest.mark.parametrize("verb", ["abort", "promote", "pause"])
async def test_verbs(it: Plant, verb: str) -> None:
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        it.say(verb)
        if verb == "abort":
            await it.phase(Phase.ROLLED_BACK)
            assert it.status.last is not None
            assert it.status.last.outcome is Outcome.ABORTED
        elif verb == "promote":
            await it.served("shop:v2")
        else:
            await it.until(lambda: it.status.paused is not None, "paused")
            weight = it.status.weight.desired
            await asyncio.sleep(1.0)
            assert it.status.weight.desired == weight
            it.say("resume")
            await it.served("shop:v2")


async def test_killed_anywhere_and_taken_up_by_another(it: Plant) -> None:
    it.declare("shop:v1")
    async with it.engine("a"):
        await it.served("shop:v1")
    it.declare("shop:v2")
    for index, pause in enumerate((0.15, 0.25, 0.4, 0.6, 0.3)):
        async with it.engine(f"engine-{index}"):
            await asyncio.sleep(pause)
    async with it.engine("last"):
        await it.served("shop:v2")
    epochs = [body["status"]["epoch"] for _, path, body in it.server.writes if path.endswith("/status")]
    assert epochs == sorted(epochs)


async def test_server_gone_for_two_seconds(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        it.server.down = True
        await asyncio.sleep(2.0)
        it.server.down = False
        await it.served("shop:v2", 25)


async def test_conflicts_and_refused_writes_are_retried(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.server.fail("PUT", "grayreleases/checkout/status", 409, times=3)
        it.server.fail("PATCH", "httproutes", 500, times=2)
        it.server.fail("PATCH", "deployments", 503, times=2)
        it.declare("shop:v2")
        await it.served("shop:v2")


async def test_drift_of_the_route_is_put_right(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.phase(Phase.STEPPING)
        it.say("pause")
        await it.until(lambda: it.status.paused is not None, "paused")
        await it.until(lambda: it.status.verified_at is not None, "verified")
        wanted = dict(it.weights)
        route = deepcopy(it.server.find("HTTPRoute", "checkout"))
        assert route is not None
        for ref in route["spec"]["rules"][0]["backendRefs"]:
            ref["weight"] = 50
        it.server.put(route)
        await it.until(lambda: it.weights == wanted, "put right", 2.0)


async def test_image_that_cannot_be_pulled(it: Plant) -> None:
    waiting = {"reason": "InvalidImageName", "message": "couldn't parse image name"}
    it.broken["v9"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "app", "restartCount": 0, "state": {"waiting": waiting}}],
    }
    async with it.engine():
        await first(it)
        it.declare("shop:v9")
        await it.phase(Phase.ROLLED_BACK)
        assert it.status.last is not None
        assert "InvalidImageName" in it.status.last.outcome_reason
        assert list(it.weights.values()) == [100]


async def test_invalid_spec_leaves_the_last_valid_one_in_force(it: Plant) -> None:
    async with it.engine():
        await first(it)
        found = deepcopy(it.release())
        found["spec"]["strategy"]["steps"] = []
        it.server.put(found)
        await asyncio.sleep(0.5)
        it.declare("shop:v2")
        await it.served("shop:v2")


async def test_without_traffic_pods_are_replaced_and_no_route_is_made(it: Plant) -> None:
    quiet = {"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]}
    async with it.engine():
        await first(it)
        assert it.server.find("HTTPRoute", "checkout") is not None
        it.declare("shop:v2", traffic=None, analysis=quiet)
        await it.served("shop:v2")
        await it.until(lambda: it.server.find("HTTPRoute", "checkout") is None, "rid of its route")
        await it.until(lambda: len(it.server.all("Deployment")) == 1, "rid of the old revision")


def edited(it: Plant, *backends: dict[str, Any]) -> None:
    """Somebody edits the route: these backends beside, or instead of, what it has."""
    route = deepcopy(it.server.find("HTTPRoute", "checkout"))
    assert route is not None
    listed = route["spec"]["rules"][0]["backendRefs"]
    names = {each["name"] for each in backends}
    route["spec"]["rules"][0]["backendRefs"] = [each for each in listed if each["name"] not in names] + list(backends)
    fields = {"f:spec": {"f:rules": {}}}
    entry = {"manager": "kubectl-edit", "operation": "Update", "time": "2099-01-01T00:00:00Z", "fieldsV1": fields}
    route["metadata"]["managedFields"] = [entry]
    it.server.put(route)


def drifts(it: Plant) -> list[str]:
    return [event["message"] for event in it.server.all("Event") if event["reason"] == "Drift"]


async def test_a_stranger_on_the_route_is_told_once_and_left_alone(it: Plant) -> None:
    async with it.engine():
        await first(it)
        edited(it, {"group": "", "kind": "Service", "name": "stranger", "port": 80, "weight": 100})
        await it.until(lambda: bool(drifts(it)), "told")
        before = looks()
        await asyncio.sleep(1.5)
        assert looks() - before <= 5, "a shift that has nothing to write does not bring on the next look"
    (told,) = drifts(it)
    assert told.startswith("kubectl-edit set the route to ")
    assert "stranger 50 %" in told


async def test_a_rollback_ends_although_a_stranger_takes_a_share(it: Plant) -> None:
    it.callers.faults["v3"] = 0.5
    async with it.engine():
        await first(it)
        it.declare("shop:v3", strategy={**gray_release()["spec"]["strategy"], "steps": [{"weight": 20, "hold": "9s"}]})
        await it.phase(Phase.ROLLING_BACK)
        edited(it, {"group": "", "kind": "Service", "name": "stranger", "port": 80, "weight": 50})
        await it.phase(Phase.ROLLED_BACK)


async def test_a_command_that_cannot_be_read_changes_nothing(it: Plant) -> None:
    async with it.engine():
        await first(it)
        found = deepcopy(it.release())
        found["metadata"]["annotations"][COMMAND_ANNOTATION] = '{"verb": "dance"'
        it.server.put(found)
        it.declare("shop:v2")
        await it.served("shop:v2")
        events = [event["message"] for event in it.server.all("Event") if event["reason"] == "Command"]
    assert len(events) == 1
    assert 'grayling.dev/command is \'{"verb": "dance"\'' in events[0]
    assert "remove it and use `grayling release pause|" in events[0]
