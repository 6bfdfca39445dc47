"""RabbitMQ: a cluster of voting members that find each other by name, with quorum queues.

Members are listed in the configuration file instead of asking the API server, so the pods need no token.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from components.baseline import Volume, config_map, service, stateful_set
from components.component import Component, ComponentSettings, Peer, SecretKey
from components.credentials import generated_secret
from components.images import version
from components.monitoring import AlertRule, Dashboard, Panel
from components.network import policy
from components.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
    Probe,
    Resources,
    Sizes,
    config_volume,
    secret_volume,
    size,
)
from components.profiles import Size
from components.quantities import Quantity, bytes_of, megabytes, share_of
from components.values import Image, ObjectName
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

IMAGE = "docker.io/library/rabbitmq:4.3.4-management"
AMQP_PORT = 5672
EPMD_PORT = 4369
DISTRIBUTION_PORT = 25672
METRICS_PORT = 15692
CLI_PORTS = tuple(range(35672, 35683))
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("2000m", "4Gi"),
}
HOME = "/var/lib/rabbitmq"
DEFINITIONS = f"{HOME}/definitions"
# Erlang wants its cookie as a file that nobody else may read, which a Secret volume cannot give to an arbitrary user;
# and RabbitMQ takes every entry of the definitions folder for a file, a volume's hidden folders among them.
# It may run twice on one home (the kubelet makes a pod's sandbox anew), and what it copied can only be read: hence -f.
PREPARE = (
    f"umask 077 && cp -f /run/cookie/cookie {HOME}/.erlang.cookie.new "
    f"&& mv -f {HOME}/.erlang.cookie.new {HOME}/.erlang.cookie "
    f"&& mkdir -p {DEFINITIONS} && cp -f /run/definitions/*.json {DEFINITIONS}/"
)
# With peers: wait until the queues keep their quorum without this member. Always: send clients elsewhere, then stop.
_FIRST_USER = {
    "vhosts": [{"name": "/"}],
    "users": [{"name": "{username}", "password": "{password}", "tags": "administrator"}],
    "permissions": [{"user": "{username}", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}],
}
DRAIN_ALONE = "rabbitmq-upgrade --timeout 20 drain || true"
DRAIN = f"rabbitmq-upgrade --timeout 300 await_online_quorum_plus_one; {DRAIN_ALONE}"


class RabbitMQSettings(ComponentSettings):
    """Settings of a broker."""

    image: Image = IMAGE
    members: Literal[1, 3, 5, 7] | None = Field(default=None, description="an odd number, so that a majority exists")
    storage: Quantity = "1Gi"
    delivery_limit: int = Field(
        default=20, ge=1, le=1_000_000, description="a message delivered more often is dead-lettered"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret (cookie, 10-users.json, username, password, url); generated if not given",
    )


class RabbitMQ(Component):
    """A StatefulSet with its cookie, its first user, and a policy for quorum queues."""

    kind = "rabbitmq"
    Settings = RabbitMQSettings
    client_ports = (AMQP_PORT,)
    settings: RabbitMQSettings

    def take(self, settings: ComponentSettings) -> None:
        """Keep the settings."""
        assert isinstance(settings, RabbitMQSettings)  # noqa: S101 - for the type checker
        self.settings = settings

    @property
    def secret(self) -> str:
        """Name of the Secret with cookie and first user."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def members(self) -> int:
        """Pods in all."""
        return self.settings.members or self.environment.profile.members

    @property
    def image(self) -> str:
        """What is pulled."""
        return self.environment.image(self.settings.image)

    def manifests(self) -> Iterable[Manifest]:
        """Secret, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self, self.secret, self._recipe())
        yield config_map(self, f"{self.name}-config", self._files())
        inner = {"amqp": AMQP_PORT, "epmd": EPMD_PORT, "dist": DISTRIBUTION_PORT}
        yield service(self, inner, headless=True, name=f"{self.name}-nodes")
        yield service(self, {"amqp": AMQP_PORT})
        yield policy(self, self.peers())
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.members,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """The one with its password, unless it is given."""
        return {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}

    def needs_secrets(self) -> Mapping[str, Collection[str]]:
        """The one that is given."""
        return {self.settings.auth_secret: ("10-users.json", "cookie", "url")} if self.settings.auth_secret else {}

    def _recipe(self) -> dict[str, str]:
        return {
            "username": "{random:12}",
            "password": "{random:32}",
            "cookie": "{random:48}",
            "10-users.json": json.dumps(_FIRST_USER),
            "url": f"amqp://{{username}}:{{password}}@{self.name}.{self.environment.namespace}.svc:{AMQP_PORT}/",
        }

    def _files(self) -> dict[str, str]:
        return {
            "rabbitmq.conf": self._configuration(),
            "enabled_plugins": "[rabbitmq_prometheus].\n",
            "20-policies.json": json.dumps(self._policies(), indent=1, sort_keys=True) + "\n",
        }

    def _configuration(self) -> str:
        memory = megabytes(size(SIZES, self).memory)
        return text(
            "rabbitmq.conf.j2",
            port=AMQP_PORT,
            metrics_port=METRICS_PORT,
            cluster=f"{self.environment.namespace}-{self.name}",
            members=self.members,
            nodes=[f"rabbit@{self._host(str(ordinal))}" for ordinal in range(self.members)],
            memory_watermark=int(memory * 0.6),
            disk_free_limit=f"{min(int(memory * 0.6), share_of(self.settings.storage, 0.2))}MiB",
            log_level=self.settings.log_level,
            version=_numbers(version(self.image)),
            definitions=DEFINITIONS,
        )

    def _policies(self) -> dict[str, Any]:
        limits = {"delivery-limit": self.settings.delivery_limit}
        quorum = {
            "vhost": "/",
            "name": "quorum-defaults",
            "pattern": ".*",
            "apply-to": "queues",
            "priority": 0,
            "definition": limits,
        }
        return {"policies": [quorum]}

    def _host(self, ordinal: str) -> str:
        return f"{self.name}-{ordinal}.{self.name}-nodes.{self.environment.namespace}.svc.cluster.local"

    def _pod(self) -> Pod:
        volumes = {
            "config": config_volume(f"{self.name}-config"),
            "definitions": self._definitions(),
            "cookie": _one_key(self.secret, "cookie"),
            "home": {"emptyDir": {}},
        }
        alone = self.members == 1
        return Pod(
            init=(self._prepare(),),
            containers=(self._server(DRAIN_ALONE if alone else DRAIN),),
            volumes=volumes,
            grace_s=60 if alone else 600,
        )

    def _definitions(self) -> dict[str, Any]:
        user = {"name": self.secret, "items": [{"key": "10-users.json", "path": "10-users.json"}]}
        rest = {"name": f"{self.name}-config", "items": [{"key": "20-policies.json", "path": "20-policies.json"}]}
        return {"projected": {"defaultMode": 0o440, "sources": [{"secret": user}, {"configMap": rest}]}}

    def _prepare(self) -> Container:
        return Container(
            name="prepare",
            image=self.image,
            command=("sh", "-c", PREPARE),
            mounts={HOME: "home", "/run/cookie": "cookie", "/run/definitions": "definitions"},
            resources=SIDECAR[Size.SMALL],
        )

    def _server(self, drain: str) -> Container:
        return Container(
            name="rabbitmq",
            image=self.image,
            command=("rabbitmq-server",),
            env={
                "HOME": HOME,
                "POD_NAME": FieldPath("metadata.name"),
                "RABBITMQ_USE_LONGNAME": "true",
                "RABBITMQ_NODENAME": f"rabbit@{self._host('').replace(f'{self.name}-.', '$(POD_NAME).', 1)}",
                "RABBITMQ_CONFIG_FILE": "/etc/rabbitmq/rabbitmq.conf",
                "RABBITMQ_ENABLED_PLUGINS_FILE": "/etc/rabbitmq/enabled_plugins",
                "RABBITMQ_MNESIA_BASE": f"{HOME}/data/mnesia",
                "RABBITMQ_LOGS": "-",
                "LANG": "C.UTF-8",
            },
            ports={"amqp": AMQP_PORT, "epmd": EPMD_PORT, "dist": DISTRIBUTION_PORT, "metrics": METRICS_PORT},
            mounts={HOME: "home", f"{HOME}/data": "data", "/etc/rabbitmq": "config"},
            resources=size(SIZES, self),
            startup=Probe(AMQP_PORT, every_s=2, failures=150),
            readiness=Probe(AMQP_PORT, every_s=5),
            liveness=Probe(DISTRIBUTION_PORT, every_s=15, failures=6),
            pre_stop={"exec": {"command": ["sh", "-c", drain]}},
        )

    def binding(self) -> Mapping[str, SecretKey]:
        """``AMQP_URL``."""
        return {"AMQP_URL": SecretKey(self.secret, "url")}

    def peers(self) -> Iterable[Peer]:
        """Declared users, the other members, and whoever scrapes."""
        for user in self.scope.users_of(self.name):
            yield Peer("in", user.selector(), (AMQP_PORT,), f"{user.name} uses it")
        for scraper in self.scope.of_kind("prometheus"):
            yield Peer("in", scraper.selector(), (METRICS_PORT,), "scrapes")
        inner = (EPMD_PORT, DISTRIBUTION_PORT, *CLI_PORTS)
        yield Peer("in", self.selector(), inner, "members among themselves")
        yield Peer("out", self.selector(), inner, "members among themselves")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, short of memory or disk, without a majority, messages nobody can route."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        few = self.members // 2 + 1
        seen = f"rabbitmq_identity_info{{{own}}}"
        lost = f"count({seen}) < {few} or absent({seen})"
        yield AlertRule("RabbitMQNoMajority", lost, f"{who}: fewer than {few} of {self.members}", "1m", "critical")
        memory = f"max(rabbitmq_alarms_memory_used_watermark{{{own}}}) > 0"
        yield AlertRule("RabbitMQMemoryAlarm", memory, f"{who} blocks publishers: memory", "1m", "critical")
        disk = f"max(rabbitmq_alarms_free_disk_space_watermark{{{own}}}) > 0"
        yield AlertRule("RabbitMQDiskAlarm", disk, f"{who} blocks publishers: disk", "1m", "critical")
        room = f"min(rabbitmq_disk_space_available_bytes{{{own}}}) / {bytes_of(self.settings.storage)} < 0.3"
        yield AlertRule("RabbitMQVolumeFull", room, f"{who}: over 70 % of a volume is in use", "5m")
        lost = f"sum(rate(rabbitmq_global_messages_unroutable_dropped_total{{{own}}}[5m])) > 0"
        yield AlertRule("RabbitMQUnroutable", lost, f"{who} drops messages that no queue takes")
        backlog = f"sum(rabbitmq_queue_messages_ready{{{own}}}) > 10000"
        yield AlertRule("RabbitMQBacklog", backlog, f"{who}: over 10,000 messages wait", "15m")

    def dashboard(self) -> Dashboard:
        """Messages in and out, waiting, connections, memory."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Published", f"sum(rate(rabbitmq_global_messages_received_total{{{own}}}[1m]))", "ops"),
                Panel("Delivered", f"sum(rate(rabbitmq_global_messages_delivered_total{{{own}}}[1m]))", "ops"),
                Panel("Waiting", f"sum(rabbitmq_queue_messages_ready{{{own}}})"),
                Panel("Connections", f"sum(rabbitmq_connections{{{own}}})"),
                Panel("Memory", f"rabbitmq_process_resident_memory_bytes{{{own}}}", "bytes"),
            ),
        )


def _one_key(secret: str, key: str) -> dict[str, Any]:
    source = {**secret_volume(secret)["secret"], "items": [{"key": key, "path": key}]}
    return {"secret": source}


def _numbers(tag: str) -> tuple[int, int]:
    digits = tag.split("-", maxsplit=1)[0].split(".")
    if len(digits) > 1 and digits[0].isdigit() and digits[1].isdigit():
        return int(digits[0]), int(digits[1])
    return (4, 0)
