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
from components.model.observability import WATCHDOG, AlertRule, Resource
from components.model.pods import (
    Pod,
    config_volume,
    config_volumes,
)
from components.model.quantities import bytes_of, retention_bytes
from components.model.standing import Deviation, real, served
from components.monitoring.alertmanager import Alertmanager
from components.monitoring.blackbox_exporter import BlackboxExporter
from components.monitoring.overviews import STACK, config_maps
from components.monitoring.prometheus_additions import jobs
from components.monitoring.prometheus_observability import alerts, taken, unread
from components.monitoring.prometheus_operator import pod_monitor, probe, rules, scrape_config
from components.monitoring.prometheus_pods import discovery, server
from components.monitoring.prometheus_settings import (
    PORT,
    SIZES,
    PrometheusSettings,
)
from components.monitoring.reached import reached
from components.monitoring.receivers import address_of
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

    from components.model.endpoints import Readers
    from kube.kinds import Manifest


class Prometheus(Component[PrometheusSettings]):
    """A StatefulSet of one, its rights, its rules, and the dashboards of all components."""

    kind = "prometheus"
    modes = (
        real(
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
            "tests/components/deploy/test_every_stack_on_cluster.py::test_it_comes_up_serves_and_goes",
            "tests/catalogue/test_exporters_on_cluster.py::test_prometheus_is_backed_up_and_restored_as_its_runbook_says",
        ),
        served(
            "tests/catalogue/test_prometheus_operator_on_cluster.py::test_an_api_server_takes_what_an_operator_is_told",
            "tests/components/monitoring/test_prometheus_operator.py::test_the_operator_is_told_what_our_own_would_do",
            name="existing",
        ),
    )
    room = "monitoring"
    layer = Layer.MONITORS
    reads = SCRAPERS | MEASURERS
    deviations = (Deviation("token", "", "finds the pods it scrapes by asking the API server"),)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """PromQL and metrics, of its own or of somebody else's."""
        there = self.settings.existing
        if there:
            return (Endpoint("promql", int(address_of(there.url).rpartition(":")[2]), USERS | MEASURERS, "PromQL"),)
        return (Endpoint(METRICS, PORT, USERS | SCRAPERS | MEASURERS, "PromQL, and its own metrics"),)

    @property
    def lives_in(self) -> str:
        """The namespace of one that somebody else runs."""
        return self.settings.existing.namespace if self.settings.existing else ""

    def speaker(self) -> dict[str, str]:
        """Labels of its pods, whoever runs it."""
        return dict(self.settings.existing.pods) if self.settings.existing else super().speaker()

    def reached_by(self, readers: Readers) -> list[tuple[Mapping[str, str], tuple[int, ...]]]:
        """Its pods, whoever runs it."""
        return [(self.speaker(), ports) for _, ports in super().reached_by(readers)]

    @property
    def namespaces(self) -> list[str]:
        """Where pods are looked for."""
        return sorted({self.environment.namespace, *self.settings.namespaces})

    def manifests(self) -> Iterable[Manifest]:
        """Rights, configuration, rules, dashboards, Service, policy, StatefulSet; or what one of others is told."""
        if self.settings.existing:
            yield from self._told()
            return
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

    def _told(self) -> Iterable[Manifest]:
        """Objects for the operator of a Prometheus that is there; policies let it in."""
        every, there = self.settings.scrape_interval, self.settings.existing
        made = [
            pod_monitor(self.name, self.namespaces, every),
            *rules(self.name, self._groups_by_member, {STACK: self.scope.stack}),
            *(scrape_config(f"{self.name}-{name}", each, every) for name, each in sorted(self.settings.scrape.items())),
            *(probe(job["job_name"].replace("/", "-"), job) for job in self._probes),
        ]
        for each in made:
            yield {**each, "metadata": {**each["metadata"], "labels": dict(there.labels) if there else {}}}
        yield from (let_in(self, namespace) for namespace in self._elsewhere)
        yield from self._dashboards()

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
            jobs=[json.dumps(job) for job in (*jobs(self.settings.scrape, every), *self._probes)],
        )

    @property
    def _probes(self) -> Iterable[Mapping[str, Any]]:
        """What those of the stack ask for it."""
        for each in self.scope.of_kind(BlackboxExporter.kind):
            if isinstance(each, BlackboxExporter):
                yield from each.jobs()

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
        for name, found in self._groups_by_member.items():
            files[f"{name}.yml"] = yaml.safe_dump({"groups": found}, sort_keys=False, width=1000)
        return in_parts(f"{self.name}-rules", files)

    @property
    def _groups_by_member(self) -> dict[str, list[dict[str, Any]]]:
        """Of those that have any."""
        members = sorted(self.scope.members.items())
        return {name: found for name, each in members if (found := groups_of(each, self.settings.runbooks))}

    @property
    def address(self) -> str:
        """Where it is asked."""
        there = self.settings.existing
        return there.url.rstrip("/") if there else f"http://{self.name}.{self.environment.namespace}.svc:{PORT}"

    @cached_property
    def dashboards(self) -> dict[str, dict[str, str]]:
        """Of the whole stack, as ConfigMaps by name."""
        return config_maps(self.scope, f"{self.name}-dashboards")

    def _dashboards(self) -> Iterable[Manifest]:
        for called, part in self.dashboards.items():
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
        containers = [server(self.environment, self.settings, self.sized(SIZES))]
        if self.settings.discovery == "sidecar":
            volumes["targets"] = {"emptyDir": {}}
            containers.append(discovery(self.environment.image(self.settings.discovery_image)))
        return Pod(containers=tuple(containers), volumes=volumes, token=True, grace_s=60)

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
        return {"PROMETHEUS_URL": self.address}

    def resources(self) -> Iterable[Resource]:
        """What samples may take: beyond it the oldest go before their time."""
        if not self.settings.existing:
            used = f"{taken(self.metrics_selector)} / {retention_bytes(self.settings.kept_size)}"
            yield Resource("volume", "PrometheusVolumeFills", used, "will drop its oldest samples before their time")

    def check(self) -> None:
        """Alerts of a team's own have an owner that there is, and reach somebody.

        Raises:
            ValueError: they do not.
        """
        known = self.environment.owners
        if self.settings.existing and (mute := self.scope.of_kind(Alertmanager.kind)):
            raise ValueError(
                f"existing: its alerts go where its operator says, and nobody would tell {mute[0].name!r}; "
                "leave out the alertmanager, or existing"
            )
        for name, alert in self.settings.alerts.items():
            if alert.owner and alert.owner not in known:
                raise ValueError(f"alerts.{name}.owner: is no owner of the environment; {nearest(alert.owner, known)}")

    def alerts(self) -> Iterable[AlertRule]:
        """Its own room, rules that fail, alerts that reach nobody, targets it cannot read; one of others has theirs."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        if self.settings.existing:
            yield unread(f'{{namespace=~"{"|".join(self.namespaces)}"}}')
        else:
            storage = self.settings.storage
            full = f"{taken(own)} / {bytes_of(storage)}" if storage else ""
            yield from alerts(who, own, full, tells=bool(self._alertmanagers))
            if self.scope.of_kind(Alertmanager.kind):
                yield AlertRule(WATCHDOG, "vector(1)", f"{who} evaluates rules, and this arrives", "0s", "none")
            yield from warnings(self)
            yield unread("")
        yield from (alert.rule(name) for name, alert in sorted(self.settings.alerts.items()))
