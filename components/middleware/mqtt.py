"""MQTT by Mosquitto: one broker that keeps sessions and messages on its volume, an account for each service, bridges.

Mosquitto has no cluster: a second pod would be another broker with other sessions. So there is one, which is back
within seconds, and clients with sessions of their own find what they missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.mqtt_observability import alerts, panels
from components.middleware.mqtt_settings import (
    ADMINISTRATOR,
    BRIDGES,
    LOCAL_PORT,
    MADE,
    METRICS_PORT,
    PORT,
    PREPARE,
    SIZES,
    STORE,
    SYS_INTERVAL_S,
    TLS_PORT,
    MqttSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.mistakes import nearest
from components.model.observability import Dashboard, Resource
from components.model.pods import SIDECAR, Container, Pod, Probe, SecretKey, config_volume, secret_volume, sleep
from components.model.profiles import Size
from components.model.quantities import bytes_of
from components.model.standing import real
from components.workloads.accounts import account_files, account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, secret_of
from components.workloads.extra_config import checked
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule
    from kube.kinds import Manifest

_SHOWN = "tests/catalogue/test_messaging_on_cluster.py::"
OURS = ("listener", "bridge_", "psk", "plugin", "auth_", "acl", "password", "persistence", "log_dest")


class Mqtt(Component[MqttSettings]):
    """A StatefulSet of one broker with a volume, and an account for each service."""

    kind = "mqtt"
    modes = (
        real(
            f"{_SHOWN}test_mqtt_loses_no_message_of_quality_one_when_the_broker_dies_and_is_replaced",
            f"{_SHOWN}test_mqtt_bridge_catches_up_after_an_outage",
            f"{_SHOWN}test_mqtt_is_backed_up_and_restored_as_its_runbook_says",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Clients and metrics."""
        return (
            Endpoint("mqtt", self.port, USERS, f"MQTT 3.1.1 and 5; {TLS_PORT} with `tls`"),
            Endpoint("metrics", METRICS_PORT, SCRAPERS, "sidecar", container="metrics"),
        )

    @property
    def port(self) -> int:
        """Where clients connect."""
        return TLS_PORT if self.settings.tls else PORT

    @property
    def secret(self) -> str:
        """Name of the Secret with the administrator."""
        return f"{self.name}-auth"

    def manifests(self) -> Iterable[Manifest]:
        """Secrets, configuration, Services, policy, StatefulSet."""
        yield generated_secret(self.secret, {"username": ADMINISTRATOR, **self._account()})
        yield from accounts(self, self._account())
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", self._files())
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, [bridge.egress.peer() for _, bridge in sorted(self.settings.bridges.items())])
        volume = Volume("data", self.settings.storage)
        yield from stateful_set(self, self._pod(), replicas=1, governing=f"{self.name}-nodes", volume=volume)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        return made_secrets(self, {self.secret: ("username", *self._account())}, self.settings.tls)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        found = needed_secrets(None, (), self.settings.tls)
        for name, bridge in self.settings.bridges.items():
            keys = ("username", "password", "ca.crt") if bridge.tls else ("username", "password")
            found[f"bridges.{name}.secret"] = (bridge.secret, keys)
        return found

    def _account(self) -> dict[str, str]:
        scheme = "mqtts" if self.settings.tls else "mqtt"
        url = f"{scheme}://{{username}}:{{password}}@{self.name}.{self.environment.namespace}.svc:{self.port}"
        return {"password": "{random:32}", "user.passwd": "{username}:{password}\n", "url": url}

    def check(self) -> None:
        """Topics are of services that use it, and what is added to the configuration is not there already.

        Raises:
            ValueError: they are not, or it is.
        """
        using = [user.name for user in self.scope.users_of(self.name)]
        for name in self.settings.topics:
            if name not in using:
                way_out = nearest(name, using) if using else f"write `uses: [{self.name}]` at the service"
                raise ValueError(f"topics.{name}: no service {name!r} uses {self.name!r}; {way_out}")
        if ADMINISTRATOR in using:
            raise ValueError(f"the service {ADMINISTRATOR!r} is called as the account of the broker; rename it")
        checked(self.settings.extra_config, self._configuration(alone=True), "mosquitto", ours=OURS)
        for key, value in self.settings.extra_config.items():
            if len(value.split()) != 1:
                raise ValueError(f"extraConfig.{key}: {value!r} is not one word; write one")

    def _files(self) -> dict[str, str]:
        metrics = text(
            "mqtt_metrics.py.j2", local_port=LOCAL_PORT, metrics_port=METRICS_PORT, silence_s=6 * SYS_INTERVAL_S
        )
        return {
            "mosquitto.conf": self._configuration(),
            "acl": "\n".join(self._permissions()) + "\n",
            "metrics.py": metrics,
            **{f"bridge-{name}.conf": self._bridge(name) for name in sorted(self.settings.bridges)},
        }

    def _configuration(self, *, alone: bool = False) -> str:
        return text(
            "mosquitto.conf.j2",
            made=MADE,
            port=self.port,
            local_port=LOCAL_PORT,
            tls=FOLDER if self.settings.tls else "",
            tls_minimum=self.settings.tls_minimum,
            store=STORE,
            save_every=self.settings.save_every,
            sys_interval=SYS_INTERVAL_S,
            memory_limit=self._memory(),
            message_size=bytes_of(self.settings.message_size_limit),
            max_inflight=self.settings.max_inflight,
            max_queued=self.settings.max_queued,
            extra={} if alone else self.settings.extra_config,
        )

    def _memory(self) -> int:
        """Bytes of messages and sessions: beyond that the broker refuses, and does not die."""
        return int(bytes_of(self.sized(SIZES).memory) * 0.75)

    def _permissions(self) -> Iterable[str]:
        """The file of permissions; `#` has no topics of the broker itself."""
        yield from (f"user {ADMINISTRATOR}", "topic readwrite #", "topic read $SYS/#")
        for user in self.scope.users_of(self.name):
            yield f"user {user.name}"
            said = self.settings.topics.get(user.name)
            if said is None:
                yield "topic readwrite #"
            else:
                yield from (f"topic read {each}" for each in said.read)
                yield from (f"topic write {each}" for each in said.write)

    def _bridge(self, name: str) -> str:
        client = f"{self.environment.namespace}-{self.name}-{name}"
        bridge = self.settings.bridges[name]
        return text("mosquitto_bridge.conf.j2", name=name, bridge=bridge, client=client, secret=f"{BRIDGES}/{name}")

    def _pod(self) -> Pod:
        own = {"secret": {"name": self.secret, "items": [{"key": "user.passwd", "path": f"{ADMINISTRATOR}.passwd"}]}}
        users = [own, *account_files(self, "user.passwd")]
        volumes: dict[str, Mapping[str, object]] = {
            "config": config_volume(f"{self.name}-config"),
            "users": {"projected": {"defaultMode": 0o440, "sources": users}},
            "made": {"emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}},
            **{f"bridge-{name}": secret_volume(bridge.secret) for name, bridge in self.settings.bridges.items()},
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(init=(self._prepare(),), containers=(self._server(), self._metrics()), volumes=volumes, grace_s=60)

    def _prepare(self) -> Container:
        return Container(
            name="prepare",
            image=self.environment.image(self.settings.image),
            command=("sh", "-c", PREPARE),
            mounts={"/etc/mosquitto": "config", "/run/users": "users", MADE: "made", **self._secrets_of_bridges()},
            resources=SIDECAR[Size.SMALL],
        )

    def _secrets_of_bridges(self) -> dict[str, str]:
        return {f"{BRIDGES}/{name}": f"bridge-{name}" for name in self.settings.bridges}

    def _server(self) -> Container:
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        return Container(
            name="mosquitto",
            image=self.environment.image(self.settings.image),
            command=("mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"),
            mounts={"/etc/mosquitto": "config", MADE: "made", STORE: "data", **keys, **self._secrets_of_bridges()},
            resources=self.sized(SIZES),
            startup=Probe(self.port, every_s=1, failures=300),
            readiness=Probe(self.port, every_s=10),
            liveness=Probe(self.port, every_s=15, failures=4),
            pre_stop=sleep(2),
        )

    def _metrics(self) -> Container:
        account = {f"MQTT_{name.upper()}": SecretKey(self.secret, name) for name in ("username", "password")}
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.exporter_image),
            command=("python3", "/etc/mosquitto/metrics.py"),
            env=account,
            mounts={"/etc/mosquitto": "config"},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT, every_s=10),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:
        """``MQTT_URL``, with the account of the user."""
        return {"MQTT_URL": SecretKey(account_of(self, user), "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """Memory, and half of the volume, since what is kept is there twice while it is saved."""
        own = self.metrics_selector
        memory = f"max(mqtt_heap_bytes{{{own}}}) / {self._memory()}"
        yield Resource("memory", "MqttMemoryFills", memory, "will refuse messages")
        stored = f"max(mqtt_stored_bytes{{{own}}}) / {bytes_of(self.settings.storage) // 2}"
        yield Resource("volume", "MqttVolumeFills", stored, "will not be able to save what it keeps")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, dropping messages, full, or cut off from another."""
        who, volume = f"{self.environment.namespace}/{self.name}", bytes_of(self.settings.storage)
        bridged = bool(self.settings.bridges)
        yield from alerts(who, self.metrics_selector, self._memory(), volume, bridged=bridged)
        yield from warnings(self)

    def dashboard(self) -> Dashboard:
        """Messages in and out, what is kept or dropped, clients, memory, bridges."""
        title = f"{self.environment.namespace} / {self.name}"
        return Dashboard(title, panels(self.metrics_selector, bridged=bool(self.settings.bridges)))
