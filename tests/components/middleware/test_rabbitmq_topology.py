"""A topology in a stack file: what cannot be is told with its place and its fix, what can be becomes items."""

import pytest

from components.model.mistakes import StackError
from components.workloads.policy_rules import pod_template_of
from tests.components.conftest import read
from tests.components.model.values import IMAGE


def stack(topology, *, reconciler=True, **settings):
    members = {"rabbitmq": {"topology": topology, **settings}}
    return read(components={**members, **({"topology": {"image": IMAGE}} if reconciler else {})})


QUEUE = {"queues": {"billing": {}}, "exchanges": {"orders": {}}}
BOUND = {"from": "orders", "queue": "billing"}


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        (
            {**QUEUE, "bindings": [{"from": "orders", "queue": "biling"}]},
            "rabbitmq.topology.bindings.0.queue: no queue 'biling' here; did you mean 'billing'?",
        ),
        (
            {**QUEUE, "bindings": [{"from": "order", "queue": "billing"}]},
            "rabbitmq.topology.bindings.0.from: no exchange 'order' here; did you mean 'orders'?",
        ),
        (
            {**QUEUE, "bindings": [{"from": "orders", "exchange": "dead"}]},
            "rabbitmq.topology.bindings.0.exchange: no exchange 'dead' here",
        ),
        (
            {**QUEUE, "bindings": [{**BOUND, "exchange": "amq.topic"}]},
            "rabbitmq.topology.bindings.0.queue: a binding leads to one queue or one exchange",
        ),
        (
            {**QUEUE, "bindings": [BOUND, BOUND]},
            "rabbitmq.topology.bindings.1: orders -> queue billing () is there twice",
        ),
        (
            {"queues": {"amq.mine": {}}},
            "begins with amq., as the broker's own do (found 'amq.mine'); give it another name",
        ),
        ({"queues": {"x" * 256: {}}}, "is no name of at most 255 bytes"),
        ({"queues": {"a": {"durable": False}}}, "queues.a.durable: a quorum queue is always durable"),
        (
            {"queues": {"a": {"type": "stream", "autoDelete": True}}},
            "queues.a.autoDelete: a stream queue never deletes",
        ),
        ({"queues": {"a": {"arguments": {"x-queue-type": "classic"}}}}, "the type has a key of its own; write type:"),
        ({"queues": {"a": {"type": "lazy"}}}, "queues.a.type: is none of quorum, classic, stream (found 'lazy')"),
        ({"queus": {}}, "topology.queus: no such key (found {}); did you mean 'queues'?"),
        (
            {"policies": {"quorum-defaults": {"pattern": ".*", "definition": {"max-length": 1}}}},
            "policies.quorum-defaults: that one is made from deliveryLimit",
        ),
        ({"policies": {"a": {"pattern": "", "definition": {"x": 1}}}}, "policies.a.pattern"),
        (
            {"users": {"guest": {}}},
            "the account 'guest' is the broker's or the reconciler's (found 'guest'); take another name",
        ),
        ({"users": {"reports": {"permissions": {"retur": {}}}}, "vhosts": {"returns": {}}}, "did you mean 'returns'?"),
        (
            {"vhosts": {"/": {}}},
            "rabbitmq.topology.vhosts: '/' is the one that every broker has; write its parts beside vhosts",
        ),
        ({"queues": {f"q{number}": {} for number in range(2001)}}, "has 2001 items, and one broker takes 2000"),
        (
            {"vhosts": {"returns": {"bindings": [{"from": "orders", "queue": "a"}]}}, **QUEUE},
            "topology.vhosts.returns.bindings.0.from: no exchange 'orders' here",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place_and_its_fix(topology, told):
    with pytest.raises(StackError) as error:
        stack(topology)
    assert told in str(error.value)
    assert "stacks/Pulumi.test.yaml" in str(error.value)


def test_a_topology_needs_somebody_who_makes_it_true():
    with pytest.raises(StackError) as error:
        stack(QUEUE, reconciler=False)
    assert "rabbitmq.topology: nobody here makes it true; add a component of kind topology" in str(error.value)


def test_a_service_has_its_account_by_using_the_broker():
    declared = {"rabbitmq": {"topology": {"users": {"billing": {}}}}, "topology": {"image": IMAGE}}
    with pytest.raises(StackError) as error:
        read(components=declared, services={"billing": {"image": IMAGE, "uses": ["rabbitmq"]}})
    assert "rabbitmq.topology.users.billing: is the account of the service billing; take another" in str(error.value)


def test_two_reconcilers_are_one_too_many():
    with pytest.raises(StackError, match="a stack has one topology"):
        read(components={"topology": {"image": IMAGE}, "other": {"kind": "topology", "image": IMAGE}})


def of(manifests, kind, name):
    return next(item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name))


def test_items_have_labels_that_tell_virtual_hosts_apart():
    users = {"reports": {"permissions": {"returns": {"read": ".*"}}}}
    declared = {**QUEUE, "bindings": [BOUND], "users": users, "vhosts": {"returns": {"queues": {"billing": {}}}}}
    made = of(stack(declared, tls={}).manifests(), "Topology", "rabbitmq")["spec"]
    assert [each["label"] for each in made["items"]] == [
        "vhost returns",
        "user reports",
        "permission reports @returns",
        "exchange orders",
        "queue billing",
        "binding orders -> queue billing ()",
        "queue billing @returns",
    ]
    assert made["address"] == "https://rabbitmq.shop.svc:15671"


def test_passwords_are_files_of_the_reconciler_and_in_no_object_that_others_read():
    users = {"reports": {}, "theirs": {"secret": "given"}}
    manifests = stack({**QUEUE, "users": users}, tls={}).manifests()
    template = pod_template_of(of(manifests, "Deployment", "topology"))
    (volume,) = [each for each in template["spec"]["volumes"] if each["name"] == "rabbitmq"]
    files = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    assert files == {
        "username": ("rabbitmq-topology-auth", "username"),
        "password": ("rabbitmq-topology-auth", "password"),
        "users/reports": ("rabbitmq-user-reports", "password"),
        "users/theirs": ("given", "password"),
        "ca.crt": ("rabbitmq-tls", "ca.crt"),
    }
    rules = of(manifests, "Role", "topology")["rules"]
    assert not [rule for rule in rules if "secrets" in rule["resources"]]


def test_the_reconciler_alone_reaches_the_management_port_and_only_where_it_is_needed():
    manifests = stack(QUEUE, tls={}).manifests()
    ways = of(manifests, "NetworkPolicy", "rabbitmq")["spec"]["ingress"]
    opened = [rule for rule in ways if {"port": 15671, "protocol": "TCP"} in rule["ports"]]
    assert [rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for rule in opened] == ["topology"]
    plain = read(components={"rabbitmq": {}}).manifests()
    files = of(plain, "ConfigMap", "rabbitmq-config")["data"]
    assert files["enabled_plugins"] == "[rabbitmq_prometheus].\n"
    assert "management" not in files["rabbitmq.conf"]
    assert "management.ssl.port = 15671" in of(manifests, "ConfigMap", "rabbitmq-config")["data"]["rabbitmq.conf"]
