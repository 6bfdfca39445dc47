"""Consul: servers that agree on services, keys and values; everything is denied without a token.

There are no agents on nodes: services ask the servers by HTTP. What the servers say to each other is always encrypted
with a key of their own (gossip), and with `tls` by certificates (RPC, HTTP).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.middleware.consul_settings import (
    CONFIG,
    DATA,
    GOSSIP_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    METRICS_PORT,
    PROGRAM,
    RPC_PORT,
    SECRETS,
    SIZES,
    ConsulSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import MEMBERS, METRICS, SCRAPERS, USERS, Endpoint, Peer
from components.model.observability import AlertRule, Dashboard, Panel
from components.model.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.standing import served
from components.workloads.accounts import needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, made_for, one_file, secret_of
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

GOSSIP_SECRET = {"encrypt": "{gossip}", "acl": {"tokens": {"initial_management": "{token}", "agent": "{token}"}}}


class Consul(Component[ConsulSettings]):
    """A StatefulSet of voting servers with a volume each, and a sidecar for their metrics."""

    kind = "consul"
    modes = (
        served(
            "tests/components/middleware/test_consul.py::test_it_is_what_the_golden_file_says",
            "tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_a_consul_of_every_tier",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its API, and what the servers say to each other."""
        name, about = ("https", "API, with a token") if self.settings.tls else ("http", "API, with a token; no `tls`")
        return (
            Endpoint(name, self.port, USERS | MEMBERS, about),
            Endpoint("rpc", RPC_PORT, MEMBERS, "servers among themselves"),
            Endpoint("gossip", GOSSIP_PORT, MEMBERS, "who is there; UDP too"),
            Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its metrics, by a sidecar", container="metrics"),
        )

    @property
    def port(self) -> int:
        """Of the API."""
        return HTTPS_PORT if self.settings.tls else HTTP_PORT

    @property
    def members(self) -> int:
        """Servers in all."""
        return self.settings.members or min(self.environment.profile.members, 5)

    @property
    def secret(self) -> str:
        """Name of the Secret with the first token and the gossip key."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def address(self) -> str:
        """Where its API is."""
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://{self.name}.{self.environment.namespace}.svc:{self.port}"

    def manifests(self) -> Iterable[Manifest]:
        """Token and key, certificate, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from certificate(self, self.settings.tls, self._names())
        files = {"consul.json": json.dumps(self._configuration(), indent=1, sort_keys=True) + "\n"}
        yield config_map(self, f"{self.name}-config", files)
        yield config_map(self, f"{self.name}-metrics", {"metrics.py": self._program()})
        yield service(self, USERS | MEMBERS, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, self._gossip())
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.members,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def _gossip(self) -> Iterable[Peer]:
        """An endpoint is TCP alone."""
        for way in ("in", "out"):
            yield Peer(way, self.selector(), (GOSSIP_PORT,), "gossip of members", protocol="UDP")

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Token, key and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return {**own, **made_for(self, self.settings.tls)}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given, and the tokens of services."""
        found = needed_secrets(self.settings.auth_secret, ("token", "secrets.json"), self.settings.tls)
        given = {f"tokens.{name}.secret": (each.secret, (each.key,)) for name, each in self.settings.tokens.items()}
        return {**found, **given}

    def check(self) -> None:
        """Each service that uses it has a token, and each token a service.

        Raises:
            ValueError: one has none.
        """
        users = {user.name for user in self.scope.users_of(self.name)}
        for name in sorted(users - self.settings.tokens.keys()):
            raise ValueError(f"tokens: the service {name} has none, and nothing is allowed without; name its Secret")
        for name in sorted(self.settings.tokens.keys() - users):
            raise ValueError(f"tokens.{name}: no service of this name uses it; leave it out, or add it to its `uses`")

    def _recipe(self) -> dict[str, str]:
        return {"gossip": "{random:32}", "token": "{uuid}", "secrets.json": json.dumps(GOSSIP_SECRET)}

    def _names(self) -> list[str]:
        """Of hosts, and the one by which servers know each other for servers."""
        return [*hosts(self, self.name), f"server.{self.settings.datacenter}.consul"]

    def _configuration(self) -> dict[str, Any]:
        domain = f"{self.name}-nodes.{self.environment.namespace}.svc"
        off = dict.fromkeys(("dns", "grpc", "grpc_tls", "serf_wan"), -1)
        ports = {"http": -1, "https": HTTPS_PORT} if self.settings.tls else {"http": HTTP_PORT, "https": -1}
        return {
            "server": True,
            "bootstrap_expect": self.members,
            "datacenter": self.settings.datacenter,
            "data_dir": DATA,
            "bind_addr": "0.0.0.0",  # noqa: S104 - in the pod
            "client_addr": "0.0.0.0",  # noqa: S104 - in the pod
            "retry_join": [f"{self.name}-{each}.{domain}" for each in range(self.members)],
            "leave_on_terminate": True,
            "autopilot": {"min_quorum": self.members // 2 + 1},
            "ports": {**off, **ports},
            "acl": {"enabled": True, "default_policy": "deny", "down_policy": "extend-cache"},
            "telemetry": {"prometheus_retention_time": "60s", "disable_hostname": True},
            "log_level": self.settings.log_level,
            "log_json": True,
            "disable_update_check": True,
            "enable_script_checks": False,
            "ui_config": {"enabled": False},
            **({"tls": self._tls()} if self.settings.tls else {}),
        }

    def _tls(self) -> dict[str, Any]:
        """Servers prove themselves to each other; an issuer's certificates are for servers alone, not for clients."""
        keys = {"ca_file": f"{FOLDER}/ca.crt", "cert_file": f"{FOLDER}/tls.crt", "key_file": f"{FOLDER}/tls.key"}
        both = self.settings.tls is not None and self.settings.tls.issuer is None
        return {
            "defaults": {**keys, "tls_min_version": "TLSv1_3", "verify_outgoing": True},
            "internal_rpc": {"verify_incoming": both, "verify_server_hostname": True},
            "https": {"verify_incoming": False},
        }

    def _program(self) -> str:
        return text(
            "metrics_of_a_locked_server.py.j2",
            source=f"{self.address.partition(':')[0]}://localhost:{self.port}/v1/agent/metrics?format=prometheus",
            authority=f"{FOLDER}/ca.crt" if self.settings.tls else "",
            port=METRICS_PORT,
            token=True,
        )

    def _pod(self) -> Pod:
        volumes: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-config"),
            "metrics": config_volume(f"{self.name}-metrics"),
            "secrets": one_file(SecretKey(self.secret, "secrets.json"), "secrets.json"),
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(containers=(self._server(), self._metrics()), volumes=volumes, grace_s=60)

    def _keys(self) -> dict[str, str]:
        return {FOLDER: "tls"} if self.settings.tls else {}

    def _server(self) -> Container:
        trusted = f"--cacert {FOLDER}/ca.crt " if self.settings.tls else ""
        scheme = self.address.partition(":")[0]
        leader = f"curl -fsS {trusted}{scheme}://localhost:{self.port}/v1/status/leader | grep -q '[0-9]'"
        knows = ("sh", "-c", leader)  # it is "" where there is none
        return Container(
            name="consul",
            image=self.environment.image(self.settings.image),
            command=("consul", "agent", f"-config-dir={CONFIG}", f"-config-file={SECRETS}/secrets.json"),
            args=("-node=$(POD_NAME)", "-advertise=$(POD_IP)"),
            env={"POD_NAME": FieldPath("metadata.name"), "POD_IP": FieldPath("status.podIP")},
            mounts={CONFIG: "config", SECRETS: "secrets", DATA: "data", **self._keys()},
            resources=self.sized(SIZES),
            startup=Probe(RPC_PORT, every_s=2, failures=150),
            readiness=Probe(command=knows, every_s=5, timeout_s=5),
            liveness=Probe(RPC_PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _metrics(self) -> Container:
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.metrics_image),
            command=("python3", f"{PROGRAM}/metrics.py"),
            env={"TOKEN": SecretKey(self.secret, "token")},
            mounts={PROGRAM: "metrics", **self._keys()},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT, every_s=10),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:
        """``CONSUL_HTTP_ADDR``, and ``CONSUL_HTTP_TOKEN`` of the service's own."""
        found: dict[str, str | SecretKey] = {"CONSUL_HTTP_ADDR": self.address}
        if token := self.settings.tokens.get(user):
            found["CONSUL_HTTP_TOKEN"] = SecretKey(token.secret, token.key)
        return found

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, without a leader, unwell, or one loss from the end."""
        own, who = self.metrics_selector, f"{self.environment.namespace}/{self.name}"
        down = f"sum(up{{{own}}}) < {self.members} or absent(up{{{own}}})"
        yield AlertRule("ConsulDown", down, f"{who}: fewer than {self.members} servers answer", "2m", "critical")
        nobody = f"sum(consul_server_isLeader{{{own}}}) < 1 or absent(consul_server_isLeader{{{own}}})"
        yield AlertRule("ConsulNoLeader", nobody, f"{who} has no leader: nothing can be written", "1m", "critical")
        unwell = f"min(consul_autopilot_healthy{{{own}}}) < 1"
        yield AlertRule("ConsulUnhealthy", unwell, f"{who}: the leader takes a server for unwell", "5m")
        if self.members > 1:
            spare = f"max(consul_autopilot_failure_tolerance{{{own}}}) < 1"
            yield AlertRule("ConsulNoSpareServer", spare, f"{who}: the next server that is lost ends it", "10m")

    def dashboard(self) -> Dashboard:
        """Leader, spare servers, requests, writes, memory."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Leader", f"max by (pod) (consul_server_isLeader{{{own}}})"),
                Panel("Servers that may be lost", f"max(consul_autopilot_failure_tolerance{{{own}}})"),
                Panel("Requests", f"sum by (pod) (rate(consul_rpc_request{{{own}}}[5m]))", "ops"),
                Panel("Writes", f"sum(rate(consul_raft_apply{{{own}}}[5m]))", "ops"),
                Panel("Memory", f"consul_runtime_alloc_bytes{{{own}}}", "bytes"),
            ),
        )
