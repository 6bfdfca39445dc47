"""Ways to lose something by accident, each tried: what goes wrong half way, by hand, or between a look and a write."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.deploy.folder import LIST, write_folder
from components.deploy.freeing import free
from components.deploy.inventory import PART_OF, Inventory
from components.model.layers import OWNER_ANNOTATION
from kube.errors import GraylingError
from kube.kinds import KNOWN
from tests.components.conftest import ROOT
from tests.components.deploy.test_folder import OBJECTS, files, item
from tests.components.deploy.test_nothing_by_accident import REDIS, stack
from tests.fakes.apiserver import running

RABBIT = "rabbitmq: {image: 'registry.example.com/rabbit:3'}"
BOTH = f"{REDIS}\n    {RABBIT}"
GATEWAY = "gateway: {exposure: {type: ClusterIP}}"
INVENTORY = Inventory("shop", "shop")


@pytest.fixture
def shop(person):
    path = person.stack("shop", stack())
    assert person.apply(path).code == 0
    return path


def key_of(kind, name, namespace="shop"):
    found = next(each for each in KNOWN.values() if each.kind == kind)
    return (found.base, found.plural, namespace, name)


def without_inventory(person):
    person.done(lambda: person.server.remove(key_of("ConfigMap", INVENTORY.name)))


def test_the_inventory_was_deleted_by_hand_before_an_apply(person):
    path = person.stack("shop", stack(components=BOTH))
    assert person.apply(path).code == 0
    without_inventory(person)
    person.stack("shop", stack(components=GATEWAY))
    result = person.apply(path)
    assert result.code == 6
    assert "it would delete StatefulSet shop/" in result.err
    assert person.apply(path, "--allow-delete").code == 0
    assert not any(label.startswith("StatefulSet") for label in person.labels())


def test_the_inventory_was_deleted_by_hand_before_a_destroy(person, shop):
    without_inventory(person)
    result = person.on("destroy", shop, "--yes", "--timeout", "5")
    assert result.code == 0, result.err
    assert person.labels() == set()


def test_the_namespace_was_deleted_by_hand(person):
    path = person.stack("shop", stack(components=GATEWAY))
    assert person.apply(path).code == 0

    def gone():
        for key in [key for key in person.server.objects if "shop" in {key[2], key[3]}]:
            person.server.remove(key)

    person.done(gone)
    assert "ClusterRole/shop-gateway-contour" in person.labels()
    result = person.on("destroy", path, "--yes", "--timeout", "5")
    assert result.code == 0, result.err
    assert person.labels() == set()


def test_the_namespace_was_renamed_in_the_file(person, shop):
    before = person.labels()
    person.stack("shop", stack("store"))
    destroyed = person.on("destroy", shop, "--yes")
    assert destroyed.code == 1
    assert (
        "nothing of stack shop in namespace store: one of that name is in shop: was environment.namespace"
        in destroyed.err
    )
    assert person.labels() == before
    handed = person.on("hand-over", shop, "--yes")
    assert handed.code == 1
    assert "one of that name is in shop" in handed.err
    applied = person.apply(shop)
    assert "a stack shop stands in namespace shop too" in applied.err
    assert "destroy it with the file as it was" in applied.err
    assert before <= person.labels()


def test_somebody_makes_an_object_after_the_look(person):
    path = person.stack("shop", stack())
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mine": "1"},
              "metadata": {"name": "redis", "namespace": "shop", "labels": {PART_OF: "applyset-other-v1"}}}  # fmt: skip
    config = next(each for each in person.grayling("render", path).out.split("---\n") if "kind: ConfigMap" in each)
    theirs["metadata"]["name"] = config.partition("\n  name: ")[2].partition("\n")[0]
    person.server.meanwhile = ("POST /api/v1/namespaces/shop/configmaps", lambda: person.server.put(theirs))
    result = person.apply(path)
    assert result.code == 11
    assert f"ConfigMap shop/{theirs['metadata']['name']}: somebody has made it since this command looked" in result.err
    assert "--force-conflicts" not in result.err
    live = person.server.find("ConfigMap", theirs["metadata"]["name"])
    assert (live["data"], live["metadata"]["labels"]) == (theirs["data"], theirs["metadata"]["labels"])
    again = person.apply(path)
    assert again.code == 6
    assert "another stack (applyset-other-v1) keeps ConfigMap shop/" in again.err


def test_the_file_is_edited_while_the_command_runs(person, shop):
    other = stack("store", components=GATEWAY)
    for command in (
        ("apply", shop, "--yes", "--timeout", "0"),
        ("diff", shop),
        ("destroy", shop, "--yes", "--timeout", "5"),
    ):
        person.stack("shop", stack())
        person.server.meanwhile = ("GET /api/v1", lambda: person.stack("shop", other))
        result = person.on(*command)
        assert result.code == 0, result.err
        assert person.server.meanwhile is None
        assert not any("store" in label for label in person.labels())
    assert person.labels() == set()


def test_the_context_is_switched_while_the_command_runs(person, shop):
    config = Path(person.kubeconfig)
    text = config.read_text()
    person.server.meanwhile = ("GET /api/v1", lambda: config.write_text(text.replace("127.0.0.1", "192.0.2.1")))
    result = person.apply(shop)
    assert result.code == 0, result.err


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
@pytest.mark.parametrize("command", ["apply", "destroy", "adopt", "hand-over"])
def test_the_server_refuses_half_way_and_the_next_run_ends_it(person, command, status):
    path = person.stack("shop", stack(components=BOTH))
    arguments = {"apply": ("--timeout", "0"), "destroy": ("--timeout", "5")}.get(command, ())
    if command != "apply":
        assert person.apply(path).code == 0
    if command == "adopt":
        assert person.on("hand-over", path, "--yes").code == 0
    method = "DELETE" if command == "destroy" else "PATCH"
    person.server.fail(method, "/services/|/statefulsets/", status, times=3)
    before = person.labels()
    failed = person.on(command, path, "--yes", *arguments)
    assert failed.code not in {0, 3}, failed.err
    assert "unexpected" not in failed.err
    assert "Traceback" not in failed.err
    if command in {"adopt", "hand-over"}:
        assert person.labels() - {f"ConfigMap/shop/{INVENTORY.name}"} == before - {f"ConfigMap/shop/{INVENTORY.name}"}
    person.server.faults.clear()
    again = person.on(command, path, "--yes", *arguments)
    assert again.code == 0, again.err
    if command == "destroy":
        assert person.labels() == set()
    if command == "apply":
        assert person.on("diff", path).err.splitlines()[-1] == "no difference"


def test_an_object_that_is_being_deleted(person, shop):
    def going():
        live = person.server.find("StatefulSet", "redis")
        live["metadata"] |= {"finalizers": ["example.com/backup"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        person.server.put(live)

    person.done(going)
    result = person.apply(shop)
    assert result.code == 6
    assert "StatefulSet shop/redis is being deleted: held by example.com/backup" in result.err
    assert "wait until it is gone, and run this again" in result.err
    destroyed = person.on("destroy", shop, "--yes", "--timeout", "0.1")
    assert destroyed.code == 10
    assert "StatefulSet shop/redis is not gone after" in destroyed.err


def test_a_copy_with_all_labels_is_nobodys_to_prune_or_destroy(person, shop):
    def copied():
        live = person.server.find("StatefulSet", "redis")
        meta = {"name": "redis-backup", "namespace": "shop", "labels": dict(live["metadata"]["labels"])}
        made = {**live, "metadata": {**meta, "managedFields": [{"manager": "kubectl-create", "operation": "Update"}]}}
        person.server.put(made)

    person.done(copied)
    result = person.apply(shop)
    assert result.code == 0, result.err
    assert (
        "left alone, since they bear this stack's label and it never wrote them: StatefulSet shop/redis-backup"
        in result.err
    )
    assert "StatefulSet/shop/redis-backup" in person.labels()
    destroyed = person.on("destroy", shop, "--yes", "--timeout", "5")
    assert "left alone" in destroyed.err
    assert "StatefulSet/shop/redis-backup" in person.labels()


def test_what_kubectl_wrote_is_not_taken_without_a_word(person, shop):
    def edited():
        live = person.server.find("StatefulSet", "redis")
        live["spec"]["replicas"] = 7
        fields = {"f:spec": {"f:replicas": {}}}
        live["metadata"]["managedFields"].append(
            {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "fieldsV1": fields}
        )  # fmt: skip
        person.server.put(live)

    person.done(edited)
    assert "conflict StatefulSet shop/redis" in person.on("diff", shop).out
    result = person.apply(shop)
    assert result.code == 11
    assert "remove it there, or pass --force-conflicts to take it" in result.err
    assert person.server.find("StatefulSet", "redis")["spec"]["replicas"] == 7


def test_nothing_but_the_link_is_written_through(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    write_folder(OBJECTS, link, "shop")
    (tmp_path / "outside.yaml").write_text("theirs")
    config = real / "20-instances" / "shop" / "configmap-a.yaml"
    config.unlink()
    config.symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(GraylingError, match="leads out of"):
        write_folder(OBJECTS, link, "shop")
    write_folder(OBJECTS[:1], link, "shop")
    assert (tmp_path / "outside.yaml").read_text() == "theirs"


def test_a_folder_that_takes_no_files(person):
    path = person.stack("shop", stack())
    result = person.grayling("render", path, "-o", "/proc/grayling")
    assert result.code == 1
    assert result.err.startswith("Error: /proc/grayling: cannot be written: ")
    assert "unexpected" not in result.err


def test_a_disk_that_is_full_half_way(tmp_path):
    large = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "b", "namespace": "shop"},
        "data": {"x": "y" * 9000},
    }
    out = tmp_path / "out"
    write_folder(OBJECTS, out, "shop")
    before = files(out)
    program = (
        "import json, pathlib, sys\nfrom components.deploy.folder import write_folder\n"
        "from kube.errors import GraylingError\n"
        "try:\n  write_folder(json.load(sys.stdin), pathlib.Path(sys.argv[1]), 'shop')\n"
        "except GraylingError as error:\n  print(error)\n"
    )

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(out)], input=json.dumps([*OBJECTS[:2], large]), text=True,
        capture_output=True, cwd=ROOT, check=True, preexec_fn=full,
    )  # fmt: skip
    assert "configmap-b.yaml: cannot be written: File too large; what is written stays listed in" in done.stdout
    assert files(out) == before
    listed = set(json.loads((out / LIST).read_text())["files"])
    assert before - {LIST} <= listed
    write_folder([*OBJECTS[:2], large], out, "shop")
    assert len(files(out)) == 4
    shutil.rmtree(out)


def test_a_kind_that_is_not_served_for_a_while_is_not_forgotten(person):
    path = person.stack("shop", stack(components=f"{BOTH}\n    {GATEWAY}"))
    assert person.apply(path).code == 0
    person.stack("shop", stack(components=BOTH))
    person.server.fail("GET", "/gateway.networking.k8s.io/v1/gateways$", 404, times=999)
    assert person.apply(path, "--allow-delete").code == 0
    assert "Gateway/shop/gateway" in person.labels()
    person.server.faults.clear()
    assert person.apply(path, "--allow-delete").code == 0
    assert "Gateway/shop/gateway" not in person.labels()


async def test_what_somebody_else_has_taken_up_keeps_their_marks():
    async with running() as server, server.cluster() as cluster:
        marks = {"labels": {PART_OF: "ours"}, "annotations": {OWNER_ANNOTATION: "a/a"}}
        ours = {**item("GatewayClass", "contour", None), "apiVersion": "gateway.networking.k8s.io/v1"}
        server.put({**ours, "metadata": {"name": "contour", **marks}})
        read = await cluster.get(await cluster.resolve(ours), "contour")
        server.put({**ours, "metadata": {"name": "contour", "labels": {PART_OF: "theirs"}, "annotations": {}}})
        await free(cluster, {**ours, **read})
        live = server.find("GatewayClass", "contour", "")
        assert live["metadata"]["labels"] == {PART_OF: "theirs"}
        server.put({**ours, "metadata": {"name": "contour", **marks}})
        await free(cluster, {**ours, **read})
        live = server.find("GatewayClass", "contour", "")
        assert (live["metadata"]["labels"], live["metadata"]["annotations"]) == ({}, {})
