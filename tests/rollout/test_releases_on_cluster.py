"""Releases in a real cluster, under real traffic: taken back as designed, and when something is pulled away.

How a good version comes in is tried in test_first_release_on_cluster.py, before all of this.
All on the local stack's ``checkout``, with short steps. Every test leaves a stable version serving.
"""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from trial.commands import Grayling
from trial.letting_in import let_in
from trial.place import Place

from components.releases.autoscaling import Autoscaling
from kube.kinds import GRAY_RELEASE, HTTP_ROUTE, NODE, POD, Manifest
from rollout.api.status import Phase, Status
from rollout.engine.nodes import ZONE_LABEL
from tests.rollout.on_cluster import ENGINE, grayling, outcome, phase, signal_in, traffic, verified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sandbox.box import Sandbox

pytestmark = pytest.mark.timeout(600)
IMAGE = "sandbox.grayling.dev/shop:"
SIGNALS = [
    {"name": "errors", "kind": "errors", "source": "gateway", "weight": 0.5},
    {"name": "latency", "kind": "latency", "source": "pods", "weight": 0.25},
    {"name": "crashes", "kind": "crashes", "source": "kubernetes", "weight": 0.25},
]
SHORT = {
    "strategy": {
        "steps": [{"weight": 20, "hold": "4s"}, {"weight": 50, "hold": "4s"}],
        "bake": "5s",
        "drain": "2s",
        "readyDeadline": "90s",
        "verifyDeadline": "20s",
    },
    "analysis": {"signals": SIGNALS, "sampling": {"young": "250ms", "settled": "250ms"}},
    "recording": False,
}


@pytest.fixture
async def place(shop: Sandbox) -> AsyncIterator[Place]:
    async with await Place.find(shop.name, "checkout") as found:
        await settle(found)
        yield found


async def settle(place: Place) -> None:
    """Whatever the test before left behind ends in a stable v1 or v2 with short steps, and no pods of another."""
    await place.change(SHORT)
    status = await state(place)
    if status.phase is not Phase.IDLE and status.stable:
        await place.start(status.stable.image)
    status = await place.until("idle", lambda found: found.get("phase") == "Idle" and "stable" in found, 180)
    await place.alone(status["stable"]["revision"], 60)


async def state(place: Place) -> Status:
    return Status.model_validate((await place.release()).get("status") or {})


async def begin(place: Place, image: str) -> None:
    """Ask for a version, and once more where an earlier test had it taken back."""
    forgiven = await let_in(place, Grayling(place.box.name), image)
    await place.start(image)
    status = await place.until("seen", bool, 30)
    if not forgiven and any(said["type"] == "Refused" and said["status"] == "True" for said in status["conditions"]):
        await asyncio.to_thread(grayling, place.box, "release", "retry", "checkout", "-n", "shop")


async def other(place: Place) -> str:
    """The good version that does not serve now."""
    stable = (await state(place)).stable
    assert stable is not None
    return IMAGE + ("v1" if stable.image.endswith("v2") else "v2")


async def promoted(place: Place, image: str, seconds: float = 120) -> Manifest:
    def done(status: Manifest) -> bool:
        return status.get("phase") == "Idle" and status["stable"]["image"] == image

    status = await place.until(f"serving {image}", done, seconds)
    assert outcome(status) in {"promoted", "promoted-not-proven"}
    return status


async def taken_back(place: Place, seconds: float = 120) -> Manifest:
    status = await place.until("rolled back", phase("RolledBack"), seconds)
    assert outcome(status) == "rolled-back"
    return status


async def canary_pod(place: Place) -> str:
    canary = (await state(place)).canary
    assert canary is not None
    pods = await place.pods(canary.revision)
    assert pods
    return pods[0]


# ---------------------------------------------------------------------- as it should go


async def test_errors_take_it_back(place: Place, shop: Sandbox, tmp_path: Path) -> None:
    await place.change({"recording": True})
    async with traffic(place, tmp_path) as flow:
        await begin(place, IMAGE + "v3")
        status = await taken_back(place)
        await asyncio.sleep(2)
        flow.poll()
    times = status["last"]["reaction"]
    assert times["evidenceAt"] <= times["decidedAt"] <= times["writtenAt"]
    served = [answer for answer in flow.answers if answer.version == "v3"]
    assert served
    assert max(answer.done for answer in served) < time.time() - 1
    assert "rolled-back" in grayling(shop, "release", "record", "checkout", "-n", "shop", "-o", "markdown")
    grayling(shop, "release", "watch", "checkout", "-n", "shop", expect=7)
    again = json.loads(grayling(shop, "release", "history", "checkout", "-n", "shop", "--replay", "-o", "json"))[0]
    record = json.loads(grayling(shop, "release", "record", "checkout", "-n", "shop", "-o", "json"))
    assert (again["verdict"], again["culprits"][0]) == ("bad", record["culprits"][0])
    live, one_look = (await state(place)).last.reaction, 0.25
    assert abs(again["onset_at"] - live.evidence_at) <= one_look
    assert again["at"] - one_look <= live.decided_at


async def test_the_node_and_the_zone_of_each_pod_are_in_its_recording(place: Place, tmp_path: Path) -> None:
    nodes = {each["metadata"]["name"] for each in (await place.cluster.list(NODE)).items}
    for name in nodes:
        await place.cluster.merge_patch(
            NODE, name, None, {"metadata": {"labels": {ZONE_LABEL: "here"}}}, manager="test"
        )
    of_pods = [each for each in SIGNALS if each["source"] == "pods"]  # a gateway tells of arms, not of pods
    await place.change({"recording": True, "analysis": {"signals": of_pods}})
    async with traffic(place, tmp_path):
        await begin(place, IMAGE + "v4")
        await taken_back(place)
    told = grayling(place.box, "release", "record", "checkout", "-n", "shop", "--recording").splitlines()[1:]
    pods = [pod for look in map(json.loads, told) if look["phase"] == "release" for pod in look["pods"].values()]
    assert {pod["arm"] for pod in pods} == {"stable", "canary"}
    assert {(pod.get("node") in nodes, pod.get("zone")) for pod in pods} == {(True, "here")}


async def test_a_slow_version_is_taken_back(place: Place, tmp_path: Path) -> None:
    async with traffic(place, tmp_path):
        await begin(place, IMAGE + "v4")
        status = await taken_back(place)
    assert "slower" in status["last"]["outcomeReason"]


async def test_lines_in_its_log_take_it_back(place: Place, tmp_path: Path) -> None:
    await allowed_to_read_logs(place)
    lines = [{"name": "complaints", "kind": "events", "source": "logs", "pattern": " failed: "}]
    await place.change({"analysis": {"signals": lines}})
    async with traffic(place, tmp_path):
        await begin(place, IMAGE + "v3")
        status = await taken_back(place)
    assert "complaints" in status["last"]["outcomeReason"]


async def test_what_promql_counts_takes_it_back_and_history_was_known(place: Place, tmp_path: Path) -> None:
    """Stable has served other tests for a while: Prometheus knows how its pods did, and how they started."""
    pods = 'namespace="$namespace",pod=~"$pods"'
    counted = f"sum by (pod) (http_requests_total{{{pods},code=~'5..'}}) or sum by (pod) (0 * up{{{pods}}})"
    lost = [{"name": "lost", "kind": "events", "source": "prometheus", "query": counted}]
    await place.change({"analysis": {"signals": lost}, "recording": True})
    async with traffic(place, tmp_path):
        await begin(place, IMAGE + "v3")
        status = await taken_back(place)
    assert "lost" in status["last"]["outcomeReason"]
    told = grayling(place.box, "release", "record", "checkout", "-n", "shop", "--recording").splitlines()[1:]
    looks = [json.loads(line) for line in told]
    known = {phase: [look for look in looks if look["phase"] == phase] for phase in ("history", "starts", "release")}
    stable = (await state(place)).stable
    assert stable is not None
    pods = {pod for look in known["history"] for pod in look["pods"]}
    assert any(pod.startswith(f"{stable.revision}-") for pod in pods)
    ages = [pod.get("age_seconds", 0) for look in known["starts"] for pod in look["pods"].values()]
    assert min(ages) < 60
    assert known["release"]


async def allowed_to_read_logs(place: Place) -> None:
    """What a stack grants the engine where a service counts lines."""
    [controller] = (await place.cluster.list(POD, "shop", labels="app.kubernetes.io/name=controller")).items
    account = controller["spec"]["serviceAccountName"]
    group, meta = "rbac.authorization.k8s.io", {"name": "reads-logs", "namespace": "shop"}
    rule = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
    role = {"kind": "Role", "metadata": meta, "rules": [rule]}
    binding = {
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": meta["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "shop"}],
    }
    for made in (role, binding):
        await place.cluster.apply({"apiVersion": f"{group}/v1", **made}, manager="test", force=True)


@pytest.mark.parametrize("fault", [{"crash": True}, {"unready": True}], ids=["crash", "unready"])
async def test_a_canary_that_crashes_or_turns_unready(place: Place, tmp_path: Path, fault: dict[str, Any]) -> None:
    await place.change({"strategy": {"steps": [{"weight": 20, "hold": "60s"}]}})
    wanted = await other(place)
    async with traffic(place, tmp_path):
        await begin(place, wanted)
        status = await place.until("at 20 %", verified(20), 90)
        await place.fault(await canary_pod(place), fault)
        await taken_back(place, 45)
    await place.gone(status["canary"]["revision"], 60)


async def test_an_image_that_cannot_be_pulled(place: Place) -> None:
    await place.change({"strategy": {"readyDeadline": "30s"}})
    await begin(place, IMAGE + "no-such-version")
    status = await taken_back(place, 90)
    assert "Pull" in status["last"]["outcomeReason"]
    assert not status["last"].get("steps")


async def test_superseded_then_cancelled(place: Place, tmp_path: Path) -> None:
    first = (await state(place)).stable
    assert first is not None
    wanted = await other(place)
    async with traffic(place, tmp_path) as flow:
        await begin(place, IMAGE + "v5")
        await place.until("stepping", phase("Stepping"), 90)
        await begin(place, wanted)
        await place.until(f"canary {wanted}", lambda found: (found.get("canary") or {}).get("image") == wanted, 60)
        assert outcome((await place.release())["status"]) == "superseded"
        await place.until("stepping", phase("Stepping"), 90)
        await place.start(first.image)
        status = await place.until("idle", phase("Idle"), 60)
        flow.poll()
    assert outcome(status) == "cancelled"
    assert [answer for answer in flow.answers if answer.bad] == []


# ---------------------------------------------------------------------- when something is pulled away


@pytest.mark.parametrize("when", ["Preparing", "Stepping", "Promoting", "Baking"])
async def test_engine_killed_while_a_good_version_comes_in(place: Place, tmp_path: Path, when: str) -> None:
    wanted = await other(place)
    async with traffic(place, tmp_path) as flow:
        async with asyncio.TaskGroup() as together:  # a phase may be over sooner than `begin` is
            together.create_task(begin(place, wanted))
            together.create_task(place.until(when, phase(when), 120))
        signal_in(place.box, "KILL", ENGINE)
        status = await promoted(place, wanted, 180)
        flow.poll()
    assert status["epoch"] > 1
    assert [step["weight"] for step in status["last"]["steps"]] == [20, 50]
    assert [answer for answer in flow.answers if answer.bad] == []


async def test_engine_killed_while_it_rolls_back(place: Place, tmp_path: Path) -> None:
    async with traffic(place, tmp_path):
        await begin(place, IMAGE + "v3")
        await place.until("rolling back", phase("RollingBack"), 120)
        signal_in(place.box, "KILL", ENGINE)
        await taken_back(place, 120)


async def test_api_server_gone_for_half_a_minute(place: Place, tmp_path: Path) -> None:
    """The gateway cannot accept a weight either in that time, and gets the usual minute for it."""
    await place.change({"strategy": {"verifyDeadline": "60s"}})
    wanted = await other(place)
    async with traffic(place, tmp_path) as flow:
        await begin(place, wanted)
        await place.until("at 20 %", verified(20), 90)
        signal_in(place.box, "STOP", "bin/kube-apiserver")
        await asyncio.sleep(30)
        signal_in(place.box, "CONT", "bin/kube-apiserver")
        await promoted(place, wanted, 180)
        flow.poll()
    assert [answer for answer in flow.answers if answer.bad] == []


async def test_route_edited_by_hand_is_put_right(place: Place, tmp_path: Path) -> None:
    await place.change({"strategy": {"steps": [{"weight": 20, "hold": "30s"}]}})
    wanted = await other(place)
    async with traffic(place, tmp_path):
        await begin(place, wanted)
        await place.until("at 20 %", verified(20), 90)
        route = await place.cluster.get(HTTP_ROUTE, "checkout", "shop")
        before = {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]}
        ops = [
            {"op": "replace", "path": f"/spec/rules/0/backendRefs/{index}/weight", "value": 50}
            for index in range(len(before))
        ]
        await place.cluster.json_patch(HTTP_ROUTE, "checkout", "shop", ops, manager="somebody")
        async with asyncio.timeout(3):
            while True:
                route = await place.cluster.get(HTTP_ROUTE, "checkout", "shop")
                if {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]} == before:
                    break
                await asyncio.sleep(0.05)


async def test_envoy_restarted_in_a_step(place: Place, tmp_path: Path) -> None:
    wanted = await other(place)
    async with traffic(place, tmp_path):
        await begin(place, wanted)
        await place.until("at 20 %", verified(20), 90)
        signal_in(place.box, "KILL", "^envoy -c")
        await promoted(place, wanted, 180)


async def test_prometheus_gone_is_not_a_bad_canary(place: Place, tmp_path: Path) -> None:
    through = [{"name": "errors", "kind": "errors", "source": "prometheus"}]
    await place.change({"analysis": {"signals": through, "sourceDown": {"action": "hold", "deadline": "5m"}}})
    wanted = await other(place)
    async with traffic(place, tmp_path):
        await begin(place, wanted)
        await place.until("at 20 %", verified(20), 90)
        signal_in(place.box, "STOP", "^/usr/bin/prometheus ")
        await place.until("held", lambda found: found.get("doubt") == "source-down", 60)
        signal_in(place.box, "CONT", "^/usr/bin/prometheus ")
        await promoted(place, wanted, 120)


async def test_an_autoscaler_finds_the_release_and_its_count_is_followed(place: Place) -> None:
    wanted = Autoscaling(min=1, max=5, cpu=70).manifest(SimpleNamespace(name="checkout", labels=dict))
    wanted["metadata"]["namespace"] = "shop"
    await place.cluster.apply(wanted, manager="test")
    kind = await place.cluster.resolve(wanted)
    before = (await place.release())["spec"]["workload"]["replicas"]
    try:
        async with asyncio.timeout(90):
            while not _finds_its_target(await place.cluster.get(kind, "checkout", "shop")):
                await asyncio.sleep(1)
        await _scaled(place, before + 1)
        stable = (await state(place)).stable
        assert stable is not None
        async with asyncio.timeout(60):
            while len(await place.pods(stable.revision)) != before + 1:
                await asyncio.sleep(0.5)
        status = await place.until("counted", lambda found: found.get("replicas") == before + 1, 30)
        assert status["selector"] == "grayling.dev/release=checkout"
    finally:
        await place.cluster.delete(kind, "checkout", "shop")
        await _scaled(place, before)


def _finds_its_target(scaler: Manifest) -> bool:
    """It reads the count and the labels; what pods use nobody measures here."""
    told = {each["type"]: each for each in (scaler.get("status") or {}).get("conditions") or ()}
    measured = told.get("ScalingActive", {}).get("reason", "")
    return told.get("AbleToScale", {}).get("status") == "True" and measured == "FailedGetContainerResourceMetric"


async def _scaled(place: Place, replicas: int) -> None:
    body = {"spec": {"replicas": replicas}}
    await place.cluster.merge_patch(
        GRAY_RELEASE, "checkout", "shop", body, manager="kubectl-scale", subresource="scale"
    )


async def test_deleting_lets_no_pod_behind(place: Place) -> None:
    await place.cluster.delete(GRAY_RELEASE, "billing", "shop")
    async with asyncio.timeout(60):
        while (await place.cluster.list(POD, "shop", labels="grayling.dev/release=billing")).items:
            await asyncio.sleep(0.5)
