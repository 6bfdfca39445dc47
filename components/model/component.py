"""What every component is: settings, manifests, alerts, a dashboard and the signals its releases are judged by.

A component is pure: it reads its settings and the scope it is declared in, and yields plain dicts. Pulumi, the API
server and the offline render are other modules' business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from components.model.checksum import Fingerprints, named_by_content, restarted_by_files
from components.model.layers import (
    KEEP,
    LAYER_ANNOTATION,
    ON_DESTROY_ANNOTATION,
    OWNER_ANNOTATION,
    Layer,
    foundational,
    kept,
)
from components.model.observability import (
    AlertRule,
    Dashboard,
    alert_for,
    panel_for,
)
from components.model.settings import ComponentSettings, Placement
from components.workloads.credentials import recipe_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.environment import Environment
    from kube.kinds import Manifest
    from rollout.api.spec import Signal

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
NAME = "app.kubernetes.io/name"
PART = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rule of the production baseline that a component breaks on purpose, where, and why."""

    rule: str
    workload: str
    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody a component talks to (``out``) or hears from (``in``), on which ports, and why.

    ``pods`` are labels in ``namespace`` (the same one if empty); None means anyone, there or, without a namespace,
    inside the cluster or out; the namespace ``*`` is any of the cluster. ``cidr`` is a network instead of pods.
    ``every_port`` is for those whose ports nobody here can know.
    """

    direction: Literal["in", "out"]
    pods: Mapping[str, str] | None
    ports: tuple[int, ...]
    why: str
    namespace: str = ""
    every_port: bool = False
    cidr: str = ""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One value in a Secret."""

    secret: str
    key: str


@dataclass
class Scope:
    """Everything declared in one stack, as its members see each other; ``secrets`` are those of the stack file."""

    environment: Environment
    stack: str
    members: dict[str, Component] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """What changes when a Secret of the stack does, and tells nothing of it."""
        return Fingerprints(f"{self.stack}/{self.environment.namespace}", self.secrets)

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
        self.placement = settings if isinstance(settings, Placement) else Placement()
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
        namespace = self.environment.namespace
        panels = tuple(panel_for(signal, self.name, self.metrics_selector, namespace) for signal in self.health())
        return Dashboard(f"{namespace} / {self.name}", panels)

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the components it needs."""
        return ()

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:  # noqa: ARG002 - stores have accounts for each
        """Environment variables that the service ``user`` gets for using this component, under their usual names."""
        return {}

    def authority(self) -> SecretKey | None:
        """The certificate authority that users have to trust; None where nothing is encrypted."""
        return None

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Secrets that are made with it, and their keys."""
        return {}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Secrets that somebody else keeps, by the setting that names them: the name, and the keys read there."""
        return {}

    def ways(self) -> Iterable[tuple[Mapping[str, str], tuple[int, ...]]]:
        """Pods that its users talk to, and on which ports."""
        return [(self.selector(), self.reached_on())]

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
        common = {PART_OF: self.environment.namespace, MANAGED_BY: "grayling"}
        return {**self.selector(part), **common}

    def check(self) -> None:  # noqa: B027 - most have nothing to check
        """Called once everything is declared; a component that cannot be rendered as it stands says so.

        Raises:
            ValueError: what is wrong; a pydantic error counts as one.
        """

    def render(self) -> list[Manifest]:
        """The manifests, complete: namespace, labels, layer, and what becomes of them when the stack goes.

        Workloads bear a checksum of the files and Secrets they read, so that a changed one is a rollout and no
        surprise; a changed Job is another Job.
        """
        if self._rendered is None:
            made = [named_by_content(self._completed(manifest)) for manifest in self.manifests()]
            self._rendered = restarted_by_files(made, self.scope.fingerprints)
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
