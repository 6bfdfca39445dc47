"""A Gateway of the Gateway API: Contour as its control plane, Envoy as the proxies that carry the traffic.

The proxies live longer than the control plane: when Contour is away they go on with what they know, and when one of
them is replaced it says so to its clients and waits for them before it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.gateways.contour_certificates import CERTGEN, certificate_job
from components.gateways.contour_rbac import rights
from components.gateways.contour_settings import (
    CONTOUR_METRICS_PORT,
    CONTOUR_SIZES,
    CONTROLLER_NAME,
    ENVOY_SIZES,
    HTTP_PORT,
    HTTPS_PORT,
    IDLE_STREAM_SECONDS,
    LOGGABLE,
    LOWEST_TLS,
    SHUTDOWN_PORT,
    STATS_PORT,
    UNUSED,
    XDS_PORT,
    GatewaySettings,
    written,
)
from components.gateways.envoy_observability import proxy_alerts, proxy_panels
from components.gateways.guests import allowed_routes, carried, listener_certificate, watched
from components.model.component import Component
from components.model.endpoints import (
    ANYONE,
    API_SERVER,
    GATEWAYS,
    MEASURERS,
    MEMBERS,
    SCRAPERS,
    Endpoint,
)
from components.model.layers import Layer
from components.model.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
    Probe,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.standing import ISSUED_CERTIFICATES, Deviation, real, served
from components.workloads.baseline import config_map, deployment, service
from components.workloads.network import policy
from manifests.render import text
from rollout.api.sources import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule, Dashboard
    from kube.kinds import Manifest


class Gateway(Component[GatewaySettings]):
    """GatewayClass, Gateway, Contour, Envoy."""

    kind = "gateway"
    modes = (
        real(
            "tests/components/deploy/test_every_stack_on_cluster.py::test_it_comes_up_serves_and_goes",
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
            "tests/catalogue/test_contour_on_cluster.py::test_older_tls_is_refused_and_the_log_has_no_query",
        ),
        served(ISSUED_CERTIFICATES, name="tlsIssuer (cert-manager)"),
    )
    room = "gateway"
    layer = Layer.OPERATORS
    reads = GATEWAYS
    front = "envoy"
    control_plane = ControlPlane.CONTOUR
    deviations = (
        Deviation("token", "contour", "the control plane watches routes, Services and endpoints it carries"),
        Deviation("token", CERTGEN, "writes the certificates of the control plane as Secrets, once"),
    )
    endpoints = (
        Endpoint("http", HTTP_PORT, ANYONE, "listener `http`", part="envoy", served=80),
        Endpoint("https", HTTPS_PORT, ANYONE, "listener `https`, with `tlsSecret`", part="envoy", served=443),
        Endpoint("metrics", STATS_PORT, SCRAPERS | MEASURERS, "of the proxies", part="envoy", path="/stats/prometheus"),
        Endpoint("xds", XDS_PORT, MEMBERS, "configuration of the proxies", part="contour", member="envoy"),
        Endpoint("metrics", CONTOUR_METRICS_PORT, SCRAPERS, "of the control plane", part="contour"),
    )

    @property
    def encrypted(self) -> bool:
        """Whether control plane and proxies talk TLS."""
        return self.environment.profile.encrypt_control_plane

    @property
    def contour_replicas(self) -> int:
        """How many control planes there are."""
        return self.settings.contour_replicas or min(2, self.environment.profile.replicas)

    @property
    def answers_within(self) -> float:
        """What services without a limit of their own get."""
        return self.settings.answers_within

    def _longest(self) -> float:
        """The longest time any route waits for an answer; 0 for no limit."""
        reached = (each for each in self.scope.of_kind("service") if each.reached_by(GATEWAYS))
        limits = [self.answers_within, *(each.answers_within or 0.0 for each in reached)]
        return 0.0 if 0.0 in limits else max(limits)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """The certificate of the listener, where there is one."""
        name = self.settings.tls_secret
        return {"tlsSecret": (name, ("tls.crt", "tls.key"))} if name and not self.settings.tls_issuer else {}

    def manifests(self) -> Iterable[Manifest]:
        """Class and Gateway, rights, configuration, certificates, the two Deployments, Services and policies."""
        yield from self._gateway()
        yield from listener_certificate(self, self.settings.tls_secret, self.settings.tls_issuer)
        yield from rights(self, f"{self.name}-contour", self.settings.namespaces)
        yield config_map(self, f"{self.name}-contour", {"contour.yaml": self._configuration()})
        yield service(self, MEMBERS, part="contour")
        yield self._front()
        if self.encrypted:
            yield from certificate_job(self, self.environment.image(self.settings.contour_image))
        yield policy(self, [API_SERVER], part="contour")
        yield policy(self, carried(self.environment.namespace, self.settings.namespaces), part="envoy")
        replicas = self.environment.profile.replicas
        yield from deployment(self, self._contour(), replicas=self.contour_replicas, part="contour")
        yield from deployment(self, self._envoy(), replicas=self.settings.envoy_replicas or replicas, part="envoy")

    def _gateway(self) -> Iterable[Manifest]:
        api = "gateway.networking.k8s.io/v1"
        place, guests = self.environment.gateway, self.settings.namespaces
        spec = {"controllerName": CONTROLLER_NAME}
        yield {"apiVersion": api, "kind": "GatewayClass", "metadata": {"name": place.class_name}, "spec": spec}
        routes = allowed_routes(self.environment.namespace, guests)
        listeners: list[Manifest] = [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": routes}]
        if self.settings.tls_secret:
            tls = {"mode": "Terminate", "certificateRefs": [{"name": self.settings.tls_secret}]}
            listeners.append({"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": routes})
        body = {"gatewayClassName": place.class_name, "listeners": listeners}
        yield {"apiVersion": api, "kind": "Gateway", "metadata": {"name": place.parent.name}, "spec": body}

    def _configuration(self) -> str:
        longest, own = self._longest(), self.settings
        more = {key: value for key, value in own.contour_config.items() if key != "tls"}
        return text(
            "contour.yaml.j2",
            namespace=self.environment.namespace,
            gateway=self.environment.gateway.parent.name,
            access_log=own.access_log,
            fields=[LOGGABLE[name] for name in own.logged_fields],
            tls={**own.contour_config.get("tls", {}), LOWEST_TLS: own.tls_min_version},
            request_timeout=written(longest),
            idle_timeout=written(longest and max(longest, IDLE_STREAM_SECONDS)),
            trusted_hops=own.trusted_hops,
            more=more,
        )

    def _front(self) -> Manifest:
        exposure = self.settings.exposure
        front = service(self, ANYONE, part="envoy")
        ports = [port for port in front["spec"]["ports"] if port["name"] == "http" or self.settings.tls_secret]
        if exposure.http_node_port:
            ports[0]["nodePort"] = exposure.http_node_port
        front["spec"] |= {"type": exposure.type, "ports": ports}
        if exposure.type == "LoadBalancer":
            front["spec"]["externalTrafficPolicy"] = "Local"
        if exposure.annotations:
            front["metadata"]["annotations"] = dict(exposure.annotations)
        return front

    def _contour(self) -> Pod:
        files = ("cafile=/certs/ca.crt", "cert-file=/certs/tls.crt", "key-file=/certs/tls.key")
        safety = [f"--contour-{each}" for each in files] if self.encrypted else ["--insecure"]
        # Who loses the lease ends itself: one that is alone has nothing to gain by that when the API server is away.
        lease = f"--leader-election-resource-name={self.name}-contour"
        leader = lease if self.contour_replicas > 1 else "--disable-leader-election"
        container = Container(
            name="contour",
            image=self.environment.image(self.settings.contour_image),
            command=("contour",),
            args=(
                "serve",
                "--incluster",
                "--config-path=/config/contour.yaml",
                "--xds-address=0.0.0.0",
                f"--xds-port={XDS_PORT}",
                "--http-address=0.0.0.0",
                f"--http-port={CONTOUR_METRICS_PORT}",
                "--health-address=0.0.0.0",
                f"--health-port={CONTOUR_METRICS_PORT}",
                "--stats-address=0.0.0.0",
                f"--stats-port={STATS_PORT}",
                *watched(self.environment.namespace, self.settings.namespaces),
                f"--envoy-service-name={self.name}-envoy",
                f"--envoy-service-namespace={self.environment.namespace}",
                leader,
                *(f"--disable-feature={feature}" for feature in UNUSED),
                *safety,
            ),
            env={"CONTOUR_NAMESPACE": FieldPath("metadata.namespace"), "POD_NAME": FieldPath("metadata.name")},
            mounts={"/config": "config", **({"/certs": "certs"} if self.encrypted else {})},
            resources=self.sized(CONTOUR_SIZES, self.settings.contour_resources),
            startup=Probe(XDS_PORT, every_s=1, failures=120),
            readiness=Probe(XDS_PORT, every_s=5),
            liveness=Probe(CONTOUR_METRICS_PORT, "/healthz", every_s=10, failures=6),
            pre_stop=sleep(2),
        )
        volumes = {"config": config_volume(f"{self.name}-contour"), **self._certificates("contourcert")}
        return Pod(containers=(container,), volumes=volumes, token=True, grace_s=30)

    def _envoy(self) -> Pod:
        files = {"/config": "config", **({"/certs": "certs"} if self.encrypted else {})}
        return Pod(
            init=(self._bootstrap(files),),
            containers=(self._proxy(files), self._shutdown_manager()),
            volumes={"config": {"emptyDir": {}}, "admin": {"emptyDir": {}}, **self._certificates("envoycert")},
            grace_s=self.settings.drain_seconds + 30,
        )

    def _bootstrap(self, files: Mapping[str, str]) -> Container:
        files_of = ("cafile=/certs/ca.crt", "cert-file=/certs/tls.crt", "key-file=/certs/tls.key")
        safety = [f"--envoy-{each}" for each in files_of] if self.encrypted else []
        where = (f"--xds-address={self.name}-contour", f"--xds-port={XDS_PORT}", "--resources-dir=/config/resources")
        return Container(
            name="bootstrap",
            image=self.environment.image(self.settings.contour_image),
            command=("contour",),
            args=("bootstrap", "/config/envoy.json", *where, "--dns-lookup-family=v4", *safety),
            env={"CONTOUR_NAMESPACE": FieldPath("metadata.namespace")},
            mounts=files,
            resources=SIDECAR[Size.SMALL],
        )

    def _proxy(self, files: Mapping[str, str]) -> Container:
        node = ("--service-cluster", "$(CONTOUR_NAMESPACE)", "--service-node", "$(ENVOY_POD_NAME)")
        return Container(
            name="envoy",
            image=self.environment.image(self.settings.envoy_image),
            command=("envoy",),
            args=("-c", "/config/envoy.json", *node, "--log-level", "info"),
            env={"CONTOUR_NAMESPACE": FieldPath("metadata.namespace"), "ENVOY_POD_NAME": FieldPath("metadata.name")},
            mounts={**files, "/admin": "admin"},
            resources=self.sized(ENVOY_SIZES, self.settings.envoy_resources),
            startup=Probe(STATS_PORT, "/ready", every_s=1, failures=120),
            readiness=Probe(STATS_PORT, "/ready", every_s=2),
            liveness=Probe(STATS_PORT, "/stats?filter=server.live", every_s=10, failures=6),
            pre_stop={"httpGet": {"path": "/shutdown", "port": SHUTDOWN_PORT, "scheme": "HTTP"}},
        )

    def _shutdown_manager(self) -> Container:
        alive = Probe(SHUTDOWN_PORT, "/healthz", every_s=10)
        # Two seconds for kube-proxy to forget this pod; then clients are told to close, and waited for.
        drain = ["contour", "envoy", "shutdown", "--drain-delay=2s", "--check-delay=1s", "--check-interval=1s"]
        return Container(
            name="shutdown-manager",
            image=self.environment.image(self.settings.contour_image),
            command=("contour",),
            args=("envoy", "shutdown-manager"),
            mounts={"/admin": "admin"},
            resources=SIDECAR[Size.SMALL],
            readiness=alive,
            liveness=alive,
            pre_stop={"exec": {"command": drain}},
        )

    def _certificates(self, secret: str) -> dict[str, Mapping[str, Any]]:
        return {"certs": secret_volume(f"{secret}-{self.name}")} if self.encrypted else {}

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``GATEWAY_URL``."""
        return {"GATEWAY_URL": f"http://{self.name}-envoy.{self.environment.namespace}.svc"}

    def alerts(self) -> Iterable[AlertRule]:
        """Those of every gateway."""
        return proxy_alerts(self, "Gateway", "contour", "envoy_cluster_manager_cds_control_plane_connected_state")

    def dashboard(self) -> Dashboard:
        """That of every gateway."""
        return proxy_panels(self)
