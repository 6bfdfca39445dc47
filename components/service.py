"""An application under gray release: what should run and how it is brought in, written as one GrayRelease.

Deployments, Services and routes are the engine's: it makes one of each for every revision. Here stands the desire,
and what does not change from revision to revision: the account pods run under and whom they may talk to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from components.baseline import account, pod_template
from components.component import Component, ComponentSettings, Deviation, Peer, SecretKey
from components.images import exact
from components.layers import Layer
from components.network import policy
from components.pods import Container, Pod, Probe, Resources, Sizes, size, sleep
from components.profiles import Size
from components.quantities import Quantity
from rollout.spec import (
    API_VERSION,
    KIND,
    Analysis,
    GatewayStats,
    ParentRef,
    Port,
    Signal,
    SignalKind,
    SourceName,
    Sources,
    Spec,
    Strategy,
    Traffic,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.kinds import Manifest

SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("250m", "256Mi"),
    Size.LARGE: Resources("500m", "512Mi"),
}
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class SecretRef(ComponentSettings):
    """A value that stands in a Secret."""

    secret: str
    key: str


class Request(ComponentSettings):
    """CPU requested, and memory requested and never exceeded."""

    cpu: Annotated[str, Field(pattern=r"^\d+m?$")]
    memory: Quantity


class Probes(ComponentSettings):
    """Paths on the admin port that say whether a pod lives and whether it can serve."""

    liveness: str = "/healthz"
    readiness: str = "/readyz"
    startup_seconds: Annotated[int, Field(ge=1, le=3600)] = 60


class Reached(ComponentSettings):
    """How requests reach the service through the gateway."""

    hostnames: list[str] = Field(default_factory=list, description="<name>.<hostname suffix> if none is given")
    matches: list[dict[str, Any]] = Field(default_factory=list)
    request_timeout: str | None = None


class ServiceSettings(ComponentSettings):
    """Settings of an application."""

    image: str
    command: list[str] = Field(default_factory=list)
    args: list[str] = Field(default_factory=list)
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    port: PortNumber | None = Field(default=8080, description="HTTP; null for a service that nobody calls")
    admin_port: PortNumber = Field(default=9000, description="metrics and probes")
    env: dict[str, str | SecretRef] = Field(default_factory=dict)
    config: dict[str, str] = Field(default_factory=dict, description="files, released together with the code")
    uses: list[str] = Field(default_factory=list, description="components it talks to: address, password, network")
    probes: Probes = Probes()
    resources: Request | None = None
    drain_seconds: Annotated[int, Field(ge=0, le=600)] = Field(default=5, description="between unready and stop")
    traffic: Reached | None = Field(default=None, description="none: not reached through the gateway")
    strategy: Strategy = Strategy()
    analysis: Analysis = Analysis()
    record: bool = Field(default=False, description="keep what the judge is shown of each release, to judge it again")

    @field_validator("image")
    @classmethod
    def _one_build(cls, image: str) -> str:
        return exact(image)

    @model_validator(mode="after")
    def _reached_on_a_port(self) -> ServiceSettings:
        if self.traffic is not None and self.port is None:
            raise ValueError("traffic needs a port: give one, for example port: 8080")
        return self


class Service(Component):
    """ServiceAccount, NetworkPolicy and GrayRelease."""

    kind = "service"
    room = "release"
    layer = Layer.ROUTES
    Settings = ServiceSettings
    deviations: ClassVar[tuple[Deviation, ...]] = ()
    settings: ServiceSettings

    def take(self, settings: ComponentSettings) -> None:
        """Keep the settings; a signal that needs what the stack lacks is refused here.

        Raises:
            ValueError: the parts do not fit together.
        """
        assert isinstance(settings, ServiceSettings)  # noqa: S101 - for the type checker
        self.settings = settings

    @property
    def uses(self) -> tuple[str, ...]:
        """As declared."""
        return tuple(self.settings.uses)

    def manifests(self) -> Iterable[Manifest]:
        """The account and the policy stay; the GrayRelease carries the version."""
        yield account(self)
        yield policy(self, self.peers())
        meta = {"name": self.name, "annotations": {"grayling.dev/owners": ",".join(self.environment.owners)}}
        yield {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": _without_empties(self.spec().wire())}

    def check(self) -> None:
        """The parts fit together as the engine wants them.

        Raises:
            ValueError: they do not.
        """
        self.spec()

    def spec(self) -> Spec:
        """The desire, as the engine reads it."""
        analysis = self.settings.analysis.model_copy(update={"signals": list(self.health())})
        return Spec(
            workload=self._workload(),
            traffic=self._traffic(),
            strategy=self.settings.strategy,
            analysis=analysis,
            sources=Sources(gateway=self._gateway_stats(), prometheus=self._prometheus()),
            record=self.settings.record,
        )

    def _workload(self) -> Workload:
        ports = [Port(name="http", port=self.settings.port, target_port="http")] if self.settings.port else []
        return Workload(
            replicas=self.settings.replicas or self.environment.profile.replicas,
            template=pod_template(self, self._pod()),
            config=self.settings.config,
            ports=ports,
        )

    def _pod(self) -> Pod:
        own = self.settings
        ports = {"http": own.port} if own.port else {}
        container = Container(
            name=self.name,
            image=self.environment.image(own.image),
            command=tuple(own.command),
            args=tuple(own.args),
            env=self._env(),
            ports={**ports, "metrics": own.admin_port},
            resources=Resources(own.resources.cpu, own.resources.memory) if own.resources else size(SIZES, self),
            startup=Probe(own.admin_port, own.probes.liveness, every_s=1, failures=own.probes.startup_seconds),
            readiness=Probe(own.admin_port, own.probes.readiness, every_s=2, failures=2, timeout_s=2),
            liveness=Probe(own.admin_port, own.probes.liveness, every_s=10),
            pre_stop=sleep(max(1, own.drain_seconds)),
        )
        return Pod(containers=(container,), grace_s=own.drain_seconds + 30)

    def _env(self) -> Mapping[str, str | SecretKey]:
        bound: dict[str, str | SecretKey] = {}
        for used in self.uses:
            if used in self.scope.members:
                bound |= self.scope.members[used].binding()
        for name, value in self.settings.env.items():
            bound[name] = SecretKey(value.secret, value.key) if isinstance(value, SecretRef) else value
        return dict(sorted(bound.items()))

    def _traffic(self) -> Traffic | None:
        reached = self.settings.traffic
        if reached is None:
            return None
        place = self.environment.gateway
        return Traffic(
            parents=[self._parent(place.parent)],
            hostnames=reached.hostnames or [f"{self.name}.{place.hostname_suffix}"],
            matches=reached.matches,
            port="http",
            request_timeout=reached.request_timeout,
        )

    def _parent(self, parent: ParentRef) -> ParentRef:
        return parent.model_copy(update={"namespace": parent.namespace or self.environment.namespace})

    def _gateway_stats(self) -> GatewayStats | None:
        for gateway in self.scope.of_kind("gateway"):
            return GatewayStats(namespace=self.environment.namespace, selector=gateway.selector("envoy"), port=8002)
        return None

    def _prometheus(self) -> str | None:
        for prometheus in self.scope.of_kind("prometheus"):
            return f"http://{prometheus.name}.{self.environment.namespace}.svc:9090"
        return None

    def health(self) -> Iterable[Signal]:
        """As declared; else errors at the gateway, latency of the pods, and crashes, as far as there is traffic."""
        if self.settings.analysis.signals:
            return tuple(self.settings.analysis.signals)
        crashes = Signal(name="crashes", kind=SignalKind.CRASHES, source=SourceName.KUBERNETES)
        if self.settings.traffic is None:
            return (crashes,)
        errors_at = SourceName.GATEWAY if self.scope.of_kind("gateway") else SourceName.PODS
        return (
            Signal(name="errors", kind=SignalKind.ERRORS, source=errors_at),
            Signal(name="latency", kind=SignalKind.LATENCY, source=SourceName.PODS),
            crashes,
        )

    def peers(self) -> Iterable[Peer]:
        """The gateway, whoever measures, and what it uses."""
        if self.settings.traffic is not None and self.settings.port:
            for gateway in self.scope.of_kind("gateway"):
                yield Peer("in", gateway.selector("envoy"), (self.settings.port,), "requests")
            if not self.scope.of_kind("gateway"):
                yield Peer("in", None, (self.settings.port,), "requests; the gateway runs in another namespace")
        for kind, why in (("prometheus", "scrapes"), ("controller", "reads the pods' own metrics")):
            for member in self.scope.of_kind(kind):
                yield Peer("in", member.selector(), (self.settings.admin_port,), why)
        for used in self.uses:
            member = self.scope.members[used]
            yield Peer("out", member.selector(), member.reached_on(), f"uses {used}")
        for user in self.scope.users_of(self.name):
            if self.settings.port:
                yield Peer("in", user.selector(), (self.settings.port,), f"{user.name} uses it")

    def reached_on(self) -> tuple[int, ...]:
        """Its HTTP port."""
        return (self.settings.port,) if self.settings.port else ()


def _without_empties(spec: Manifest) -> Manifest:
    """Empty maps and lists outside the pod template left out: on a custom resource they would differ forever."""
    kept = {}
    for key, value in spec.items():
        inner = _without_empties(value) if isinstance(value, dict) and key != "template" else value
        if inner not in ({}, []):
            kept[key] = inner
    return kept
