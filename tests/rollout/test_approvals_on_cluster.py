"""Steps that wait for approvals, on a real API server: each person is a service account with a token of its own.

What one person writes in the name of another never gets in, and without the policy that sees to that nothing counts.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube.cluster import Cluster
from kube.errors import ForbiddenError, InvalidError
from kube.kinds import APPROVAL, GRAY_RELEASE, POLICY, POLICY_BINDING, Manifest
from rollout.api.approval import ApprovalSpec
from rollout.api.approval_policy import NAME, policy
from rollout.client.approvals import manifest_of, who_am_i
from tests.rollout.crooked import NAMESPACE
from tests.rollout.on_cluster import eventually, grayling, over, serving, waits_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sandbox.box import Sandbox
    from tests.rollout.on_cluster import Crooked

pytestmark = pytest.mark.timeout(240)
RELEASE = "approved"
GROUP = f"system:serviceaccounts:{NAMESPACE}"
STEPS = [
    {"weight": 30, "hold": "1s", "gate": "approval", "approvals": {"group": GROUP}},
    {"weight": 60, "hold": "1s", "gate": "approval"},
]
APPROVERS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "approvers", "namespace": NAMESPACE},
    "rules": [
        {"apiGroups": ["grayling.dev"], "resources": ["grayreleases"], "verbs": ["get"]},
        {
            "apiGroups": ["grayling.dev"],
            "resources": ["approvals"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        },
    ],
}


def user(name: str) -> str:
    """How the API server calls a service account."""
    return f"system:serviceaccount:{NAMESPACE}:{name}"


@dataclass(frozen=True, slots=True)
class People:
    """Service accounts that may approve, and the kubeconfig of each."""

    box: Sandbox
    cluster: Cluster
    folder: Path

    async def come(self, *names: str) -> None:
        """Make them, but for the engine's own account, which is there."""
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE} for name in names]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "approvers"}
        binding = {**APPROVERS, "kind": "RoleBinding", "roleRef": role, "subjects": subjects}
        del binding["rules"]
        for name in {*names} - {"controller"}:
            meta = {"name": name, "namespace": NAMESPACE}
            await self._put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        await self._put(APPROVERS)
        await self._put(binding)

    async def _put(self, manifest: Manifest) -> None:
        await self.cluster.apply(manifest, manager="test", force=True)

    async def kubeconfig(self, name: str) -> str:
        """With a fresh token of that account."""
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await self.cluster.request("POST", path, body=review, what=f"token of {name}")
        config = yaml.safe_load(self.box.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": made["status"]["token"]}
        file = self.folder / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return str(file)

    @asynccontextmanager
    async def as_one(self, name: str) -> AsyncIterator[Cluster]:
        """The cluster as that account."""
        async with await Cluster.open(kubeconfig=await self.kubeconfig(name)) as cluster:
            yield cluster

    async def says(self, name: str, *args: str, expect: int = 0) -> str:
        """Run the command line as that account."""
        place = ("-n", NAMESPACE, "--kubeconfig", await self.kubeconfig(name))
        box: Any = SimpleNamespace(kubeconfig=await self.kubeconfig(name))
        return await asyncio.to_thread(grayling, box, "release", *args, RELEASE, *place, expect=expect)


@pytest.fixture
async def people(shop: Sandbox, tmp_path: Path) -> AsyncIterator[People]:
    async with await Cluster.open(kubeconfig=str(shop.kubeconfig)) as cluster:
        made = People(shop, cluster, tmp_path)
        await made.come("ann", "eve", "controller")
        try:
            yield made
        finally:
            await made.come("ann", "eve")


def _gated(spec: Manifest) -> None:
    spec["strategy"]["steps"] = STEPS
    spec["analysis"]["signals"] = []


async def _asked(it: Crooked) -> Manifest:
    """A version asked for by eve, as far as its first gate."""
    notes = {"grayling.dev/requested-by": user("eve")}
    patch = {"metadata": {"annotations": notes}}
    await it.place.cluster.merge_patch(GRAY_RELEASE, RELEASE, NAMESPACE, patch, manager="test")
    await it.bring({}, _gated)
    return await it.until("at its gate", waits_for("step 1 waits for 1 approval", "there is none"), 60)


async def _approval(it: Crooked, approver: str, **changes: Any) -> Manifest:
    found = await it.place.release()
    status = found["status"]
    said = {
        "release": RELEASE,
        "attempt": status["release"]["id"],
        "revision": status["canary"]["revision"],
        "digest": status["specDigest"],
        "step": 1,
        "approver": approver,
        "groups": [GROUP],
    }
    return manifest_of(found, ApprovalSpec.model_validate(said | changes))


async def _refused(cluster: Cluster, made: Manifest, words: str) -> None:
    with pytest.raises(InvalidError, match=words):
        await cluster.create(made, manager="test")


async def _nobody_forges_or_edits(it: Crooked, people: People) -> None:
    async with people.as_one("ann") as ann:
        assert (await who_am_i(ann)).name == user("ann")
        forged = await _approval(it, user("bob"))
        await _refused(ann, forged, "it must be the user name of who sends it")
        with pytest.raises(InvalidError, match="it must be the user name of who sends it"):
            await ann.apply(forged, manager="test")
        stolen = await _approval(it, user("ann"), groups=["system:masters"])
        await _refused(ann, stolen, "who sends it is not in all of these groups")
        beyond = await _approval(it, user("ann"))
        beyond["spec"]["step"] = 40
        await _refused(ann, beyond, "step: the number of a step, from 1 to 32, or all")
        own = await ann.create(await _approval(it, user("ann"), step=2), manager="test")
        for cluster in (ann, people.cluster):
            where, patch = (APPROVAL, own["metadata"]["name"], NAMESPACE), {"spec": {"step": 1}}
            with pytest.raises(InvalidError, match="an Approval never changes"):
                await cluster.merge_patch(*where, patch, manager="test")
    await _refused(people.cluster, await _approval(it, user("ann")), "it must be the user name of who sends it")
    async with people.as_one("controller") as engine:
        with pytest.raises((InvalidError, ForbiddenError), match="is an engine, and approves none"):
            await engine.create(await _approval(it, user("controller")), manager="test")


async def test_only_a_true_approval_of_somebody_else_opens_the_step(people: People, shop: Sandbox) -> None:
    async with serving(shop, RELEASE, change=_gated) as it:
        await _asked(it)
        await _nobody_forges_or_edits(it, people)
        await it.until("told", waits_for("1 is for step 2"), 20)
        told = await people.says("eve", "approve", expect=2)
        assert told == ""
        async with people.as_one("eve") as eve:
            await eve.create(await _approval(it, user("eve")), manager="test")
        await it.until("told", waits_for("1 is by who asked for the version"), 20)
        answer = ("release", "promote", RELEASE, "-n", NAMESPACE)
        await asyncio.to_thread(grayling, shop, *answer, expect=1)

        assert f"approved by {user('ann')}" in await people.says("ann", "approve", "--reason", "looks well")
        status = await it.until("opened", lambda found: found["weight"]["desired"] == 30, 30)
        journal = [each["text"] for each in status["release"]["journal"]]
        assert f"step 1 opened by approval of {user('ann')} (looks well)" in journal
        assert [each["approver"] for each in status["release"]["approvals"]] == [user("ann")]
        await _next_attempt(it, people)


async def _next_attempt(it: Crooked, people: People) -> None:
    """Approvals of the attempt before are not for this one; nor is one that was taken back, or that nobody checked."""
    shop = people.box
    await asyncio.to_thread(grayling, shop, "release", "abort", RELEASE, "-n", NAMESPACE)
    await it.until("taken back", over, 60)
    await asyncio.to_thread(grayling, shop, "release", "retry", RELEASE, "-n", NAMESPACE)
    await it.until("at its gate", waits_for("0 count", "are for another attempt"), 60)
    await _without_its_policy(it, people)
    await _edited_and_put_right(it, people)


async def _without_its_policy(it: Crooked, people: People) -> None:
    cluster = people.cluster
    there = await cluster.get(POLICY_BINDING, NAME)
    await cluster.delete(POLICY_BINDING, NAME)
    try:
        await it.until("held", waits_for("is not on the cluster, so that anybody could approve in any name"), 20)
        await eventually(lambda: _gets_in(it, cluster), 20)
        await people.says("ann", "approve")
        await asyncio.sleep(1.0)
        status = (await it.place.release())["status"]
        assert status["weight"]["desired"] == 0
        assert "is not on the cluster" in status["waiting"]["reason"]
    finally:
        await cluster.create(_anew(there), manager="test")
    await it.until("held", waits_for("2 are from before its policy stood"), 20)
    assert "taken back" in await people.says("ann", "approve", "--revoke")
    await it.until("held", waits_for("1 is from before its policy stood"), 20)


async def _gets_in(it: Crooked, cluster: Cluster) -> bool:
    """Without its policy a forged one gets in: that is why none is believed then."""
    try:
        await cluster.create(await _approval(it, user("bob")), manager="test")
    except InvalidError:
        return False
    return True


async def _edited_and_put_right(it: Crooked, people: People) -> None:
    cluster = people.cluster
    there = await cluster.get(POLICY, NAME)
    assert there["metadata"]["generation"] == 1
    for how in ("Ignore", policy()["spec"]["failurePolicy"]):
        await cluster.merge_patch(POLICY, NAME, None, {"spec": {"failurePolicy": how}}, manager="test")
    await it.until("held", waits_for("was edited since it was made"), 20)
    await cluster.delete(POLICY, NAME)
    await cluster.create(_anew(there), manager="test")
    await it.until("held", waits_for("from before its policy stood"), 20)


def _anew(there: Manifest) -> Manifest:
    """The object as its stack declares it, for whoever comes after this test."""
    kept = {key: there["metadata"][key] for key in ("name", "labels", "annotations") if key in there["metadata"]}
    spec = {key: each for key, each in there["spec"].items() if each}
    kind = POLICY if "failurePolicy" in spec else POLICY_BINDING
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": kept, "spec": spec}
