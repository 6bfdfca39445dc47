"""Jaeger v2: takes traces by OTLP, keeps them, and answers questions about them; one login for all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import METRICS, NOBODY, SCRAPERS, USERS, Endpoint, Peer
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, Pod, Probe, SecretKey, config_volume, secret_volume, sleep
from components.model.quantities import megabytes
from components.model.standing import external, real
from components.monitoring.jaeger_settings import (
    CONFIG,
    DATA,
    GRPC_PORT,
    HEALTH_PORT,
    HTTP_PORT,
    INDEX_CA,
    LOGIN,
    METRICS_PORT,
    MOST_IN_MEMORY,
    QUERY_PORT,
    SIZES,
    JaegerSettings,
)
from components.monitoring.otlp_sink import Sink
from components.workloads.accounts import needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import (
    FOLDER,
    authority_of,
    certificate,
    hosts,
    made_for,
    one_file,
    secret_of,
)
from components.workloads.network import policy
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

SHOWN = "tests/catalogue/test_telemetry_on_cluster.py"
_USERS = "basicauth/users"
_AUTH = {"auth": {"authenticator": _USERS}}


class Jaeger(Component[JaegerSettings]):
    """A StatefulSet with its login: of one with a volume, or of several before an index of somebody else."""

    kind = "jaeger"
    room = "monitoring"
    modes = (
        real(f"{SHOWN}::test_traces_arrive_with_personal_fields_masked"),
        external(
            "tests/components/monitoring/test_telemetry.py::test_traces_go_to_an_index_of_somebody_else", name="index"
        ),
    )
    endpoints = (
        Endpoint("otlp-grpc", GRPC_PORT, USERS, "OTLP by gRPC; encrypted with `tls`"),
        Endpoint("otlp-http", HTTP_PORT, USERS, "OTLP by HTTP; encrypted with `tls`"),
        Endpoint("query", QUERY_PORT, USERS, "its API and pages; HTTPS with `tls`"),
        Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its own metrics"),
        Endpoint("health", HEALTH_PORT, NOBODY, "health, for probes"),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret with the login."""
        return self.settings.auth_secret or f"{self.name}-auth"

    def manifests(self) -> Iterable[Manifest]:
        """Login, certificate, configuration, Services, policy, StatefulSet."""
        own = self.settings
        if not own.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from certificate(self, own.tls, hosts(self, self.name))
        made = json.loads(json.dumps(self._configuration()))  # what is there twice is written twice
        text = yaml.safe_dump(made, sort_keys=False, width=1000)
        yield config_map(self, f"{self.name}-config", {"config.yaml": text})
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, self._outside())
        yield from stateful_set(
            self,
            self._pod(),
            replicas=(own.replicas or self.environment.profile.replicas) if own.index else 1,
            governing=f"{self.name}-nodes",
            volume=Volume("data", own.storage) if own.store == "badger" else None,
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Login and certificate, as far as they are not given."""
        login = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        keys = made_for(self, self.settings.tls)
        return {**login, **keys}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        found = needed_secrets(self.settings.auth_secret, self._recipe().keys(), self.settings.tls)
        index = self.settings.index
        if index and index.auth_secret:
            found["index.authSecret"] = (index.auth_secret, ("username", "password"))
        if index and index.ca_secret:
            found["index.caSecret"] = (index.ca_secret, ("ca.crt",))
        return found

    def _recipe(self) -> dict[str, str]:
        scheme = "https" if self.settings.tls else "http"
        place = f"{self.name}.{self.environment.namespace}.svc:{QUERY_PORT}"
        return {
            "username": "{random:12}",
            "password": "{random:32}",
            "users": "{username}:{password}",
            "url": f"{scheme}://{{username}}:{{password}}@{place}",
            "authorization": "Basic {login}",
        }

    def _configuration(self) -> dict[str, Any]:
        tls = {"cert_file": f"{FOLDER}/tls.crt", "key_file": f"{FOLDER}/tls.key", "min_version": "1.3"}
        common: dict[str, Any] = {**_AUTH, **({"tls": tls} if self.settings.tls else {})}
        ports = {"grpc": GRPC_PORT, "http": HTTP_PORT}
        return {
            "extensions": {
                "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"}},
                _USERS: {"htpasswd": {"file": f"{LOGIN}/users"}},
                "jaeger_query": {
                    "storage": {"traces": "store"},
                    "http": {"endpoint": f"0.0.0.0:{QUERY_PORT}", **common},
                    "grpc": {"endpoint": "127.0.0.1:16685"},
                },
                "jaeger_storage": {"backends": {"store": self._store()}},
            },
            "receivers": {
                "otlp": {"protocols": {name: {"endpoint": f"0.0.0.0:{port}", **common} for name, port in ports.items()}}
            },
            "processors": {
                "memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 25}
            },
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "store"}},
            "service": {
                "extensions": ["healthcheckv2", _USERS, "jaeger_storage", "jaeger_query"],
                "telemetry": _TELEMETRY,
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["memory_limiter"],
                        "exporters": ["jaeger_storage_exporter"],
                    }
                },
            },
        }

    def _store(self) -> dict[str, Any]:
        own = self.settings
        if own.index:
            return {own.index.program: self._index()}
        if own.store == "memory":
            return {"memory": {"max_traces": MOST_IN_MEMORY}}
        folders = {"keys": f"{DATA}/keys", "values": f"{DATA}/values"}
        kept = {"spans": duration_of(own.retention)}
        return {"badger": {"directories": folders, "ephemeral": False, "consistency": True, "ttl": kept}}

    def _index(self) -> dict[str, Any]:
        index = self.settings.index
        assert index is not None  # noqa: S101 - the caller has looked
        made: dict[str, Any] = {"server_urls": list(index.urls), "indices": {"index_prefix": index.prefix}}
        if index.auth_secret:
            made["auth"] = {"basic": {"username": "${env:INDEX_USERNAME}", "password": "${env:INDEX_PASSWORD}"}}
        if index.ca_secret:
            made["tls"] = {"ca_file": f"{INDEX_CA}/ca.crt"}
        return made

    def _outside(self) -> Iterable[Peer]:
        if self.settings.index:
            usual = {"http": 80, "https": 443}
            parts = [(url.partition("://")[0], url.rpartition(":")[2]) for url in self.settings.index.urls]
            ports = {int(port) if port.isdigit() else usual[scheme] for scheme, port in parts}
            yield Peer("out", None, tuple(sorted(ports)), "the index, whose address no selector can name")

    def _pod(self) -> Pod:
        own = self.settings
        volumes: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-config"),
            "login": secret_volume(self.secret),
        }
        if own.tls:
            volumes["tls"] = secret_volume(secret_of(self, own.tls))
        if own.index and own.index.ca_secret:
            volumes["index-ca"] = one_file(SecretKey(own.index.ca_secret, "ca.crt"))
        return Pod(containers=(self._server(),), volumes=volumes, grace_s=60)

    def _server(self) -> Container:
        own, size = self.settings, self.sized(SIZES)
        more = {DATA: "data"} if own.store == "badger" else {}
        more |= {FOLDER: "tls"} if own.tls else {}
        more |= {INDEX_CA: "index-ca"} if own.index and own.index.ca_secret else {}
        login = own.index.auth_secret if own.index else None
        env = {f"INDEX_{key.upper()}": SecretKey(login, key) for key in ("username", "password")} if login else {}
        return Container(
            name="jaeger",
            image=self.environment.image(own.image),
            args=(f"--config={CONFIG}/config.yaml",),
            env={"GOMEMLIMIT": f"{int(megabytes(size.memory) * 0.8)}MiB", **env},
            mounts={CONFIG: "config", LOGIN: "login", **more},
            resources=size,
            startup=Probe(HEALTH_PORT, "/status", every_s=1, failures=180),
            readiness=Probe(HEALTH_PORT, "/status"),
            liveness=Probe(HEALTH_PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def sink(self, user: str) -> Sink:  # noqa: ARG002 - it has one account
        """Traces by gRPC."""
        place = f"{self.name}.{self.environment.namespace}.svc:{GRPC_PORT}"
        login = SecretKey(self.secret, "authorization")
        return Sink("grpc", place, frozenset({"traces"}), self.settings.tls is not None, login)

    def binding(self, user: str) -> Mapping[str, SecretKey]:  # noqa: ARG002 - it has one account
        """``TRACES_URL``: its API, with the login."""
        return {"TRACES_URL": SecretKey(self.secret, "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, refusing, and a store that fails."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("JaegerDown", own, f"{who} does not answer")
        refused = " or ".join(
            f"sum(increase(otelcol_receiver_{what}_spans_total{{{own}}}[5m])) > 0" for what in ("refused", "failed")
        )
        yield AlertRule("JaegerRefusesSpans", refused, f"{who} refuses spans, or cannot keep them", "5m")
        failed = f'sum(increase(jaeger_storage_requests_total{{result="err",{own}}}[5m])) > 0'
        yield AlertRule("JaegerStoreFails", failed, f"{who}: its store does not answer questions", "5m", "critical")

    def dashboard(self) -> Dashboard:
        """Spans in, what its store does, memory."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Spans", f"sum(rate(otelcol_receiver_accepted_spans_total{{{own}}}[5m]))", "ops"),
                Panel("Kept", f"sum(rate(otelcol_exporter_sent_spans_total{{{own}}}[5m]))", "ops"),
                Panel("Memory", f"otelcol_process_memory_rss_bytes{{{own}}}", "bytes"),
            ),
        )


_TELEMETRY = {
    "resource": {"service.name": "jaeger"},
    "logs": {"encoding": "json", "level": "info"},
    "metrics": {
        "readers": [
            {"pull": {"exporter": {"prometheus": {
                "host": "0.0.0.0", "port": METRICS_PORT, "without_type_suffix": False, "without_units": False,  # noqa: S104 - of the pod
            }}}}
        ]
    },
}  # fmt: skip
