"""A Gateway of the Gateway API with rules for who may come in: Envoy Gateway, and the Envoys that it makes.

The control plane makes the proxies itself, from an EnvoyProxy object; when it is away, they go on with what they know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.gateways import envoy_issuers as issuers
from components.gateways.envoy_observability import proxy_alerts, proxy_panels
from components.gateways.envoy_policies import API, policies
from components.gateways.envoy_proxies import proxies
from components.gateways.envoy_rights import rights
from components.gateways.envoy_settings import (
    CONTROL_METRICS_PORT,
    CONTROL_SIZES,
    HEALTH_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    STATS_PORT,
    XDS_PORT,
    EnvoyGatewaySettings,
)
from components.gateways.guests import allowed_routes, carried, listener_certificate
from components.model.component import Component
from components.model.endpoints import ANYONE, API_SERVER, GATEWAYS, MEASURERS, MEMBERS, SCRAPERS, Endpoint
from components.model.layers import LAYER_ANNOTATION, Layer
from components.model.observability import Panel
from components.model.pods import SIDECAR, Container, FieldPath, Pod, Probe, config_volume, secret_volume, sleep
from components.model.profiles import Size
from components.model.standing import ISSUED_CERTIFICATES, Deviation, real, served
from components.workloads.baseline import account, config_map, deployment, pod_template, service, workload_name
from components.workloads.network import policy
from components.workloads.roles import granted, rule
from manifests.render import text
from rollout.api.sources import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule, Dashboard
    from kube.kinds import Manifest

NETWORKING = "gateway.networking.k8s.io/v1"
OWNING = "gateway.envoyproxy.io/owning-gateway"
CONTROL, CERTGEN = "controller", "certgen"
SERVED_AS = "envoy-gateway"
"""The Service by which proxies find their control plane, and the Secret with its certificate: not ours to name."""

OTHER_CLASS = "contour"


class EnvoyGateway(Component[EnvoyGatewaySettings]):
    """GatewayClass, Gateway, Envoy Gateway with its Envoys, and rules for tokens, rates, sizes and origins."""

    kind = "envoy-gateway"
    modes = (
        real(
            "tests/catalogue/test_gateways_on_cluster.py::test_a_token_lets_in_and_nothing_else_does",
            "tests/catalogue/test_gateways_on_cluster.py::test_a_good_canary_is_promoted_and_a_bad_one_taken_back",
            "tests/catalogue/test_identity_on_cluster.py::test_a_gateway_lets_in_who_has_a_token_of_it_and_nobody_else",
        ),
        served(ISSUED_CERTIFICATES, name="tlsIssuer (cert-manager)"),
    )
    room = "gateway"
    layer = Layer.OPERATORS
    reads = GATEWAYS
    control_plane = ControlPlane.ENVOY_GATEWAY
    front = "envoy"
    deviations = (
        Deviation("token", CONTROL, "the control plane watches routes and policies, and makes the proxies"),
        Deviation("token", CERTGEN, "writes the certificates of the control plane as Secrets, once"),
    )
    endpoints = (
        Endpoint("http", HTTP_PORT, ANYONE, "listener `http`", part="envoy", served=80),
        Endpoint("https", HTTPS_PORT, ANYONE, "listener `https`, with `tlsSecret`", part="envoy", served=443),
        Endpoint("metrics", STATS_PORT, SCRAPERS | MEASURERS, "of the proxies", part="envoy", path="/stats/prometheus"),
        Endpoint("xds", XDS_PORT, MEMBERS, "configuration of the proxies", part=CONTROL, member="envoy"),
        Endpoint("metrics", CONTROL_METRICS_PORT, SCRAPERS, "of the control plane", part=CONTROL),
    )

    @property
    def control_replicas(self) -> int:
        """How many control planes there are."""
        return self.settings.control_replicas or min(2, self.environment.profile.replicas)

    @property
    def answers_within(self) -> float:
        """What services without a limit of their own get."""
        return self.settings.answers_within

    @property
    def controller_name(self) -> str:
        """By which the class is this environment's: another environment has a control plane of its own."""
        return f"gateway.envoyproxy.io/{self.environment.namespace}"

    def selector(self, part: str | None = None) -> dict[str, str]:
        """Of the proxies, labels that the control plane gives them."""
        if part != self.front:
            return super().selector(part)
        parent, own = self.environment.gateway.parent.name, self.environment.namespace
        return {f"{OWNING}-name": parent, f"{OWNING}-namespace": own}

    @property
    def uses(self) -> tuple[str, ...]:
        """The issuers of this stack whose tokens it takes."""
        return issuers.used(self)

    def check(self) -> None:
        """The class is not called by the other implementation's name, and issuers are there.

        Raises:
            ValueError: it is not so.
        """
        issuers.check(self)
        if self.environment.gateway.class_name == OTHER_CLASS:
            raise ValueError(
                f"kind: the GatewayClass would be called {OTHER_CLASS!r}, which this is not; "
                "say grayling:environment.gateway.class: envoy-gateway"
            )

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """The certificate of the listener and the secret of the login, where there are such."""
        made: dict[str, tuple[str, Collection[str]]] = {}
        if self.settings.tls_secret and not self.settings.tls_issuer:
            made["tlsSecret"] = (self.settings.tls_secret, ("tls.crt", "tls.key"))
        if self.settings.oidc:
            made["oidc.clientSecret"] = (self.settings.oidc.client_secret, ("client-secret",))
        return made

    def manifests(self) -> Iterable[Manifest]:
        """Class and Gateway with their rules, rights, certificates, the control plane, and policies of both parts."""
        yield from self._gateway()
        yield proxies(self)
        yield from listener_certificate(self, self.settings.tls_secret, self.settings.tls_issuer)
        parent = self.environment.gateway.parent.name
        yield from policies(self.name, parent, self.settings, issuers.providers(self))
        yield from issuers.trusted(self)
        yield from rights(self, CONTROL)
        yield config_map(self, f"{self.name}-{CONTROL}", {"envoy-gateway.yaml": self._configuration()})
        yield service(self, MEMBERS, part=CONTROL, name=SERVED_AS)
        yield from self._certificates()
        out = [each.peer() for each in self.settings.egress]
        yield policy(self, [API_SERVER, *out], part=CONTROL)
        yield policy(self, [*carried(self.environment.namespace, self.settings.namespaces), *out], part="envoy")
        yield from deployment(self, self._controller(), replicas=self.control_replicas, part=CONTROL)

    def _gateway(self) -> Iterable[Manifest]:
        place = self.environment.gateway
        spec = {"controllerName": self.controller_name}
        # Both go before the controller: it holds the class by a finalizer as long as the class has Gateways.
        before = {LAYER_ANNOTATION: Layer.INSTANCES.value}
        meta = {"name": place.class_name, "annotations": before}
        yield {"apiVersion": NETWORKING, "kind": "GatewayClass", "metadata": meta, "spec": spec}
        routes = allowed_routes(self.environment.namespace, self.settings.namespaces)
        listeners: list[Manifest] = [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": routes}]
        if self.settings.tls_secret:
            tls = {"mode": "Terminate", "certificateRefs": [{"name": self.settings.tls_secret}]}
            listeners.append({"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": routes})
        like = {"parametersRef": {"group": API.partition("/")[0], "kind": "EnvoyProxy", "name": self.name}}
        body = {"gatewayClassName": place.class_name, "infrastructure": like, "listeners": listeners}
        meta = {"name": place.parent.name, "annotations": before}
        yield {"apiVersion": NETWORKING, "kind": "Gateway", "metadata": meta, "spec": body}

    def _configuration(self) -> str:
        return text(
            "envoy-gateway.yaml.j2",
            controller=self.controller_name,
            namespaces=sorted({self.environment.namespace, *self.settings.namespaces}),
            replicas=self.control_replicas,
            image=self.environment.image(self.settings.control_image),
            lua=self.settings.retries is not None,
        )

    def _certificates(self) -> Iterable[Manifest]:
        """A Job that makes the certificates of control plane and proxies, in the cluster alone."""
        name = workload_name(self, CERTGEN)
        secrets = rule("", ["secrets"], ["create", "get", "update"])
        yield account(self, CERTGEN)
        yield from granted("Role", {"name": name}, self.environment.namespace, name, [secrets])
        yield policy(self, [API_SERVER], part=CERTGEN)
        container = Container(
            name=CERTGEN,
            image=self.environment.image(self.settings.control_image),
            command=("envoy-gateway",),
            args=("certgen", "--disable-topology-injector"),
            env={"ENVOY_GATEWAY_NAMESPACE": FieldPath("metadata.namespace")},
            resources=SIDECAR[Size.SMALL],
        )
        template = pod_template(self, Pod(containers=(container,), token=True), CERTGEN)
        template["spec"]["restartPolicy"] = "OnFailure"
        meta = {"name": name, "labels": self.labels(CERTGEN)}
        spec = {"backoffLimit": 6, "template": template}
        yield {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}

    def _controller(self) -> Pod:
        container = Container(
            name="envoy-gateway",
            image=self.environment.image(self.settings.control_image),
            command=("envoy-gateway",),
            args=("server", "--config-path=/config/envoy-gateway.yaml"),
            env={"ENVOY_GATEWAY_NAMESPACE": FieldPath("metadata.namespace")},
            mounts={"/config": "config", "/certs": "certs"},
            resources=self.sized(CONTROL_SIZES, self.settings.control_resources),
            startup=Probe(HEALTH_PORT, "/healthz", every_s=1, failures=120),
            readiness=Probe(HEALTH_PORT, "/readyz", every_s=5),
            liveness=Probe(HEALTH_PORT, "/healthz", every_s=10, failures=6),
            pre_stop=sleep(2),
        )
        volumes = {"config": config_volume(f"{self.name}-{CONTROL}"), "certs": secret_volume(SERVED_AS)}
        return Pod(containers=(container,), volumes=volumes, token=True, grace_s=30)

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``GATEWAY_URL``."""
        return {"GATEWAY_URL": f"http://{self.name}-envoy.{self.environment.namespace}.svc"}

    def alerts(self) -> Iterable[AlertRule]:
        """Those of every gateway."""
        return proxy_alerts(self, "EnvoyGateway", CONTROL, "envoy_control_plane_connected_state")

    def dashboard(self) -> Dashboard:
        """That of every gateway, and what its rules refuse."""
        if not self.settings.rate_limits:
            return proxy_panels(self)
        limited = f"sum(rate(envoy_http_local_rate_limit_rate_limited{{{self.metrics_selector}}}[1m]))"
        return proxy_panels(self, Panel("Refused: too many", limited, "reqps"))
