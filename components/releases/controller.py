"""The release engine in the cluster: a Deployment that may do exactly what the engine does, and read no Secret."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from components.model.component import PART_OF, Component
from components.model.endpoints import (
    API_SERVER,
    MEASURERS,
    SCRAPERS,
    Endpoint,
)
from components.model.layers import Layer
from components.model.observability import AlertRule, gone
from components.model.pods import (
    Container,
    FieldPath,
    Pod,
    Probe,
    Resources,
    sleep,
)
from components.model.profiles import Size
from components.model.settings import Placement
from components.model.standing import Deviation, real
from components.model.values import Image, Namespace
from components.releases.service_settings import ServiceSettings
from components.workloads.baseline import deployment
from components.workloads.network import let_in, policy, reads_elsewhere
from components.workloads.roles import granted
from kube.kinds import POLICY, POLICY_BINDING
from manifests.render import definitions, policies
from rollout.api.approval_policy import NAME
from rollout.api.spec import SourceName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.endpoints import Peer
    from kube.kinds import Manifest

METRICS_PORT = 9464
CPU = {Size.SMALL: "100m", Size.MEDIUM: "250m", Size.LARGE: "500m"}
IN_FLIGHT = {Size.SMALL: 100, Size.MEDIUM: 200, Size.LARGE: 200}
"""One thread watches them: with 200 it is full."""

EMPTY_MB, RELEASE_MB = 208, 0.72
"""Of the engine without releases, and of each in flight: a third more than `bench/scale` measures."""
RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
WRITE = [*READ, "create", "patch", "delete"]


class ControllerSettings(Placement):
    """Settings of the engine."""

    image: Image = Field(description="of the engine: its entry point is `python -m rollout`")
    replicas: Annotated[int, Field(ge=1, le=5)] | None = Field(default=None, description="one leads, the others wait")
    namespaces: list[Namespace] = Field(default_factory=list, description="where it serves besides the stack's own")
    read_logs: bool = Field(default=False, description="may read pods' logs; on by itself where a service counts lines")
    read_nodes: bool = Field(
        default=True,
        description="knows the zones of pods, sees which nodes are drained, brings up a second pod before the only one "
        "of a canary goes, and reads the policy of approvals (which it may also where a step has `gate: approval`); "
        "off where nothing cluster-wide may be made",
    )
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="releases carried out at the same time, by which its memory goes; others wait"
    )
    install_definitions: bool = Field(default=True, description="off where another stack of the cluster installs them")


class Controller(Component[ControllerSettings]):
    """Deployment, Roles in each namespace it serves, and the custom resource definitions."""

    kind = "controller"
    modes = (
        real(
            "tests/components/deploy/test_every_stack_on_cluster.py::test_it_comes_up_serves_and_goes",
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
        ),
    )
    room = "release"
    layer = Layer.OPERATORS
    reads = MEASURERS
    deviations = (Deviation("token", "", "it is a controller: it watches and writes Kubernetes objects"),)
    endpoints = (Endpoint("metrics", METRICS_PORT, SCRAPERS, "its own metrics, and its health"),)

    @property
    def namespaces(self) -> list[str]:
        """Where releases are served: its own, then the others by name."""
        own = self.environment.namespace
        return [own, *sorted({*self.settings.namespaces} - {own})]

    def manifests(self) -> Iterable[Manifest]:
        """Definitions, rights, policy, Deployment."""
        if self.settings.install_definitions:
            for definition in (*definitions(), *policies()):
                yield {**definition, "metadata": {**definition["metadata"], "labels": {PART_OF: "grayling"}}}
        for namespace in self.namespaces:
            yield from self._rights(namespace)
        if found := self._cluster_rules():
            name = f"{self.environment.namespace}-{self.name}"
            yield from granted("ClusterRole", {"name": name}, self.environment.namespace, self.name, found)
        yield policy(self, self._outside())
        yield from (let_in(self, namespace) for namespace in self._elsewhere)
        replicas = self.settings.replicas or min(2, self.environment.profile.replicas)
        yield from deployment(self, self._pod(), replicas=replicas)

    @property
    def _elsewhere(self) -> list[str]:
        return self.namespaces[1:]

    def _rights(self, namespace: str) -> Iterable[Manifest]:
        made = rules(logs=self.settings.read_logs or self._counts_lines())
        return granted("Role", {"name": self.name, "namespace": namespace}, self.environment.namespace, self.name, made)

    def _cluster_rules(self) -> list[dict[str, Any]]:
        """What it reads beyond its namespaces; the policy also where a step waits for approvals, which need it."""
        nodes, approved = self.settings.read_nodes, self._waits_for_approvals()
        return [*([_rule("", ["nodes"], READ)] if nodes else []), *([_policy_rule()] if nodes or approved else [])]

    def _waits_for_approvals(self) -> bool:
        settings = (service.settings for service in self.scope.of_kind("service"))
        known = (each for each in settings if isinstance(each, ServiceSettings))
        return any(step.approvers for each in known for step in each.strategy.steps)

    def _counts_lines(self) -> bool:
        services = self.scope.of_kind("service")
        return any(signal.source is SourceName.LOGS for service in services for signal in service.health())

    def _pod(self) -> Pod:
        alive = Probe(METRICS_PORT, "/healthz", every_s=10)
        container = Container(
            name="controller",
            image=self.environment.image(self.settings.image),
            args=(
                "controller",
                *self._served(),
                f"--metrics-port={METRICS_PORT}",
                f"--max-in-flight={self.max_in_flight}",
                "--log-format=json",
            ),
            env={
                "POD_NAME": FieldPath("metadata.name"),
                "POD_NAMESPACE": FieldPath("metadata.namespace"),
            },
            resources=Resources(CPU[self.environment.profile.size], f"{memory_for(self.max_in_flight)}Mi"),
            startup=Probe(METRICS_PORT, "/healthz", every_s=1, failures=120),
            readiness=Probe(METRICS_PORT, "/readyz", every_s=5),
            liveness=alive,
            pre_stop=sleep(1),
        )
        return Pod(containers=(container,), token=True, grace_s=30)

    @property
    def max_in_flight(self) -> int:
        """As it is set, or what the profile's size allows."""
        return self.settings.max_in_flight or IN_FLIGHT[self.environment.profile.size]

    def _served(self) -> list[str]:
        return [f"--namespace={namespace}" for namespace in self.namespaces]

    def _outside(self) -> Iterable[Peer]:
        """The API server, and pods of other namespaces."""
        yield API_SERVER
        yield from reads_elsewhere(self._elsewhere)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone: releases stand still, and bad ones are not taken back."""
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("EngineDown", self.metrics_selector, f"{who}: no engine, releases stand still", "1m")


def memory_for(max_in_flight: int) -> int:
    """Megabytes that the engine needs at most."""
    return 16 * math.ceil((EMPTY_MB + RELEASE_MB * max_in_flight) / 16)


def rules(*, logs: bool = False) -> list[dict[str, Any]]:
    """What the engine may do in a namespace it serves: read what it judges, write what it owns, no Secrets."""
    return [
        *([_rule("", ["pods/log"], ["get"])] if logs else []),
        _rule("grayling.dev", ["grayreleases"], [*READ, "patch"]),
        _rule("grayling.dev", ["grayreleases/status", "grayreleases/finalizers"], ["get", "patch", "update"]),
        _rule("grayling.dev", ["approvals"], READ),
        _rule("apps", ["deployments"], WRITE),
        _rule("", ["services", "configmaps"], WRITE),
        _rule("policy", ["poddisruptionbudgets"], WRITE),
        _rule("gateway.networking.k8s.io", ["httproutes"], WRITE),
        _rule("gateway.networking.k8s.io", ["gateways"], READ),
        _rule("", ["pods"], READ),
        _rule("coordination.k8s.io", ["leases"], [*READ, "create", "patch", "update", "delete"]),
        _rule("", ["events"], ["create", "patch"]),
    ]


def _policy_rule() -> dict[str, Any]:
    """Reading the one policy, and its binding, without which no Approval is believed."""
    kinds = [POLICY.plural, POLICY_BINDING.plural]
    return {**_rule("admissionregistration.k8s.io", kinds, READ), "resourceNames": [NAME]}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
