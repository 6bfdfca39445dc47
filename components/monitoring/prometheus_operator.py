"""What a Prometheus of somebody else is told, where an operator of it (monitoring.coreos.com) looks for such objects.

PodMonitors and no ServiceMonitors: our own Prometheus finds pods by a port called `metrics`, and so does this one.
Labels, rules and panels are the same either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from components.model.endpoints import METRICS
from components.model.settings import ComponentSettings
from components.model.values import LabelName, LabelValue, Namespace
from components.monitoring.receivers import Url
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.monitoring.prometheus_additions import Scrape
    from kube.kinds import Manifest

GROUP = "monitoring.coreos.com"


class Existing(ComponentSettings):
    """A Prometheus that somebody else runs with the Prometheus Operator."""

    url: Url = Field(description="where it is asked, like http://prometheus-operated.monitoring.svc:9090")
    namespace: Namespace = Field(description="of its pods, which may then read those of the stack")
    pods: dict[LabelName, LabelValue] = Field(
        default_factory=lambda: {"app.kubernetes.io/name": "prometheus"}, description="labels of its pods"
    )
    labels: Annotated[dict[LabelName, LabelValue], Field(max_length=20)] = Field(
        default_factory=dict, description="that it wants on objects meant for it, like release: kube-prometheus-stack"
    )


def pod_monitor(name: str, namespaces: list[str], every: float) -> Manifest:
    """All pods with a port called ``metrics`` in these namespaces, with the labels that rules and panels select by."""
    of_engines = {"sourceLabels": ["__name__", "exported_namespace"], "regex": "grayling_.+;(.+)"}
    spec = {
        "selector": {},
        "namespaceSelector": {"matchNames": namespaces},
        "podMetricsEndpoints": [
            {
                "port": METRICS,
                "interval": duration_of(every),
                "scrapeTimeout": duration_of(min(10.0, every)),
                "relabelings": [_path(), *(_label(source, target) for source, target in _LABELS.items())],
                "metricRelabelings": [{**of_engines, "targetLabel": "namespace"}],
            }
        ],
    }
    return _object("PodMonitor", name, spec)


_LABELS = {
    "app_kubernetes_io_instance": "instance_name",
    "app_kubernetes_io_component": "component",
    "grayling_dev_release": "release",
    "grayling_dev_revision": "revision",
}


def _label(source: str, target: str) -> dict[str, Any]:
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{source}"], "targetLabel": target}


def _path() -> dict[str, Any]:
    noted = "__meta_kubernetes_pod_annotation_prometheus_io_path"
    return {"sourceLabels": [noted], "regex": "(.+)", "targetLabel": "__metrics_path__"}


def rules(owner: str, members: Mapping[str, list[dict[str, Any]]], told: Mapping[str, str]) -> Iterable[Manifest]:
    """An object for each member that has groups of rules; ``told`` are labels that tell them from those of others."""
    for name, groups in members.items():
        yield _object("PrometheusRule", f"{owner}-{name}", {"groups": [_marked(owner, each, told) for each in groups]})


def _marked(owner: str, group: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, Any]:
    marked = [{**rule, "labels": {**rule["labels"], **told}} for rule in group["rules"]]
    return {**group, "name": f"{owner}-{group['name']}", "rules": marked}


def scrape_config(name: str, scrape: Scrape, every: float) -> Manifest:
    """Targets outside of the stack; that kind is of version v1alpha1."""
    spec = {
        "staticConfigs": [{"targets": list(scrape.targets), "labels": dict(scrape.labels)}],
        "metricsPath": scrape.path,
        "scheme": scrape.scheme.upper(),
        "scrapeInterval": duration_of(scrape.interval or every),
        "scrapeTimeout": duration_of(min(10.0, scrape.interval or every)),
    }
    return _object("ScrapeConfig", name, spec, "v1alpha1")


def probe(name: str, job: Mapping[str, Any]) -> Manifest:
    """What a blackbox exporter of the stack is asked, from the job that our own Prometheus would have."""
    (static,) = job["static_configs"]
    spec = {
        "prober": {"url": static["targets"][0], "scheme": "http", "path": job["metrics_path"]},
        "module": job["params"]["module"][0],
        "interval": job["scrape_interval"],
        "scrapeTimeout": job["scrape_timeout"],
        "targets": {"staticConfig": {"static": job["params"]["target"], "labels": dict(static["labels"])}},
    }
    return _object("Probe", name, spec)


def _object(kind: str, name: str, spec: Mapping[str, Any], version: str = "v1") -> Manifest:
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
