"""Prometheus: scrapes every pod of the stack that has a port called ``metrics``, and holds everybody's alert rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import Field

from components.baseline import Volume, config_map, service, stateful_set
from components.component import Component, ComponentSettings, Deviation, Peer
from components.images import exact
from components.layers import Layer
from components.network import policy
from components.pods import SIDECAR, Container, Pod, Probe, Resources, Sizes, config_volume, size, sleep
from components.profiles import Size
from components.quantities import Quantity
from manifests.render import text
from rollout.units import Seconds, duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.kinds import Manifest

IMAGE = "quay.io/prometheus/prometheus:v3.13.2"
DISCOVERY_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT = 9090
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("500m", "2Gi"),
    Size.LARGE: Resources("1000m", "8Gi"),
}


class PrometheusSettings(ComponentSettings):
    """Settings of a monitor."""

    image: str = IMAGE
    scrape_interval: Annotated[Seconds, Field(ge=0.25)] = 15.0
    retention: Seconds | None = Field(default=None, description="the tier's if not given")
    retention_size: Annotated[str, Field(pattern=r"^\d+(MB|GB|TB)$")] = "1GB"
    storage: Quantity | None = Field(default="2Gi", description="volume; null forgets everything at a restart")
    discovery: Literal["kubernetes", "sidecar"] = Field(
        default="kubernetes", description="sidecar: for builds of Prometheus that cannot ask Kubernetes themselves"
    )
    discovery_image: str = Field(default=DISCOVERY_IMAGE, description="of the sidecar: any Python 3")
    alertmanager: str | None = Field(default=None, description="host:port that alerts are sent to")
    namespaces: list[str] = Field(default_factory=list, description="scraped besides the stack's own")


class Prometheus(Component):
    """A StatefulSet of one, its rights, its rules, and the dashboards of all components."""

    kind = "prometheus"
    room = "monitoring"
    layer = Layer.MONITORS
    Settings = PrometheusSettings
    client_ports = (PORT,)
    deviations = (Deviation("token", "", "finds the pods it scrapes by asking the API server"),)
    settings: PrometheusSettings

    def take(self, settings: ComponentSettings) -> None:
        """Keep the settings; the image must name one build.

        Raises:
            ValueError: it does not.
        """
        assert isinstance(settings, PrometheusSettings)  # noqa: S101 - for the type checker
        exact(settings.image)
        self.settings = settings

    @property
    def namespaces(self) -> list[str]:
        """Where pods are looked for."""
        return sorted({self.environment.namespace, *self.settings.namespaces})

    def manifests(self) -> Iterable[Manifest]:
        """Rights, configuration, rules, dashboards, Service, policy, StatefulSet."""
        for namespace in self.namespaces:
            yield from self._rights(namespace)
        yield config_map(self, f"{self.name}-config", self._files())
        yield config_map(self, f"{self.name}-rules", self._rules())
        yield self._dashboards()
        yield service(self, {"metrics": PORT}, headless=True, name=f"{self.name}-nodes")
        yield service(self, {"metrics": PORT})
        yield policy(self, self.peers())
        volume = Volume("data", self.settings.storage) if self.settings.storage else None
        yield from stateful_set(self, self._pod(), replicas=1, governing=f"{self.name}-nodes", volume=volume)

    def _rights(self, namespace: str) -> Iterable[Manifest]:
        group = "rbac.authorization.k8s.io"
        meta = {"name": self.name, "namespace": namespace}
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        yield {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": dict(meta), "rules": rules}
        subject = {"kind": "ServiceAccount", "name": self.name, "namespace": self.environment.namespace}
        yield {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": dict(meta),
            "roleRef": {"apiGroup": group, "kind": "Role", "name": self.name},
            "subjects": [subject],
        }

    def _files(self) -> dict[str, str]:
        files = {"prometheus.yml": self._configuration()}
        if self.settings.discovery == "sidecar":
            period = min(5.0, self.settings.scrape_interval)
            files["discover_pods.py"] = text("discover_pods.py.j2", namespaces=self.namespaces, period_s=period)
        return files

    def _configuration(self) -> str:
        every = self.settings.scrape_interval
        return text(
            "prometheus.yml.j2",
            scrape_interval=duration_of(every),
            scrape_timeout=duration_of(min(10.0, every)),
            evaluation_interval=duration_of(max(5.0, every)),
            stack=self.scope.stack,
            alertmanager=self.settings.alertmanager,
            namespaces=self.namespaces,
            discovery=self.settings.discovery,
        )

    def _rules(self) -> dict[str, str]:
        files: dict[str, str] = {}
        for name, member in sorted(self.scope.members.items()):
            rules = [alert.rule({"component": name}) for alert in member.alerts()]
            if rules:
                body: dict[str, Any] = {"groups": [{"name": name, "rules": rules}]}
                files[f"{name}.yml"] = yaml.safe_dump(body, sort_keys=False, width=1000)
        return files

    def _dashboards(self) -> Manifest:
        files = {}
        for name, member in sorted(self.scope.members.items()):
            dashboard = member.dashboard()
            if dashboard.panels:
                files[f"{name}.json"] = dashboard.grafana(f"{self.environment.namespace}-{name}"[:40])
        made = config_map(self, f"{self.name}-dashboards", files)
        made["metadata"]["labels"] = {**made["metadata"]["labels"], "grafana_dashboard": "1"}
        return made

    def _pod(self) -> Pod:
        volumes: dict[str, Any] = {
            "config": config_volume(f"{self.name}-config"),
            "rules": config_volume(f"{self.name}-rules"),
        }
        if not self.settings.storage:
            volumes["data"] = {"emptyDir": {}}
        containers = [self._server()]
        if self.settings.discovery == "sidecar":
            volumes["targets"] = {"emptyDir": {}}
            containers.append(self._discovery())
        return Pod(containers=tuple(containers), volumes=volumes, token=True, grace_s=60)

    def _server(self) -> Container:
        retention = self.settings.retention or self.environment.profile.metrics_retention
        targets = {"/targets": "targets"} if self.settings.discovery == "sidecar" else {}
        return Container(
            name="prometheus",
            image=self.environment.image(self.settings.image),
            args=(
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={duration_of(retention)}",
                f"--storage.tsdb.retention.size={self.settings.retention_size}",
                f"--web.listen-address=:{PORT}",
            ),
            ports={"metrics": PORT},
            mounts={"/etc/prometheus": "config", "/etc/prometheus/rules": "rules", "/prometheus": "data", **targets},
            resources=size(SIZES, self),
            startup=Probe(PORT, "/-/ready", every_s=1, failures=300),
            readiness=Probe(PORT, "/-/ready"),
            liveness=Probe(PORT, "/-/healthy", every_s=10, failures=6),
            pre_stop=sleep(1),
        )

    def _discovery(self) -> Container:
        alive = Probe(command=("python3", "-c", _FRESH), every_s=15, timeout_s=5)
        return Container(
            name="discovery",
            image=self.environment.image(self.settings.discovery_image),
            command=("python3", "/etc/prometheus/discover_pods.py"),
            mounts={"/etc/prometheus": "config", "/targets": "targets"},
            resources=SIDECAR[Size.SMALL],
            readiness=alive,
            liveness=alive,
        )

    def peers(self) -> Iterable[Peer]:
        """The API server, everything with metrics, and whoever asks."""
        yield Peer("out", None, (443, 6443), "the API server, whose address no selector can name")
        yield Peer("out", {"app.kubernetes.io/managed-by": "grayling"}, _METRICS_PORTS, "scrapes the stack's pods")
        for scraped in self.scope.of_kind("service"):
            yield Peer("out", scraped.selector(), scraped.measured_on(), f"scrapes {scraped.name}")
        for member in self.scope.of_kind("controller"):
            yield Peer("in", member.selector(), (PORT,), "the engine asks")


# The list of pods is no older than a minute.
_FRESH = "import os,sys,time; sys.exit(time.time() - os.stat('/tmp/alive').st_mtime > 60)"
_METRICS_PORTS = (8002, 8003, 9090, 9121, 9464, 15692)
