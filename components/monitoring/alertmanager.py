"""Alertmanager: tells the owners of what fails, once, by the ways they chose; its members tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from components.model.component import Component
from components.model.endpoints import (
    MEMBERS,
    METRICS,
    SCRAPERS,
    USERS,
    Endpoint,
    Peer,
)
from components.model.images import version
from components.model.layers import Layer
from components.model.mistakes import nearest
from components.model.observability import (
    AlertRule,
    Dashboard,
    Panel,
    gone,
)
from components.model.pods import (
    Container,
    FieldPath,
    Pod,
    Probe,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.standing import real
from components.monitoring.alert_routes import configuration
from components.monitoring.alertmanager_settings import (
    GOSSIP_PORT,
    PORT,
    SIZES,
    AlertmanagerSettings,
)
from components.monitoring.reached import reached
from components.monitoring.receivers import SECRETS, KeyOf
from components.workloads.baseline import (
    Volume,
    config_map,
    service,
    stateful_set,
)
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.monitoring.receivers import Receiver
    from kube.kinds import Manifest

HTTPS = 443
URL_FILE = (0, 26)
"""Since when a webhook's URL can stand in a file."""


class Alertmanager(Component[AlertmanagerSettings]):
    """A StatefulSet whose members gossip, with routes by owner and silences on volumes."""

    kind = "alertmanager"
    room = "monitoring"
    layer = Layer.MONITORS
    modes = (
        real(
            "tests/catalogue/test_alertmanager_on_cluster.py::test_an_alert_arrives_grouped_by_owner",
            "tests/catalogue/test_alertmanager_on_cluster.py::test_killed_members_keep_silences_and_go_on_telling",
        ),
    )
    endpoints = (
        Endpoint(METRICS, PORT, USERS | SCRAPERS, "alerts, silences, its page, and its own metrics"),
        Endpoint("gossip", GOSSIP_PORT, MEMBERS, "silences and what was sent, TCP and UDP"),
    )

    @property
    def members(self) -> int:
        """Pods in all."""
        return self.settings.members or self.environment.profile.members

    @property
    def addresses(self) -> list[str]:
        """``host:port`` of every member: each has to be told of every alert."""
        return [f"{self._host(ordinal)}:{PORT}" for ordinal in range(self.members)]

    def _host(self, ordinal: int) -> str:
        return f"{self.name}-{ordinal}.{self.name}-nodes.{self.environment.namespace}.svc"

    def manifests(self) -> Iterable[Manifest]:
        """Configuration, Services, policy, StatefulSet."""
        text = yaml.safe_dump(configuration(self.settings), sort_keys=False, width=1000, allow_unicode=True)
        yield config_map(self, f"{self.name}-config", {"alertmanager.yml": text})
        yield service(self, USERS | SCRAPERS | MEMBERS, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, self._peers())
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.members,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def _peers(self) -> Iterable[Peer]:
        """Its members by UDP, other environments, and whoever is told."""
        for direction in ("in", "out"):
            yield Peer(direction, self.selector(), (GOSSIP_PORT,), "members among themselves", protocol="UDP")
        for namespace in self.settings.namespaces:
            sender = {"app.kubernetes.io/name": "prometheus"}
            yield Peer("in", sender, (PORT,), f"Prometheus of {namespace}", namespace=namespace)
        whom = [(name, way.address) for name, receiver in self._receivers() for way in receiver.ways().values()]
        for address in dict.fromkeys(address for _, address in whom if address):
            yield from reached(address, self.environment.namespace, f"tells {address}")
        if any(not address for _, address in whom):
            yield Peer("out", None, (HTTPS,), "tells receivers whose URL is secret")

    def _receivers(self) -> Iterable[tuple[str, Receiver]]:
        return sorted(self.settings.receivers.items())

    def _keys(self) -> Iterable[tuple[str, KeyOf]]:
        """Keys of Secrets that receivers need, by setting."""
        for name, receiver in self._receivers():
            for kind, way in receiver.ways().items():
                for setting, key in way.secrets():
                    yield f"receivers.{name}.{kind}.{setting}.secret", key

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Passwords, tokens and URLs of receivers."""
        return {setting: (key.secret, (key.key,)) for setting, key in self._keys()}

    def check(self) -> None:
        """Owners are there, and the image can read what it is given.

        Raises:
            ValueError: they are not, or it cannot.
        """
        known = self.environment.owners
        for owner in self.settings.owners:
            if owner not in known:
                raise ValueError(f"owners.{owner}: is no owner of the environment; {nearest(owner, known)}")
        found = version(self.environment.image(self.settings.image))
        numbers = tuple(int(part) for part in found.removeprefix("v").split(".")[:2] if part.isdigit())
        for name, receiver in self._receivers():
            if receiver.webhook and isinstance(receiver.webhook.url, KeyOf) and len(numbers) > 1 and numbers < URL_FILE:
                problem = f"Alertmanager {found} reads no URL from a Secret"
                raise ValueError(f"receivers.{name}.webhook.url: {problem}; write it as a text and give a token")

    def _pod(self) -> Pod:
        volumes = {"config": config_volume(f"{self.name}-config")}
        secrets = sorted({key.secret for _, key in self._keys()})
        volumes |= {f"secret-{index}": secret_volume(name) for index, name in enumerate(secrets)}
        mounts = {f"{SECRETS}/{name}": f"secret-{index}" for index, name in enumerate(secrets)}
        return Pod(containers=(self._server(mounts),), volumes=volumes, grace_s=60)

    def _server(self, secrets: Mapping[str, str]) -> Container:
        return Container(
            name="alertmanager",
            image=self.environment.image(self.settings.image),
            args=(
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
                "--data.maintenance-interval=1m",
                f"--web.listen-address=:{PORT}",
                f"--web.external-url={self.settings.external_url or f'http://{self._service}:{PORT}'}",
                *self._gossip(),
            ),
            env={"POD_IP": FieldPath("status.podIP")},
            mounts={"/etc/alertmanager": "config", "/alertmanager": "data", **secrets},
            resources=self.sized(SIZES),
            startup=Probe(PORT, "/-/ready", every_s=1, failures=120),
            readiness=Probe(PORT, "/-/ready"),
            liveness=Probe(PORT, "/-/healthy", every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _gossip(self) -> tuple[str, ...]:
        if self.members == 1:
            return ("--cluster.listen-address=",)
        peers = tuple(f"--cluster.peer={self._host(ordinal)}:{GOSSIP_PORT}" for ordinal in range(self.members))
        listen = f"--cluster.listen-address=0.0.0.0:{GOSSIP_PORT}"
        return (listen, f"--cluster.advertise-address=$(POD_IP):{GOSSIP_PORT}", *peers)

    @property
    def _service(self) -> str:
        return f"{self.name}.{self.environment.namespace}.svc"

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``ALERTMANAGER_URL``."""
        return {"ALERTMANAGER_URL": f"http://{self._service}:{PORT}"}

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, fewer members than declared, messages that nobody gets."""
        own, who = self.metrics_selector, f"{self.environment.namespace}/{self.name}"
        yield gone("AlertmanagerDown", own, f"{who}: nobody is told of any alert")
        if self.members > 1:
            few = f"min(alertmanager_cluster_members{{{own}}}) < {self.members}"
            yield AlertRule("AlertmanagerMembersMissing", few, f"{who}: members do not see each other", "5m")
        failed = f"sum by (integration) (increase(alertmanager_notifications_failed_total{{{own}}}[10m])) > 0"
        summary = f"{who}: messages to somebody do not arrive"
        yield AlertRule("AlertmanagerNotificationsFail", failed, summary, "5m", "critical")

    def dashboard(self) -> Dashboard:
        """Alerts that came in, messages that went out, those that failed, silences, members."""
        own = self.metrics_selector
        sent = "rate(alertmanager_notifications_total"
        panels = (
            Panel("Alerts firing", f'max(alertmanager_alerts{{{own},state="active"}})'),
            Panel("Alerts received", f"sum(rate(alertmanager_alerts_received_total{{{own}}}[5m]))", "ops"),
            Panel("Messages sent", f"sum by (integration) ({sent}{{{own}}}[5m]))", "ops"),
            Panel(
                "Messages failed",
                f"sum by (integration) (rate(alertmanager_notifications_failed_total{{{own}}}[5m]))",
                "ops",
            ),
            Panel("Silences", f'max(alertmanager_silences{{{own},state="active"}})'),
            Panel("Members", f"count(up{{{own}}} == 1)"),
        )
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels)
