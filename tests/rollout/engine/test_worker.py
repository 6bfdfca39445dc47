from __future__ import annotations

import asyncio
import time
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.spec import COMMAND_ANNOTATION, Analysis, Spec
from rollout.api.status import Outcome, Phase
from rollout.engine import metrics
from rollout.engine.worker import _pause
from rollout.judge.from_spec import judge_policy_of
from rollout.judge.replay import replay
from rollout.records.recorder import config_map_name, lines_in
from rollout.records.recording import parse
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.engine.plant import Plant, gray_release, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        yield made


async def first(it: Plant) -> None:
    it.declare("shop:v1")
    await it.served("shop:v1")


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
        it.say("retry")
        await it.served("shop:v3")


async def test_what_the_judge_was_shown_is_kept_and_judged_again_the_same(it: Plant) -> None:
    it.callers.faults["v3"] = 0.5
    async with it.engine("one"):
        await first(it)
        it.declare("shop:v2", record=True)
        await it.served("shop:v2")
        good = it.status.last
        it.declare("shop:v3", record=True)
        await it.phase(Phase.ROLLED_BACK)
        bad = it.status.last
        assert good is not None
        assert bad is not None
        await it.until(lambda: it.server.find("ConfigMap", config_map_name("checkout", bad.id)) is not None, "recorded")
        await asyncio.sleep(0.2)
    recording = parse(kept(it, config_map_name("checkout", bad.id)).splitlines())
    found = replay(recording, judge_policy_of(Analysis.model_validate(recording.analysis)))
    assert (found.verdict, found.culprits) == ("bad", ("errors",))
    assert found.at == bad.reaction.decided_at or abs(found.at - (bad.reaction.decided_at or 0)) < 0.2
    assert {look.phase for look in recording.looks} == {"history", "release"}
    healthy = parse(kept(it, config_map_name("checkout", good.id)).splitlines())
    assert [look.step for look in healthy.looks if look.step] == [1, 2]


async def test_what_stable_did_before_is_learned_before_the_canary_is_looked_at(it: Plant) -> None:
    async def hour(_namespace: str, _spec: Spec, stable: str) -> list[SignalLook]:
        now, pods = time.time(), {f"{stable}-{each}": PodLook(Arm.STABLE, 900.0, 15.0, 300) for each in "ab"}
        return [SignalLook("errors", now - 3600 + 15 * at, SourceStatus.OK, pods) for at in range(239)]

    async with it.engine():
        await first(it)
        it.history = hour
    async with it.engine("two"):
        it.declare("shop:v2", record=True)
        await it.served("shop:v2")
        assert it.status.last is not None
        name = config_map_name("checkout", it.status.last.id)
    looks = parse(kept(it, name).splitlines()).looks
    assert [look.phase for look in looks[:239]] == ["history"] * 239
    assert all(earlier.at < later.at for earlier, later in pairwise(look for look in looks if look.pods))


async def test_a_history_that_breaks_keeps_nobody_from_looking(it: Plant) -> None:
    it.history = _broken
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.served("shop:v2")


def kept(it: Plant, name: str) -> str:
    found = it.server.find("ConfigMap", name)
    assert found is not None
    return lines_in(found)


async def test_a_recording_is_carried_on_by_the_next_engine(it: Plant) -> None:
    slow = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 20, "hold": "3s"}]}
    async with it.engine("one"):
        await first(it)
        it.declare("shop:v2", record=True, strategy=slow)
        await it.phase(Phase.STEPPING)
        assert it.status.release is not None
        name = config_map_name("checkout", it.status.release.id)
        await it.until(lambda: it.server.find("ConfigMap", name) is not None, "recorded")
    before = kept(it, name)
    async with it.engine("two"):
        await it.served("shop:v2")
        await it.until(lambda: len(kept(it, name)) > len(before), "carried on")
    after = kept(it, name)
    assert after.startswith(before.rstrip())
    assert after.count('"format"') == 1


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


async def test_source_down_holds_and_then_goes_on(it: Plant) -> None:
    async with it.engine():
        await first(it)
        it.declare("shop:v2")
        await it.until(lambda: it.status.verified_at is not None, "verified")
        it.callers.status = SourceStatus.SOURCE_DOWN
        await it.until(lambda: it.status.doubt == "source-down", "held")
        await asyncio.sleep(0.5)
        assert it.status.phase is Phase.STEPPING
        it.callers.status = SourceStatus.OK
        await it.served("shop:v2")


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


def looks() -> float:
    return metrics.REGISTRY.get_sample_value("grayling_look_seconds_count") or 0.0


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


async def test_only_the_newest_records_are_kept(it: Plant) -> None:
    async with it.engine():
        it.declare("shop:v1", history=1)
        await it.served("shop:v1")
        for image in ("shop:v2", "shop:v3"):
            it.declare(image, history=1)
            await it.served(image)
        last = it.status.last
        assert last is not None
        newest = f"checkout-release-{last.id}"
        await it.until(lambda: _records(it) == [newest], "left with the newest record")


def _records(it: Plant) -> list[str]:
    return [item["metadata"]["name"] for item in it.server.all("ConfigMap") if "-release-" in item["metadata"]["name"]]


async def test_a_source_that_breaks_is_told_once_and_ends_nothing(
    it: Plant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with it.engine():
        await first(it)
        with monkeypatch.context() as patched:
            patched.setattr(it.callers, "sample", _broken)
            it.declare("shop:v2")
            await it.phase(Phase.STEPPING)
            await asyncio.sleep(0.3)
        await it.served("shop:v2")
    said = capsys.readouterr().out
    assert said.count("source failed") == 1
    assert "no such page" in said


async def _broken(*_: object) -> None:
    raise ZeroDivisionError("no such page")


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


async def test_a_judge_that_cannot_be_restored_begins_anew(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
        it.declare("shop:v2", strategy={**gray_release()["spec"]["strategy"], "steps": [{"weight": 20, "hold": "2s"}]})
        await it.until(lambda: bool(it.status.judge), "judging")
    found = deepcopy(it.release())
    found["status"]["judge"] = "bm9uc2Vuc2U="
    it.server.put(found)
    async with it.engine("two"):
        await it.served("shop:v2", 20)


async def test_a_release_deleted_while_its_engine_was_away_is_cleaned_up(it: Plant) -> None:
    async with it.engine("one"):
        await first(it)
    found = deepcopy(it.release())
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    it.server.put(found)
    async with it.engine("two"):
        await it.until(lambda: it.server.find("GrayRelease", "checkout") is None, "gone")
        await it.until(lambda: not it.server.all("Deployment"), "clean")


# ---------------------------------------------------------------------- taking over


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
