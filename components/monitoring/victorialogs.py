"""VictoriaLogs: one server that keeps the log lines of a stack for some days, and never more than its volume holds.

It asks for a password at every path but its health, so a sidecar shows its metrics to Prometheus. The sidecar has the
volume too: the program's own image need not have the tools that a copy of it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import METRICS, SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.observability import AlertRule, Dashboard, Panel, Resource, gone
from components.model.pods import (
    SIDECAR,
    Container,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.quantities import bytes_of, share_of
from components.model.standing import real
from components.monitoring.otlp_sink import Sink
from components.monitoring.victorialogs_settings import (
    DATA,
    LOGIN,
    MESSAGE_FIELDS,
    METRICS_PORT,
    PORT,
    PROGRAM,
    SIZES,
    STREAM_FIELDS,
    VictoriaLogsSettings,
)
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
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

SHOWN = "tests/catalogue/test_telemetry_on_cluster.py"


class VictoriaLogs(Component[VictoriaLogsSettings]):
    """A StatefulSet of one with its login, a volume, and a sidecar for its metrics."""

    kind = "victorialogs"
    room = "monitoring"
    modes = (
        real(
            f"{SHOWN}::test_lines_of_pods_arrive_with_personal_fields_masked",
            f"{SHOWN}::test_a_copy_of_a_day_is_made_while_it_runs_and_put_back",
        ),
    )
    endpoints = (
        Endpoint("http", PORT, USERS, "lines in, LogsQL out; HTTPS with `tls`"),
        Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its metrics, by a sidecar", container="metrics"),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret with the login."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def address(self) -> str:
        """Where it is reached, without the login."""
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://{self.name}.{self.environment.namespace}.svc:{PORT}"

    def manifests(self) -> Iterable[Manifest]:
        """Login, certificate, the sidecar's program, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", {"metrics.py": self._program()})
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
        """Login and certificate, as far as they are not given."""
        login = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        keys = made_for(self, self.settings.tls)
        return {**login, **keys}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        return needed_secrets(self.settings.auth_secret, self._recipe().keys(), self.settings.tls)

    def _recipe(self) -> dict[str, str]:
        scheme, _, place = self.address.partition("://")
        return {
            "username": "{random:12}",
            "password": "{random:32}",
            "url": f"{scheme}://{{username}}:{{password}}@{place}",
            "authorization": "Basic {login}",
        }

    def _program(self) -> str:
        tls = self.settings.tls
        return text(
            "metrics_of_a_locked_server.py.j2",
            source=f"{'https' if tls else 'http'}://localhost:{PORT}/metrics",
            authority=f"{FOLDER}/ca.crt" if tls else "",
            port=METRICS_PORT,
        )

    def _pod(self) -> Pod:
        volumes: dict[str, Mapping[str, object]] = {
            "config": config_volume(f"{self.name}-config"),
            "login": secret_volume(self.secret),
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(containers=(self._server(), self._metrics()), volumes=volumes, grace_s=90)

    def _keys(self) -> dict[str, str]:
        return {FOLDER: "tls"} if self.settings.tls else {}

    def _server(self) -> Container:
        tls = ("-tls", f"-tlsCertFile={FOLDER}/tls.crt", f"-tlsKeyFile={FOLDER}/tls.key", "-tlsMinVersion=TLS13")
        return Container(
            name="victorialogs",
            image=self.environment.image(self.settings.image),
            args=(
                f"-storageDataPath={DATA}",
                f"-retentionPeriod={self.settings.days}d",
                f"-retention.maxDiskSpaceUsageBytes={self.settings.most_bytes}",
                f"-storage.minFreeDiskSpaceBytes={share_of(self.settings.storage, 0.05)}MiB",
                "-inmemoryDataFlushInterval=1s",
                f"-httpListenAddr=:{PORT}",
                "-httpAuth.username=$(USERNAME)",
                f"-httpAuth.password=file://{LOGIN}/password",
                "-loggerFormat=json",
                *(tls if self.settings.tls else ()),
            ),
            env={"USERNAME": SecretKey(self.secret, "username")},
            mounts={DATA: "data", LOGIN: "login", **self._keys()},
            resources=self.sized(SIZES),
            startup=Probe(PORT, every_s=1, failures=300),
            readiness=Probe(PORT, every_s=5),
            liveness=Probe(PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _metrics(self) -> Container:
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.metrics_image),
            command=("python3", f"{PROGRAM}/metrics.py"),
            env={name.upper(): SecretKey(self.secret, name) for name in ("username", "password")},
            mounts={PROGRAM: "config", DATA: "data", **self._keys()},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT, "/metrics", every_s=10, timeout_s=6),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def sink(self, user: str) -> Sink:  # noqa: ARG002 - it has one account
        """Lines by OTLP."""
        return Sink(
            "http",
            f"{self.address}/insert/opentelemetry/v1/logs",
            frozenset({"logs"}),
            self.settings.tls is not None,
            SecretKey(self.secret, "authorization"),
            {"VL-Stream-Fields": STREAM_FIELDS, "VL-Msg-Field": MESSAGE_FIELDS},
            self.settings.days,
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:  # noqa: ARG002 - it has one account
        """``LOGS_URL``, with the login."""
        return {"LOGS_URL": SecretKey(self.secret, "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """What lines may take: beyond it the oldest day goes before its time."""
        used = f"sum(vl_data_size_bytes{{{self.metrics_selector}}}) / {self.settings.most_bytes}"
        yield Resource("volume", "VictoriaLogsVolumeFills", used, "will drop its oldest day before its time")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, near its limit, full, refusing lines, and nothing coming in any more."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("VictoriaLogsDown", own, f"{who} does not answer")
        (volume,) = self.resources()
        taken = f"{volume.used} > 0.9"
        yield AlertRule("VictoriaLogsNearLimit", taken, f"{who}: the oldest day goes soon, before its time", "15m")
        stopped = f"max(vl_storage_is_read_only{{{own}}}) > 0"
        room = f"min(vl_free_disk_space_bytes{{{own}}}) < {bytes_of(self.settings.storage) * 5 // 100}"
        full = f"{stopped} or {room}"
        yield AlertRule(
            "VictoriaLogsVolumeFull", full, f"{who} takes no more lines: its volume is full", "1m", "critical"
        )
        lost = f"sum(increase(vl_rows_dropped_total{{{own}}}[5m])) > 0"
        yield AlertRule("VictoriaLogsDropsRows", lost, f"{who} drops lines: too old, too new, or too large", "1m")
        rows = f"sum(increase(vl_rows_ingested_total{{{own}}}[15m]))"
        before = f"sum(increase(vl_rows_ingested_total{{{own}}}[15m] offset 15m))"
        yield from warnings(self)
        quiet = f"{rows} == 0 and {before} > 0"
        yield AlertRule("VictoriaLogsNothingComes", quiet, f"{who} gets no line for a quarter of an hour", "1m")

    def dashboard(self) -> Dashboard:
        """Lines in, what they take, what is refused, questions."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Lines", f"sum by (type) (rate(vl_rows_ingested_total{{{own}}}[5m]))", "ops"),
                Panel("Size", f"sum(vl_data_size_bytes{{{own}}})", "bytes"),
                Panel("Dropped", f"sum by (reason) (rate(vl_rows_dropped_total{{{own}}}[5m]))", "ops"),
                Panel("Requests", f"sum by (path) (rate(vl_http_requests_total{{{own}}}[5m]))", "reqps"),
                Panel("Memory", f"process_resident_memory_bytes{{{own}}}", "bytes"),
            ),
        )
