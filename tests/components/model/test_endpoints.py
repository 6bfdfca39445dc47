"""A component says its ports once: Services, policies, scraping and docs follow, of one that nobody here knows too."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from components.model.component import Component, S_co
from components.model.endpoints import (
    ANYONE,
    GATEWAYS,
    MEMBERS,
    SCRAPERS,
    USERS,
    Endpoint,
)
from components.model.mistakes import StackError
from components.model.pods import (
    Container,
    Probe,
)
from components.model.settings import ComponentSettings, WorkloadSettings
from components.stack.catalogue import KINDS
from components.stack.reference import reference
from components.workloads.network import policy
from components.workloads.policy_rules import pod_template_of
from tests.components.conftest import ROOT, read

PAGE = ROOT / "docs" / "how-to" / "adding-a-component.md"
IMAGE = "registry.example.com/shop:1"
NAMESPACE_NAME = "kubernetes.io/metadata.name"


@pytest.fixture
def relay(tmp_path, monkeypatch):
    """The component that the docs show, registered from outside."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "relay_of_the_docs.py").write_text(code)
    spec = importlib.util.spec_from_file_location("relay_of_the_docs", tmp_path / "relay_of_the_docs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(KINDS, "relay", module.Relay)
    return module.Relay


def stack(**more):
    components = {"relay": {}, "prometheus": {"discovery": "sidecar"}, "gateway": {}, "redis": {}}
    services = {"billing": {"image": IMAGE, "uses": ["relay"]}, "shop": {"image": IMAGE, "uses": ["redis"]}}
    return read(components={**components, "controller": {"image": IMAGE}, **more}, services=services).manifests()


def of(manifests, kind, name):
    return next(item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name))


def ways(manifests, name, side):
    """Whom a policy names, and on which ports."""
    found = {}
    direction = {"from": "ingress", "to": "egress"}[side]
    for rule in of(manifests, "NetworkPolicy", name)["spec"].get(direction, []):
        for whom in rule.get(side, [{}]):
            labels = whom.get("podSelector", {}).get("matchLabels", {})
            ports = sorted(port["port"] for port in rule["ports"])
            found[labels.get("app.kubernetes.io/instance", "anyone")] = ports
    return found


def test_its_ports_are_those_of_its_containers_and_its_service(relay):
    made = stack()
    containers = of(made, "Deployment", "relay")["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: [(port["name"], port["containerPort"]) for port in each["ports"]] for each in containers} == {
        "relay": [("client", 4222)],
        "exporter": [("metrics", 7777)],
    }
    served = of(made, "Service", "relay")["spec"]["ports"]
    assert served == [{"name": "client", "port": 4222, "targetPort": "client", "protocol": "TCP"}]


def test_what_is_spoken_on_a_port_is_on_its_service_and_in_its_release(relay, monkeypatch):
    client, metrics = relay.endpoints
    monkeypatch.setattr(relay, "endpoints", (replace(client, app_protocol="grayling.dev/relay"), metrics))
    [served] = of(stack(), "Service", "relay")["spec"]["ports"]
    assert served["appProtocol"] == "grayling.dev/relay"
    ports = [{"name": "grpc", "port": 7000, "appProtocol": "kubernetes.io/h2c"}]
    service = {"image": IMAGE, "ports": ports}
    made = read(components={}, services={"calls": service}).manifests()
    assert of(made, "GrayRelease", "calls")["spec"]["workload"]["ports"][1:] == [
        {"name": "grpc", "port": 7000, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"}
    ]


def test_its_users_and_scrapers_reach_it_and_nobody_else(relay):
    made = stack()
    assert ways(made, "relay", "from") == {"billing": [4222], "prometheus": [7777]}
    assert ways(made, "billing", "to") == {"relay": [4222]}
    assert ways(made, "prometheus", "to")["relay"] == [7777]
    for other in ("shop", "controller", "gateway-envoy"):
        assert "relay" not in ways(made, other, "to")


def test_its_address_is_bound(relay):
    (container,) = of(stack(), "GrayRelease", "billing")["spec"]["workload"]["template"]["spec"]["containers"]
    assert {"name": "RELAY_URL", "value": "relay://relay.shop.svc:4222"} in container["env"]


def pods(manifests):
    """One pod of every workload, as the API server shows it once it runs."""
    for index, item in enumerate(each for each in manifests if pod_template_of(each)):
        template = pod_template_of(item)
        name = f"{item['metadata']['name']}-0"
        metadata = {**template["metadata"], "name": name, "namespace": item["metadata"]["namespace"]}
        yield {**template, "metadata": metadata, "status": {"podIP": f"10.0.0.{index}", "phase": "Running"}}


def discovered(manifests):
    """What the sidecar of Prometheus writes for these pods, by its own code."""
    source = of(manifests, "ConfigMap", "prometheus-config")["data"]["discover_pods.py"]
    wanted = [
        each
        for each in ast.parse(source).body
        if isinstance(each, ast.FunctionDef) and each.name in {"groups", "plain"}
    ]
    space = {}
    exec(compile(ast.Module(wanted, []), "discover_pods.py", "exec"), space)  # noqa: S102 - the code that runs beside Prometheus
    return [group for pod in pods(manifests) for group in space["groups"](pod)]


def scraped(manifests, promtool, folder):
    """``address, path`` and labels of each target that Prometheus keeps, as it says itself."""
    (folder / "targets").mkdir()
    (folder / "targets" / "pods.json").write_text(json.dumps(discovered(manifests)))
    config = of(manifests, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"]
    config = config.replace("/targets/", f"{folder}/targets/").replace("/etc/prometheus/", f"{folder}/")
    (folder / "prometheus.yml").write_text(config)
    subprocess.run([promtool, "check", "config", folder / "prometheus.yml"], check=True, capture_output=True)
    command = [promtool, "check", "service-discovery", "--timeout=2s", folder / "prometheus.yml", "pods"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = [each["labels"] for each in json.loads(answer) if each["labels"]]
    return {(each["__address__"], each["__metrics_path__"]): each for each in kept}


def test_prometheus_scrapes_it(relay, promtool, tmp_path):
    made = stack()
    found = scraped(made, promtool, tmp_path)
    told = {
        (labels["instance_name"], address.rpartition(":")[2], path): labels for (address, path), labels in found.items()
    }
    assert told["relay", "7777", "/metrics"]["container"] == "exporter"
    assert {key for key in told if key[0] == "relay"} == {("relay", "7777", "/metrics")}
    assert ("gateway", "8002", "/stats/prometheus") in told
    assert len(told) == len(found) == 8, "billing, shop, relay, redis, prometheus, controller, and both of the gateway"


def test_what_prometheus_scrapes_it_may_reach(relay, promtool, tmp_path):
    made = stack()
    by_address = {pod["status"]["podIP"]: pod for pod in pods(made)}
    for address, _ in scraped(made, promtool, tmp_path):
        host, _, port = address.rpartition(":")
        assert lets(made, "Egress", "prometheus", by_address[host], int(port)), address
        reader = next(pod for pod in by_address.values() if pod["metadata"]["name"] == "prometheus-0")
        assert lets(made, "Ingress", policy_of(made, by_address[host]), reader, int(port)), address


def matches(selector, pod):
    return selector.get("matchLabels", {}).items() <= pod["metadata"]["labels"].items()


def policy_of(manifests, pod):
    """The policy of a pod's own, not the one that denies all."""
    policies = [item for item in manifests if item["kind"] == "NetworkPolicy" and item["spec"]["podSelector"]]
    found = [each["metadata"]["name"] for each in policies if matches(each["spec"]["podSelector"], pod)]
    assert found, f"{pod['metadata']['name']} has no policy of its own: nobody reaches it"
    return found[0]


def lets(manifests, direction, name, other, port):
    """Whether a policy lets ``other`` through on a port."""
    side = {"Egress": "to", "Ingress": "from"}[direction]
    for rule in of(manifests, "NetworkPolicy", name)["spec"].get(direction.lower(), []):
        whom = rule.get(side, [{"podSelector": {}}])
        if any("podSelector" in each and matches(each["podSelector"], other) for each in whom) and port in {
            each["port"] for each in rule.get("ports", [{"port": port}])
        }:
            return True
    return False


def test_both_sides_of_every_way_are_open(rendered):
    """In the stacks of this repository: where one may go out to a pod, that pod lets it in, and the other way round."""
    here = list(pods(rendered))
    seen = 0
    for pod in here:
        own = policy_of(rendered, pod)
        spec = of(rendered, "NetworkPolicy", own)["spec"]
        for direction, side, back in (("egress", "to", "Ingress"), ("ingress", "from", "Egress")):
            for rule in spec.get(direction, []):
                for whom in rule.get(side, ()):
                    if "podSelector" not in whom or "namespaceSelector" in whom:
                        continue
                    others = [other for other in here if matches(whom["podSelector"], other)]
                    assert others, f"{own}: nobody is {whom}"
                    for other in others:
                        for port in rule["ports"]:
                            assert lets(rendered, back, policy_of(rendered, other), pod, port["port"]), (own, rule)
                            seen += 1
    assert seen > 10


def test_its_settings_are_what_it_is_generic_over(relay):
    class Store(Component[S_co]):
        """Several of one family."""

    class Cache(Store[WorkloadSettings]):
        """One of them."""

    class Smaller(Cache):
        """One that changes nothing about its settings."""

    assert relay.Settings.__name__ == "RelaySettings"
    assert Cache.Settings is Smaller.Settings is WorkloadSettings
    assert Store.Settings is Component.Settings is ComponentSettings


def test_every_endpoint_listens_and_has_a_policy(platform, rendered):
    """One of a part that no workload has, or of a component without a policy, would be reached by nobody."""
    here = list(pods(rendered))
    for member in platform.components:
        for each in member.endpoints:
            pod = next(pod for pod in here if matches({"matchLabels": member.selector(each.part)}, pod))
            ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
            assert each.last or (each.name, each.port) in {(port["name"], port["containerPort"]) for port in ports}
            ingress = of(rendered, "NetworkPolicy", policy_of(rendered, pod))["spec"].get("ingress", [])
            let_in = {port["port"] for rule in ingress for port in rule["ports"]}
            assert let_in.issuperset(each.numbers if somebody_reads(member, each) else ()), (member.name, each.name)


def somebody_reads(member, endpoint):
    if endpoint.open_to(MEMBERS | ANYONE | GATEWAYS):
        return True
    used = endpoint.open_to(USERS) and member.scope.users_of(member.name)
    return bool(used or any(endpoint.open_to(reader.reads) for reader in member.scope.readers()))


def test_the_reference_lists_its_ports(relay):
    text = reference().partition("### relay")[2].partition("\n### ")[0]
    assert "| 4222 | client | relay protocol | who uses it |" in text
    assert "| 7777 | metrics | exporter | Prometheus |" in text
    assert "`exporterImage`" in text


def test_a_second_kind_of_scraper_is_let_in(relay, monkeypatch):
    class Collector(Component[WorkloadSettings]):
        kind = "collector"
        reads = SCRAPERS

        def manifests(self):
            yield policy(self)

    monkeypatch.setitem(KINDS, "collector", Collector)
    made = stack(collector={})
    assert ways(made, "relay", "from") == {"billing": [4222], "collector": [7777], "prometheus": [7777]}
    assert ways(made, "collector", "to")["relay"] == [7777]
    assert ways(made, "redis", "from")["collector"] == [9121]


def test_what_is_no_service_may_use_it_too(relay, monkeypatch):
    class Bridge(Component[WorkloadSettings]):
        kind = "bridge"
        front = "worker"
        uses = ("relay", "redis")

        def manifests(self):
            yield policy(self, part="worker")
            yield policy(self, part="console")

    monkeypatch.setitem(KINDS, "bridge", Bridge)
    made = stack(bridge={})
    assert ways(made, "bridge-worker", "to") == {"relay": [4222], "redis": [6379]}
    assert ways(made, "bridge-console", "to") == {}
    assert ways(made, "relay", "from")["bridge"] == ways(made, "bridge-worker", "to")["relay"]
    whom = of(made, "NetworkPolicy", "relay")["spec"]["ingress"]
    parts = [
        each["podSelector"]["matchLabels"].get("app.kubernetes.io/component") for rule in whom for each in rule["from"]
    ]
    assert parts.count("worker") == 1


def test_what_a_component_finds_wrong_is_told_at_its_own_key(relay, monkeypatch):
    def check(_):
        raise ValueError("exporterImage: is of another age; take a newer one")

    monkeypatch.setattr(relay, "check", check)
    with pytest.raises(StackError, match=r"grayling:components\.relay\.exporterImage: is of another age; take"):
        stack()


def test_what_is_below_the_baseline_is_told_at_its_own_key(relay, monkeypatch):
    server = relay._server
    monkeypatch.setattr(relay, "_server", lambda self: without_drain(server(self)))
    with pytest.raises(
        StackError, match=r"grayling:components\.relay: Deployment 'relay' breaks the baseline rule drain"
    ):
        stack()


def without_drain(container):
    return Container(container.name, container.image, container.resources, readiness=Probe(1), liveness=Probe(1))


def test_two_that_claim_one_object_are_told_at_the_second(relay, monkeypatch):
    monkeypatch.setattr(relay, "manifests", lambda self: [{**policy(self), "metadata": {"name": "redis"}}])
    with pytest.raises(
        StackError, match=r"grayling:components\.redis: NetworkPolicy 'redis' is declared by 'relay' too"
    ):
        stack()


def test_a_range_stands_in_policies_alone(monkeypatch):
    class Spread(Component[WorkloadSettings]):
        kind = "spread"
        endpoints = (Endpoint("inner", 7000, MEMBERS, last=7002),)

        def manifests(self):
            yield policy(self)

    monkeypatch.setitem(KINDS, "spread", Spread)
    made = read(components={"spread": {}}).manifests()
    assert ways(made, "spread", "from") == ways(made, "spread", "to") == {"spread": [7000, 7001, 7002]}


def test_a_component_of_our_own_is_the_files_that_the_page_names(tmp_path):
    """In a copy: the module of the page, its line in the catalogue, and the reference made again."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for room in ("components", "kube", "manifests", "rollout", "terminal", "docs"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "components" / "middleware" / "relay.py").write_text(code)
    catalogue = tmp_path / "components" / "stack" / "catalogue.py"
    text = catalogue.read_text().replace("        Prometheus,", "        Relay,\n        Prometheus,")
    catalogue.write_text(
        text.replace("\n\nfrom components", "\n\nfrom components.middleware.relay import Relay\nfrom components", 1)
    )
    again = subprocess.run(
        [sys.executable, "-m", "components.stack.reference"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "| 7777 | metrics | exporter | Prometheus |" in again
    page = tmp_path / "docs" / "reference" / "components.md"
    page.write_text(page.read_text().removesuffix(reference()) + again)
    changed = {
        str(file.relative_to(tmp_path))
        for file in tmp_path.rglob("*.*")
        if file.is_file() and "__pycache__" not in file.parts and not same(file, ROOT / file.relative_to(tmp_path))
    }
    table = PAGE.read_text().partition("| file | what |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == changed


def same(one, other):
    return other.exists() and one.read_bytes() == other.read_bytes()
