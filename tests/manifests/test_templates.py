"""Templates of configuration files: complete or refused."""

from __future__ import annotations

import pytest
import yaml
from jinja2 import UndefinedError

from manifests.render import definitions, text

PROMETHEUS = {
    "scrape_interval": "1s",
    "scrape_timeout": "1s",
    "evaluation_interval": "5s",
    "stack": "local",
    "alertmanagers": [],
    "namespaces": ["shop"],
    "discovery": "kubernetes",
    "jobs": [],
    "port_name": "metrics",
}


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError, match="'tls' is undefined"):
        text("redis.conf.j2")


@pytest.mark.parametrize("discovery", ["kubernetes", "sidecar"])
def test_prometheus_configuration_is_yaml(discovery):
    made = yaml.safe_load(text("prometheus.yml.j2", **{**PROMETHEUS, "discovery": discovery}))
    job = made["scrape_configs"][0]
    assert ("kubernetes_sd_configs" in job) == (discovery == "kubernetes")
    assert "alerting" not in made


def test_alertmanager_is_optional():
    made = yaml.safe_load(text("prometheus.yml.j2", **{**PROMETHEUS, "alertmanagers": ["am:9093"]}))
    assert made["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["am:9093"]


def test_the_sidecar_is_python():
    compile(text("discover_pods.py.j2", namespaces=["shop"], period_s=1.0), "discover_pods.py", "exec")


@pytest.mark.parametrize(("version", "quorum"), [((3, 10), False), ((4, 3), True)])
def test_rabbitmq_by_version(version, quorum):
    made = text(
        "rabbitmq.conf.j2",
        port=5672, metrics_port=15692, cluster="c", members=3, nodes=["rabbit@a", "rabbit@b", "rabbit@c"],
        memory_watermark=100, disk_free_limit="50MB", log_level="info", version=version, definitions="/d",
        tls="", extra={}, management_port=0,
    )  # fmt: skip
    assert ("default_queue_type = quorum" in made) == quorum
    assert "cluster_formation.classic_config.nodes.3 = rabbit@c" in made


def test_our_definitions_are_found():
    assert {item["metadata"]["name"] for item in definitions()} >= {"grayreleases.grayling.dev"}
