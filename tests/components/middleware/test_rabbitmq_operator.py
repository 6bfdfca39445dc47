"""What RabbitMQ's cluster operator is given to read, and what a stack keeps to itself."""

from __future__ import annotations

import os

import pytest
import yaml

from components.deploy.object_readiness import WAITED_FOR, readiness
from components.model.credentials import draw, recipe_of
from components.model.mistakes import StackError
from tests.components import kind_examples
from tests.components.conftest import ROOT, read

GOLDEN = ROOT / "tests" / "components" / "golden" / "modes" / "rabbitmq-operator.yaml"


def objects(tier="prod"):
    made = kind_examples.declared("rabbitmq", "operator", tier=tier, namespace="shop")
    return {(each["kind"], each["metadata"]["name"]): each for each in made.manifests()}


def template(made):
    return made["RabbitmqCluster", "rabbitmq"]["spec"]["override"]["statefulSet"]["spec"]["template"]


def lines(made):
    text = made["RabbitmqCluster", "rabbitmq"]["spec"]["rabbitmq"]["additionalConfig"]
    return dict(line.split(" = ") for line in text.splitlines())


def test_it_is_what_the_golden_file_says():
    text = yaml.safe_dump_all(objects().values(), sort_keys=True)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "run with GOLDEN=write if the change is meant"


def test_the_operator_makes_the_pods_and_nobody_else_does():
    kinds = {kind for kind, _ in objects()}
    assert {"RabbitmqCluster", "NetworkPolicy", "PodDisruptionBudget", "Secret"} <= kinds
    assert not {"StatefulSet", "Service"} & kinds


def test_policies_budget_and_metrics_find_the_pods_that_it_makes():
    made = objects()
    labels = template(made)["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "rabbitmq"  # the name of the object: the operator selects by it
    for kind, where in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        assert made[kind, "rabbitmq"]["spec"][where]["matchLabels"].items() <= labels.items()
    (server,) = template(made)["spec"]["containers"]
    assert {"name": "metrics", "containerPort": 15692, "protocol": "TCP"} in server["ports"]
    assert lines(made)["prometheus.tcp.port"] == "15692"


def test_pods_are_as_restricted_as_a_namespace_of_a_stack_asks():
    spec = template(objects())["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    named = {each["name"]: each for each in [*spec["initContainers"], *spec["containers"]]}
    assert set(named) == {"setup-container", "definitions", "rabbitmq"}
    for each in named.values():
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_first_user_is_the_one_that_the_operator_is_told_of():
    made = objects()
    (name,) = made["RabbitmqCluster", "rabbitmq"]["spec"]["secretBackend"]["externalSecret"].values()
    values = draw(recipe_of(made["Secret", name]))
    assert values["default_user.conf"] == f"default_user = {values['username']}\ndefault_pass = {values['password']}\n"
    assert f'"name": "{values["username"]}"' in values["10-users.json"]
    paths = [item["path"] for item in sources(made)]
    assert sorted(paths) == ["10-users.json", "20-policies.json", "30-shop.json"]


def sources(made):
    (found,) = [each["projected"] for each in template(made)["spec"]["volumes"] if each["name"] == "definitions"]
    for source in found["sources"]:
        yield from next(iter(source.values()))["items"]


def test_nothing_travels_in_the_clear_where_there_is_a_certificate():
    made = objects()
    assert made["RabbitmqCluster", "rabbitmq"]["spec"]["tls"] == {
        "secretName": "rabbitmq-tls",
        "disableNonTLSListeners": True,
    }
    assert draw(recipe_of(made["Secret", "rabbitmq-shop-auth"]))["url"].endswith("@rabbitmq.shop.svc:5671/")


@pytest.mark.parametrize("key", ["cluster_partition_handling", "auth_mechanisms.1", "prometheus.ssl.port"])
def test_what_the_operator_writes_is_refused(key):
    with pytest.raises(StackError) as told:
        read(components={"rabbitmq": {"operator": "cluster-operator", "extraConfig": {key: "x"}}})
    assert f"extraConfig.{key}" in str(told.value)


def test_without_an_operator_it_is_never_taken_for_ready():
    made = objects()["RabbitmqCluster", "rabbitmq"]
    assert made["kind"] in WAITED_FOR
    assert not readiness(made).ready
    assert "no operator" in readiness(made).reason
    conditions = [{"type": "AllReplicasReady", "status": "False", "message": "1/3 Pods ready"}]
    assert readiness({**made, "status": {"conditions": conditions}}).reason == "1/3 Pods ready"
    conditions = [{"type": "AllReplicasReady", "status": "True"}]
    assert readiness({**made, "status": {"conditions": conditions}}).ready
