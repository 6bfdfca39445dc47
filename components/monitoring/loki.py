"""Loki: one server that keeps the log lines of a stack on its volume. Served: no package of it can be had here.

It knows tenants and no passwords: the network policy is what keeps others out. Metrics and probes have a port of their
own, which stays plain with `tls`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from components.model.component import Component
from components.model.endpoints import METRICS, SCRAPERS, USERS, Endpoint
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, Pod, Probe, SecretKey, config_volume, secret_volume, sleep
from components.model.standing import served
from components.monitoring.loki_settings import CONFIG, DATA, GRPC_PORT, METRICS_PORT, PORT, SIZES, LokiSettings
from components.monitoring.otlp_sink import Sink
from components.workloads.accounts import needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import (
    FOLDER,
    authority_of,
    certificate,
    hosts,
    made_for,
    secret_of,
)
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest


class Loki(Component[LokiSettings]):
    """A StatefulSet of one with a volume."""

    kind = "loki"
    room = "monitoring"
    modes = (served("tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_the_example"),)
    endpoints = (
        Endpoint("http", PORT, USERS, "lines in, LogQL out; HTTPS with `tls`"),
        Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its own metrics, and its health"),
    )

    @property
    def address(self) -> str:
        """Where it is reached."""
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://{self.name}.{self.environment.namespace}.svc:{PORT}"

    def manifests(self) -> Iterable[Manifest]:
        """Certificate, configuration, Services, policy, StatefulSet."""
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        written = yaml.safe_dump(self._configuration(), sort_keys=False, width=1000)
        yield config_map(self, f"{self.name}-config", {"config.yaml": written})
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self)
        yield from stateful_set(
            self,
            self._pod(),
            replicas=1,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Its certificate, where none is given."""
        return made_for(self, self.settings.tls)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """The certificate, where it is given."""
        return needed_secrets(None, (), self.settings.tls)

    def _configuration(self) -> dict[str, Any]:
        keys = {"cert_file": f"{FOLDER}/tls.crt", "key_file": f"{FOLDER}/tls.key"}
        tls = {"http_tls_config": keys, "tls_min_version": "VersionTLS13"} if self.settings.tls else {}
        index = {"prefix": "index_", "period": "24h"}
        schema = {"from": "2024-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13", "index": index}
        return {
            "auth_enabled": True,
            "server": {"http_listen_port": PORT, "grpc_listen_port": GRPC_PORT, "log_format": "json", **tls},
            "internal_server": {"enable": True, "http_listen_port": METRICS_PORT},
            "common": {
                "path_prefix": DATA,
                "replication_factor": 1,
                "instance_addr": "127.0.0.1",
                "ring": {"kvstore": {"store": "inmemory"}},
                "storage": {"filesystem": {"chunks_directory": f"{DATA}/chunks", "rules_directory": f"{DATA}/rules"}},
            },
            "schema_config": {"configs": [schema]},
            "limits_config": {
                "retention_period": f"{self.settings.days * 24}h",
                "allow_structured_metadata": True,
                "reject_old_samples_max_age": f"{self.settings.days * 24}h",
            },
            "compactor": {
                "working_directory": f"{DATA}/compactor",
                "retention_enabled": True,
                "delete_request_store": "filesystem",
            },
            "analytics": {"reporting_enabled": False},
        }

    def _pod(self) -> Pod:
        volumes: dict[str, Mapping[str, Any]] = {"config": config_volume(f"{self.name}-config")}
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        server = Container(
            name="loki",
            image=self.environment.image(self.settings.image),
            args=(f"-config.file={CONFIG}/config.yaml", "-target=all"),
            mounts={CONFIG: "config", DATA: "data", **keys},
            resources=self.sized(SIZES),
            startup=Probe(METRICS_PORT, "/ready", every_s=2, failures=150),
            readiness=Probe(METRICS_PORT, "/ready"),
            liveness=Probe(METRICS_PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )
        return Pod(containers=(server,), volumes=volumes, grace_s=300)

    def sink(self, user: str) -> Sink:  # noqa: ARG002 - the same for all
        """Lines by OTLP, under the tenant of the stack."""
        tls, tenant = self.settings.tls is not None, {"X-Scope-OrgID": self.settings.tenant}
        lines = frozenset({"logs"})
        return Sink("http", f"{self.address}/otlp/v1/logs", lines, tls, headers=tenant, days=self.settings.days)

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``LOKI_URL`` and ``LOKI_TENANT``."""
        return {"LOKI_URL": self.address, "LOKI_TENANT": self.settings.tenant}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, requests that fail, lines refused, and retention that stands still."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("LokiDown", own, f"{who} does not answer")
        every = f"sum(rate(loki_request_duration_seconds_count{{{own}}}[5m]))"
        failed = f'sum(rate(loki_request_duration_seconds_count{{status_code=~"5..",{own}}}[5m]))'
        yield AlertRule("LokiRequestErrors", f"{failed} / {every} > 0.1", f"{who}: over 10 % of requests fail", "10m")
        lost = f"sum(increase(loki_discarded_samples_total{{{own}}}[5m])) > 0"
        yield AlertRule("LokiDropsLines", lost, f"{who} drops lines: too old, or over a limit", "1m")
        ran = f"max(loki_boltdb_shipper_compact_tables_operation_last_successful_run_timestamp_seconds{{{own}}})"
        yield AlertRule(
            "LokiCompactorStopped", f"time() - {ran} > 10800", f"{who} deletes no old lines any more", "15m"
        )

    def dashboard(self) -> Dashboard:
        """Lines in, requests, memory."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Lines", f"sum(rate(loki_distributor_lines_received_total{{{own}}}[5m]))", "ops"),
                Panel("Requests", f"sum by (route) (rate(loki_request_duration_seconds_count{{{own}}}[5m]))", "reqps"),
                Panel("Memory", f"process_resident_memory_bytes{{{own}}}", "bytes"),
            ),
        )
