"""An application under gray release: what should run and how it is brought in, written as one GrayRelease.

Deployments, Services and routes are the engine's: it makes one of each for every revision. Here stands the desire,
and what does not change from revision to revision: the account pods run under and whom they may talk to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.model.component import Component
from components.model.endpoints import GATEWAYS, MEASURERS, METRICS, NOBODY, SCRAPERS, USERS, Endpoint, Readers
from components.model.exhaustion import warnings
from components.model.layers import Layer
from components.model.observability import AlertRule, Resource, camel, gone
from components.model.pods import Container, Pod, Resources, Sizes, sleep
from components.model.profiles import Size
from components.model.quantities import bytes_of
from components.model.standing import real
from components.releases.address import address, carrier, reached_at
from components.releases.drift import drifts
from components.releases.promises import noted, promised
from components.releases.service_settings import ServiceSettings
from components.releases.wire import without_empties
from components.workloads.baseline import account, pod_template
from components.workloads.bindings import variables
from components.workloads.encryption import trust_of
from components.workloads.network import policy
from rollout.api.spec import (
    API_VERSION,
    KIND,
    GatewayStats,
    ParentRef,
    Port,
    Signal,
    SignalKind,
    SourceName,
    Sources,
    Spec,
    Traffic,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.model.pods import SecretKey
    from kube.kinds import Manifest

SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("250m", "256Mi"),
    Size.LARGE: Resources("500m", "512Mi"),
}


class Service(Component[ServiceSettings]):
    """ServiceAccount, NetworkPolicy and GrayRelease."""

    kind = "service"
    modes = (
        real(
            "tests/components/deploy/test_every_stack_on_cluster.py::test_it_comes_up_serves_and_goes",
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
        ),
    )
    section = "services"
    room = "release"
    layer = Layer.ROUTES

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """HTTP, metrics, and what is declared besides."""
        own, found = self.settings, []
        if own.port:
            found.append(Endpoint("http", own.port, self._callers(), "HTTP, `port`"))
        if own.admin_port:
            found.append(Endpoint(METRICS, own.admin_port, SCRAPERS | MEASURERS, "metrics and probes, `adminPort`"))
        for each in own.ports:
            readers = USERS if each.used else NOBODY
            readers |= MEASURERS if each.measured else NOBODY
            readers |= GATEWAYS if each.routed and own.traffic else NOBODY
            spoken = each.app_protocol or ""
            found.append(Endpoint(each.name, each.port, readers, container=each.container or "", app_protocol=spoken))
        return tuple(found)

    def _callers(self) -> Readers:
        """Where the gateway carries its requests anyway, users reach it there and nowhere else."""
        routed = GATEWAYS if self.settings.traffic and self.settings.routed is None else NOBODY
        return routed if carrier(self) else routed | USERS

    @property
    def uses(self) -> tuple[str, ...]:
        """As declared."""
        return tuple(self.settings.uses)

    def manifests(self) -> Iterable[Manifest]:
        """The account and the policy stay; the GrayRelease carries the version."""
        yield account(self)
        yield policy(self, (each.peer() for each in self.settings.egress))
        if self.scope.users_of(self.name):
            yield from address(self)
        if self.settings.autoscaling:
            yield self.settings.autoscaling.manifest(self)
        yield from promised(self)
        notes = {"grayling.dev/owners": ",".join(self.environment.owners), **noted(self)}
        meta = {"name": self.name, "annotations": notes}
        yield {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": self._written()}

    def check(self) -> None:
        """The parts fit together as the engine wants them.

        Raises:
            ValueError: they do not.
        """
        if self.name in {each.name for each in (*self.settings.init, *self.settings.sidecars)}:
            raise ValueError(f"init, sidecars: {self.name!r} is the service's own container; use another name")
        bound = {**variables(self), **trust_of(self).variables}
        for name in sorted(bound.keys() & self.settings.env.keys()):
            raise ValueError(f"env: {name} is there by what the service uses; leave it out, or give it another name")
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
            recording=bool(self.settings.recording) if self.settings.record is None else None,
            record=self.settings.record,
        )

    def _written(self) -> Manifest:
        """The spec as it is declared: how many pods there are is another's field where they are scaled to the load."""
        spec = without_empties(self.spec().wire())
        if self.settings.autoscaling:
            del spec["workload"]["replicas"]
        return spec

    def _workload(self) -> Workload:
        scaled = self.settings.autoscaling
        return Workload(
            replicas=self.settings.replicas or self.environment.profile.replicas,
            min_replicas=scaled.min if scaled else 1,
            template=pod_template(self, self._pod()),
            config=dict(self.files()),
            ports=[
                Port(name=each.name, port=each.port, target_port=each.name, app_protocol=each.app_protocol or None)
                for each in self.endpoints
                if not each.open_to(SCRAPERS)
            ],
        )

    def _pod(self) -> Pod:
        own, place = self.settings, self.environment
        sidecars = (each.beside(place, own.image, own.drain_seconds) for each in own.sidecars)
        return Pod(
            containers=(self.main(), *sidecars),
            init=tuple(each.container(place, own.image) for each in own.init),
            volumes={**{name: source.wire() for name, source in own.volumes.items()}, **trust_of(self).volumes},
            grace_s=own.drain_seconds + 30,
        )

    def files(self) -> Mapping[str, str]:
        """Configuration files, released together with the code."""
        return self.settings.config

    @property
    def sizes(self) -> Sizes:
        """What its main container gets by the tier."""
        return SIZES

    def main(self) -> Container:
        """The container of the application itself."""
        own = self.settings
        admin, live = own.admin_port or 0, own.probes.liveness
        return Container(
            name=self.name,
            image=self.environment.image(own.image),
            command=tuple(own.command),
            args=tuple(own.args),
            env=self._env(),
            mounts={**own.mounts, **trust_of(self).mounts},
            resources=self.sized(self.sizes),
            startup=replace(live.probe(admin), every_s=1, failures=own.probes.startup_seconds),
            readiness=own.probes.readiness.probe(admin, every_s=2, failures=2, timeout_s=2),
            liveness=live.probe(admin, every_s=10),
            pre_stop=sleep(max(1, own.drain_seconds)),
        )

    def _env(self) -> Mapping[str, str | SecretKey]:
        own = {name: value.bound() for name, value in self.settings.env.items()}
        return dict(sorted({**variables(self), **trust_of(self).variables, **own}.items()))

    def _traffic(self) -> Traffic | None:
        reached = self.settings.traffic
        if reached is None:
            return None
        place = self.environment.gateway
        return Traffic(
            parents=[self._parent(place.parent)],
            hostnames=[*self.hostnames, *self._inner_hostnames()],
            matches=reached.matches,
            port=self.settings.routed.name if self.settings.routed else "http",
            request_timeout=self.answers_within,
        )

    @property
    def answers_within(self) -> float | None:
        """As said for the service, else for the gateway: without either the proxy gives up after 15 s by itself."""
        reached = self.settings.traffic
        if reached is not None and reached.request_timeout is not None:
            return reached.request_timeout
        return next((gateway.answers_within for gateway in self.scope.gateways()), None)

    @property
    def hostnames(self) -> list[str]:
        """Names that requests from outside come under."""
        own = self.settings.traffic.hostnames if self.settings.traffic else []
        return own or [f"{self.name}.{self.environment.gateway.hostname_suffix}"]

    def _inner_hostnames(self) -> list[str]:
        """Names that requests of the stack's own services come under, where the gateway carries them."""
        if not self.scope.users_of(self.name) or carrier(self) is None:
            return []
        return [f"{self.name}.{self.environment.namespace}.svc{domain}" for domain in ("", ".cluster.local")]

    def _parent(self, parent: ParentRef) -> ParentRef:
        return parent.model_copy(update={"namespace": parent.namespace or self.environment.namespace})

    def _gateway_stats(self) -> GatewayStats | None:
        for gateway in self.scope.gateways():
            named = {"control_plane": gateway.control_plane} if gateway.control_plane else {}
            port = gateway.endpoint(METRICS).port
            return GatewayStats(namespace=self.environment.namespace, selector=gateway.speaker(), port=port, **named)
        return None

    def _prometheus(self) -> str | None:
        for prometheus in self.scope.of_kind("prometheus"):
            return str(prometheus.binding(self.name)["PROMETHEUS_URL"])
        return None

    def health(self) -> Iterable[Signal]:
        """As declared; else errors at the gateway, latency of the pods, and crashes, as far as there is traffic."""
        if self.settings.analysis.signals:
            return tuple(self._said_whose(signal) for signal in self.settings.analysis.signals)
        crashes = Signal(name="crashes", kind=SignalKind.CRASHES, source=SourceName.KUBERNETES)
        if self.settings.traffic is None:
            return (crashes,)
        errors_at = SourceName.GATEWAY if self.scope.gateways() else SourceName.PODS
        errors = Signal(name="errors", kind=SignalKind.ERRORS, source=errors_at)
        latency = Signal(name="latency", kind=SignalKind.LATENCY, source=SourceName.PODS)
        by_themselves = self.settings.admin_port is not None
        found = [errors] if by_themselves or errors_at is SourceName.GATEWAY else []
        return (*found, *([latency] if by_themselves else []), crashes)

    def _said_whose(self, signal: Signal) -> Signal:
        """Where sidecars write lines too, those of the service are meant."""
        if signal.source is not SourceName.LOGS or signal.container or not self.settings.sidecars:
            return signal
        return signal.model_copy(update={"container": self.name})

    def resources(self) -> Iterable[Resource]:
        """Memory and open files of the fullest pod, where the process tells of them (`process_*`)."""
        if not self.settings.admin_port:
            return
        own = self.metrics_selector
        memory = f"max(process_resident_memory_bytes{{{own}}}) / {bytes_of(self.sized(self.sizes).memory)}"
        name = camel(self.name, "memory-fills")
        yield Resource("memory", name, memory, "will have a pod killed", section="ServiceMemoryFills")
        files = f"max(process_open_fds{{{own}}} / process_max_fds{{{own}}})"
        name = camel(self.name, "files-fill")
        yield Resource("files", name, files, "will open no more connections", section="ServiceFilesFill")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, and what follows from :meth:`health`."""
        who = f"{self.environment.namespace}/{self.name}"
        if self.settings.admin_port:
            down = gone(camel(self.name, "down"), self.metrics_selector, f"{who}: no pod answers")
            yield replace(down, section="ServiceDown")
        yield from super().alerts()
        yield from warnings(self)
        yield from drifts(self, list(self.health()))

    def binding(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """``<NAME>_URL``, and ``<NAME>_<PORT>_ADDRESS`` for each further port."""
        return reached_at(self)

    def ways(self) -> list[tuple[Mapping[str, str], tuple[int, ...]]]:
        """Through the gateway of the stack where that has its requests anyway, else to its pods."""
        gateway = carrier(self)
        carried = [(gateway.speaker(), gateway.endpoint("http").numbers)] if gateway else []
        return [*carried, *super().ways()]
