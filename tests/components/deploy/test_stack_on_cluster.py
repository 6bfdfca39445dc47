"""The local stack on a real cluster: up, unchanged, compared, pruned, mended after a failure, and gone."""

from __future__ import annotations

import base64
import re

import pytest

from components.deploy.apply import Applier
from components.deploy.difference import differences
from components.deploy.inventory import Inventory
from components.deploy.outcome import ApplyError, NotReadyError
from components.deploy.render import render
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.model.layers import is_definition
from components.stack.stackfile import find
from kube.cluster import Cluster
from kube.kinds import CONFIG_MAP, GATEWAY, NAMESPACE, SECRET
from tests.components.conftest import ROOT

NAMESPACE_NAME = "stack-test"
INVENTORY = Inventory("stack-test", NAMESPACE_NAME)
PATIENCE = Patience(240)


@pytest.fixture(scope="module")
def stack_file(tmp_path_factory):
    """The local stack in a namespace and on a node port of its own."""
    project = tmp_path_factory.mktemp("project")
    (project / "stacks").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / name).write_text((ROOT / name).read_text())
    text = (ROOT / "stacks" / "Pulumi.local.yaml").read_text()
    text = text.replace("namespace: shop", f"namespace: {NAMESPACE_NAME}").replace("30080", "30089")
    text = text.replace("class: contour", "class: contour-stack-test")
    (project / "stacks" / "Pulumi.stack-test.yaml").write_text(text)
    return find("stack-test", project)


@pytest.fixture(scope="module")
def manifests(stack_file):
    """Without the definitions: other tests of the same cluster own them."""
    kept = [item for item in render(stack_file) if not is_definition(item)]
    return [item for item in kept if item["kind"] != "GrayRelease" and item["metadata"]["name"] != "controller"]


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


def applier(cluster, lines=None):
    return Applier(cluster, INVENTORY, (lines if lines is not None else []).append, PATIENCE)


async def password(cluster):
    secret = await cluster.get(SECRET, "redis-auth", NAMESPACE_NAME)
    return base64.b64decode(secret["data"]["password"]).decode()


async def test_apply_brings_everything_up(cluster, manifests):
    lines = []
    report = await applier(cluster, lines).apply(manifests)
    assert report.count("created") == len(manifests)
    gateway = await cluster.get(GATEWAY, "gateway", NAMESPACE_NAME)
    assert {entry["type"]: entry["status"] for entry in gateway["status"]["conditions"]}["Programmed"] == "True"
    assert any("waiting" in line for line in lines)
    assert await password(cluster) not in "\n".join(lines)


async def test_applying_again_changes_nothing_and_says_so(cluster, manifests):
    before = await password(cluster)
    report = await applier(cluster).apply(manifests)
    assert report.labels("created", "changed", "deleted") == []
    assert report.summary().startswith("nothing to do: 0 created, 0 changed, 0 deleted")
    assert await password(cluster) == before


async def test_there_is_no_difference(cluster, manifests):
    assert (await differences(cluster, INVENTORY, manifests))[0] == []


async def test_a_difference_shows_what_and_hides_secrets(cluster, manifests):
    changed = [
        {**item, "data": {**item["data"], "redis.conf": "port 1\n"}}
        if item["metadata"]["name"] == "redis-config"
        else item
        for item in manifests
    ]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "extra", "namespace": NAMESPACE_NAME},
        "data": {"token": base64.b64encode(b"hunter2").decode()},
    }
    found, _ = await differences(cluster, INVENTORY, [*changed, secret])
    by_label = {change.label: change for change in found}
    assert by_label[f"ConfigMap {NAMESPACE_NAME}/redis-config"].op == "change"
    assert "+    port 1" in by_label[f"ConfigMap {NAMESPACE_NAME}/redis-config"].text
    assert by_label[f"Secret {NAMESPACE_NAME}/extra"].op == "create"
    assert base64.b64encode(b"hunter2").decode() not in by_label[f"Secret {NAMESPACE_NAME}/extra"].text


async def test_what_is_no_longer_declared_is_deleted(cluster, manifests):
    extra = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extra", "namespace": NAMESPACE_NAME},
        "data": {"a": "b"},
    }
    assert (await applier(cluster).apply([*manifests, extra])).labels("created") == [
        f"ConfigMap {NAMESPACE_NAME}/extra"
    ]
    assert [change.op for change in (await differences(cluster, INVENTORY, manifests))[0]] == ["delete"]
    report = await applier(cluster).apply(manifests)
    assert report.labels("deleted") == [f"ConfigMap {NAMESPACE_NAME}/extra"]
    assert await cluster.find(CONFIG_MAP, "extra", NAMESPACE_NAME) is None


async def test_a_refused_object_is_named_with_the_reason_and_what_was_done(cluster, manifests):
    wrong = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "wrong", "namespace": NAMESPACE_NAME},
        "spec": {"prots": []},
    }
    with pytest.raises(ApplyError) as caught:
        await applier(cluster).apply([*manifests, wrong])
    text = str(caught.value)
    assert text.startswith(f"Service {NAMESPACE_NAME}/wrong: ")
    assert "prots" in text
    assert "applied before: " in text
    assert caught.value.exit_code == 13
    assert (await applier(cluster).apply(manifests)).count("changed") == 0


async def test_pods_that_never_come_up_are_explained(cluster, manifests):
    broken = [_with_image(item, "sandbox.grayling.dev/none:1") for item in manifests]
    patient = Applier(cluster, INVENTORY, patience=Patience(30))
    with pytest.raises(NotReadyError) as caught:
        await patient.apply(broken)
    assert re.search(rf"StatefulSet {NAMESPACE_NAME}/redis is not ready after 3\d s: ", str(caught.value))
    assert "pod redis-0: container redis:" in str(caught.value)
    assert caught.value.exit_code == 10
    assert (await applier(cluster).apply(manifests)).labels("changed") == [f"StatefulSet {NAMESPACE_NAME}/redis"]


def _with_image(item, image):
    if item["kind"] != "StatefulSet" or item["metadata"]["name"] != "redis":
        return item
    spec = item["spec"]["template"]["spec"]
    containers = [{**one, "image": image} if one["name"] == "redis" else one for one in spec["containers"]]
    template = {**item["spec"]["template"], "spec": {**spec, "containers": containers}}
    return {**item, "spec": {**item["spec"], "template": template}}


async def test_destroy_leaves_nothing(cluster):
    plan = await plan_teardown(cluster, INVENTORY)
    report = await tear_down(cluster, INVENTORY, plan, PATIENCE, lambda _line: None)
    assert report.count("kept") == 0
    assert await cluster.find(NAMESPACE, NAMESPACE_NAME) is None
    assert (await INVENTORY.look(cluster)).members == {}
