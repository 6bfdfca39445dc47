"""Works as it is declared: limits follow volumes, changes reach pods, alerts fire for what is gone, policies fit."""

from __future__ import annotations

import re

import promql_parser
import pytest
import yaml

from components.model.mistakes import StackError
from components.model.profiles import Tier
from components.model.quantities import MEBIBYTE, bytes_of, retention_bytes
from tests.components.conftest import read, small
from tests.components.model.values import IMAGE, of

EVERYTHING = {
    "gateway": {},
    "redis": {"mode": "replication"},
    "rabbitmq": {},
    "prometheus": {"alertmanager": "alertmanager.monitoring.svc:9093"},
    "controller": {"image": IMAGE},
}


def environment(tier):
    return {**small()["environment"], "tier": tier}


def volume_of(platform, name):
    claim = of(platform, "StatefulSet", name)["spec"]["volumeClaimTemplates"][0]
    return bytes_of(claim["spec"]["resources"]["requests"]["storage"])


def limit_of(platform, name):
    container = of(platform, "StatefulSet", name)["spec"]["template"]["spec"]["containers"][0]
    return bytes_of(container["resources"]["limits"]["memory"])


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("storage", [None, "256Mi", "1Gi", "50Gi"])
def test_a_broker_takes_messages_in_every_tier(tier, storage):
    settings = {"storage": storage} if storage else {}
    found = read(environment=environment(tier), components={"rabbitmq": settings})
    conf = of(found, "ConfigMap", "rabbitmq-config")["data"]["rabbitmq.conf"]
    must_stay_free = int(re.search(r"disk_free_limit\.absolute = (\d+)MiB", conf)[1]) * MEBIBYTE
    watermark = int(re.search(r"vm_memory_high_watermark\.absolute = (\d+)MiB", conf)[1]) * MEBIBYTE
    assert 50 * MEBIBYTE <= must_stay_free <= 0.25 * volume_of(found, "rabbitmq")
    assert 0.4 <= watermark / limit_of(found, "rabbitmq") <= 0.7


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("storage", ["256Mi", "1Gi", "50Gi"])
def test_a_store_keeps_what_fits_into_memory_and_volume(tier, storage):
    found = read(environment=environment(tier), components={"redis": {"storage": storage}})
    conf = of(found, "ConfigMap", "redis-config")["data"]["redis.conf"]
    most = int(re.search(r"^maxmemory (\d+)mb", conf, re.MULTILINE)[1]) * MEBIBYTE
    assert 0 < most <= 0.75 * limit_of(found, "redis")
    # Before its log is written anew it may be twice as long as the data, and both stand there while it is.
    assert 4 * most <= volume_of(found, "redis")


@pytest.mark.parametrize(("storage", "asked"), [("1Gi", None), ("2Gi", "1GB"), ("20Gi", None), (None, None)])
def test_what_is_retained_fits_the_volume(storage, asked):
    settings = {"storage": storage, **({"retentionSize": asked} if asked else {})}
    found = read(components={"prometheus": settings})
    args = of(found, "StatefulSet", "prometheus")["spec"]["template"]["spec"]["containers"][0]["args"]
    kept = next(arg.partition("=")[2] for arg in args if "retention.size" in arg)
    if asked or not storage:
        assert kept == (asked or "1GB")
    else:
        assert 0.7 * bytes_of(storage) < retention_bytes(kept) <= 0.8 * bytes_of(storage)


def annotations(platform, kind, name):
    spec = of(platform, kind, name)["spec"]
    template = spec["workload"]["template"] if kind == "GrayRelease" else spec["template"]
    return template["metadata"].get("annotations", {})


def reads(token, other="x"):
    return read(
        components={"redis": {"authSecret": "store"}, "rabbitmq": {"authSecret": "broker"}},
        services={
            "a": {"image": IMAGE, "env": {"TOKEN": {"secret": "payment", "key": "token"}}},
            "b": {"image": IMAGE},
            "c": {"image": IMAGE, "volumes": {"k": {"secret": "payment"}}, "mounts": {"/k": "k"}},
            "d": {"image": IMAGE, "init": [{"name": "i", "env": {"T": {"secret": "payment", "key": "token"}}}]},
        },
        secrets={
            "payment": {"token": token},
            "store": {"password": token, "url": "u", "auth.conf": "a"},
            "broker": {"cookie": other, "url": "u", "10-users.json": "{}"},
        },
    )


def test_what_reads_a_changed_secret_starts_anew_and_nothing_else_does():
    old, new = reads("hunter2"), reads("hunter3")
    for kind, name in [("StatefulSet", "redis"), ("GrayRelease", "a"), ("GrayRelease", "c"), ("GrayRelease", "d")]:
        assert annotations(old, kind, name) != annotations(new, kind, name)
        assert annotations(old, kind, name) == annotations(reads("hunter2"), kind, name)
    for kind, name in [("StatefulSet", "rabbitmq"), ("GrayRelease", "b")]:
        assert annotations(old, kind, name) == annotations(new, kind, name)


def test_the_broker_reads_its_secret_through_a_projection():
    assert annotations(reads("x", "one"), "StatefulSet", "rabbitmq") != annotations(
        reads("x", "two"), "StatefulSet", "rabbitmq"
    )


def test_the_checksum_of_a_secret_differs_from_stack_to_stack():
    here = annotations(reads("hunter2"), "GrayRelease", "a")["grayling.dev/secrets"]
    assert re.fullmatch("[0-9a-f]{16}", here)
    elsewhere = read(
        environment={**small()["environment"], "namespace": "other"},
        services={"a": {"image": IMAGE, "env": {"TOKEN": {"secret": "payment", "key": "token"}}}},
        secrets={"payment": {"token": "hunter2"}},
    )
    assert annotations(elsewhere, "GrayRelease", "a")["grayling.dev/secrets"] != here


def test_a_changed_job_is_another_job():
    def name(**changed):
        found = read(environment={**environment("staging"), **changed}, components={"gateway": {}})
        return next(item["metadata"]["name"] for item in found.manifests() if item["kind"] == "Job")

    assert name() == name()
    assert name() != name(pullSecrets=["registry2"])


def alerts(platform):
    found = {}
    for item in platform.manifests():
        if item["kind"] == "ConfigMap" and "-rules" in item["metadata"]["name"]:
            for text in item["data"].values():
                for rule in yaml.safe_load(text)["groups"][0]["rules"]:
                    found[rule["alert"]] = rule["expr"]
    return found


@pytest.fixture(scope="module")
def whole():
    services = {"order-store": {"image": IMAGE, "traffic": {}}, "worker": {"image": IMAGE, "port": None}}
    return read(components=EVERYTHING, services=services)


def test_every_expression_is_promql(rendered):
    for item in rendered:
        if item["kind"] == "ConfigMap" and "-rules" in item["metadata"]["name"]:
            for text in item["data"].values():
                for rule in yaml.safe_load(text)["groups"][0]["rules"]:
                    promql_parser.parse(rule["expr"])
        if item["kind"] == "ConfigMap" and "-dashboards" in item["metadata"]["name"]:
            for text in item["data"].values():
                for panel in yaml.safe_load(text)["panels"]:
                    promql_parser.parse(panel["targets"][0]["expr"])


def test_what_is_gone_is_missed(whole):
    found = alerts(whole)
    for name in (
        "GatewayDown", "GatewayControlPlaneDown", "RedisDown", "RedisReplicaMissing", "RabbitMQNoMajority",
        "PrometheusDown", "EngineDown", "OrderStoreDown", "WorkerDown",
    ):  # fmt: skip
        assert "absent(" in found[name], name


def test_room_and_rules_are_watched(whole):
    found = alerts(whole)
    for name in ("RedisVolumeFull", "RabbitMQVolumeFull", "PrometheusVolumeFull"):
        assert re.search(r" / \d{9,} [<>] 0\.\d", found[name])
    assert "prometheus_rule_evaluation_failures_total" in found["PrometheusRuleFailures"]
    assert "prometheus_notifications_errors_total" in found["PrometheusAlertsLost"]


def egress(platform, name):
    return of(platform, "NetworkPolicy", name)["spec"]["egress"]


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("am.mon.svc:9093", {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}}]}),
        (
            "am.mon.svc.cluster.local:80",
            {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}}]},
        ),
        ("am:9093", {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}),
        ("am.mon:80", {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}}]}),
        ("am.mon:80", {"ports": [{"port": 80, "protocol": "TCP"}]}),
        (
            "am-0.am.mon.svc.corp.internal:80",
            {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}}]},
        ),
        ("am-0.am.mon.svc.corp.internal:80", {"ports": [{"port": 80, "protocol": "TCP"}]}),
        ("am.example.com:443", {"ports": [{"port": 443, "protocol": "TCP"}]}),
        ("[fd00::1]:9093", {"ports": [{"port": 9093, "protocol": "TCP"}]}),
    ],
)
def test_alerts_may_leave(address, rule):
    found = read(components={"prometheus": {"alertmanager": address}})
    assert rule in egress(found, "prometheus")
    assert rule not in egress(read(components={"prometheus": {}}), "prometheus")
    assert address in of(found, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"]


@pytest.mark.parametrize("address", ["am:9093", "am.mon.svc:9093", "am.mon.svc.cluster.local:9093"])
def test_what_is_surely_in_the_cluster_opens_nothing_else(address):
    assert len(egress(read(components={"prometheus": {"alertmanager": address}}), "prometheus")) == 1 + len(
        egress(read(components={"prometheus": {}}), "prometheus")
    )


@pytest.mark.parametrize("address", ["10.0.0.1:9093", "svc.example.com:443", "am.svc.example.com:443"])
def test_a_host_of_elsewhere_opens_no_namespace(address):
    rules = egress(read(components={"prometheus": {"alertmanager": address}}), "prometheus")
    assert {"ports": [{"port": int(address.rpartition(":")[2]), "protocol": "TCP"}]} in rules
    assert len(rules) == 1 + len(egress(read(components={"prometheus": {}}), "prometheus"))


def test_namespaces_outside_the_stack_are_named_by_policies_on_both_sides():
    components = {"prometheus": {"namespaces": ["other"]}, "controller": {"image": IMAGE, "namespaces": ["other"]}}
    found = read(components=components)
    whom = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}
    for name in ("prometheus", "controller"):
        assert {"to": [whom]} in egress(found, name)
        there = of(found, "NetworkPolicy", f"shop-{name}")
        assert there["metadata"]["namespace"] == "other"
        # Only what stacks made, which is closed already: pods that others leave open must stay so.
        assert there["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/managed-by": "grayling"}}
        assert there["spec"]["policyTypes"] == ["Ingress"]
        (source,) = there["spec"]["ingress"][0]["from"]
        assert source["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
        assert source["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == name


@pytest.mark.parametrize("name", ["null", "on", "123", "1e3", "0x1f"])
def test_names_that_yaml_would_read_as_something_else(name):
    environment = {**small()["environment"], "namespace": name}
    found = read(environment=environment, components={"prometheus": {}, "gateway": {}})
    made = yaml.safe_load(of(found, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"])
    assert made["scrape_configs"][0]["kubernetes_sd_configs"][0]["namespaces"]["names"] == [name]
    contour = yaml.safe_load(of(found, "ConfigMap", "gateway-contour")["data"]["contour.yaml"])
    assert contour["gateway"]["gatewayRef"]["namespace"] == name


def test_an_object_that_the_cluster_would_not_take():
    text = "\x01" * 250_000
    with pytest.raises(StackError, match=r"services\.a: GrayRelease 'a' would be \d+ bytes, and the cluster takes"):
        read(services={"a": {"image": IMAGE, "config": {"a": text}}}).manifests()


def test_rules_and_dashboards_of_many_services_fit_into_objects():
    services = {f"service-with-a-rather-long-name-{index}": {"image": IMAGE, "traffic": {}} for index in range(900)}
    found = read(components={"prometheus": {}}, services=services)
    maps = [item for item in found.manifests() if item["kind"] == "ConfigMap"]
    assert all(sum(len(key) + len(text) for key, text in item["data"].items()) < 1024 * 1024 for item in maps)
    dashboards = [item for item in maps if "-dashboards" in item["metadata"]["name"]]
    assert len(dashboards) > 1
    assert sum(len(item["data"]) for item in dashboards) == len(services) + len(("the overview",))
    assert all(item["metadata"]["labels"]["grafana_dashboard"] == "1" for item in dashboards)
    pods = of(found, "StatefulSet", "prometheus")["spec"]["template"]["spec"]
    rules = {item["metadata"]["name"] for item in maps if "-rules" in item["metadata"]["name"]}
    (volume,) = [each for each in pods["volumes"] if each["name"] == "rules"]
    assert {each["configMap"]["name"] for each in volume["projected"]["sources"]} == rules
