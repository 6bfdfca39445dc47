"""The blackbox exporter: asks addresses as somebody from outside would, when Prometheus tells it to.

For systems that others run and that services use there is the kind `external`, whose prober speaks more. This one is
for what a stack itself offers: its names at the gateway, its certificates, anything by HTTP, TCP or TLS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from components.model.component import Component
from components.model.endpoints import METRICS, SCRAPERS, Endpoint, Peer
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, Pod, Probe, SecretKey, config_volume, sleep
from components.model.standing import real
from components.model.values import host_and_port
from components.monitoring.blackbox_exporter_settings import (
    CONFIG,
    PORT,
    SIZES,
    TRUSTED_CAS,
    BlackboxExporterSettings,
    address_of,
)
from components.monitoring.reached import reached
from components.workloads.baseline import config_map, deployment, service
from components.workloads.encryption import one_file
from components.workloads.network import policy
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

SHOWN = "tests/catalogue/test_exporters_on_cluster.py"


class BlackboxExporter(Component[BlackboxExporterSettings]):
    """A Deployment of one: it keeps nothing, and a look that is missed is taken a moment later."""

    kind = "blackbox-exporter"
    room = "monitoring"
    modes = (real(f"{SHOWN}::test_what_answers_is_told_from_what_does_not"),)
    endpoints = (Endpoint(METRICS, PORT, SCRAPERS, "asks when it is asked, and its own metrics"),)

    @property
    def uses(self) -> tuple[str, ...]:
        """Members of the stack that it asks, so that they let it in."""
        space = self.environment.namespace
        ends = ("", f".{space}", f".{space}.svc", f".{space}.svc.cluster.local")
        asked = {host_and_port(address_of(each.target))[0] for each in self.settings.probes.values()}
        known = self.scope.members.keys() - {self.name}
        return tuple(name for name in sorted(known) if asked & {f"{name}{end}" for end in ends})

    def manifests(self) -> Iterable[Manifest]:
        """Configuration, Service, policy, Deployment."""
        modules = {name: asked.module(name) for name, asked in sorted(self.settings.probes.items())}
        written = yaml.safe_dump(json.loads(json.dumps({"modules": modules})), sort_keys=False, width=1000)
        yield config_map(self, f"{self.name}-config", {"blackbox.yml": written})
        yield service(self, SCRAPERS)
        yield policy(self, self._outside())
        yield from deployment(self, self._pod(), replicas=1)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Authorities of what is asked."""
        found = sorted(self.settings.probes.items())
        return {f"probes.{name}.caSecret": (each.ca_secret, ("ca.crt",)) for name, each in found if each.ca_secret}

    def jobs(self) -> Iterable[dict[str, Any]]:
        """What Prometheus does for each probe: it asks this exporter to look, and keeps what it saw."""
        space = self.environment.namespace
        for name, asked in sorted(self.settings.probes.items()):
            labels = {"namespace": space, "instance_name": self.name, "probe": name}
            yield {
                "job_name": f"{self.name}/{name}",
                "metrics_path": "/probe",
                "params": {"module": [name], "target": [asked.asked]},
                "scrape_interval": duration_of(asked.interval),
                "scrape_timeout": duration_of(asked.timeout),
                "static_configs": [{"targets": [f"{self.name}.{space}.svc:{PORT}"], "labels": labels}],
            }

    def _outside(self) -> Iterable[Peer]:
        seen = dict.fromkeys(address_of(asked.target) for _, asked in sorted(self.settings.probes.items()))
        for address in seen:
            yield from reached(address, self.environment.namespace, f"asks {address}")

    def _pod(self) -> Pod:
        trusted = {name: each.ca_secret for name, each in sorted(self.settings.probes.items()) if each.ca_secret}
        volumes: dict[str, Mapping[str, Any]] = {"config": config_volume(f"{self.name}-config")}
        volumes |= {f"ca-{name}": one_file(SecretKey(secret, "ca.crt")) for name, secret in trusted.items()}
        exporter = Container(
            name="blackbox-exporter",
            image=self.environment.image(self.settings.image),
            args=(f"--config.file={CONFIG}/blackbox.yml", f"--web.listen-address=:{PORT}"),
            mounts={CONFIG: "config", **{f"{TRUSTED_CAS}/{name}": f"ca-{name}" for name in trusted}},
            resources=self.sized(SIZES),
            readiness=Probe(PORT, "/-/healthy"),
            liveness=Probe(PORT, "/-/healthy", every_s=10, failures=6),
            pre_stop=sleep(2),
        )
        return Pod(containers=(exporter,), volumes=volumes)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, a bad answer or none, a slow one, a certificate that ends."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("BlackboxExporterDown", own, f"{who} does not answer: nothing is asked")
        known = "|".join(sorted(self.settings.probes))
        bad = f'max by (probe) (probe_success{{probe=~"{known}",{own}}}) == 0'
        yield AlertRule("ProbeFails", bad, f"{who}: an address does not answer as it should", "2m", "critical")
        slow = self._each("max by (probe) (avg_over_time(probe_duration_seconds{{{}}}[5m])) > {:g}", "slow")
        yield AlertRule("ProbeSlow", slow, f"{who}: an address answers slower than it may", "10m")
        if ends := self._each(
            "min by (probe) (probe_ssl_earliest_cert_expiry{{{}}}) - time() < {:g}", "expires_within"
        ):
            yield AlertRule("CertificateExpires", ends, f"{who}: a certificate ends soon", "15m")

    def _each(self, expr: str, limit: str) -> str:
        """One expression for all probes; of certificates, for those that have one."""
        found = [
            expr.format(f'probe="{name}",{self.metrics_selector}', getattr(each, limit))
            for name, each in sorted(self.settings.probes.items())
            if limit == "slow" or each.encrypted
        ]
        return " or ".join(found)

    def dashboard(self) -> Dashboard:
        """What answers, how fast, and how long certificates last."""
        own = self.metrics_selector
        lasts = f"(min by (probe) (probe_ssl_earliest_cert_expiry{{{own}}}) - time()) / 86400"
        encrypted = any(each.encrypted for each in self.settings.probes.values())
        panels = [
            Panel("Answers", f"max by (probe) (probe_success{{{own}}})", "none", "list",
                  words=((1, "as it should"), (0, "does not"))),
            Panel("Time until the answer", f"max by (probe) (probe_duration_seconds{{{own}}})", "s", names="{{probe}}"),
            *([Panel("Days left of certificates", lasts, "none", names="{{probe}}")] if encrypted else []),
        ]  # fmt: skip
        return Dashboard(f"{self.environment.namespace} / {self.name}", tuple(panels))
