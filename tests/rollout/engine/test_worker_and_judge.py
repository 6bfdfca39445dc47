"""What a worker shows its judge is kept, carried on, and survives sources and judges that break."""

from __future__ import annotations

import asyncio
import time
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING

from rollout.api.spec import Analysis, Spec
from rollout.api.status import Phase
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
from tests.rollout.engine.plant import Plant, gray_release
from tests.rollout.engine.worker_cases import first

if TYPE_CHECKING:
    import pytest


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


async def test_history_says_where_those_of_its_pods_run_that_are_still_there(it: Plant) -> None:
    async def hour(_namespace: str, _spec: Spec, stable: str) -> list[SignalLook]:
        now, pods = time.time(), {f"{stable}-7d9f-0": PodLook(Arm.STABLE, 900.0, 15.0, 300)}
        gone = {"gone": PodLook(Arm.STABLE, 900.0, 15.0, 300)}
        return [SignalLook("errors", now - 60, SourceStatus.OK, pods | gone)]

    meta = {"name": "node-a", "labels": {"topology.kubernetes.io/zone": "west"}}
    it.server.put({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {}})
    async with it.engine():
        await first(it)
        it.history = hour
    async with it.engine("two"):
        it.declare("shop:v2", record=True)
        await it.served("shop:v2")
        assert it.status.last is not None
        name = config_map_name("checkout", it.status.last.id)
    past = next(look for look in parse(kept(it, name).splitlines()).looks if look.phase == "history")
    assert {pod: (each.node, each.zone) for pod, each in past.pods.items() if pod != "gone"} == {
        pod: ("node-a", "west") for pod in past.pods if pod != "gone"
    }
    assert (past.pods["gone"].node, past.pods["gone"].zone) == ("", "")


async def test_a_history_that_breaks_keeps_nobody_from_looking(it: Plant) -> None:
    it.history = broken
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
        await it.until(lambda: records_of(it) == [newest], "left with the newest record")


def records_of(it: Plant) -> list[str]:
    return [item["metadata"]["name"] for item in it.server.all("ConfigMap") if "-release-" in item["metadata"]["name"]]


async def test_a_source_that_breaks_is_told_once_and_ends_nothing(
    it: Plant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with it.engine():
        await first(it)
        with monkeypatch.context() as patched:
            patched.setattr(it.callers, "sample", broken)
            it.declare("shop:v2")
            await it.phase(Phase.STEPPING)
            await asyncio.sleep(0.3)
        await it.served("shop:v2")
    said = capsys.readouterr().out
    assert said.count("source failed") == 1
    assert "no such page" in said


async def broken(*_: object) -> None:
    raise ZeroDivisionError("no such page")


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
