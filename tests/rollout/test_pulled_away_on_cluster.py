"""What the cluster does to a release while a good version comes in: it is waited for, and blamed on nobody.

The service misbehaves as it is told (``crooked_server``), and the tests share its release.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from kube.cluster import Cluster
from kube.errors import KubeError, NotFoundError
from kube.kinds import DEPLOYMENT, GRAY_RELEASE, LEASE, POD, Kind
from kube.kinds import NAMESPACE as NAMESPACES
from rollout.api.revision import RELEASE_LABEL
from rollout.api.spec import COMMAND_ANNOTATION
from rollout.client.commands import LEASE_PREFIX
from tests.rollout.crooked import CRASHES, IMAGE, NAMESPACE, release
from tests.rollout.on_cluster import (
    MANAGER,
    NODE,
    ROOT,
    STEADY,
    Crooked,
    eventually,
    outcome,
    reason,
    signal_in,
    steady,
    traffic,
    verified,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kube.kinds import Manifest
    from sandbox.box import Sandbox

pytestmark = pytest.mark.timeout(240)
ADMISSION = "admissionregistration.k8s.io/v1"
POLICY = Kind(ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
BINDING = Kind(ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False)
ENOUGH_SHARE = 30


def long_step(spec: Manifest) -> None:
    spec["strategy"]["steps"] = [{"weight": ENOUGH_SHARE, "hold": "10s"}]


async def at_30(it: Crooked) -> Manifest:
    await it.bring({}, long_step)
    return await it.until("at 30 %", verified(ENOUGH_SHARE), 60)


# ---------------------------------------------------------------------- pods that are taken


def at_home_anywhere(spec: Manifest) -> None:
    """The sandbox has one node: a second pod has room on it although it is cordoned."""
    long_step(spec)
    stays = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
    spec["workload"]["template"]["spec"]["tolerations"] = [stays]


async def test_a_node_is_drained_and_a_second_pod_is_ready_before_the_only_one_goes(
    shop: Sandbox, tmp_path: Path
) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path) as flow:
        await it.bring({}, at_home_anywhere)
        revision = (await it.until("at 30 %", verified(ENOUGH_SHARE), 60))["canary"]["revision"]
        [node] = (await it.place.cluster.list(NODE)).items
        await cordon(it, node, wanted=True)
        try:
            await it.evict(revision)
            status = await it.promoted()
        finally:
            await cordon(it, node, wanted=False)
        flow.poll()
        answers = list(flow.answers)
    assert status["stable"]["revision"] == revision
    assert "withdrawn" not in {entry["what"] for entry in status["last"]["journal"]}
    assert [answer for answer in answers if answer.bad] == []


async def test_a_drain_is_not_held_up_where_there_is_no_room_for_a_second_pod(shop: Sandbox, tmp_path: Path) -> None:
    """The only node takes no pods any more, and has the only ready one: traffic goes back until there is another."""

    def hasty(spec: Manifest) -> None:
        long_step(spec)
        spec["strategy"]["readyDeadline"] = "20s"
        spec["strategy"]["steps"] = [{"weight": ENOUGH_SHARE, "hold": "60s"}]

    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({}, hasty)
        status = await it.until("at 30 %", verified(ENOUGH_SHARE), 60)
        [node] = (await it.place.cluster.list(NODE)).items
        await cordon(it, node, wanted=True)
        try:
            await it.evict(status["canary"]["revision"])
            await it.until("withdrawn", lambda found: "withdrawnAt" in found, 30)
            await eventually(lambda: it.without_share(status["canary"]["revision"]), 10)
        finally:
            await cordon(it, node, wanted=False)
        await it.promoted(150)


async def cordon(it: Crooked, node: Manifest, *, wanted: bool) -> None:
    patch = {"spec": {"unschedulable": wanted}}
    await it.place.cluster.merge_patch(NODE, node["metadata"]["name"], None, patch, manager=MANAGER)


async def test_an_outage_of_both_arms_blames_nobody(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path):
        status = await at_30(it)
        for arm in ("stable", "canary"):
            for pod in await it.place.pods(status[arm]["revision"]):
                await drive_out(it, pod)
        await it.promoted()


async def drive_out(it: Crooked, pod: str) -> None:
    """Take a pod as the taint manager does, who asks no budget: it says so on the pod, and deletes it."""
    found = await it.place.cluster.get(POD, pod, NAMESPACE)
    said = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "so"}
    status = {"status": {"conditions": [*found["status"]["conditions"], said]}}
    await it.place.cluster.merge_patch(POD, pod, NAMESPACE, status, manager=MANAGER, subresource="status")
    await it.place.cluster.delete(POD, pod, NAMESPACE)


# ---------------------------------------------------------------------- the engine's own ground


async def test_the_api_server_is_killed_half_way(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path) as flow:
        await at_30(it)
        signal_in(shop, "KILL", "bin/kube-apiserver")
        await asyncio.sleep(2)
        await it.promoted(150)
        flow.poll()
        answers = list(flow.answers)
    assert [answer for answer in answers if answer.bad] == []


async def test_a_status_that_is_refused_stops_no_rollback(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path):
        status = await at_30(it)
        await refuse_status(it, STEADY)
        try:
            await it.tell(status["canary"]["revision"], {"FAILING": "0.9"})
            await eventually(lambda: it.without_share(status["canary"]["revision"]), 20)
        finally:
            await it.place.cluster.delete(BINDING, STEADY)
            await it.place.cluster.delete(POLICY, STEADY)
        await it.taken_back()


async def refuse_status(it: Crooked, name: str) -> None:
    """Let the API server refuse every status of one release."""
    rule = {"apiGroups": ["grayling.dev"], "apiVersions": ["*"], "operations": ["UPDATE"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resources": ["grayreleases/status"]}]},
        "validations": [{"expression": f"object.metadata.name != '{name}'", "message": "not now"}],
    }
    bound = {"policyName": name, "validationActions": ["Deny"]}
    for kind, body in ((POLICY, spec), (BINDING, bound)):
        made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": body}
        await it.place.cluster.apply(made, manager=MANAGER, force=True)

    async def denied() -> bool:
        probe = {"status": {"holder": "test"}}
        try:
            await it.place.cluster.merge_patch(
                GRAY_RELEASE, name, NAMESPACE, probe, manager=MANAGER, subresource="status"
            )
        except NotFoundError:
            raise
        except KubeError:
            return True
        return False

    await eventually(denied, 20)


async def test_a_deleted_lease_stops_nothing(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path):
        status = await at_30(it)
        assert await it.place.cluster.delete(LEASE, f"{LEASE_PREFIX}{STEADY}", NAMESPACE)
        await it.tell(status["canary"]["revision"], {"FAILING": "0.9"})
        await eventually(lambda: it.without_share(status["canary"]["revision"]), 10)
        await it.taken_back()


async def test_a_namespace_is_deleted_with_a_release_in_flight(shop: Sandbox) -> None:
    """Served by an engine of its own, on this side: the stack's serves the stack's namespace."""

    def alone(spec: Manifest) -> None:
        long_step(spec)
        spec.pop("traffic")
        spec["analysis"]["signals"] = [CRASHES]

    made = release("leaving", {}, alone)
    made["metadata"]["namespace"] = "leaving"
    async with await Cluster.open(kubeconfig=str(shop.kubeconfig)) as cluster, engine_of(shop, "leaving"):
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "leaving"}}, manager=MANAGER)
        await cluster.apply(made, manager=MANAGER)

        async def begun() -> bool:
            found = await cluster.get(GRAY_RELEASE, "leaving", "leaving")
            return bool(found["metadata"].get("finalizers")) and "phase" in (found.get("status") or {})

        async def gone() -> bool:
            return await cluster.find(NAMESPACES, "leaving") is None

        await eventually(begun, 40)
        await cluster.delete(NAMESPACES, "leaving")
        await eventually(gone, 60)


@asynccontextmanager
async def engine_of(box: Sandbox, namespace: str) -> AsyncIterator[None]:
    """An engine outside of the cluster, for one namespace."""
    argv = [sys.executable, "-m", "rollout", "controller", f"--namespace={namespace}", "--metrics-port=0"]
    environment = {**os.environ, "KUBECONFIG": str(box.kubeconfig)}
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=environment, stdout=silent, stderr=silent)
    try:
        yield
        assert process.returncode is None, "the engine ended with the namespace it serves"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


# ---------------------------------------------------------------------- what others say and do


async def test_a_strangers_deployment_with_our_label_is_left_alone(shop: Sandbox, tmp_path: Path) -> None:
    stranger = release("stranger")["spec"]["workload"]["template"]["spec"]
    container = {**stranger["containers"][0], "image": IMAGE, "command": ["sleep", "3600"]}
    container.pop("readinessProbe")
    labels = {RELEASE_LABEL: STEADY}
    pods = {"metadata": {"labels": {"app": "stranger"}}, "spec": {**stranger, "containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "stranger"}}, "template": pods}
    meta = {"name": "stranger", "namespace": NAMESPACE, "labels": labels}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    async with steady(shop) as it, traffic(it.place, tmp_path):
        before = await it.place.cluster.apply(made, manager=MANAGER, force=True)
        try:
            await it.bring({})
            await it.promoted()
            after = await it.place.cluster.get(DEPLOYMENT, "stranger", NAMESPACE)
        finally:
            await it.place.cluster.delete(DEPLOYMENT, "stranger", NAMESPACE)
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])


async def test_a_command_that_comes_again_does_nothing(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path):
        await at_30(it)
        for number, verb in ((1, "pause"), (2, "resume"), (1, "pause")):
            command = {
                "metadata": {"annotations": {COMMAND_ANNOTATION: json.dumps({"id": f"c{number}", "verb": verb})}}
            }
            await it.place.cluster.merge_patch(GRAY_RELEASE, STEADY, NAMESPACE, command, manager=MANAGER)
            await asyncio.sleep(1.5)
        status = await it.promoted()
    assert "paused" not in status
    assert outcome(status) != "aborted", reason(status)


async def test_pods_that_somebody_adds_are_kept(shop: Sandbox) -> None:
    async with steady(shop) as it:
        stable = (await it.place.release())["status"]["stable"]["revision"]
        patch = {"spec": {"replicas": 2}}
        await it.place.cluster.merge_patch(DEPLOYMENT, stable, NAMESPACE, patch, manager="kubectl-scale")

        async def two() -> bool:
            return await it.ready_pods(stable) == 2

        await eventually(two, 30)
        await asyncio.sleep(3)
        found = await it.place.cluster.get(DEPLOYMENT, stable, NAMESPACE)
    assert found["spec"]["replicas"] == 2
