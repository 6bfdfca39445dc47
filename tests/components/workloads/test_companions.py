"""Services with more than one container and port: hardened like all, reached by whom the ports say."""

from __future__ import annotations

import re

import pytest
import yaml

from components.model.mistakes import StackError
from components.workloads.companions import TMP
from components.workloads.policy_rules import broken_rules
from tests.components.conftest import ROOT, read

IMAGE = "registry.example.com/shop:1"
PROXY = "registry.example.com/proxy:2"
SIDECAR = {"name": "proxy", "image": PROXY, "readiness": {"port": 7000}, "mounts": {"/work": "work"}}
WHOLE = {
    "image": IMAGE,
    "config": {"app.yaml": "a: 1\n"},
    "ports": [
        {"name": "grpc", "port": 9090, "appProtocol": "kubernetes.io/h2c", "container": "proxy", "routed": True},
        {"name": "debug", "port": 6060, "used": False, "measured": True},
    ],
    "init": [{"name": "migrate", "command": ["migrate"], "env": {"URL": {"secret": "db", "key": "url"}}}],
    "sidecars": [SIDECAR],
    "volumes": {
        "work": {"scratch": {"size": "64Mi"}},
        "keys": {"secret": "keys"},
        "more": {"configMap": "more"},
        "files": {"claim": "files"},
    },
    "mounts": {"/work": "work", "/keys": "keys", "/etc/more.yaml": "more#more.yaml", "/files": "files"},
    "traffic": {},
    "drainSeconds": 7,
}
STACK = {"gateway": {}, "prometheus": {}, "controller": {"image": "registry.example.com/grayling:1"}}


def stack(**changed):
    services = {"shop": {**WHOLE, **changed}, "user": {"image": IMAGE, "uses": ["shop"]}}
    return read(components=STACK, services=services)


def of(platform, kind, name):
    return next(item for item in platform.manifests() if (item["kind"], item["metadata"]["name"]) == (kind, name))


def pod_of(platform):
    return of(platform, "GrayRelease", "shop")["spec"]["workload"]["template"]["spec"]


def refused(**changed):
    with pytest.raises(StackError) as caught:
        stack(**changed)
    return str(caught.value)


def test_every_container_keeps_the_baseline():
    made = of(stack(), "GrayRelease", "shop")
    assert broken_rules(made) == []
    pod = made["spec"]["workload"]["template"]["spec"]
    assert [each["name"] for each in (*pod["initContainers"], *pod["containers"])] == ["migrate", "shop", "proxy"]


def test_the_service_comes_first_because_its_image_names_the_version():
    assert pod_of(stack())["containers"][0]["image"] == IMAGE
    assert pod_of(stack())["initContainers"][0]["image"] == IMAGE


def test_a_sidecar_stays_as_long_as_the_service_drains():
    service, sidecar = pod_of(stack())["containers"]
    assert sidecar["lifecycle"] == service["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert sidecar["livenessProbe"]["tcpSocket"] == {"port": 7000}


def test_volumes_of_each_kind_and_where_they_are_mounted():
    pod = pod_of(stack())
    volumes = {each.pop("name"): each for each in pod["volumes"]}
    assert volumes == {
        "work": {"emptyDir": {"sizeLimit": "64Mi"}},
        "keys": {"secret": {"secretName": "keys", "defaultMode": 0o440}},
        "more": {"configMap": {"name": "more"}},
        "files": {"persistentVolumeClaim": {"claimName": "files"}},
        "tmp": {"emptyDir": {}},
    }
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "more", "mountPath": "/etc/more.yaml", "subPath": "more.yaml"} in mounts
    assert {"name": "work", "mountPath": "/work"} in pod["containers"][1]["volumeMounts"]


def test_requests_go_to_the_port_that_says_so():
    spec = of(stack(), "GrayRelease", "shop")["spec"]
    assert spec["traffic"]["port"] == "grpc"
    grpc = {"name": "grpc", "port": 9090, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"}
    assert grpc in spec["workload"]["ports"]
    ports = {each["name"]: each.get("ports") for each in pod_of(stack())["containers"]}
    assert {"name": "grpc", "containerPort": 9090, "protocol": "TCP"} in ports["proxy"]
    assert {"name": "debug", "containerPort": 6060, "protocol": "TCP"} in ports["shop"]


def test_a_service_without_http_may_have_a_routed_port():
    found = stack(port=None, ports=[{"name": "grpc", "port": 9090, "routed": True}])
    assert of(found, "GrayRelease", "shop")["spec"]["traffic"]["port"] == "grpc"


def peers(policy, side):
    """Ports by the instance of whoever is let through."""
    found = {}
    for rule in policy["spec"]["ingress" if side == "from" else "egress"]:
        for peer in rule.get(side, ()):
            who = peer["podSelector"]["matchLabels"].get("app.kubernetes.io/instance", "")
            found[who] = sorted(port["port"] for port in rule["ports"])
    return found


def test_who_may_reach_which_port():
    found = stack()
    assert peers(of(found, "NetworkPolicy", "shop"), "from") == {
        "gateway": [9090],
        "user": [8080, 9090],
        "prometheus": [6060, 9000],
        "controller": [6060, 9000],
    }
    assert peers(of(found, "NetworkPolicy", "user"), "to") == {"shop": [8080, 9090]}
    assert peers(of(found, "NetworkPolicy", "gateway-envoy"), "to")["shop"] == [9090]
    assert peers(of(found, "NetworkPolicy", "controller"), "to")["shop"] == [6060, 9000]
    assert peers(of(found, "NetworkPolicy", "prometheus"), "to")["shop"] == [6060, 9000]


def test_lines_are_the_services_where_sidecars_write_too():
    lines = {"name": "lines", "kind": "events", "source": "logs", "pattern": "ERROR"}
    found = stack(analysis={"signals": [lines]})
    assert of(found, "GrayRelease", "shop")["spec"]["analysis"]["signals"][0]["container"] == "shop"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ports": [{"name": "http", "port": 1}]}, "'http' is the name of `port` or `adminPort`"),
        ({"ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]}, "two of the name 'a'"),
        ({"ports": [{"name": "a", "port": 8080}]}, "ports.0.port: 8080 is the number of port too"),
        ({"ports": [{"name": "a", "port": 1, "container": "nobody"}]}, "no sidecar has that name"),
        (
            {"ports": [{"name": "a", "port": 1, "routed": True}, {"name": "b", "port": 2, "routed": True}]},
            "set routed on one",
        ),
        ({"init": [{"name": "proxy"}]}, "two of the name 'proxy'"),
        ({"init": [{"name": "shop"}]}, "'shop' is the service's own container"),
        ({"init": [{"name": "a", "image": "a/b:latest"}]}, "tag 'latest' moves"),
        ({"sidecars": [{"name": "a"}]}, "readiness: is required"),
        (
            {"sidecars": [{"name": "a", "readiness": {}}]},
            "give a port (with a path for HTTP, grpc for gRPC), or a command",
        ),
        (
            {"sidecars": [{"name": "a", "readiness": {"path": "/x"}}]},
            "give a port (with a path for HTTP, grpc for gRPC), or a command",
        ),
        (
            {"sidecars": [{"name": "a", "readiness": {"port": 1, "command": ["x"]}}]},
            "a command needs none; leave it out",
        ),
        ({"volumes": {"work": {}}}, "give one of scratch, secret, configMap or claim, found none"),
        ({"volumes": {"work": {"secret": "a", "claim": "b"}}}, "found secret and claim"),
        ({"volumes": {"work": {"hostPath": "/"}}}, "no such key"),
        ({"volumes": {"tmp": {"secret": "a"}}}, "'tmp' is there already"),
        ({"mounts": {"/a": "nothing"}}, "volume 'nothing', which is not declared; there is files, keys, more, work"),
        ({"mounts": {TMP: "work"}}, "at /tmp is the pod's own folder"),
        ({"mounts": {"/etc/service": "work"}}, "at /etc/service is `config`"),
        ({"sidecars": [{**SIDECAR, "mounts": {"/a": "x"}}]}, "sidecars: proxy: /a is of volume 'x'"),
        ({"mounts": {"relative": "work"}}, "mounts.relative: is no path in a container"),
        ({"sidecars": [{**SIDECAR, "privileged": True}]}, "no such key"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(changed, told):
    message = refused(**changed)
    assert told in message
    assert "services.shop" in message


def example_under(heading):
    """The YAML of the docs between this heading and the next."""
    text = (ROOT / "docs" / "reference" / "components.md").read_text()
    lines = re.split(r"(?m)^#+ ", text.partition(f"# {heading}\n")[2])[0].splitlines()
    return yaml.safe_load("\n".join(line[4:] for line in lines if line.startswith("    ")))


@pytest.mark.parametrize("heading", ["Where requests may go", "As many as the load needs"])
def test_the_smaller_examples_of_the_docs_are_ones(heading):
    assert read(services={"checkout": {"image": IMAGE, **example_under(heading)}}).manifests()


def test_the_example_of_additions_to_prometheus_is_one():
    assert read(components=example_under("Prometheus")).manifests()


def test_the_example_of_the_docs_is_one():
    services = example_under("Services")
    signals = [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]
    services["checkout"] |= {"traffic": {}, "analysis": {"signals": signals}}
    pod = of(read(services=services), "GrayRelease", "checkout")["spec"]["workload"]["template"]["spec"]
    assert [each["name"] for each in pod["containers"]] == ["checkout", "proxy"]
