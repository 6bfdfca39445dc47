"""Placement, resources, egress, probes, autoscaling: asked for in the stack file, found in the objects."""

from __future__ import annotations

import pytest

from components.model.mistakes import StackError
from rollout.api.spec import Spec
from tests.components.conftest import read

IMAGE = "registry.example.com/shop:1.0.0"
EVERYTHING = {
    "controller": {"image": IMAGE},
    "gateway": {},
    "redis": {},
    "rabbitmq": {},
    "prometheus": {},
}
PLACED = {
    "nodeSelector": {"pool": "platform"},
    "tolerations": [
        {"key": "dedicated", "value": "platform", "effect": "NoSchedule"},
        {"key": "gone", "effect": "NoExecute", "seconds": 30},
    ],
    "priorityClass": "platform-critical",
    "podAnnotations": {"example.com/team": "shop"},
    "accountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/shop"},
}


def _of(found, kind, name=None):
    (one,) = [each for each in found.manifests() if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    return one


def _templates(found):
    for each in found.manifests():
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield each["metadata"]["name"], each["spec"]["template"]
        elif each["kind"] == "GrayRelease":
            yield each["metadata"]["name"], each["spec"]["workload"]["template"]


def _service(**settings):
    return read(services={"shop": {"image": IMAGE, **settings}}, components={"controller": {"image": IMAGE}})


def _container(found, name="shop"):
    template = dict(_templates(found))["shop"]
    return next(each for each in template["spec"]["containers"] if each["name"] == name)


def test_every_kind_is_placed_as_said():
    components = {name: {**settings, **PLACED} for name, settings in EVERYTHING.items()}
    found = read(components=components, services={"shop": {"image": IMAGE, **PLACED}})
    templates = list(_templates(found))
    assert len(templates) >= 7
    for name, template in templates:
        spec = template["spec"]
        assert spec["nodeSelector"] == {"pool": "platform"}, name
        assert spec["tolerations"] == [
            {"key": "dedicated", "operator": "Equal", "value": "platform", "effect": "NoSchedule"},
            {"key": "gone", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
        ], name
        assert spec["priorityClassName"] == "platform-critical", name
        assert template["metadata"]["annotations"]["example.com/team"] == "shop", name
    accounts = [each for each in found.manifests() if each["kind"] == "ServiceAccount"]
    assert all("eks.amazonaws.com/role-arn" in each["metadata"]["annotations"] for each in accounts)


def test_an_annotation_of_ours_is_not_written_over():
    found = read(components={"gateway": {"podAnnotations": {"prometheus.io/path": "/mine"}}})
    template = dict(_templates(found))["gateway-envoy"]
    assert template["metadata"]["annotations"]["prometheus.io/path"] == "/stats/prometheus"


@pytest.mark.parametrize(("kind", "main"), [("redis", "redis"), ("rabbitmq", "rabbitmq"), ("prometheus", "prometheus")])
def test_resources_go_before_the_size_of_the_tier(kind, main):
    found = read(components={kind: {"resources": {"cpu": 2, "memory": "3Gi"}}})
    template = dict(_templates(found))[kind]
    container = next(each for each in template["spec"]["containers"] if each["name"] == main)
    assert container["resources"] == {"requests": {"cpu": "2", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}


def test_what_follows_from_memory_follows_from_the_resources():
    found = read(components={"redis": {"storage": None, "resources": {"cpu": 1, "memory": "1Gi"}}})
    assert "maxmemory 768mb" in _of(found, "ConfigMap", "redis-config")["data"]["redis.conf"]


def test_the_two_parts_of_a_gateway_have_their_own_resources():
    found = read(components={"gateway": {"envoyResources": {"cpu": 3, "memory": "2Gi"}}})
    templates = dict(_templates(found))
    assert templates["gateway-envoy"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "2Gi"}
    assert templates["gateway-contour"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "128Mi"}


def test_ways_out_are_rules_of_the_policy():
    ways = [
        {"cidr": "10.20.0.0/16", "ports": [5432], "why": "the ERP's database"},
        {"namespace": "logging", "pods": {"app": "syslog"}, "ports": [6514], "why": "audit"},
    ]
    rules = _of(_service(egress=ways), "NetworkPolicy", "shop")["spec"]["egress"]
    assert {"ports": [{"port": 5432, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]} in rules
    logging = {"matchLabels": {"kubernetes.io/metadata.name": "logging"}}
    syslog = {"namespaceSelector": logging, "podSelector": {"matchLabels": {"app": "syslog"}}}
    assert {"ports": [{"port": 6514, "protocol": "TCP"}], "to": [syslog]} in rules


def test_probes_by_each_way():
    found = _service(
        port=5000,
        adminPort=None,
        probes={"liveness": {"port": 5000}, "readiness": {"port": 5000, "grpc": "shop", "everySeconds": 1}},
    )
    container = _container(found)
    assert container["livenessProbe"] == {
        "tcpSocket": {"port": 5000}, "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 3,
    }  # fmt: skip
    assert container["readinessProbe"]["grpc"] == {"port": 5000, "service": "shop"}
    assert container["readinessProbe"]["periodSeconds"] == 1
    assert container["startupProbe"]["periodSeconds"] == 1
    assert [each["name"] for each in container["ports"]] == ["http"]
    asked = _container(_service(probes={"liveness": {"command": ["/bin/alive"]}, "readiness": "/up"}))
    assert asked["livenessProbe"]["exec"] == {"command": ["/bin/alive"]}
    assert asked["readinessProbe"]["httpGet"] == {"path": "/up", "port": 9000}


def test_a_service_without_metrics_is_judged_by_what_others_see_of_it():
    probes = {"liveness": {"port": 8080}, "readiness": {"port": 8080}}
    alone = {"image": IMAGE, "adminPort": None, "probes": probes, "traffic": {}}
    found = read(services={"shop": alone}, components={"controller": {"image": IMAGE}, "gateway": {}})
    signals = _of(found, "GrayRelease")["spec"]["analysis"]["signals"]
    assert [each["name"] for each in signals] == ["errors", "crashes"]


def test_an_autoscaler_writes_the_count_and_nobody_else_does():
    found = _service(autoscaling={"min": 2, "max": 8, "cpu": 70})
    made = _of(found, "HorizontalPodAutoscaler")
    assert made["spec"]["scaleTargetRef"] == {
        "apiVersion": "grayling.dev/v1alpha1", "kind": "GrayRelease", "name": "shop",
    }  # fmt: skip
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (2, 8)
    assert made["spec"]["metrics"][0]["containerResource"]["container"] == "shop"
    assert "replicas" not in _of(found, "GrayRelease")["spec"]["workload"]
    assert _of(found, "GrayRelease")["spec"]["workload"]["minReplicas"] == 2
    assert "replicas" in _of(_service(), "GrayRelease")["spec"]["workload"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"tolerations": [{"value": "x"}]}, "without a key it is of no taint"),
        ({"tolerations": [{"key": "x", "seconds": 3}]}, "only a NoExecute taint drives pods away"),
        ({"nodeSelector": {"pool": "a b"}}, "is no value of a label"),
        ({"egress": [{"cidr": "10.0.0.5/8", "ports": [1], "why": "x"}]}, "did you mean '10.0.0.0/8'"),
        ({"egress": [{"cidr": "erp.example.com", "ports": [1], "why": "x"}]}, "names of hosts cannot be given"),
        ({"egress": [{"cidr": "10.0.0.0/8", "namespace": "a", "ports": [1], "why": "x"}]}, "and not both"),
        ({"egress": [{"ports": [1], "why": "x"}]}, "give a cidr, or a namespace"),
        ({"egress": [{"cidr": "10.0.0.0/8", "ports": [], "why": "x"}]}, "egress.0.ports"),
        ({"egress": [{"cidr": "10.0.0.0/8", "ports": [1]}]}, "egress.0.why: is required"),
        ({"autoscaling": {"min": 3, "max": 2, "cpu": 50}}, "is less than min"),
        ({"autoscaling": {"min": 1, "max": 2}}, "nothing is measured"),
        ({"autoscaling": {"min": 1, "max": 2, "cpu": 50}, "replicas": 3}, "autoscaling decides how many there are"),
        ({"adminPort": None}, "there is no admin port to ask"),
        ({"probes": {"liveness": {"path": "/a", "grpc": ""}}}, "give one of path, grpc and command"),
        ({"probes": {"liveness": {"command": ["a"], "port": 3}}}, "a command needs none"),
        ({"resources": {"cpu": 0, "memory": "1Gi"}}, "resources.cpu: is too little"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(settings, expected):
    with pytest.raises(StackError) as caught:
        _service(**settings)
    assert expected in str(caught.value)
    assert "services.shop" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ({}, {"recording": False}),
        ({"recording": False}, {"recording": False}),
        ({"recording": True}, {"recording": True}),
        ({"record": True}, {"record": True}),
        ({"record": False}, {"record": False}),
    ],
)
def test_releases_are_recorded_by_the_new_name_and_the_old_one(said, written):
    spec = _of(_service(**said), "GrayRelease")["spec"]
    assert {key: each for key, each in spec.items() if key.startswith("record")} == written
    assert Spec.model_validate(spec).is_recorded is next(iter(written.values()))
