"""NiFi: one server on which people draw flows of data. Served: no package of it can be had here.

What is drawn, is under way, and became of it is on one volume. Its page and its API are the same port, always with TLS
and a login: one user with a password, or an issuer of OpenID Connect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.middleware.nifi_settings import (
    CONFIG,
    DATA,
    HEAP_SHARE,
    HOME,
    KEYS,
    METRICS_PORT,
    PORT,
    SIZES,
    NifiSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import METRICS, SCRAPERS, USERS, Endpoint
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import SIDECAR, Container, Pod, Probe, SecretKey, config_volume, secret_volume, sleep
from components.model.profiles import Size
from components.model.quantities import megabytes
from components.model.standing import served
from components.workloads.accounts import needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, made_for, secret_of
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

COPY = "/run/conf"
"""Where the project's own configuration is laid out before the server starts."""

SCRATCH = ("logs", "run", "work")
"""Folders beside the program that it writes to and needs no longer than it runs."""


class Nifi(Component[NifiSettings]):
    """A StatefulSet of one with its login, certificate and volume, and a sidecar for its metrics."""

    kind = "nifi"
    modes = (served("tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_the_example"),)
    endpoints = (
        Endpoint("https", PORT, USERS, "its page and its API, always with TLS and a login"),
        Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its metrics, by a sidecar", container="metrics"),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret with the login, and the key that what is secret in flows is kept with."""
        return self.settings.auth_secret or f"{self.name}-auth"

    def manifests(self) -> Iterable[Manifest]:
        """Login, certificate, files, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", self._files())
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self, [each.peer() for each in self.settings.egress])
        volume = Volume("data", self.settings.storage)
        yield from stateful_set(self, self._pod(), replicas=1, governing=f"{self.name}-nodes", volume=volume)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Login and certificate, as far as they are not given."""
        login = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return {**login, **made_for(self, self.settings.tls)}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        found = needed_secrets(self.settings.auth_secret, KEYS, self.settings.tls)
        oidc = self.settings.oidc
        return {**found, **({"oidc.clientSecret": (oidc.client_secret, ("client-secret",))} if oidc else {})}

    def _recipe(self) -> dict[str, str]:
        return {"username": "{random:12}", "password": "{random:32}", "sensitive-key": "{random:32}"}

    def _files(self) -> dict[str, str]:
        heap = int(megabytes(self.sized(SIZES).memory) * HEAP_SHARE)
        script = text(
            "nifi_node.sh.j2", home=HOME, copy=COPY, data=DATA, config=CONFIG, heap=heap, oidc=self.settings.oidc
        )
        metrics = text("nifi_metrics.py.j2", port=PORT, metrics_port=METRICS_PORT, authority=f"{FOLDER}/ca.crt")
        lines = "".join(f"{key}={value}\n" for key, value in self._properties().items())
        return {"node.sh": script, "metrics.py": metrics, "nifi.properties": f"\n# Made by Grayling.\n{lines}"}

    def _properties(self) -> dict[str, str | int]:
        """What differs from the project's own."""
        part, names = self.settings.part_mb, [f"localhost:{PORT}", *self._names()]
        return {
            "nifi.flow.configuration.file": f"{DATA}/conf/flow.json.gz",
            "nifi.flow.configuration.archive.dir": f"{DATA}/conf/archive",
            "nifi.flow.configuration.archive.max.count": 100,
            "nifi.flowcontroller.graceful.shutdown.period": "20 sec",
            "nifi.database.directory": f"{DATA}/database",
            "nifi.flowfile.repository.directory": f"{DATA}/flowfile",
            "nifi.flowfile.repository.always.sync": "true",
            "nifi.content.repository.directory.default": f"{DATA}/content",
            "nifi.content.repository.archive.max.usage.percentage": "50%",
            "nifi.provenance.repository.directory.default": f"{DATA}/provenance",
            "nifi.provenance.repository.max.storage.size": f"{part} MB",
            "nifi.status.repository.questdb.persist.location": f"{DATA}/status",
            "nifi.nar.library.autoload.directory": f"{DATA}/extensions",
            "nifi.nar.persistence.provider.properties.directory": f"{DATA}/nar_repository",
            "nifi.asset.manager.properties.directory": f"{DATA}/assets",
            "nifi.web.http.port": "",
            "nifi.web.https.host": "",
            "nifi.web.https.port": PORT,
            "nifi.web.proxy.host": ",".join(names),
            "nifi.security.keystoreType": "PEM",
            "nifi.security.keystore.certificate": f"{FOLDER}/tls.crt",
            "nifi.security.keystore.privateKey": f"{FOLDER}/tls.key",
            "nifi.security.truststoreType": "PEM",
            "nifi.security.truststore.certificate": f"{FOLDER}/ca.crt",
            "nifi.security.autoreload.enabled": "true",
            **self._login(),
        }

    def _names(self) -> list[str]:
        own = f"{self.name}.{self.environment.namespace}.svc:{PORT}"
        return [own, *self.settings.hostnames, *(f"{each}:{PORT}" for each in self.settings.hostnames)]

    def _login(self) -> dict[str, str | int]:
        oidc = self.settings.oidc
        if oidc is None:
            return {
                "nifi.security.user.authorizer": "single-user-authorizer",
                "nifi.security.user.login.identity.provider": "single-user-provider",
            }
        return {
            "nifi.security.user.authorizer": "managed-authorizer",
            "nifi.security.user.login.identity.provider": "",
            "nifi.security.user.oidc.discovery.url": oidc.discovery_url,
            "nifi.security.user.oidc.client.id": oidc.client_id,
            "nifi.security.user.oidc.claim.identifying.user": oidc.claim,
        }

    def _pod(self) -> Pod:
        image = self.environment.image(self.settings.image)
        command = ("bash", f"{CONFIG}/node.sh")
        files = Container(
            "files", image, SIDECAR[Size.SMALL], (*command, "files"), mounts={CONFIG: "config", COPY: "conf"}
        )
        volumes: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-config"),
            "conf": {"emptyDir": {"medium": "Memory"}},
            "tls": secret_volume(secret_of(self, self.settings.tls)),
            **{name: {"emptyDir": {}} for name in SCRATCH},
        }
        return Pod(
            init=(files,), containers=(self._server(image, command), self._metrics()), volumes=volumes, grace_s=60
        )

    def _server(self, image: str, command: tuple[str, ...]) -> Container:
        oidc = self.settings.oidc
        env: dict[str, str | SecretKey] = {"SENSITIVE_KEY": SecretKey(self.secret, "sensitive-key")}
        if oidc is None:
            env |= {name.upper(): SecretKey(self.secret, name) for name in ("username", "password")}
        else:
            env |= {"CLIENT_SECRET": SecretKey(oidc.client_secret, "client-secret"), "ADMIN": oidc.admin}
        scratch = {f"{HOME}/{name}": name for name in SCRATCH}
        return Container(
            name="nifi",
            image=image,
            command=(*command, "run"),
            env=env,
            mounts={CONFIG: "config", f"{HOME}/conf": "conf", DATA: "data", FOLDER: "tls", **scratch},
            resources=self.sized(SIZES),
            startup=Probe(PORT, every_s=5, failures=120),
            readiness=Probe(PORT),
            liveness=Probe(PORT, every_s=15, failures=6),
            pre_stop=sleep(2),
        )

    def _metrics(self) -> Container:
        login = {} if self.settings.oidc else {each.upper(): SecretKey(self.secret, each) for each in KEYS[:2]}
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.metrics_image),
            command=("python3", f"{CONFIG}/metrics.py"),
            env=login,
            mounts={CONFIG: "config", FOLDER: "tls"},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``NIFI_URL``."""
        return {"NIFI_URL": f"https://{self.name}.{self.environment.namespace}.svc:{PORT}"}

    def authority(self) -> SecretKey | None:
        """Of the certificate."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone; where it can be logged in to, queues that back up, errors, and a heap that is full."""
        own, who = self.metrics_selector, f"{self.environment.namespace}/{self.name}"
        down = gone("NifiDown", own, f"{who} does not answer")
        yield AlertRule(
            "NifiDown", f"{down.expr} or nifi_answers{{{own}}} == 0", down.summary, down.hold, down.severity
        )
        if self.settings.oidc:
            return
        full = f"max by (component_name) (nifi_percent_used_count{{{own}}} or nifi_percent_used_bytes{{{own}}}) > 80"
        yield AlertRule("NifiQueueFull", full, f"{who}: a queue is over 80 % full", "10m")
        heap = f"max(nifi_jvm_heap_usage{{{own}}}) > 0.95"
        yield AlertRule("NifiHeapFull", heap, f"{who} uses over 95 % of its heap", "10m")

    def dashboard(self) -> Dashboard:
        """Whether it answers; where it can be logged in to, what is under way, queues and heap."""
        own = self.metrics_selector
        panels = [Panel("Answers", f"nifi_answers{{{own}}}")]
        if not self.settings.oidc:
            root = f'{own},component_type="RootProcessGroup"'
            panels += [
                Panel("Under way", f"sum(nifi_amount_items_queued{{{root}}})"),
                Panel("Size of that", f"sum(nifi_size_content_queued_total{{{root}}})", "bytes"),
                Panel("Heap", f"nifi_jvm_heap_used{{{own}}}", "bytes"),
            ]
        return Dashboard(f"{self.environment.namespace} / {self.name}", tuple(panels))
