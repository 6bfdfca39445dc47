"""Prometheus: scrapes every pod of the stack that has a port called ``metrics``, and holds everybody's alert rules."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from components.model.component import Component
from components.model.endpoints import API_SERVER, MEASURERS, METRICS, SCRAPERS, USERS, Endpoint, Peer
from components.model.exhaustion import warnings
from components.model.layers import Layer
from components.model.mistakes import nearest
from components.model.observability import WATCHDOG, AlertRule, Resource, gone
from components.model.pods import (
    SIDECAR,
    Container,
    Pod,
    Probe,
    config_volume,
    config_volumes,
    sleep,
)
from components.model.profiles import Size
from components.model.quantities import bytes_of, retention_bytes
from components.model.standing import Deviation, real
from components.monitoring.alertmanager import Alertmanager
from components.monitoring.prometheus_additions import jobs
from components.monitoring.prometheus_settings import (
    FULL,
    PORT,
    SIZES,
    PrometheusSettings,
)
from components.monitoring.reached import reached
from components.monitoring.rules import groups_of
from components.workloads.baseline import (
    Volume,
    config_map,
    in_parts,
    service,
    stateful_set,
)
from components.workloads.network import let_in, policy, reads_elsewhere
from manifests.render import text
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.kinds import Manifest


class Prometheus(Component[PrometheusSettings]):
    """A StatefulSet of one, its rights, its rules, and the dashboards of all components."""

    kind = "prometheus"
    modes = (
        real(
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
            "tests/components/deploy/test_every_stack_on_cluster.py::test_it_comes_up_serves_and_goes",
        ),
    )
    room = "monitoring"
    layer = Layer.MONITORS
    reads = SCRAPERS | MEASURERS
    deviations = (Deviation("token", "", "finds the pods it scrapes by asking the API server"),)
    endpoints = (Endpoint(METRICS, PORT, USERS | SCRAPERS | MEASURERS, "PromQL, and its own metrics"),)

    @property
    def namespaces(self) -> list[str]:
        """Where pods are looked for."""
        return sorted({self.environment.namespace, *self.settings.namespaces})

    def manifests(self) -> Iterable[Manifest]:
        """Rights, configuration, rules, dashboards, Service, policy, StatefulSet."""
        for namespace in self.namespaces:
            yield from self._rights(namespace)
        yield from (let_in(self, namespace) for namespace in self._elsewhere)
        yield config_map(self, f"{self.name}-config", self._files())
        for name, files in self._rules.items():
            yield config_map(self, name, files)
        yield from self._dashboards()
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, self._outside())
        volume = Volume("data", self.settings.storage) if self.settings.storage else None
        yield from stateful_set(self, self._pod(), replicas=1, governing=f"{self.name}-nodes", volume=volume)

    @property
    def _elsewhere(self) -> list[str]:
        return [each for each in self.namespaces if each != self.environment.namespace]

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
            alertmanagers=self._alertmanagers,
            namespaces=self.namespaces,
            discovery=self.settings.discovery,
            port_name=METRICS,
            jobs=[json.dumps(job) for job in jobs(self.settings.scrape, every)],
        )

    @property
    def _alertmanagers(self) -> list[str]:
        """Every member of those in the stack, since each tells the others what it was told and none may be missed."""
        found = self.scope.of_kind(Alertmanager.kind)
        inside = [address for each in found if isinstance(each, Alertmanager) for address in each.addresses]
        return inside + ([self.settings.alertmanager] if self.settings.alertmanager else [])

    @cached_property
    def _rules(self) -> dict[str, dict[str, str]]:
        """ConfigMaps by name: one, or as many as the rules need."""
        files: dict[str, str] = {}
        for name, member in sorted(self.scope.members.items()):
            if groups := groups_of(member, self.settings.runbooks):
                body: dict[str, Any] = {"groups": groups}
                files[f"{name}.yml"] = yaml.safe_dump(body, sort_keys=False, width=1000)
        return in_parts(f"{self.name}-rules", files)

    def _dashboards(self) -> Iterable[Manifest]:
        files = {}
        for name, member in sorted(self.scope.members.items()):
            dashboard = member.dashboard()
            if dashboard.panels:
                files[f"{name}.json"] = dashboard.grafana(f"{self.environment.namespace}-{name}"[:40])
        for called, part in in_parts(f"{self.name}-dashboards", files).items():
            made = config_map(self, called, part)
            made["metadata"]["labels"] = {**made["metadata"]["labels"], "grafana_dashboard": "1"}
            yield made

    def _pod(self) -> Pod:
        volumes: dict[str, Any] = {
            "config": config_volume(f"{self.name}-config"),
            "rules": config_volumes(list(self._rules)),
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
                f"--storage.tsdb.retention.size={self.settings.kept_size}",
                f"--web.listen-address=:{PORT}",
            ),
            mounts={"/etc/prometheus": "config", "/etc/prometheus/rules": "rules", "/prometheus": "data", **targets},
            resources=self.sized(SIZES),
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

    def _outside(self) -> Iterable[Peer]:
        """The API server, other namespaces, and what is outside of the stack."""
        yield API_SERVER
        yield from reads_elsewhere(self._elsewhere)
        own = self.environment.namespace
        if self.settings.alertmanager:
            yield from reached(self.settings.alertmanager, own, "tells the Alertmanager")
        for job in self.settings.scrape.values():
            for target in job.targets:
                yield from reached(target, own, "scrapes what is outside of the stack")

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``PROMETHEUS_URL``."""
        return {"PROMETHEUS_URL": f"http://{self.name}.{self.environment.namespace}.svc:{PORT}"}

    def resources(self) -> Iterable[Resource]:
        """What samples may take: beyond it the oldest go before their time."""
        taken = f"{_taken(self.metrics_selector)} / {retention_bytes(self.settings.kept_size)}"
        yield Resource("volume", "PrometheusVolumeFills", taken, "will drop its oldest samples before their time")

    def check(self) -> None:
        """Alerts of a team's own have an owner that there is.

        Raises:
            ValueError: one has none.
        """
        known = self.environment.owners
        for name, alert in self.settings.alerts.items():
            if alert.owner and alert.owner not in known:
                raise ValueError(f"alerts.{name}.owner: is no owner of the environment; {nearest(alert.owner, known)}")

    def alerts(self) -> Iterable[AlertRule]:
        """Its own room, rules that fail, alerts that reach nobody, targets it cannot read."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("PrometheusDown", own, f"{who} does not read itself")
        failed = f"increase(prometheus_rule_evaluation_failures_total{{{own}}}[5m]) > 0"
        yield AlertRule("PrometheusRuleFailures", failed, f"{who}: a rule cannot be evaluated", "5m", "critical")
        if self._alertmanagers:
            errors = f"increase(prometheus_notifications_errors_total{{{own}}}[5m]) > 0"
            none = f"max(prometheus_notifications_alertmanagers_discovered{{{own}}}) < 1"
            lost = f"{errors} or {none}"
            yield AlertRule(
                "PrometheusAlertsLost", lost, f"{who}: alerts do not reach the Alertmanager", "5m", "critical"
            )
        if self.scope.of_kind(Alertmanager.kind):
            yield AlertRule(WATCHDOG, "vector(1)", f"{who} evaluates rules, and this arrives", "0s", "none")
        if self.settings.storage:
            room = f"{_taken(own)} / {bytes_of(self.settings.storage)} > {FULL + 0.05:g}"
            yield AlertRule("PrometheusVolumeFull", room, f"{who}: its volume is nearly full", "5m", "critical")
        yield from warnings(self)
        lost = "count by (job, namespace, instance_name) (up == 0) > 0"
        yield AlertRule("TargetDown", lost, "metrics of a pod, or of a target of your own, cannot be read", "5m")
        yield from (alert.rule(name) for name, alert in sorted(self.settings.alerts.items()))


def _taken(own: str) -> str:
    """Bytes in the volume, as Prometheus counts them itself; older versions count no more than the blocks."""
    parts = "storage_blocks_bytes|wal_storage_size_bytes|head_chunks_storage_size_bytes"
    return f'sum({{__name__=~"prometheus_tsdb_({parts})",{own}}})'


# The list of pods is no older than a minute.
_FRESH = "import os,sys,time; sys.exit(time.time() - os.stat('/tmp/alive').st_mtime > 60)"
