"""What every component is: settings, manifests, alerts, a dashboard and the signals its releases are judged by.

A component is pure: it reads its settings and the scope it is declared in, and yields plain dicts. Pulumi, the API
server and the offline render are other modules' business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from components.checksum import restarted_by_files
from components.credentials import recipe_of
from components.layers import (
    KEEP,
    LAYER_ANNOTATION,
    ON_DESTROY_ANNOTATION,
    OWNER_ANNOTATION,
    Layer,
    foundational,
    kept,
)
from components.monitoring import AlertRule, Dashboard, alert_for, panel_for
from rollout.spec import Model, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.environment import Environment
    from kube.kinds import Manifest

PART_OF = "app.kubernetes.io/part-of"
INSTANCE = "app.kubernetes.io/instance"
NAME = "app.kubernetes.io/name"
PART = "app.kubernetes.io/component"


class ComponentSettings(Model):
    """Base of every component's settings: frozen, camelCase in YAML, unknown keys refused."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rule of the production baseline that a component breaks on purpose, where, and why."""

    rule: str
    workload: str
    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody a component talks to (``out``) or hears from (``in``), on which ports, and why.

    ``pods`` are labels in the same namespace; None means anyone, inside the cluster or out.
    """

    direction: Literal["in", "out"]
    pods: Mapping[str, str] | None
    ports: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One value in a Secret."""

    secret: str
    key: str


@dataclass(slots=True)
class Scope:
    """Everything declared in one stack, as its members see each other."""

    environment: Environment
    stack: str
    members: dict[str, Component] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Component]:
        """Members of one kind, by name."""
        return [member for _, member in sorted(self.members.items()) if member.kind == kind]

    def users_of(self, name: str) -> list[Component]:
        """Members that declare to use ``name``."""
        return [member for _, member in sorted(self.members.items()) if name in member.uses]


class Component(ABC):
    """One thing a stack declares.

    Class attributes say what it is: ``kind`` as stack files name it, ``room`` in its Pulumi type, ``layer``, its
    ``Settings`` model, the ``client_ports`` its users reach, and the baseline rules it breaks with their reasons.
    """

    kind: ClassVar[str]
    room: ClassVar[str] = "middleware"
    layer: ClassVar[Layer] = Layer.INSTANCES
    Settings: ClassVar[type[ComponentSettings]]
    client_ports: ClassVar[tuple[int, ...]] = ()
    deviations: ClassVar[tuple[Deviation, ...]] = ()

    def __init__(self, name: str, settings: ComponentSettings, scope: Scope) -> None:
        self.name = name
        self.scope = scope
        self.environment = scope.environment
        self._rendered: list[Manifest] | None = None
        self.take(settings)

    @abstractmethod
    def take(self, settings: ComponentSettings) -> None:
        """Keep the settings, under their own type."""

    @abstractmethod
    def manifests(self) -> Iterable[Manifest]:
        """The objects, as Kubernetes writes them; namespace, common labels and layer are added by :meth:`render`."""

    def health(self) -> Iterable[Signal]:
        """What a release of this component is judged by."""
        return ()

    def alerts(self) -> Iterable[AlertRule]:
        """Conditions somebody must hear of; those that follow from :meth:`health` unless a component knows more."""
        found = (alert_for(signal, self.name, self.metrics_selector) for signal in self.health())
        return [alert for alert in found if alert is not None]

    def dashboard(self) -> Dashboard:
        """Graphs; those that follow from :meth:`health` unless a component knows more."""
        panels = tuple(panel_for(signal, self.name, self.metrics_selector) for signal in self.health())
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels)

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the components it needs."""
        return ()

    def binding(self) -> Mapping[str, SecretKey]:
        """Environment variables that a user of this component gets."""
        return {}

    def peers(self) -> Iterable[Peer]:
        """Whom the component talks to and hears from; everything else is denied."""
        return ()

    def reached_on(self) -> tuple[int, ...]:
        """Ports its users may reach."""
        return self.client_ports

    def routed_on(self) -> tuple[int, ...]:
        """Ports the gateway sends requests to."""
        return ()

    def measured_on(self) -> tuple[int, ...]:
        """Ports whoever measures a service may read."""
        return ()

    @property
    def answers_within(self) -> float | None:
        """Seconds until an answer through it has to be there; 0 for no limit, None where nothing is said."""
        return None

    @property
    def metrics_selector(self) -> str:
        """PromQL label matcher of this component's own series."""
        return f'namespace="{self.environment.namespace}",instance_name="{self.name}"'

    def selector(self, part: str | None = None) -> dict[str, str]:
        """Labels that tell the pods of this component, or of one part of it; they never change."""
        own = {NAME: self.kind, INSTANCE: self.name}
        return {**own, PART: part} if part else own

    def labels(self, part: str | None = None) -> dict[str, str]:
        """Labels of every object."""
        common = {PART_OF: self.environment.namespace, "app.kubernetes.io/managed-by": "grayling"}
        return {**self.selector(part), **common}

    def check(self) -> None:  # noqa: B027 - most have nothing to check
        """Called once everything is declared; a component that cannot be rendered as it stands says so.

        Raises:
            ValueError: what is wrong; a pydantic error counts as one.
        """

    def render(self) -> list[Manifest]:
        """The manifests, complete: namespace, labels, layer, and what becomes of them when the stack goes.

        Workloads bear a checksum of the files they mount, so that a changed file is a rollout and not a surprise.
        """
        if self._rendered is None:
            self._rendered = restarted_by_files([self._completed(manifest) for manifest in self.manifests()])
        return self._rendered

    def _completed(self, manifest: Manifest) -> Manifest:
        meta = dict(manifest["metadata"])
        if manifest["kind"] not in CLUSTER_SCOPED:
            meta.setdefault("namespace", self.environment.namespace)
        meta["labels"] = {**self.labels(), **(meta.get("labels") or {})}
        layer = Layer.CRDS if foundational(manifest) else self.layer
        noted = {LAYER_ANNOTATION: layer.value}
        if manifest["kind"] in CLUSTER_SCOPED:
            noted[OWNER_ANNOTATION] = f"{self.environment.namespace}/{self.scope.stack}"
        if kept(manifest) or (self.environment.profile.data == "Retain" and _holds_data(manifest)):
            noted[ON_DESTROY_ANNOTATION] = KEEP
        meta["annotations"] = {**noted, **(meta.get("annotations") or {})}
        return {**manifest, "metadata": meta}


CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "GatewayClass"}
_HOLDS_DATA = {"Namespace", "PersistentVolumeClaim"}


def _holds_data(manifest: Manifest) -> bool:
    """Volumes that outlive a stack are of no use without the passwords that were drawn for them."""
    return manifest["kind"] in _HOLDS_DATA or recipe_of(manifest) is not None
