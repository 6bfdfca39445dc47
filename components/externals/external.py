"""A system that others run: users have one name for it, a way out to it alone, and somebody who watches it.

Of the system itself nothing is declared. What is declared is this stack's side: a Service, egress, variables with the
address and the credentials, and a prober whose view from inside becomes metrics and alerts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.externals.external_settings import METRICS_PORT, SIZES, ExternalSettings, address_of
from components.externals.prober.target import DEFAULT_PORTS, ENCRYPTED, How, Target
from components.model.component import Component
from components.model.endpoints import METRICS, SCRAPERS, Endpoint, Peer
from components.model.layers import Layer
from components.model.observability import AlertRule, Dashboard, Panel
from components.model.pods import Container, Pod, Probe, SecretKey, config_volume, sleep
from components.model.standing import external
from components.workloads.baseline import config_map, deployment
from components.workloads.bindings import variable
from components.workloads.encryption import one_file
from components.workloads.network import policy
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

PROBER = "prober"
FILE = "targets.json"
FOLDER, TRUSTED = "/etc/prober", "/etc/prober-ca"
OWNER, CONTACT, CONTRACT, SYSTEM = (f"grayling.dev/{name}" for name in ("owners", "contact", "contract", "system"))
_HOW = {"http": How.HTTP, "https": How.HTTP, "mllp": How.MLLP, "mllps": How.MLLP, "opc.tcp": How.OPCUA}
_ALIASED = frozenset({"tcp", "mllp", "opc.tcp"})
"""Schemes that know nothing of names: neither a Host header nor a certificate stands against another one."""


_SEEN = "tests/catalogue/test_externals_on_cluster.py::test_each_protocol_is_spoken_and_one_that_goes_away_is_told"
_NAMED = "tests/components/externals/test_external.py::test_products_that_others_run_are_named"


class External(Component[ExternalSettings]):
    """Service, EndpointSlice where it is known by address, policy and prober."""

    kind = "external"
    room = "external"
    layer = Layer.INSTANCES
    leads_on = True
    modes = (
        external(_SEEN),
        external(_NAMED, name="apigee"),
        external(_NAMED, name="mulesoft"),
        external(_NAMED, name="talend"),
    )
    endpoints = (Endpoint(METRICS, METRICS_PORT, SCRAPERS, "what the prober sees", part=PROBER),)

    @property
    def uses(self) -> tuple[str, ...]:
        """Services of this stack that answer under its addresses: stand-ins of the system."""
        hosts = {urlsplit(url).hostname for url in self.settings.addresses.values()}
        ours = f"{self.environment.namespace}.svc.cluster.local"
        services = (name for name, member in self.scope.members.items() if member.section == "services")
        return tuple(name for name in services if f"{name}.{ours}" in hosts)

    def manifests(self) -> Iterable[Manifest]:
        """What gives it a name here, and what watches it."""
        yield from self._name()
        if self.settings.health is None:
            return
        targets = [each.model_dump(mode="json") for each in self._targets()]
        yield config_map(self, f"{self.name}-{PROBER}", {FILE: json.dumps(targets, indent=1)})
        yield policy(self, self.beyond(), part=PROBER)
        yield from deployment(self, self._pod(), replicas=1, part=PROBER)

    def check(self) -> None:
        """There is an image for the prober.

        Raises:
            ValueError: nobody says which.
        """
        if self.settings.health is not None and self._image() is None:
            raise ValueError(
                "image: the stack has no controller whose image could look at it; name the engine's image here, "
                "or set health: null"
            )

    def _image(self) -> str | None:
        engines = (getattr(member.settings, "image", None) for member in self.scope.of_kind("controller"))
        return self.settings.image or next(engines, None)

    def _name(self) -> Iterable[Manifest]:
        """A Service of the system's own name, or of its addresses."""
        host = urlsplit(self.settings.url).hostname or ""
        notes = {OWNER: self.settings.owner, CONTACT: self.settings.contact, SYSTEM: self.settings.system}
        notes |= {CONTRACT: self.settings.contract or ""}
        meta = {"name": self.name, "annotations": {key: value for key, value in notes.items() if value}}
        spec: dict[str, Any] = {"ports": self._ports()}
        found = address_of(host)
        named = {"type": "ExternalName", "externalName": host, **spec} if found is None else spec
        yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": named}
        if found is not None:
            ports = [{"name": each["name"], "port": each["port"], "protocol": "TCP"} for each in self._ports()]
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{self.name}-1", "labels": {"kubernetes.io/service-name": self.name}},
                "addressType": f"IPv{found.version}",
                "endpoints": [{"addresses": [str(found)], "conditions": {"ready": True}}],
                "ports": ports,
            }

    def _ports(self) -> list[dict[str, Any]]:
        """Of the addresses that are at the host of the main one."""
        host = urlsplit(self.settings.url).hostname
        found = dict.fromkeys(_port(url) for url in self.settings.addresses.values() if urlsplit(url).hostname == host)
        return [{"name": f"tcp-{port}", "port": port, "protocol": "TCP"} for port in found]

    def ways(self) -> list[tuple[Mapping[str, str], tuple[int, ...]]]:
        """To none of its pods: the system is elsewhere."""
        return []

    def beyond(self) -> Iterable[Peer]:
        """Its networks, or what its addresses say; else every address, for no policy can name a host."""
        given = list(self.settings.networks)
        by_host: dict[str, set[int]] = {}
        for url in self.settings.addresses.values():
            by_host.setdefault(urlsplit(url).hostname or "", set()).add(_port(url))
        for host, numbers in sorted(by_host.items()):
            ports, found = tuple(sorted(numbers)), address_of(host)
            own = [f"{found}/{found.max_prefixlen}"] if found else []
            for cidr in given or own:
                yield Peer("out", None, ports, f"{self.name} at {host}", cidr=cidr)
            if not given and not own:
                yield Peer("out", None, ports, f"{self.name} at {host}, whose address no policy can name")

    def _targets(self) -> Iterable[Target]:
        health = self.settings.health
        assert health is not None  # noqa: S101 - asked where there is one
        for name, url in self.settings.addresses.items():
            parts = urlsplit(url)
            known = _HOW.get(parts.scheme, How.TCP)
            main = name == "main"
            yield Target(
                endpoint=name,
                url=url,
                how=health.kind or known if main else known,
                path=(health.path if main else None) or _path(url),
                statuses=tuple(health.statuses),
                every=health.interval,
                timeout=health.timeout,
                authority=f"{TRUSTED}/ca.crt" if self.settings.authority else "",
            )

    def _pod(self) -> Pod:
        alive = Probe(METRICS_PORT, "/healthz", every_s=10)
        trusted = self.settings.trusted
        container = Container(
            name=PROBER,
            image=self.environment.image(self._image() or ""),
            command=("python3", "-m", "components.externals.prober"),
            args=(f"{FOLDER}/{FILE}", str(METRICS_PORT)),
            mounts={FOLDER: "targets", **({TRUSTED: "ca"} if trusted else {})},
            resources=self.sized(SIZES),
            startup=Probe(METRICS_PORT, "/healthz", every_s=1, failures=60),
            readiness=alive,
            liveness=alive,
            pre_stop=sleep(1),
        )
        files: dict[str, Mapping[str, object]] = {"targets": config_volume(f"{self.name}-{PROBER}")}
        return Pod(containers=(container,), volumes={**files, **({"ca": one_file(trusted)} if trusted else {})})

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:  # noqa: ARG002 - the same for all
        """``<NAME>_URL``, ``<NAME>_<ENDPOINT>_URL``, and what the Secret has for users."""
        found: dict[str, str | SecretKey] = {}
        for name, url in self.settings.addresses.items():
            found[variable(self.name if name == "main" else f"{self.name}-{name}", "URL")] = self._for_users(url)
        if credentials := self.settings.credentials:
            for key in credentials.keys:
                found[variable(self.name, _word(key))] = SecretKey(credentials.secret, key)
        return found

    def _for_users(self, url: str) -> str:
        """By the Service's name, where nothing but the connection counts; else as the system itself is called."""
        parts = urlsplit(url)
        plain = parts.scheme in _ALIASED or (parts.scheme == "http" and address_of(parts.hostname or ""))
        if not plain or parts.hostname != urlsplit(self.settings.url).hostname:
            return url
        host = f"{self.name}.{self.environment.namespace}.svc"
        return parts._replace(netloc=f"{host}:{_port(url)}").geturl()

    def authority(self) -> SecretKey | None:
        """Of its certificate, where it is a private one."""
        return self.settings.trusted

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Credentials and authority, which others keep."""
        own, found = self.settings, {}
        if own.credentials:
            found["credentials.secret"] = (own.credentials.secret, own.credentials.keys)
        if own.authority:
            found["authority.secret"] = (own.authority.secret, [own.authority.key])
        return found

    @property
    def owner(self) -> str:
        """Who hears of its alerts: an owner of the environment, who calls the one that the settings name."""
        return self.environment.owners[0]

    def alerts(self) -> Iterable[AlertRule]:
        """Down, slow, and a certificate near its end; whom to call stands in each."""
        health = self.settings.health
        if health is None:
            return
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name} (call {self.settings.owner})"
        down = f"external_up{{{own}}} == 0 or absent(external_up{{{own}}})"
        yield AlertRule("ExternalDown", down, f"{who} does not answer, or nobody can look", "2m", "critical")
        slow = f"avg_over_time(external_latency_seconds{{{own}}}[5m]) > {health.slow:g}"
        yield AlertRule("ExternalSlow", slow, f"{who} takes over {duration_of(health.slow)} to answer", "5m")
        if not self._encrypted:
            return
        ends = f"external_certificate_expires_timestamp_seconds{{{own}}} - time() < {health.expires_within:g}"
        days = f"its certificate ends within {health.expires_within / 86_400:.3g} days"
        yield AlertRule("ExternalCertificateExpires", ends, f"{who}: {days}", "10m")

    @property
    def _encrypted(self) -> bool:
        """Whether one of its addresses has a certificate."""
        return any(urlsplit(url).scheme in ENCRYPTED for url in self.settings.addresses.values())

    def dashboard(self) -> Dashboard:
        """Whether it answers, how fast, how looks went, and how long its certificates hold."""
        own = self.metrics_selector
        panels = [
            Panel("Answers", f"external_up{{{own}}}"),
            Panel("Latency", f"external_latency_seconds{{{own}}}", "s"),
            Panel("Looks", f"sum by (endpoint, outcome) (rate(external_looks_total{{{own}}}[5m]))", "ops"),
        ]
        if self._encrypted:
            left = f"external_certificate_expires_timestamp_seconds{{{own}}} - time()"
            panels.append(Panel("Certificate holds for", left, "s"))
        title = f"{self.environment.namespace} / {self.name}"
        return Dashboard(title, tuple(panels) if self.settings.health else ())


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _word(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", key).upper()
