"""What the engine may do: all it does in the namespaces it serves, and nothing but reading nodes beyond them."""

from __future__ import annotations

from tests.components.conftest import read

IMAGE = "registry.example.com/grayling:1"
WRITTEN = ("deployments", "services", "configmaps", "poddisruptionbudgets", "httproutes")


def rendered(**settings):
    return read(components={"controller": {"image": IMAGE, **settings}}).manifests()


def rules_of(items, kind):
    return [rule for item in items if item["kind"] == kind for rule in item["rules"]]


def verbs_on(rules, resource):
    return {verb for rule in rules if resource in rule["resources"] for verb in rule["verbs"]}


def test_beyond_its_namespaces_it_reads_nodes_and_no_more():
    [rule] = rules_of(rendered(), "ClusterRole")
    assert rule == {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}
    [binding] = [item for item in rendered() if item["kind"] == "ClusterRoleBinding"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "controller", "namespace": "shop"}]
    assert binding["roleRef"]["name"] == binding["metadata"]["name"] == "shop-controller"


def test_nothing_cluster_wide_where_that_may_not_be():
    found = rendered(readNodes=False, installDefinitions=False)
    assert {item["kind"] for item in found} & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"} == set()


def test_what_it_makes_it_may_change_and_delete_one_by_one():
    rules = rules_of(rendered(), "Role")
    for resource in WRITTEN:
        assert verbs_on(rules, resource) == {"get", "list", "watch", "create", "patch", "delete"}, resource
    assert verbs_on(rules, "leases") >= {"get", "list", "watch", "create", "update", "patch", "delete"}
    assert verbs_on(rules, "events") == {"create", "patch"}


def test_the_same_rights_in_each_namespace_it_serves():
    found = rendered(namespaces=["other"])
    assert {item["metadata"]["namespace"] for item in found if item["kind"] == "Role"} == {"shop", "other"}


def container(**settings):
    [found] = [item for item in rendered(**settings) if item["kind"] == "Deployment"]
    return found["spec"]["template"]["spec"]["containers"][0]


def test_its_memory_goes_by_how_many_releases_it_carries():
    few, many = container(maxInFlight=10), container(maxInFlight=200)
    assert "--max-in-flight=10" in few["args"]
    assert "--max-in-flight=200" in many["args"]
    assert few["resources"]["limits"]["memory"] == "224Mi"
    assert many["resources"]["limits"]["memory"] == "352Mi"
