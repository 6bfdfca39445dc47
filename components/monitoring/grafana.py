"""Grafana: pages with the data and the dashboards of a stack, behind a login. Served: its licence keeps it out of here.

All that it shows is declared: sources and dashboards are files. Alerts are Prometheus's. It asks for a password at its
metrics too, so a sidecar shows them to Prometheus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import GATEWAYS, METRICS, SCRAPERS, USERS, Endpoint, Peer
from components.model.layers import Layer
from components.model.mistakes import nearest
from components.model.observability import Dashboard
from components.model.pods import (
    SIDECAR,
    Container,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    config_volumes,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.standing import served
from components.monitoring.grafana_observability import alerts, panels
from components.monitoring.grafana_settings import (
    CONFIG,
    DASHBOARDS,
    DATA,
    DATABASE_CA,
    LOGS_PLUGIN,
    METRICS_PORT,
    PORT,
    PROGRAM,
    SIZES,
    GrafanaSettings,
)
from components.monitoring.grafana_sources import PLACES, SHOWN, provisioning, source
from components.monitoring.prometheus import Prometheus
from components.monitoring.reached import reached
from components.monitoring.receivers import address_of
from components.monitoring.victorialogs import VictoriaLogs
from components.workloads.accounts import needed_secrets
from components.workloads.baseline import config_map, deployment, service
from components.workloads.encryption import (
    FOLDER,
    authority_of,
    certificate,
    hosts,
    made_for,
    one_file,
    secret_of,
    trust_of,
)
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule
    from kube.kinds import Manifest

_LOGIN = {
    "username": "admin",
    "password": "{random:32}",
    "secret-key": "{random:32}",
    "metrics-password": "{random:32}",
}


class Grafana(Component[GrafanaSettings]):
    """A Deployment that keeps nothing, with its login, its sources, and the dashboards of the stack."""

    kind = "grafana"
    room = "monitoring"
    layer = Layer.MONITORS
    modes = (
        served(
            "tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_the_example",
            "tests/components/monitoring/test_grafana.py::test_what_a_stack_with_everything_makes_of_it",
            "tests/catalogue/test_prometheus_operator_on_cluster.py::test_an_api_server_takes_what_an_operator_is_told",
        ),
    )
    endpoints = (
        Endpoint("http", PORT, USERS | GATEWAYS, "pages and API; HTTPS with `tls`"),
        Endpoint(METRICS, METRICS_PORT, SCRAPERS, "its metrics, by a sidecar", container="metrics"),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret with the login of its administrator."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def uses(self) -> tuple[str, ...]:
        """The members whose data it shows, those of Prometheus first."""
        asked = self.settings.sources
        return tuple(name for name in self._stores if asked is None or name in asked)

    @property
    def _stores(self) -> list[str]:
        """Members whose data can be shown."""
        return [member.name for shown in SHOWN for member in self.scope.of_kind(shown.kind)]

    @property
    def hostnames(self) -> list[str]:
        """Where it is to be found from outside."""
        return [self.settings.hostname] if self.settings.hostname else []

    def check(self) -> None:
        """What it should show is there.

        Raises:
            ValueError: it is not.
        """
        for name in self.settings.sources or ():
            if name not in self._stores:
                kinds = ", ".join(shown.kind for shown in SHOWN)
                raise ValueError(f"sources: {name!r} is none of this stack's {kinds}; {nearest(name, self._stores)}")
        if not self.scope.of_kind(Prometheus.kind):
            raise ValueError("there is no prometheus in this stack, and dashboards show its data; add one")

    def manifests(self) -> Iterable[Manifest]:
        """Login, certificate, configuration, Service, route, policy, Deployment."""
        own = self.settings
        if not own.auth_secret:
            yield generated_secret(self.secret, _LOGIN)
        yield from certificate(self, own.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", self._files())
        yield config_map(self, f"{self.name}-metrics", {"metrics.py": self._program()})
        yield service(self)
        yield from self._route()
        yield policy(self, self._outside())
        replicas = (own.replicas or self.environment.profile.replicas) if own.database else 1
        yield from deployment(self, self._pod(), replicas=replicas)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Login and certificate, as far as they are not given."""
        login = {} if self.settings.auth_secret else {self.secret: _LOGIN.keys()}
        return {**login, **made_for(self, self.settings.tls)}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        own = self.settings
        found = needed_secrets(own.auth_secret, _LOGIN.keys(), own.tls)
        if own.oidc:
            found["oidc.secret"] = (own.oidc.secret, ("client-id", "client-secret"))
        if own.database:
            found["database.secret"] = (own.database.secret, ("username", "password"))
            found["database.caSecret"] = (own.database.ca_secret, ("ca.crt",))
        return found

    @property
    def _plugin(self) -> bool:
        """Whether something is fetched at the start."""
        logs = [name for name in self.uses if isinstance(self.scope.members.get(name), VictoriaLogs)]
        return bool(logs) and self.settings.install_plugins

    def _files(self) -> dict[str, str]:
        own = self.settings
        ini = text(
            "grafana.ini.j2",
            port=PORT,
            root_url=own.root_url,
            tls=FOLDER if own.tls else "",
            config=CONFIG,
            data=DATA,
            oidc=own.oidc,
            plugin=LOGS_PLUGIN if self._plugin else "",
            database=own.database,
            database_ca=DATABASE_CA,
        )
        found = [source(self.scope.members[name]).written for name in self.uses]
        return {"grafana.ini": ini, **provisioning(found, self.environment.namespace)}

    def _program(self) -> str:
        tls = self.settings.tls
        return text(
            "metrics_of_a_locked_server.py.j2",
            source=f"{'https' if tls else 'http'}://localhost:{PORT}/metrics",
            authority=f"{FOLDER}/ca.crt" if tls else "",
            port=METRICS_PORT,
        )

    def _route(self) -> Iterable[Manifest]:
        """People's way in, by the gateway of the environment."""
        if not self.settings.hostname:
            return
        parent = self.environment.gateway.parent.wire()
        spec = {
            "parentRefs": [{"namespace": self.environment.namespace, **parent}],
            "hostnames": [self.settings.hostname],
            "rules": [{"backendRefs": [{"name": self.name, "port": PORT}]}],
        }
        api = "gateway.networking.k8s.io/v1"
        yield {"apiVersion": api, "kind": "HTTPRoute", "metadata": {"name": self.name}, "spec": spec}

    def _outside(self) -> Iterable[Peer]:
        """Who logs people in, the database, and where the plugin comes from."""
        own, here = self.settings, self.environment.namespace
        if own.oidc:
            for address in sorted({address_of(url) for url in (own.oidc.token_url, own.oidc.user_url)}):
                yield from reached(address, here, "asks who has logged in")
        if own.database:
            yield from reached(own.database.address, here, "its database")
        if self._plugin:
            yield Peer("out", None, (443,), "fetches a plugin, from addresses that no selector can name")

    def _pod(self) -> Pod:
        own = self.settings
        volumes: dict[str, Mapping[str, Any]] = {
            "config": {"configMap": {"name": f"{self.name}-config", "items": PLACES}},
            "dashboards": config_volumes(self._dashboards),
            "program": config_volume(f"{self.name}-metrics"),
            "data": {"emptyDir": {"sizeLimit": "1Gi"}},
            **trust_of(self).volumes,
        }
        if own.tls:
            volumes["tls"] = secret_volume(secret_of(self, own.tls))
        if own.database:
            volumes["database-ca"] = one_file(SecretKey(own.database.ca_secret, "ca.crt"))
        return Pod(containers=(self._server(), self._metrics()), volumes=volumes, grace_s=60)

    @property
    def _dashboards(self) -> list[str]:
        """ConfigMaps that a Prometheus of the stack makes: of each the same, so of the first."""
        (first, *_) = self.scope.of_kind(Prometheus.kind)
        return list(first.dashboards) if isinstance(first, Prometheus) else []

    def _keys(self) -> dict[str, str]:
        return {FOLDER: "tls"} if self.settings.tls else {}

    def _server(self) -> Container:
        own = self.settings
        listens = Probe(PORT, every_s=10, failures=6)
        more = {**trust_of(self).mounts, **self._keys(), **({DATABASE_CA: "database-ca"} if own.database else {})}
        return Container(
            name="grafana",
            image=self.environment.image(own.image),
            env={"GF_PATHS_CONFIG": f"{CONFIG}/grafana.ini", **self._passwords()},
            mounts={CONFIG: "config", DASHBOARDS: "dashboards", DATA: "data", **more},
            resources=self.sized(SIZES),
            startup=Probe(PORT, every_s=2, failures=150),
            readiness=listens if own.tls else Probe(PORT, "/api/health"),
            liveness=listens,
            pre_stop=sleep(5),
        )

    def _passwords(self) -> dict[str, SecretKey]:
        own = self.settings
        made = {
            "GF_SECURITY_ADMIN_USER": SecretKey(self.secret, "username"),
            "GF_SECURITY_ADMIN_PASSWORD": SecretKey(self.secret, "password"),
            "GF_SECURITY_SECRET_KEY": SecretKey(self.secret, "secret-key"),
            "GF_METRICS_BASIC_AUTH_PASSWORD": SecretKey(self.secret, "metrics-password"),
        }
        if own.oidc:
            made["GF_AUTH_GENERIC_OAUTH_CLIENT_ID"] = SecretKey(own.oidc.secret, "client-id")
            made["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"] = SecretKey(own.oidc.secret, "client-secret")
        if own.database:
            made["GF_DATABASE_USER"] = SecretKey(own.database.secret, "username")
            made["GF_DATABASE_PASSWORD"] = SecretKey(own.database.secret, "password")
        for name in self.uses:
            made |= source(self.scope.members[name]).variables
        return made

    def _metrics(self) -> Container:
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.metrics_image),
            command=("python3", f"{PROGRAM}/metrics.py"),
            env={"USERNAME": "metrics", "PASSWORD": SecretKey(self.secret, "metrics-password")},
            mounts={PROGRAM: "program", **self._keys()},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT, "/metrics", every_s=10, timeout_s=6),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``GRAFANA_URL``; an account for it is made there, since the administrator's is for nobody else."""
        scheme = "https" if self.settings.tls else "http"
        return {"GRAFANA_URL": f"{scheme}://{self.name}.{self.environment.namespace}.svc:{PORT}"}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, failing, or without its data."""
        return alerts(f"{self.environment.namespace}/{self.name}", self.metrics_selector)

    def dashboard(self) -> Dashboard:
        """Pages, questions to its sources, memory."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))
