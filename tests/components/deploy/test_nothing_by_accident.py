"""What goes is named, counted and consented to; what belongs to others is left alone; the cluster is the right one."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from components.deploy.inventory import Inventory
from components.deploy.prune import held_by
from components.deploy.survey import Survey
from tests.components.conftest import ROOT

REDIS = "redis: {image: 'registry.example.com/redis:7.0'}"


def stack(namespace="shop", components=REDIS, more="", environment=""):
    return (
        f"config:\n  grayling:environment: {{tier: dev, namespace: {namespace}, owners: [a]{environment}}}\n"
        f"  grayling:components:\n    {components}\n{more}"
    )


@pytest.fixture
def shop(person):
    path = person.stack("shop", stack())
    result = person.apply(path)
    assert result.code == 0, result.err
    return path


def test_applying_again_writes_nothing_but_the_same(person, shop):
    assert person.apply(shop).err.splitlines()[-1].startswith("nothing to do: 0 created, 0 changed, 0 deleted")


def test_the_cluster_is_named(person, shop):
    for command in (
        ("apply", shop, "--yes", "--timeout", "0"),
        ("diff", shop),
        ("destroy", shop, "--yes", "--timeout", "0"),
    ):
        assert f"cluster: context test (http://127.0.0.1:{person.server.port})" in person.on(*command).err


def test_a_stateful_set_goes_only_with_consent(person, shop):
    person.stack("shop", stack(components="rabbitmq: {image: 'registry.example.com/rabbit:3'}"))
    before = person.labels()
    result = person.apply(shop)
    assert result.code == 6
    assert "it would delete StatefulSet shop/redis" in result.err
    assert "--allow-delete" in result.err
    assert person.labels() == before, "nothing may be written before that is refused"
    told = person.on("diff", shop)
    assert "apply wants --allow-delete" in told.err
    assert person.apply(shop, "--allow-delete").code == 0
    assert "StatefulSet/shop/redis" not in person.labels()


def test_many_objects_at_once_go_only_with_consent():
    live = {(str(n), "", "", ""): {"kind": "ConfigMap", "metadata": {"name": str(n)}} for n in range(30)}
    few, many = list(live.values())[:6], list(live.values())[:7]
    assert Survey(live, gone=few).needs_consent() == ""
    assert "7 of the 30 objects" in Survey(live, gone=many).needs_consent()
    three = Survey(dict(list(live.items())[:4]), gone=few[:3])
    assert three.needs_consent() == ""


def test_another_stack_of_the_same_names_is_refused_before_the_first_write(person, shop):
    other = person.stack("other", stack())
    before = {key: item["metadata"]["resourceVersion"] for key, item in person.server.objects.items()}
    result = person.apply(other)
    assert result.code == 6
    assert "stack shop of namespace shop keeps" in result.err
    assert "Namespace shop" in result.err
    told = "a namespace holds one stack: change environment.namespace of one of the two (here it is shop)"
    assert told in result.err
    person.stack("other", stack(environment=", createNamespace: false"))
    assert told in person.apply(other).err, "its policy is the first one's too"
    person.stack("other", stack())
    assert {key: item["metadata"]["resourceVersion"] for key, item in person.server.objects.items()} == before
    differing = person.on("diff", other)
    assert differing.code == 1
    assert "refused stack shop of namespace shop keeps" in differing.out


def test_what_somebody_made_by_hand_is_refused_and_can_be_adopted(person):
    path = person.stack("shop", stack())
    person.done(lambda: person.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
    result = person.apply(path)
    assert result.code == 6
    assert "Namespace shop is there already and of no stack" in result.err
    assert person.on("adopt", path, "--yes").code == 0
    assert person.apply(path).code == 0


def test_a_namespace_that_others_live_in_does_not_go(person, shop):
    parent = Inventory("lodger", "shop").parent([("v1", "ConfigMap")], ["shop"])
    person.done(lambda: person.server.put(parent))
    result = person.on("destroy", shop, "--yes", "--timeout", "5")
    assert result.code == 6
    assert "Namespace shop holds grayling-stack-lodger too" in result.err
    person.done(lambda: person.server.remove(("/api/v1", "configmaps", "shop", "grayling-stack-lodger")))
    assert person.on("destroy", shop, "--yes", "--timeout", "5").code == 0
    assert person.labels() == set()


def test_destroying_what_is_not_there(person):
    path = person.stack("shop", stack())
    result = person.on("destroy", path, "--yes")
    assert result.code == 1
    assert "nothing of stack shop in namespace shop: is it another cluster?" in result.err
    assert person.on("destroy", path, "--yes", "--missing-ok").code == 0


COMMANDS = {"apply": ("--yes",), "destroy": ("--yes", "--missing-ok"), "diff": ()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_knows_nothing_is_no_cluster_without_the_stack(person, command):
    path = person.stack("shop", stack())
    for status in (401, 403, 404):
        person.server.faults.clear()
        person.server.fail("GET", "", status, times=1000)
        result = person.on(command, path, *COMMANDS[command])
        assert result.code == 1
        assert "no Kubernetes that knows these credentials" in result.err


@pytest.mark.parametrize("key", ["cluster: other", "cluster: 'https://10.0.0.1:6443'"])
def test_a_stack_of_another_cluster_is_refused(person, key):
    path = person.stack("shop", stack(environment=f", {key}"))
    result = person.on("apply", path, "--yes", "--context", "test")
    assert result.code == 2
    assert "stacks/Pulumi.shop.yaml: grayling:environment.cluster: this stack belongs to" in result.err
    assert person.labels() == set()


def test_the_context_that_the_stack_names_is_used(person):
    path = person.stack("shop", stack() + "  kubernetes:context: other\n")
    assert "cluster: context other" in person.on("diff", path).err
    assert person.on("diff", path, "--context", "test").code == 2


def test_a_context_that_does_not_exist(person, shop):
    result = person.on("diff", shop, "--context", "tset")
    assert result.code == 2
    assert "has no such context: did you mean 'test'?" in result.err


def test_storage_is_not_edited_in_place(person):
    path = person.stack("shop", stack(components="redis: {image: 'r.example.com/redis:7.0', storage: 1Gi}"))
    assert person.apply(path).code == 0
    person.stack("shop", stack(components="redis: {image: 'r.example.com/redis:7.0', storage: 2Gi}"))
    result = person.apply(path)
    assert result.code == 6
    assert "StatefulSet shop/redis: its volumes cannot be changed in place (data 1Gi → 2Gi)" in result.err


def test_a_node_port_of_somebody_else(person):
    gateway = "gateway: {exposure: {type: NodePort, httpNodePort: 30080}}"
    taken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "old"},
             "spec": {"ports": [{"port": 80, "nodePort": 30080}]}}  # fmt: skip
    person.done(lambda: person.server.put(taken))
    result = person.apply(person.stack("shop", stack(components=gateway)))
    assert result.code == 6
    assert "node port 30080 of Service shop/gateway-envoy is taken by Service old/web" in result.err


def test_secrets_are_left_out_of_a_render_unless_asked_for(person, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "open")
    path = person.stack("shop", stack())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hunter2")))
    assert person.grayling("secret", "set", path, "payment.token").code == 0
    result = person.grayling("render", path)
    assert "payment" not in result.out
    assert "left out: Secret shop/payment" in result.err
    folder = person.project / "out"
    assert person.grayling("render", path, "-o", str(folder), "--with-secrets").code == 0
    [written] = folder.rglob("secret-payment.yaml")
    assert written.stat().st_mode & 0o077 == 0
    assert person.grayling("render", path, "-o", str(folder)).code == 0
    assert list(folder.rglob("secret-payment.yaml")) == []


def answered(person, answer, *arguments):
    """The command at a real terminal."""
    main, side = pty.openpty()
    argv = [sys.executable, "-m", "grayling", "stack", *arguments, "--kubeconfig", person.kubeconfig]
    os.write(main, answer.encode())
    done = subprocess.run(argv, stdin=side, capture_output=True, text=True, cwd=ROOT, check=False)
    os.close(main)
    os.close(side)
    return done


def test_a_person_is_asked(person, shop):
    before = person.labels()
    said = answered(person, "n\n", "destroy", shop, "--timeout", "5")
    assert said.returncode != 0
    assert "cluster: context test" in said.stderr
    assert "StatefulSet shop/redis" in said.stderr
    assert "destroy stack shop on context test" in said.stderr
    assert person.labels() == before
    assert answered(person, "y\n", "destroy", shop, "--timeout", "5").returncode == 0
    assert person.labels() == set()


@pytest.mark.parametrize(
    ("finalizers", "expected"),
    [
        (["foregroundDeletion"], "what belongs to it is not gone yet"),
        (["foregroundDeletion", "a/b"], "held by a/b; whoever set it must be running"),
        ([], "still terminating"),
    ],
)
def test_what_holds_an_object_that_goes(finalizers, expected):
    assert held_by({"metadata": {"finalizers": finalizers}}) == expected
