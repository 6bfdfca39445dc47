"""What the engine may do: all it does in the namespaces it serves, and nothing but reading nodes beyond them."""

from __future__ import annotations

from components.model.layers import CLUSTER_SCOPED, Layer, kept, layer_of
from rollout.api.approval_policy import NAME, binding, policy
from tests.components.conftest import read

IMAGE = "registry.example.com/grayling:1"
POLICY = {
    "apiGroups": ["admissionregistration.k8s.io"],
    "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
    "verbs": ["get", "list", "watch"],
    "resourceNames": [NAME],
}
WRITTEN = ("deployments", "services", "configmaps", "poddisruptionbudgets", "httproutes")


def rendered(**settings):
    return read(components={"controller": {"image": IMAGE, **settings}}).manifests()


def rules_of(items, kind):
    return [rule for item in items if item["kind"] == kind for rule in item["rules"]]


def verbs_on(rules, resource):
    return {verb for rule in rules if resource in rule["resources"] for verb in rule["verbs"]}


def test_beyond_its_namespaces_it_reads_nodes_and_no_more():
    nodes, policy = rules_of(rendered(), "ClusterRole")
    assert nodes == {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}
    assert policy == POLICY
    [binding] = [item for item in rendered() if item["kind"] == "ClusterRoleBinding"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "controller", "namespace": "shop"}]
    assert binding["roleRef"]["name"] == binding["metadata"]["name"] == "shop-controller"


def test_nothing_cluster_wide_where_that_may_not_be():
    found = rendered(readNodes=False, installDefinitions=False)
    assert {item["kind"] for item in found} & (CLUSTER_SCOPED - {"Namespace"}) == set()


def test_the_policy_is_read_where_a_step_needs_it_whatever_else_is_not():
    steps = [{"weight": 5, "gate": "approval", "approvals": {"count": 2, "group": "sre"}}]
    service = {"image": "registry.example.com/app:1", "strategy": {"steps": steps}}
    controller = {"image": IMAGE, "readNodes": False, "installDefinitions": False}
    found = read(components={"controller": controller}, services={"app": service}).manifests()
    assert rules_of(found, "ClusterRole") == [POLICY]
    [release] = [item for item in found if item["kind"] == "GrayRelease"]
    assert release["spec"]["strategy"]["steps"][0]["approvals"] == {"count": 2, "group": "sre"}


def test_the_policy_comes_with_the_definitions_and_is_kept_as_they_are():
    kinds = {"ValidatingAdmissionPolicy": policy(), "ValidatingAdmissionPolicyBinding": binding()}
    found = {item["kind"]: item for item in rendered() if item["kind"] in kinds}
    for kind, made in kinds.items():
        assert found[kind]["spec"] == made["spec"], "as the engine will look for it"
        assert found[kind]["metadata"]["name"] == NAME
        assert "namespace" not in found[kind]["metadata"]
        assert layer_of(found[kind]) is Layer.CRDS
        assert kept(found[kind])


def test_a_policy_of_somebody_elses_goes_with_its_stack():
    assert not kept({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "no-latest-tags"}})


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
