"""The topology of a Kafka in a stack file: what cannot be is told with its fix, what can becomes items."""

import pytest

from components.model.mistakes import StackError
from components.workloads.policy_rules import pod_template_of
from tests.components.conftest import read
from tests.components.model.values import IMAGE

RIGHT = {"topic": "orders", "operations": ["read"]}


def stack(topology, services=None, **settings):
    members = {"kafka": {"members": 3, "topology": topology, **settings}, "topology": {"image": IMAGE}}
    return read(components=members, **({"services": services} if services else {}))


def of(manifests, kind, name):
    return next(item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        ({"topics": {"a b": {}}}, "is no name of a topic (found 'a b'); use at most 249 of A-Z a-z 0-9 . _ and -"),
        ({"topics": {"x" * 250: {}}}, "is no name of a topic"),
        ({"topics": {"__offsets": {}}}, "is kept for Kafka itself (found '__offsets'); give it another name"),
        ({"topics": {"..": {}}}, "is kept for Kafka itself"),
        ({"topics": {"a.b": {}, "a_b": {}}}, "topology.topics.a_b: is 'a.b' to its metrics, where . is _; rename it"),
        (
            {"topics": {"a": {"configs": {"retention.mss": 1}}}},
            "no setting of a topic (found 'retention.mss'); did you mean 'retention.ms'?",
        ),
        ({"topics": {"a": {"partitions": 0}}}, "topology.topics.a.partitions"),
        (
            {"topics": {"a": {"replication": 5}}},
            "topics.a.replication: 5 copies want as many brokers, and there are 3; lower it, or raise members",
        ),
        ({"users": {"broker": {}}}, "the account 'broker' is of Kafka itself or the reconciler's (found 'broker')"),
        ({"users": {"topology": {}}}, "take another name"),
        (
            {"users": {"reports": {"rights": [{**RIGHT, "group": "g"}]}}},
            "users.reports.rights.0.topic: a right is to one thing; give topic, group or transactionalId",
        ),
        ({"users": {"reports": {"rights": [{"operations": ["read"]}]}}}, "a right is to one thing"),
        (
            {"users": {"reports": {"rights": [{**RIGHT, "operations": ["raed"]}]}}},
            "rights.0.operations.0: 'raed' is nothing to be done with it; did you mean 'read'?",
        ),
        ({"users": {"reports": {"rights": [{**RIGHT, "topic": "a*b"}]}}}, "the beginning of names with * after it"),
        (
            {"users": {"reports": {"rights": [RIGHT, {**RIGHT, "operations": ["write"]}]}}},
            "users.reports.rights.1: acl reports topic orders is there twice; make them one",
        ),
        ({"quotas": {"nobody": {"requestPercentage": 5}}, "users": {"nobodi": {}}}, "did you mean 'nobodi'?"),
        ({"users": {"reports": {}}, "quotas": {"reports": {}}}, "a quota limits something; give at least one limit"),
        ({"topics": {f"t{number}": {} for number in range(2001)}}, "has 2001 items, and one Kafka takes 2000"),
        ({"topcs": {}}, "topology.topcs: no such key (found {}); did you mean 'topics'?"),
    ],
)
def test_what_cannot_be_is_told_with_its_place_and_its_fix(topology, told):
    with pytest.raises(StackError) as error:
        stack(topology)
    assert told in str(error.value)
    assert "stacks/Pulumi.test.yaml" in str(error.value)


def test_a_service_has_its_account_by_using_the_broker_and_its_limit_here():
    services = {"billing": {"image": IMAGE, "uses": ["kafka"]}}
    with pytest.raises(StackError) as error:
        stack({"users": {"billing": {}}}, services)
    assert "kafka.topology.users.billing: is the account of the service billing; take another" in str(error.value)
    made = of(stack({"quotas": {"billing": {"producerByteRate": "1Mi"}}}, services).manifests(), "Topology", "kafka")
    (quota,) = made["spec"]["items"]
    assert (quota["label"], quota["settings"]["producer_byte_rate"]) == ("quota billing", 2**20)


def test_no_service_is_called_as_the_reconciler_is():
    with pytest.raises(StackError, match="topology is an account of kafka itself"):
        read(components={"kafka": {}}, services={"topology": {"image": IMAGE, "uses": ["kafka"]}})


def test_items_say_what_the_stack_file_leaves_to_the_component():
    topics = {"orders": {"partitions": 6, "configs": {"retention.ms": 1000, "preallocate": True}}, "audit": {}}
    rights = [RIGHT, {"group": "*", "operations": ["read"]}, {"topic": "in-*", "operations": ["write", "read"]}]
    declared = {"topics": topics, "users": {"reports": {"rights": rights}}}
    made = of(stack(declared, tls={}, partitions=12).manifests(), "Topology", "kafka")["spec"]
    items = {each["label"]: each.get("settings") for each in made["items"]}
    assert list(items) == [
        "user reports",
        "acl reports topic orders",
        "acl reports group *",
        "acl reports topic in-*",
        "topic orders",
        "topic audit",
    ]
    assert items["topic orders"] == {
        "partitions": 6, "replication": 3, "retention.ms": "1000", "preallocate": "true",
    }  # fmt: skip
    assert items["topic audit"] == {"partitions": 12, "replication": 3}
    assert items["acl reports topic in-*"] == {
        "user": "reports", "resource": "topic", "name": "in-", "pattern": "prefixed", "operations": ["read", "write"],
    }  # fmt: skip
    assert items["acl reports group *"]["pattern"] == "literal"
    assert made["address"] == "kafkas://kafka.shop.svc:9093"


def test_the_reconciler_has_an_account_of_its_own_that_reads_no_message():
    manifests = stack({"users": {"reports": {}, "theirs": {"secret": "given"}}}, tls={}).manifests()
    template = pod_template_of(of(manifests, "Deployment", "topology"))
    (volume,) = [each for each in template["spec"]["volumes"] if each["name"] == "kafka"]
    files = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    assert files == {
        "username": ("kafka-topology-auth", "username"),
        "password": ("kafka-topology-auth", "password"),
        "users/reports": ("kafka-user-reports", "password"),
        "users/theirs": ("given", "password"),
        "ca.crt": ("kafka-tls", "ca.crt"),
    }
    script = of(manifests, "ConfigMap", "kafka-tools")["data"]["accounts.sh"]
    given = [line for line in script.splitlines() if "User:topology" in line]
    assert given
    assert not [line for line in given if "Read" in line or "Write" in line]
    assert (
        "User:topology"
        not in of(read(components={"kafka": {}}).manifests(), "ConfigMap", "kafka-tools")["data"]["accounts.sh"]
    )


def test_the_reconciler_reaches_brokers_only_where_it_is_needed():
    def readers(manifests):
        ways = of(manifests, "NetworkPolicy", "kafka-broker")["spec"]["ingress"]
        opened = [rule for rule in ways if {"port": 9092, "protocol": "TCP"} in rule["ports"]]
        peers = [peer["podSelector"]["matchLabels"] for rule in opened for peer in rule["from"]]
        return {peer.get("app.kubernetes.io/name") for peer in peers}

    assert "topology" in readers(stack({"topics": {"orders": {}}}).manifests())
    assert "topology" not in readers(read(components={"kafka": {}, "topology": {"image": IMAGE}}).manifests())
