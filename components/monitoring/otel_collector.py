"""The OpenTelemetry Collector: takes traces and lines, masks personal fields, and passes them on without losing one.

As a gateway it is a StatefulSet that services send to; as an agent it reads the logs of the pods on its node.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import METRICS, NOBODY, SCRAPERS, USERS, Endpoint, Peer
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, Pod, Probe, SecretKey, config_volume, secret_volume, sleep
from components.model.quantities import bytes_of, megabytes
from components.model.standing import Deviation, real
from components.model.values import host_and_port
from components.monitoring.otel_collector_pipelines import Plan, configuration
from components.monitoring.otel_collector_settings import (
    CONFIG,
    GRPC_PORT,
    HEALTH_PORT,
    HTTP_PORT,
    METRICS_PORT,
    POD_LOGS,
    QUEUE,
    SIZES,
    OtelCollectorSettings,
)
from components.monitoring.otel_collector_sinks import SIEM_CA, exporters, sinks_of, wrong_sinks
from components.monitoring.otlp_sink import Sink
from components.workloads.accounts import account_of, accounts
from components.workloads.baseline import Volume, config_map, daemon_set, service, stateful_set
from components.workloads.encryption import (
    CERTIFICATE_KEYS,
    FOLDER,
    TRUSTED,
    authority_of,
    certificate,
    hosts,
    made_for,
    one_file,
    secret_of,
    trust_of,
)
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kube.kinds import Manifest

SHOWN = "tests/catalogue/test_telemetry_on_cluster.py"
_TOKEN = {
    "token": "t{random:40}",
    "authorization": "Bearer {token}",
    "headers": "Authorization=Bearer%20{token}",
}
_NODE = "reads the logs of all pods of its node, and keeps what waits for its sinks in a folder of the node"


class OtelCollector(Component[OtelCollectorSettings]):
    """A StatefulSet that services send to, or a DaemonSet that reads the logs of pods."""

    kind = "otel-collector"
    room = "monitoring"
    modes = (
        real(f"{SHOWN}::test_nothing_is_lost_while_a_sink_is_away_and_a_collector_is_killed", name="gateway"),
        real(f"{SHOWN}::test_lines_of_pods_arrive_with_personal_fields_masked", name="agent"),
    )
    deviations = (Deviation("restricted", "", f"with mode: agent it runs as root: it {_NODE}"),)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """OTLP, metrics, health."""
        own = (
            Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its own metrics"),
            Endpoint("health", HEALTH_PORT, NOBODY, "health, for probes"),
        )
        if self.settings.mode == "agent":
            return own
        return (
            Endpoint("otlp-grpc", GRPC_PORT, USERS, "OTLP by gRPC; encrypted with `tls`"),
            Endpoint("otlp-http", HTTP_PORT, USERS, "OTLP by HTTP; encrypted with `tls`"),
            *own,
        )

    @property
    def _lines(self) -> str | None:
        """Where lines go, if they go anywhere."""
        return self.settings.gateway or self.settings.logs

    @property
    def pod_security(self) -> str:
        """An agent needs the files of its node."""
        return "privileged" if self.settings.mode == "agent" else "restricted"

    @property
    def uses(self) -> tuple[str, ...]:
        """The sinks that are in the stack."""
        known = self.scope.members.keys() - {self.name}
        return tuple(name for name in sinks_of(self.settings) if name in known)

    def check(self) -> None:
        """Its sinks are there, and keep what they are sent as long as its rules say.

        Raises:
            ValueError: they do not.
        """
        if found := wrong_sinks(self):
            raise ValueError(found)

    def manifests(self) -> Iterable[Manifest]:
        """Tokens, certificate, configuration, Services, policy, StatefulSet or DaemonSet."""
        agent = self.settings.mode == "agent"
        yield config_map(self, f"{self.name}-config", {"config.yaml": self._configuration()})
        yield policy(self, self._outside())
        if agent:
            yield from self._on_nodes()
            return
        yield generated_secret(f"{self.name}-auth", _TOKEN)
        yield from accounts(self, _TOKEN)
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.settings.replicas or self.environment.profile.replicas,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Tokens and certificate, as far as they are not given."""
        if self.settings.mode == "agent":
            return {}
        keys = made_for(self, self.settings.tls)
        users = {account_of(self, user.name): ("username", *_TOKEN) for user in self.scope.users_of(self.name)}
        return {f"{self.name}-auth": tuple(_TOKEN), **users, **keys}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        tls, siem = self.settings.tls, self.settings.siem
        found: dict[str, tuple[str, Collection[str]]] = {}
        if tls is not None and tls.secret is not None:
            found["tls.secret"] = (tls.secret, CERTIFICATE_KEYS)
        if siem is not None and siem.ca_secret:
            found["siem.caSecret"] = (siem.ca_secret, ("ca.crt",))
        if siem is not None and siem.token_secret:
            found["siem.tokenSecret"] = (siem.token_secret, ("authorization",))
        return found

    def _tokens(self) -> dict[str, SecretKey]:
        """Variables of all tokens that it takes."""
        if self.settings.mode == "agent":
            return {}
        owners = [f"{self.name}-auth", *(account_of(self, user.name) for user in self.scope.users_of(self.name))]
        return {f"TOKEN_{index}": SecretKey(owner, "token") for index, owner in enumerate(owners)}

    def _configuration(self) -> str:
        own = self.settings
        found = exporters(self, int(bytes_of(own.storage) * 0.6))
        named = {name: each.exporter for name, each in found.items()}
        agent = own.mode == "agent"
        plan = Plan(
            mask=own.mask,
            exporters={each.exporter: each.settings for each in found.values()},
            traces="" if agent else named.get(own.traces or "", ""),
            logs=named.get(self._lines or "", ""),
            rules=own.retention,
            sinks={name: named[name] for name in named if name != own.traces},
            tokens=[*self._tokens()],
            encrypted=own.tls is not None,
            reads=(own.namespaces or [self.environment.namespace]) if agent else (),
        )
        made = json.loads(json.dumps(configuration(plan)))  # what is there twice is written twice
        return yaml.safe_dump(made, sort_keys=False, width=1000)

    def _outside(self) -> Iterable[Peer]:
        siem = self.settings.siem
        if siem is None:
            return
        if siem.syslog:
            port = host_and_port(siem.syslog)[1]
        else:
            scheme, _, rest = (siem.http or "").partition("://")
            _, _, said = rest.split("/")[0].rpartition(":")
            port = int(said) if said.isdigit() else {"http": 80, "https": 443}[scheme]
        yield Peer("out", None, (port,), "the SIEM, whose address no selector can name")

    def _pod(self) -> Pod:
        trusted = trust_of(self)
        volumes: dict[str, Mapping[str, Any]] = {"config": config_volume(f"{self.name}-config"), **trusted.volumes}
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        if self.settings.siem and self.settings.siem.ca_secret:
            volumes["siem-ca"] = one_file(SecretKey(self.settings.siem.ca_secret, "ca.crt"))
        return Pod(containers=(self._collector(trusted.mounts),), volumes=volumes, grace_s=60)

    def _collector(self, trusted: Mapping[str, str]) -> Container:
        size = self.sized(SIZES)
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        siem = {SIEM_CA: "siem-ca"} if self.settings.siem and self.settings.siem.ca_secret else {}
        gates = ("--feature-gates=stanza.synchronousLogEmitter",) if self.settings.mode == "agent" else ()
        logins = {each.variable: each.login for each in exporters(self, 1).values() if each.login}
        return Container(
            name="otel-collector",
            image=self.environment.image(self.settings.image),
            args=(f"--config={CONFIG}/config.yaml", *gates),
            env={"GOMEMLIMIT": f"{int(megabytes(size.memory) * 0.8)}MiB", **self._tokens(), **logins},
            mounts={CONFIG: "config", QUEUE: "data", **trusted, **keys, **siem},
            resources=size,
            startup=Probe(HEALTH_PORT, "/", every_s=1, failures=120),
            readiness=Probe(HEALTH_PORT, "/"),
            liveness=Probe(HEALTH_PORT, "/", every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _on_nodes(self) -> Iterable[Manifest]:
        """As root without any capability: files of other users are read, and nothing else is gained by it."""
        pod = self._pod()
        folder = f"/var/lib/grayling/{self.environment.namespace}-{self.name}"
        made = daemon_set(self, pod)
        spec = made[-1]["spec"]["template"]["spec"]
        spec["securityContext"] |= {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0}
        spec["volumes"] += [
            {"name": "pods", "hostPath": {"path": POD_LOGS, "type": "Directory"}},
            {"name": "data", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}},
        ]
        spec["containers"][0]["volumeMounts"].append({"name": "pods", "mountPath": POD_LOGS, "readOnly": True})
        return made

    def sink(self, user: str) -> Sink:
        """Everything, by gRPC."""
        place = f"{self.name}.{self.environment.namespace}.svc:{GRPC_PORT}"
        takes = {what for what, to in (("traces", self.settings.traces), ("logs", self.settings.logs)) if to}
        login = SecretKey(account_of(self, user), "authorization")
        return Sink("grpc", place, frozenset(takes), self.settings.tls is not None, login)

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:
        """What OpenTelemetry's libraries read: address, token, authority, and the name of the service."""
        scheme = "https" if self.settings.tls else "http"
        kept = {"traces": self.settings.traces, "logs": self.settings.logs, "metrics": None}
        off: dict[str, str | SecretKey] = {
            f"OTEL_{what.upper()}_EXPORTER": "none" for what, to in kept.items() if not to
        }
        trusted: dict[str, str | SecretKey] = (
            {"OTEL_EXPORTER_OTLP_CERTIFICATE": f"{TRUSTED}/{self.name}/ca.crt"} if self.settings.tls else {}
        )
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{self.name}.{self.environment.namespace}.svc:{HTTP_PORT}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": SecretKey(account_of(self, user), "headers"),
            "OTEL_SERVICE_NAME": user,
            **trusted,
            **off,
        }

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, refusing, dropping, and a queue that fills."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("OtelCollectorDown", own, f"{who} does not answer")
        kinds = [kind for kind, to in (("log_records", self._lines), ("spans", self.settings.traces)) if to]
        refused = _any("receiver_refused", kinds, own)
        yield AlertRule("OtelCollectorRefuses", refused, f"{who} refuses what it is sent", "5m")
        lost = _any("exporter_send_failed", kinds, own)
        yield AlertRule("OtelCollectorDrops", lost, f"{who} drops what a sink will not have", "1m", "critical")
        full = f"otelcol_exporter_queue_size{{{own}}} / otelcol_exporter_queue_capacity{{{own}}} > 0.5"
        yield AlertRule("OtelCollectorQueueFills", full, f"{who}: a sink does not keep up, or is away", "5m")

    def dashboard(self) -> Dashboard:
        """What comes, what goes, what waits."""
        own = self.metrics_selector
        panels = [Panel("Waiting", f"sum by (exporter) (otelcol_exporter_queue_size{{{own}}})", "bytes")]
        for title, what, to in (("Lines", "log_records", self._lines), ("Spans", "spans", self.settings.traces)):
            if not to:
                continue
            panels += [
                Panel(f"{title} in", f"sum(rate(otelcol_receiver_accepted_{what}_total{{{own}}}[5m]))", "ops"),
                Panel(f"{title} out", f"sum(rate(otelcol_exporter_sent_{what}_total{{{own}}}[5m]))", "ops"),
            ]
        panels.append(Panel("Memory", f"otelcol_process_memory_rss_bytes{{{own}}}", "bytes"))
        return Dashboard(f"{self.environment.namespace} / {self.name}", tuple(panels))


def _any(what: str, kinds: Sequence[str], own: str) -> str:
    """Of lines or spans, within five minutes."""
    return " or ".join(f"sum(increase(otelcol_{what}_{kind}_total{{{own}}}[5m])) > 0" for kind in kinds)
