"""What teams add to Prometheus and to Contour."""

from __future__ import annotations

import pytest
import yaml

from components.gateways.contour_settings import CONTOUR_KEYS
from components.model.mistakes import StackError
from tests.components.conftest import read

ALERT = {"expr": "sum(rate(orders_total[5m])) < 1", "hold": "10m", "severity": "critical", "summary": "no orders"}


def _of(kind, name, **components):
    items = read(components=components).manifests()
    return next(each for each in items if (each["kind"], each["metadata"]["name"]) == (kind, name))


def _prometheus(name, key, **settings):
    return yaml.safe_load(_of("ConfigMap", name, prometheus=settings)["data"][key])


def test_an_alert_of_ones_own_stands_beside_ours():
    rules = _prometheus("prometheus-rules", "prometheus.yml", alerts={"NoOrders": ALERT})["groups"][0]["rules"]
    (own,) = [each for each in rules if each["alert"] == "NoOrders"]
    assert (own["expr"], own["for"], own["labels"]["severity"]) == (ALERT["expr"], "10m", "critical")
    assert len(rules) > 1


def test_targets_outside_are_scraped_and_may_be_reached():
    erp = {"targets": ["erp.example.com:9100", "node.monitoring.svc:9100"], "interval": "30s", "labels": {"site": "a"}}
    configs = _prometheus("prometheus-config", "prometheus.yml", scrape={"erp": erp})["scrape_configs"]
    (job,) = [each for each in configs if each["job_name"] == "erp"]
    assert job["static_configs"] == [{"targets": erp["targets"], "labels": {"site": "a"}}]
    assert (job["scrape_interval"], job["scrape_timeout"], job["metrics_path"]) == ("30s", "10s", "/metrics")
    egress = _of("NetworkPolicy", "prometheus", prometheus={"scrape": {"erp": erp}})["spec"]["egress"]
    assert {"ports": [{"port": 9100, "protocol": "TCP"}]} in egress
    inside = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert {"to": [inside]} in egress


def test_parts_of_contours_configuration_are_added():
    more = {"rateLimitService": {"domain": "contour", "failOpen": True}}
    written = _of("ConfigMap", "gateway-contour", gateway={"contourConfig": more})["data"]["contour.yaml"]
    assert yaml.safe_load(written)["rateLimitService"] == more["rateLimitService"]
    plain = yaml.safe_load(_of("ConfigMap", "gateway-contour", gateway={})["data"]["contour.yaml"])
    assert plain.keys() == CONTOUR_KEYS
    more = {"tls": {"fallback-certificate": {"name": "a", "namespace": "shop"}}}
    written = _of("ConfigMap", "gateway-contour", gateway={"contourConfig": more, "tlsMinVersion": "1.2"})["data"]
    assert yaml.safe_load(written["contour.yaml"])["tls"] == {**more["tls"], "minimum-protocol-version": "1.2"}


def test_the_log_of_contour_has_no_query_and_old_tls_is_refused_unless_it_is_allowed():
    def told(settings):
        return yaml.safe_load(_of("ConfigMap", "gateway-contour", gateway=settings)["data"]["contour.yaml"])

    assert told({})["tls"] == {"minimum-protocol-version": "1.3"}
    fields = told({})["json-fields"]
    assert "path=%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%" in fields
    assert {"path", "user_agent", "x_forwarded_for"}.isdisjoint(fields)
    assert told({"loggedFields": ["method", "user_agent"]})["json-fields"] == ["method", "user_agent"]


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ({"gateway": {"contourConfig": {"timeouts": {}}}}, "contourConfig.timeouts: is set by Grayling from the"),
        (
            {"gateway": {"contourConfig": {"rateLimitServic": {}}}},
            "rateLimitServic: Contour knows no such key and would not start; did you mean 'rateLimitService'?",
        ),
        (
            {"gateway": {"contourConfig": {"default-http-version": ["HTTP/2"]}}},
            "gateway.contourConfig.default-http-version: Contour knows no such key and would not start; did you mean",
        ),
        *(
            ({"gateway": {key: {}}}, f"gateway.{key}: Contour {why}")
            for key, why in (
                (
                    "jwt",
                    "checks tokens for its own HTTPProxy alone, whose weights no release moves; use the kind envoy",
                ),
                ("oidc", "sends nobody to log in; use the kind envoy-gateway"),
                ("rateLimits", "counts for its own HTTPProxy alone"),
                ("cors", "answers for other origins on its own HTTPProxy alone; use the kind envoy-gateway"),
                ("maxRequest", "limits no sizes; use the kind envoy-gateway"),
                ("retries", "cannot tell by an Idempotency-Key what may be sent twice"),
                ("loggedQuery", "writes no single fields of a query"),
            )
        ),
        ({"gateway": {"loggedFields": ["cookie"]}}, "loggedFields.0: "),
        ({"gateway": {"loggedFields": ["path", "path"]}}, "loggedFields: path is there twice (found"),
        ({"gateway": {"contourConfig": {"json-fields": []}}}, "contourConfig.json-fields: is set by Grayling"),
        (
            {"gateway": {"contourConfig": {"tls": {"minimum-protocol-version": "1.2"}}}},
            "contourConfig.tls: has keys of its own, and minimum-protocol-version is not one; use tlsMinVersion",
        ),
        ({"gateway": {"contourConfig": {"wibble": 1}}}, "would not start; known here: accesslog-format-string, "),
        ({"prometheus": {"alerts": {"A": {**ALERT, "expr": "sum("}}}}, "alerts.A.expr: is no PromQL"),
        ({"prometheus": {"alerts": {"A": {**ALERT, "expr": "x_total[5m]"}}}}, "alerts.A.expr: gives a matrix"),
        *(
            ({"prometheus": {"alerts": {"A": {**ALERT, "summary": text}}}}, f"alerts.A.summary: {said}")
            for text, said in (
                ("{{ $labels.pod", "has {{ without its }} (found '{{ $labels.pod'); write it like {{ $labels.pod }}"),
                ("{{ $label.pod }}", "has $label in {{ $label.pod }}, which Prometheus does not know"),
                ("{{ $value | humanise }}", "has humanise in {{ $value | humanise }}, which Prometheus does not know"),
                ("{{ }} is down", "has nothing to write in {{ }}"),
                ("{{ if $value }}x", "has an if, range or with without its end"),
                ("x{{ end }}", "has an end that ends nothing"),
            )
        ),
        (
            {"prometheus": {"alerts": {"A": {**ALERT, "expr": 'up{namespace="$namespace"} == 0'}}}},
            "alerts.A.expr: has $namespace in it, which nothing fills in",
        ),
        ({"prometheus": {"alerts": {"a b": ALERT}}}, "is no name"),
        ({"prometheus": {"alerts": {"A": {"expr": "up"}}}}, "alerts.A.summary: is required"),
        ({"prometheus": {"scrape": {"erp": {"targets": ["http://erp"]}}}}, "is no host:port"),
        ({"prometheus": {"scrape": {"erp": {"targets": []}}}}, "scrape.erp.targets"),
        ({"prometheus": {"scrape": {"pods": {"targets": ["erp:1"]}}}}, "pods is the job of the stack's own pods"),
    ],
)
def test_what_cannot_be_meant_is_refused(components, expected):
    with pytest.raises(StackError) as caught:
        read(components=components)
    assert expected in str(caught.value)
