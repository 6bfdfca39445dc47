"""The topology of a NATS in a stack file: what cannot be is told with its fix, what can becomes items."""

import pytest

from components.middleware.nats_topology import overlap
from components.model.mistakes import StackError
from components.workloads.policy_rules import pod_template_of
from tests.components.conftest import read
from tests.components.model.values import IMAGE

ORDERS = {"subjects": ["orders.>"]}


def stack(topology, services=None, **settings):
    members = {"nats": {"topology": topology, **settings}, "topology": {"image": IMAGE}}
    return read(components=members, **({"services": services} if services else {}))


def of(manifests, kind, name):
    return next(item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize(
    ("topology", "told"),
    [
        ({"streams": {"a.b": ORDERS}}, "is no name of at most 64 letters (found 'a.b'); use A-Z a-z 0-9 _ and -"),
        ({"streams": {"KV_a": ORDERS}}, "is kept for a bucket (found 'KV_a'); declare it under buckets"),
        ({"streams": {"a": {"subjects": []}}}, "topology.streams.a.subjects"),
        ({"streams": {"a": {"subjects": ["a..b"]}}}, "is no subject (found 'a..b'); write it like orders.new"),
        ({"streams": {"a": {"subjects": ["a.>.b"]}}}, "is no subject"),
        ({"streams": {"a": {"subjects": ["a.b*"]}}}, "is no subject"),
        ({"streams": {"a": {"subjects": ["$SYS.>"]}}}, "begins with $, as the server's own do"),
        (
            {"streams": {"a": ORDERS, "b": {"subjects": ["x", "*.new"]}}},
            "topology.streams.b.subjects.1: '*.new' is of 'a' too (orders.>); a subject has one stream",
        ),
        (
            {"streams": {"a": {**ORDERS, "maxAge": "1s", "duplicateWindow": "2s"}}},
            "streams.a.duplicateWindow: is longer than maxAge; shorten it, or leave it out",
        ),
        ({"streams": {"a": {**ORDERS, "retention": "forever"}}}, "is none of limits, interest, workqueue"),
        (
            {"streams": {"a": {**ORDERS, "replicas": 5}}},
            "topology: stream a: 5 replicas want as many members, and there are",
        ),
        ({"buckets": {"a": {"history": 65}}}, "topology.buckets.a.history"),
        (
            {"accounts": {"biling": {}}},
            "accounts.biling: no account of that name here; did you mean 'billing'?",
        ),
        ({"buckets": {f"b{number}": {} for number in range(2001)}}, "has 2001 items, and one NATS takes 2000"),
        ({"strams": {}}, "topology.strams: no such key (found {}); did you mean 'streams'?"),
    ],
)
def test_what_cannot_be_is_told_with_its_place_and_its_fix(topology, told):
    with pytest.raises(StackError) as error:
        stack(
            topology,
            {"shop": {"image": IMAGE, "uses": ["nats"]}},
            members=3,
            accounts={"billing": {"services": ["shop"]}},
        )
    assert told in str(error.value)
    assert "stacks/Pulumi.test.yaml" in str(error.value)


def test_no_service_is_called_as_the_reconciler_is():
    with pytest.raises(StackError, match="the service topology-billing has the name of the reconciler's user"):
        stack(
            {"buckets": {"prices": {}}},
            {"topology-billing": {"image": IMAGE, "uses": ["nats"]}},
            accounts={"billing": {"services": ["topology-billing"]}},
        )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("*.b", "a.*", True),
        ("a.>", "a.b.c", True),
        (">", "a", True),
        ("a.>", "a", False),
        ("a.*", "a.b.c", False),
        ("a", "b", False),
        ("a.b", "a", False),
    ],
)
def test_subjects_overlap_where_a_message_could_be_of_both(one, other, both):
    assert overlap(one, other) is both
    assert overlap(other, one) is both


def test_items_are_in_the_words_of_the_server():
    topology = {
        "streams": {"orders": {**ORDERS, "maxAge": "1h", "consumers": {"billing": {"filters": ["orders.new"]}}}},
        "buckets": {"prices": {"history": 5, "ttl": "30s"}},
        "accounts": {"billing": {"streams": {"orders": {**ORDERS, "replicas": 1, "consumers": {"printer": {}}}}}},
    }
    manifests = stack(
        topology,
        {"shop": {"image": IMAGE, "uses": ["nats"]}},
        members=3,
        accounts={"billing": {"services": ["shop"]}},
        tls={},
    ).manifests()
    made = of(manifests, "Topology", "nats")["spec"]
    items = {each["label"]: each["settings"] for each in made["items"]}
    assert list(items) == [
        "stream orders",
        "consumer billing @orders",
        "bucket prices",
        "stream billing/orders",
        "consumer printer @billing/orders",
    ]
    assert (items["stream orders"]["max_age"], items["stream orders"]["num_replicas"]) == (3600 * 10**9, 3)
    assert items["stream billing/orders"]["num_replicas"] == 1
    assert items["consumer billing @orders"]["filter_subjects"] == ["orders.new"]
    prices = items["bucket prices"]
    assert (prices["subjects"], prices["max_msgs_per_subject"]) == (["$KV.prices.>"], 5)
    assert prices["duplicate_window"] == prices["max_age"] == 30 * 10**9
    assert made["address"] == "tls://nats.shop.svc:4222"
    template = pod_template_of(of(manifests, "Deployment", "topology"))
    (volume,) = [each for each in template["spec"]["volumes"] if each["name"] == "nats"]
    paths = {item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]}
    assert paths == {"username", "password", "accounts/billing", "ca.crt"}


def test_the_reconciler_asks_jetstream_and_reads_no_message():
    services = {"shop": {"image": IMAGE, "uses": ["nats"]}}
    manifests = stack({"buckets": {"prices": {}}}, services, accounts={"billing": {"services": ["shop"]}}).manifests()
    written = of(manifests, "ConfigMap", "nats-config")["data"]["nats.conf"]
    assert '{user = "topology", password = $TOPOLOGY_PASSWORD' in written
    assert '{user = "topology-billing", password = $TOPOLOGY_PASSWORD' in written
    assert "MSG.GET" not in written
    assert 'subscribe = ["_INBOX.>"]' in written
    plain = of(read(components={"nats": {}}).manifests(), "ConfigMap", "nats-config")["data"]["nats.conf"]
    assert "topology" not in plain


def test_the_reconciler_reaches_the_servers_only_where_it_is_needed():
    def readers(manifests):
        ways = of(manifests, "NetworkPolicy", "nats")["spec"]["ingress"]
        opened = [rule for rule in ways if {"port": 4222, "protocol": "TCP"} in rule["ports"]]
        peers = [peer["podSelector"]["matchLabels"] for rule in opened for peer in rule["from"]]
        return {peer.get("app.kubernetes.io/name") for peer in peers}

    assert "topology" in readers(stack({"buckets": {"prices": {}}}).manifests())
    assert "topology" not in readers(read(components={"nats": {}, "topology": {"image": IMAGE}}).manifests())
