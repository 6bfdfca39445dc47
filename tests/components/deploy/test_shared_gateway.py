"""One gateway for several environments: its owner says whose routes may attach, and guests are told how that stands."""

from __future__ import annotations

import pytest

from components.model.mistakes import StackError
from tests.components.conftest import read

KEY = "kubernetes.io/metadata.name"
ENGINE = "controller: {image: 'r.example.com/grayling:1', namespaces: [%s]}"
GUEST = (
    "config:\n  grayling:environment: {tier: dev, namespace: team-b, owners: [b], engine: {namespace: platform},"
    " gateway: {parent: {name: gateway, namespace: platform%s}}}\n"
    "  grayling:services:\n    web: {image: 'r.example.com/web:1', traffic: {hostnames: [web.example.com]}}\n"
)


def platform(guests="", served="", exposure="{type: ClusterIP}"):
    return (
        "config:\n  grayling:environment: {tier: dev, namespace: platform, owners: [a]}\n  grayling:components:\n"
        f"    gateway: {{exposure: {exposure}{guests}}}\n    {ENGINE % served}\n"
    )


def objects(guests, **more):
    return read(components={"gateway": {"namespaces": guests}}, **more).manifests()


def one(manifests, kind, name, namespace="shop"):
    return next(
        item
        for item in manifests
        if (item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", "")) == (kind, name, namespace)
    )


def watched(manifests):
    args = one(manifests, "Deployment", "gateway-contour")["spec"]["template"]["spec"]["containers"][0]["args"]
    return [each for each in args if each.startswith("--watch-namespaces")]


def ways_out(manifests):
    return [each.get("to") for each in one(manifests, "NetworkPolicy", "gateway-envoy")["spec"]["egress"]]


def secrets_read(manifests):
    """Where Contour may read Secrets."""
    return {
        (item["kind"], item["metadata"].get("namespace", ""))
        for item in manifests
        if item["kind"] in {"Role", "ClusterRole"} and any("secrets" in rule["resources"] for rule in item["rules"])
    }


def test_alone_it_serves_its_own_namespace():
    made = objects([])
    for listener in one(made, "Gateway", "gateway")["spec"]["listeners"]:
        assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert watched(made) == ["--watch-namespaces=shop"]
    assert secrets_read(made) == {("Role", "shop")}


def test_guests_by_name():
    made = objects(["team-c", "team-b"])
    [listener] = one(made, "Gateway", "gateway")["spec"]["listeners"]
    expression = {"key": KEY, "operator": "In", "values": ["shop", "team-b", "team-c"]}
    selector = {"matchExpressions": [expression]}
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Selector", "selector": selector}}
    assert watched(made) == ["--watch-namespaces=shop,team-b,team-c"]
    assert secrets_read(made) == {("Role", "shop"), ("Role", "team-b"), ("Role", "team-c")}
    binding = one(made, "RoleBinding", "shop-gateway-contour", "team-b")
    assert binding["subjects"][0]["namespace"] == "shop"
    assert [{"namespaceSelector": {"matchLabels": {KEY: "team-b"}}}] in ways_out(made)


def test_guests_from_everywhere():
    made = objects(["all"])
    [listener] = one(made, "Gateway", "gateway")["spec"]["listeners"]
    assert listener["allowedRoutes"] == {"namespaces": {"from": "All"}}
    assert watched(made) == []
    assert secrets_read(made) == {("Role", "shop"), ("ClusterRole", "")}
    assert [{"namespaceSelector": {}}] in ways_out(made)
    whole = one(made, "ClusterRole", "shop-gateway-contour", "")
    assert not any("leases" in rule["resources"] for rule in whole["rules"])


@pytest.mark.parametrize(
    ("guests", "told"),
    [
        ("all", "components.gateway.namespaces: is no list (found 'all'); write it in brackets: [all]"),
        (["Team_B"], "components.gateway.namespaces.0: is no namespace"),
        (["*"], "components.gateway.namespaces.0: is no namespace"),
    ],
)
def test_what_is_no_guest(guests, told):
    with pytest.raises(StackError) as refused:
        objects(guests)
    assert told in str(refused.value)
    assert len(refused.value.mistakes) == 1


def test_two_environments_share_a_gateway_as_the_documents_say(person):
    guest = person.stack("team-b", GUEST % "")
    early = person.apply(guest)
    assert early.code == 6
    assert "no Gateway platform/gateway, which environment.gateway.parent names" in early.err
    assert "apply the stack with that gateway first" in early.err
    owner = person.stack("platform", platform())
    assert person.apply(owner).code == 0
    told = person.apply(guest)
    assert told.code == 0, told.err
    assert "Gateway platform/gateway does not let routes of team-b in yet" in told.err
    assert "add team-b to gateway.namespaces of its stack" in told.err
    for guests in (", namespaces: [team-b]", ", namespaces: [all]"):
        person.stack("platform", platform(guests, "team-b"))
        assert person.apply(owner).code == 0
        looked = person.on("diff", guest)
        assert "does not let" not in looked.err
        assert looked.err.splitlines()[-1] == "no difference"
    assert person.on("destroy", guest, "--yes", "--timeout", "5", "--without-engine").code == 0
    assert "Gateway/platform/gateway" in person.labels()


def test_a_guest_that_is_not_there_yet(person):
    owner = person.stack("platform", platform(", namespaces: [team-b]"))
    result = person.apply(owner)
    assert result.code == 6
    assert "namespace team-b does not exist: apply the environment that makes it first" in result.err


def test_a_listener_that_the_gateway_does_not_have(person):
    assert person.apply(person.stack("platform", platform())).code == 0
    result = person.apply(person.stack("team-b", GUEST % ", sectionName: https"))
    assert result.code == 6
    assert (
        "Gateway platform/gateway has no listener https, which environment.gateway.parent.sectionName names"
        in result.err
    )
    assert "it has http" in result.err


SELECTORS = {
    "exact": ({"matchLabels": {"tier": "dev"}}, True),
    "another": ({"matchLabels": {"tier": "prod"}}, False),
    "not among": ({"matchExpressions": [{"key": KEY, "operator": "NotIn", "values": ["team-b"]}]}, False),
    "there": ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
    "not there": ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
    "by what nobody knows": ({"matchExpressions": [{"key": "colour", "operator": "Like"}]}, False),
    "of all": ({}, True),
}


@pytest.mark.parametrize("case", SELECTORS)
def test_gateways_of_others_select_by_any_label(person, case):
    selector, lets_in = SELECTORS[case]
    assert person.apply(person.stack("platform", platform())).code == 0
    text = (GUEST % "").replace("owners: [b]", "owners: [b], createNamespace: false")

    def made_by_somebody():
        labels = {"tier": "dev"}
        person.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-b", "labels": labels}})
        gateway = person.server.find("Gateway", "gateway", "platform")
        rule = {"namespaces": {"from": "Selector", "selector": selector}}
        gateway["spec"]["listeners"][0]["allowedRoutes"] = rule
        person.server.put(gateway)

    person.done(made_by_somebody)
    result = person.apply(person.stack("team-b", text))
    assert result.code == 0, result.err
    assert ("does not let routes of team-b in yet" not in result.err) is lets_in


def test_a_gateway_that_may_not_be_read(person):
    assert person.apply(person.stack("platform", platform())).code == 0
    person.server.fail(
        "GET", "/gateways/gateway$", 403, times=99, message="gateways is forbidden: User cannot get resource"
    )
    told = person.apply(person.stack("team-b", GUEST % ""))
    assert told.code == 0, told.err
    assert "Gateway platform/gateway may not be read: whether it lets team-b in is not known" in told.err
