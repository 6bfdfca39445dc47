"""Kong without a database: routes to services of the stack, and rules for tokens, rates, sizes and origins.

Served: no package of it can be had here. It reads one file when it starts and has no way in to change it. Weights of
HTTPRoutes, by which releases move requests, it does not read: :meth:`Kong.check` refuses what that would hide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.gateways.kong_files import declarative, log_format
from components.gateways.kong_settings import HTTP_PORT, HTTPS_PORT, SIZES, STATUS_PORT, KongSettings
from components.model.component import Component
from components.model.endpoints import ANYONE, GATEWAYS, METRICS, SCRAPERS, Endpoint
from components.model.layers import Layer
from components.model.mistakes import nearest
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, Pod, Probe, config_volume, secret_volume
from components.model.quantities import bytes_of
from components.model.standing import served
from components.workloads.baseline import config_map, deployment, service
from components.workloads.encryption import FOLDER, issued
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

CONFIG, PREFIX = "/etc/kong", "/run/kong"
SUITES = {"1.2": "intermediate", "1.3": "modern"}
"""Kong's names for what TLS it speaks."""


class Kong(Component[KongSettings]):
    """A Deployment of proxies that read their routes and rules from one file."""

    kind = "kong"
    room = "gateway"
    modes = (served("tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_the_example"),)
    endpoints = (
        Endpoint("http", HTTP_PORT, ANYONE, "HTTP", served=80),
        Endpoint("https", HTTPS_PORT, ANYONE, "HTTPS, with `tlsSecret`", served=443),
        Endpoint(METRICS, STATUS_PORT, SCRAPERS, "its own metrics, and its health"),
    )

    @property
    def uses(self) -> tuple[str, ...]:
        """Services that its routes lead to; of a name that is none :meth:`check` tells."""
        named = {name for route in self.settings.routes.values() for name in route.to}
        return tuple(sorted(name for name in named & self._services().keys() if _listens(self._services()[name])))

    def _services(self) -> dict[str, Component]:
        return {name: member for name, member in self.scope.members.items() if member.layer is Layer.ROUTES}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """The certificate, where it is given."""
        name = self.settings.tls_secret
        return {"tlsSecret": (name, ("tls.crt", "tls.key"))} if name and not self.settings.tls_issuer else {}

    def check(self) -> None:
        """Every route leads to a service, and to one whose releases it does not get round.

        Raises:
            ValueError: one does not.
        """
        known = self._services()
        for name, route in self.settings.routes.items():
            for target in route.to:
                where = f"routes.{name}.to.{target}"
                if target not in known:
                    raise ValueError(f"{where}: is no service of this stack; {nearest(target, sorted(known))}")
                self._reaches(where, known[target])

    def _reaches(self, where: str, member: Component) -> None:
        if not _listens(member):
            raise ValueError(f"{where}: the service has no port for HTTP; give it one")
        led = [pods for pods, _ in member.ways()]
        carried = any(gateway.speaker() in led for gateway in self.scope.gateways())
        if member.reached_by(GATEWAYS) and not carried:
            raise ValueError(
                f"{where}: releases of {member.name} move weights of HTTPRoutes, which Kong does not read: its "
                "requests would reach a version that was taken back. Declare a gateway in this stack that carries "
                f"them, or leave `traffic` of {member.name} out, so that its releases go by pods"
            )

    @property
    def _suffix(self) -> str:
        return self.environment.gateway.hostname_suffix

    def _addresses(self) -> dict[str, tuple[str, int]]:
        """Where its services are: their Services of a name that no release changes."""
        space = self.environment.namespace
        return {name: (f"{name}.{space}.svc", self.scope.members[name].endpoint("http").port) for name in self.uses}

    def manifests(self) -> Iterable[Manifest]:
        """Certificate, files, Service, policy, Deployment."""
        own = self.settings
        if own.tls_secret and own.tls_issuer:
            hosts = {host for name, each in own.routes.items() for host in each.hosts or [f"{name}.{self._suffix}"]}
            yield issued(own.tls_secret, own.tls_issuer, sorted(hosts))
        files = {"kong.yml": declarative(own, self._addresses(), self._suffix), "log.conf": log_format(own)}
        yield config_map(self, f"{self.name}-config", files)
        yield self._front()
        yield policy(self)
        yield from deployment(self, self._pod(), replicas=own.replicas or self.environment.profile.replicas)

    def _front(self) -> Manifest:
        exposure = self.settings.exposure
        front = service(self, ANYONE)
        ports = [port for port in front["spec"]["ports"] if port["name"] == "http" or self.settings.tls_secret]
        if exposure.http_node_port:
            ports[0]["nodePort"] = exposure.http_node_port
        front["spec"] |= {"type": exposure.type, "ports": ports}
        if exposure.type == "LoadBalancer":
            front["spec"]["externalTrafficPolicy"] = "Local"
        if exposure.annotations:
            front["metadata"]["annotations"] = dict(exposure.annotations)
        return front

    def _said(self) -> dict[str, str]:
        own = self.settings
        listens = [f"0.0.0.0:{HTTP_PORT}", *([f"0.0.0.0:{HTTPS_PORT} ssl http2"] if own.tls_secret else [])]
        said = {
            "DATABASE": "off",
            "DECLARATIVE_CONFIG": f"{CONFIG}/kong.yml",
            "PREFIX": PREFIX,
            "PROXY_LISTEN": ", ".join(listens),
            "STATUS_LISTEN": f"0.0.0.0:{STATUS_PORT}",
            "ADMIN_LISTEN": "off",
            "ADMIN_GUI_LISTEN": "off",
            "ANONYMOUS_REPORTS": "off",
            "HEADERS": "X-Kong-Request-Id",
            "DNS_ORDER": "LAST,A,CNAME",
            "NGINX_WORKER_PROCESSES": "2",
            "NGINX_HTTP_INCLUDE": f"{CONFIG}/log.conf",
            "PROXY_ACCESS_LOG": "/dev/stdout masked" if own.access_log else "off",
            "PROXY_ERROR_LOG": "/dev/stderr",
            "STATUS_ACCESS_LOG": "off",
            "STATUS_ERROR_LOG": "/dev/stderr",
        }
        if own.max_request:
            said["NGINX_HTTP_CLIENT_MAX_BODY_SIZE"] = str(bytes_of(own.max_request))
        if own.trusted_proxies:
            said["TRUSTED_IPS"] = ",".join(own.trusted_proxies)
            said |= {"REAL_IP_HEADER": "X-Forwarded-For", "REAL_IP_RECURSIVE": "on"}
        if own.tls_secret:
            said |= {"SSL_CERT": f"{FOLDER}/tls.crt", "SSL_CERT_KEY": f"{FOLDER}/tls.key"}
            said["SSL_CIPHER_SUITE"] = SUITES[own.tls_min_version]
        return {f"KONG_{key}": value for key, value in said.items()}

    def _pod(self) -> Pod:
        secret = self.settings.tls_secret
        quit_ = ["kong", "quit", "--wait=2", f"--timeout={self.settings.drain_seconds}"]
        container = Container(
            name="kong",
            image=self.environment.image(self.settings.image),
            env=self._said(),
            mounts={CONFIG: "config", PREFIX: "prefix", **({FOLDER: "tls"} if secret else {})},
            resources=self.sized(SIZES),
            startup=Probe(STATUS_PORT, "/status/ready", every_s=1, failures=120),
            readiness=Probe(STATUS_PORT, "/status/ready"),
            liveness=Probe(STATUS_PORT, "/status", every_s=10, failures=6),
            pre_stop={"exec": {"command": quit_}},
        )
        volumes: dict[str, Mapping[str, Any]] = {"config": config_volume(f"{self.name}-config")}
        volumes["prefix"] = {"emptyDir": {}}
        if secret:
            volumes["tls"] = secret_volume(secret)
        return Pod(containers=(container,), volumes=volumes, grace_s=self.settings.drain_seconds + 15)

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``KONG_URL``."""
        return {"KONG_URL": f"http://{self.name}.{self.environment.namespace}.svc"}

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, answers that fail in bulk, services that it cannot reach."""
        own, who = self.metrics_selector, f"{self.environment.namespace}/{self.name}"
        yield gone("KongDown", own, f"{who}: no proxy answers")
        failed = f'sum(rate(kong_http_requests_total{{{own},code=~"5.."}}[5m]))'
        share = f"{failed} / sum(rate(kong_http_requests_total{{{own}}}[5m]))"
        yield AlertRule("KongErrors", f"{share} > 0.05", f"{who}: over 5 % of answers fail")
        lost = f'sum by (service) (rate(kong_http_requests_total{{{own},source="error",code=~"50[234]"}}[5m])) > 0'
        yield AlertRule("KongServiceUnreachable", lost, f"{who} does not reach a service")

    def dashboard(self) -> Dashboard:
        """Answers by code, latency, connections, traffic."""
        own = self.metrics_selector
        slow = f"sum by (le) (rate(kong_request_latency_ms_bucket{{{own}}}[1m]))"
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Answers by code", f"sum by (code) (rate(kong_http_requests_total{{{own}}}[1m]))", "reqps"),
                Panel("99th percentile", f"histogram_quantile(0.99, {slow})", "ms"),
                Panel("Connections", f'sum(kong_nginx_connections_total{{{own},state="active"}})'),
                Panel("Traffic", f"sum by (direction) (rate(kong_bandwidth_bytes{{{own}}}[1m]))", "Bps"),
            ),
        )


def _listens(member: Component) -> bool:
    """Whether it has the port that requests go to."""
    return any(each.name == "http" for each in member.endpoints)
