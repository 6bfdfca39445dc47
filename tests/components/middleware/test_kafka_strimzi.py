"""A Kafka that Strimzi runs: what its operator is asked for, and the names by which services find what it makes."""

from __future__ import annotations

import os

import pytest

from components.deploy.render import as_yaml
from tests.components import kind_examples
from tests.components.accepted import refusals
from tests.components.conftest import ROOT
from tests.components.middleware.test_kafka import kafka, properties
from tests.components.model.values import IMAGE, of, pod, said

GOLDEN = ROOT / "tests" / "components" / "golden" / "kafka-strimzi.yaml"
OWNED = ("kafka.strimzi.io/v1", "networking.k8s.io/v1")


def strimzi(**more):
    return kafka(operator="strimzi", **more)


def spec(platform, kind, name="kafka"):
    return of(platform, kind, name)["spec"]


def test_golden():
    """After a change that is meant: GOLDEN=write, and read the diff."""
    made = kind_examples.declared("kafka", "strimzi", tier="prod").manifests()
    ours = [each for each in made if each["apiVersion"] in OWNED and each["metadata"]["name"].startswith("kafka")]
    text = as_yaml(ours)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "run with GOLDEN=write if the change is meant"


def test_strimzi_makes_the_pods_and_the_stack_none():
    made = strimzi(services=("orders",), tls={}).manifests()
    ours = [each for each in made if each["metadata"]["labels"].get("app.kubernetes.io/name") == "kafka"]
    assert {each["kind"] for each in ours} == {"ConfigMap", "Kafka", "KafkaNodePool", "KafkaUser", "NetworkPolicy"}
    assert [each for each in ours for _ in refusals(each)] == []


def test_nobody_gets_in_without_an_account_and_all_that_is_said_is_encrypted_with_tls():
    for settings, port, encrypted in (({"tls": {}}, 9093, True), ({}, 9092, False)):
        found = spec(strimzi(services=("orders",), **settings), "Kafka")["kafka"]
        (listener,) = found["listeners"]
        assert (listener["port"], listener["tls"]) == (port, encrypted)
        assert listener["authentication"] == {"type": "scram-sha-512"}
        assert found["authorization"] == {"type": "simple"}


def test_the_listener_is_open_to_users_alone_and_never_to_everybody():
    def heard(services):
        (listener,) = spec(strimzi(services=services), "Kafka")["kafka"]["listeners"]
        return [each["podSelector"]["matchLabels"] for each in listener["networkPolicyPeers"]]

    alone = [{"strimzi.io/cluster": "kafka"}]
    assert heard(()) == alone
    assert heard(("orders",)) == [*alone, {"app.kubernetes.io/name": "service", "app.kubernetes.io/instance": "orders"}]


def test_a_service_finds_what_strimzi_makes():
    made = strimzi(services=("orders",), tls={})
    container = pod(made, "orders")["containers"][0]
    found = {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    assert found["KAFKA_BOOTSTRAP_SERVERS"] == "kafka-kafka-bootstrap.shop.svc:9093"
    assert found["KAFKA_USERNAME"] == of(made, "KafkaUser", "kafka-orders")["metadata"]["name"]
    assert found["KAFKA_PASSWORD"] == {"name": "kafka-orders", "key": "password"}
    assert (found["KAFKA_SECURITY_PROTOCOL"], found["KAFKA_SASL_MECHANISM"]) == ("SASL_SSL", "SCRAM-SHA-512")
    (authority,) = [each for each in pod(made, "orders")["volumes"] if each["name"] == "grayling-ca-kafka"]
    assert authority["secret"]["secretName"] == "kafka-cluster-ca-cert"
    policy = spec(made, "NetworkPolicy", "orders")
    assert {"strimzi.io/cluster": "kafka", "strimzi.io/name": "kafka-kafka"} in [
        whom["podSelector"]["matchLabels"] for rule in policy["egress"] for whom in rule.get("to", ())
    ]


def test_a_service_may_read_and_write_everything_and_administer_nothing():
    found = spec(strimzi(services=("orders",)), "KafkaUser", "kafka-orders")
    asked = {(each["resource"]["type"], what) for each in found["authorization"]["acls"] for what in each["operations"]}
    assert {"cluster", "Create", "Alter", "AlterConfigs", "ClusterAction", "All"} & {
        x for pair in asked for x in pair
    } == set()
    assert {("topic", "Read"), ("topic", "Write"), ("group", "Read"), ("transactionalId", "Write")} < asked
    assert found["authentication"] == {"type": "scram-sha-512"}


def test_both_modes_say_the_same_of_messages_and_strimzi_is_told_nothing_that_it_writes_itself():
    settings = {"members": 3, "retention": "1d", "extraConfig": {"controller.quorum.election.timeout.ms": 5000}}
    found = spec(strimzi(**settings), "Kafka")["kafka"]["config"]
    own = properties(kafka(**settings))
    assert found == {key: own[key] for key in found}
    assert (found["min.insync.replicas"], found["log.retention.ms"]) == ("2", "86400000")
    assert found["controller.quorum.election.timeout.ms"] == "5000"
    theirs = ("listener", "sasl", "ssl", "node", "process", "log.dirs", "config.providers", "authorizer", "super")
    assert [key for key in found if key.startswith(theirs)] == []


def test_pools_are_of_the_members_the_voters_and_the_volumes_that_are_asked_for():
    one = strimzi(members=3)
    assert spec(one, "KafkaNodePool", "kafka-broker")["roles"] == ["controller", "broker"]
    two = strimzi(tier="prod", members=5, storage="100Gi", controllers={"members": 3, "storage": "8Gi"})
    brokers, voters = (spec(two, "KafkaNodePool", f"kafka-{each}") for each in ("broker", "controller"))
    assert (brokers["roles"], brokers["replicas"], brokers["storage"]["size"]) == (["broker"], 5, "100Gi")
    assert (voters["roles"], voters["replicas"], voters["storage"]["size"]) == (["controller"], 3, "8Gi")
    assert not brokers["storage"]["deleteClaim"]
    assert spec(strimzi(tier="local"), "KafkaNodePool", "kafka-broker")["storage"]["deleteClaim"]
    assert of(two, "KafkaNodePool", "kafka-broker")["metadata"]["labels"]["strimzi.io/cluster"] == "kafka"


def test_no_object_of_the_stack_looks_as_if_the_operator_had_made_it():
    for each in strimzi(services=("orders",)).manifests():
        labels = each["metadata"]["labels"].keys() - {"strimzi.io/cluster"}
        assert not any(key.startswith("strimzi.io/") for key in labels)
        assert each["kind"] in {"KafkaNodePool", "KafkaUser"} or "strimzi.io/cluster" not in each["metadata"]["labels"]


def test_where_pods_run_is_said_as_strimzi_takes_it():
    found = strimzi(nodeSelector={"disk": "fast"}, podAnnotations={"a.example.com/b": "c"}, priorityClass="high")
    template = spec(found, "KafkaNodePool", "kafka-broker")["template"]["pod"]
    (term,) = template["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [{"key": "disk", "operator": "In", "values": ["fast"]}]
    assert (template["priorityClassName"], template["metadata"]["annotations"]) == ("high", {"a.example.com/b": "c"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"agentImage": "quay.io/a/b:1"}, "agentImage: Strimzi brings its own"),
        ({"authSecret": "mine"}, "authSecret: Strimzi brings its own"),
        ({"tls": {"secret": "mine"}}, "write tls: {}"),
        ({"members": 2}, "give controllers: {members: 3}"),
        ({"members": 5}, "give controllers: {members: 3}"),
        ({"image": f"docker.io/apache/kafka@sha256:{'0' * 64}"}, "give one with a tag"),
    ],
)
def test_what_strimzi_decides_is_refused_with_what_to_do(settings, words):
    lines = said(components={"kafka": {"operator": "strimzi", **settings}})
    assert any(words in line for line in lines), lines


def test_topics_of_a_stack_are_not_kept_beside_strimzi_s_own():
    declared = {"operator": "strimzi", "topology": {"topics": {"orders": {}}}}
    lines = said(components={"kafka": declared, "topology": {"image": IMAGE}})
    assert any("topology: Strimzi keeps topics as its own objects" in line for line in lines), lines


def test_another_operator_is_none():
    lines = said(components={"kafka": {"operator": "koperator"}})
    assert any("grayling:components.kafka.operator" in line for line in lines), lines


def test_the_own_mode_is_untouched_by_it():
    kinds = {each["kind"] for each in kafka(services=("orders",)).manifests()}
    assert not kinds & {"Kafka", "KafkaNodePool", "KafkaUser"}
