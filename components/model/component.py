"""What every component is: settings, manifests, alerts, a dashboard and the signals its releases are judged by.

A component is pure: it reads its settings and the scope it is declared in, and yields plain dicts. Pulumi, the API
server and the offline render are other modules' business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, get_args

from typing_extensions import TypeVar, get_original_bases

from components.model.checksum import Fingerprints, named_by_content, restarted_by_files
from components.model.credentials import recipe_of
from components.model.endpoints import ANYONE, GATEWAYS, NOBODY, USERS, Readers
from components.model.layers import (
    CLUSTER_SCOPED,
    KEEP,
    LAYER_ANNOTATION,
    ON_DESTROY_ANNOTATION,
    OWNER_ANNOTATION,
    Layer,
    foundational,
    kept,
)
from components.model.observability import AlertRule, Dashboard, Resource, alert_for, panel_for
from components.model.settings import ComponentSettings, Placement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.endpoints import Endpoint, Peer
    from components.model.environment import Environment
    from components.model.pods import Resources, SecretKey, Sizes
    from components.model.settings import Request
    from components.model.standing import Deviation, Mode
    from components.model.topology import DeclaredTopology
    from kube.kinds import Manifest
    from rollout.api.sources import ControlPlane
    from rollout.api.spec import Signal

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
NAME = "app.kubernetes.io/name"
PART = "app.kubernetes.io/component"
PROJECT = "grayling"

S_co = TypeVar("S_co", bound=ComponentSettings, default=ComponentSettings, covariant=True)


@dataclass
class Scope:
    """Everything declared in one stack, as its members see each other; ``secrets`` are those of the stack file.

    ``files`` are texts of the project's files that settings name, by path, and ``digests`` those of contracts in them.
    """

    environment: Environment
    stack: str
    members: dict[str, Component] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """What changes when a Secret of the stack does, and tells nothing of it."""
        return Fingerprints(f"{self.stack}/{self.environment.namespace}", self.secrets)

    def of_kind(self, kind: str) -> list[Component]:
        """Members of one kind, by name."""
        return [member for _, member in sorted(self.members.items()) if member.kind == kind]

    def gateways(self) -> list[Component]:
        """Members that bring requests from outside, of whichever kind."""
        return [member for member in self.readers() if member.reads & GATEWAYS]

    def users_of(self, name: str) -> list[Component]:
        """Members that declare to use ``name``, or something that leads there."""
        every = [member for _, member in sorted(self.members.items())]
        led = {name, *(member.name for member in every if member.leads_on and name in member.uses)}
        return [member for member in every if led & set(member.uses)]

    def readers(self) -> list[Component]:
        """Members that read the endpoints of others: those that carry requests first, then by name."""
        found = [member for _, member in sorted(self.members.items()) if member.reads]
        return sorted(found, key=lambda member: min(each.value for each in member.reads))


class Component(ABC, Generic[S_co]):
    """One thing a stack declares, generic over the settings that a stack file may give it.

    Class attributes: ``kind`` as stack files name it, ``section`` of the stack file, ``room`` in its Pulumi type,
    ``layer``, broken baseline rules with reasons; ``reads``: what it is to endpoints of others; ``control_plane``: who
    configures its proxies; ``front``: the part whose pods talk to others; ``leads_on``: who uses it speaks to what it
    uses itself; ``modes``: the usual one first, with tests.
    """

    kind: ClassVar[str]
    section: ClassVar[str] = "components"
    room: ClassVar[str] = "middleware"
    layer: ClassVar[Layer] = Layer.INSTANCES
    Settings: ClassVar[type[ComponentSettings]] = ComponentSettings
    reads: ClassVar[Readers] = NOBODY
    control_plane: ClassVar[ControlPlane | None] = None
    front: ClassVar[str | None] = None
    leads_on: ClassVar[bool] = False
    deviations: ClassVar[tuple[Deviation, ...]] = ()
    modes: ClassVar[tuple[Mode, ...]]

    def __init_subclass__(cls) -> None:
        """``Settings`` is what the class is generic over."""
        super().__init_subclass__()
        for base in get_original_bases(cls):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, ComponentSettings):
                    cls.Settings = argument

    def __init__(self, name: str, settings: S_co, scope: Scope) -> None:
        self.name = name
        self.settings = settings
        self.scope = scope
        self.environment = scope.environment
        self.placement = settings if isinstance(settings, Placement) else Placement()
        self._rendered: list[Manifest] | None = None

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

    def resources(self) -> Iterable[Resource]:
        """What can be used up; each is recorded, and :func:`components.model.exhaustion.warnings` has its alert."""
        return ()

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

    def topology(self) -> DeclaredTopology | None:
        """What the system should hold, where that is declared."""
        return None

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Secrets that are made with it, and their keys."""
        return {}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Secrets that somebody else keeps, by the setting that names them: the name, and the keys read there."""
        return {}

    @property
    def pod_security(self) -> str:
        """The pod security standard that its pods keep: `privileged` for those that need a node's files."""
        return "restricted"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its ports, and who may reach them."""
        return ()

    def endpoint(self, name: str) -> Endpoint:
        """The one of this name that its front has."""
        return next(each for each in self.endpoints if each.name == name and each.part == self.front)

    def ways(self) -> list[tuple[Mapping[str, str], tuple[int, ...]]]:
        """Pods that its users talk to, and on which ports."""
        return self.reached_by(USERS | ANYONE)

    def beyond(self) -> Iterable[Peer]:
        """What its users reach besides its pods: addresses outside of the cluster."""
        return ()

    def reached_by(self, readers: Readers) -> list[tuple[Mapping[str, str], tuple[int, ...]]]:
        """Its pods that one of these may reach, and on which ports."""
        found: dict[str | None, tuple[int, ...]] = {}
        for each in self.endpoints:
            if each.open_to(readers):
                found[each.part] = (*found.get(each.part, ()), *each.numbers)
        return [(self.selector(part), ports) for part, ports in found.items()]

    @property
    def hostnames(self) -> list[str]:
        """Names that requests from outside come under."""
        return []

    @property
    def answers_within(self) -> float | None:
        """Seconds until an answer through it has to be there; 0 for no limit, None where nothing is said."""
        return None

    @property
    def metrics_selector(self) -> str:
        """PromQL label matcher of this component's own series."""
        return f'namespace="{self.environment.namespace}",instance_name="{self.name}"'

    @property
    def owner(self) -> str:
        """Who is told of its alerts."""
        return self.placement.owner or self.environment.owners[0]

    @property
    def place(self) -> str:
        """Its key path in a stack file."""
        return f"{PROJECT}:{self.section}.{self.name}"

    def sized(self, table: Sizes, asked: Request | None = None) -> Resources:
        """What the settings ask for, by ``asked`` or for the main container; else the table's row for the tier."""
        said = asked or self.placement.asked
        return said.resources() if said else table[self.environment.profile.size]

    @property
    def lives_in(self) -> str:
        """The namespace of its pods, where that is not the stack's."""
        return ""

    def speaker(self) -> dict[str, str]:
        """Labels of the pods that talk to others."""
        return self.selector(self.front)

    def selector(self, part: str | None = None) -> dict[str, str]:
        """Labels that tell the pods of this component, or of one part of it; they never change."""
        own = {NAME: self.kind, INSTANCE: self.name}
        return {**own, PART: part} if part else own

    def labels(self, part: str | None = None) -> dict[str, str]:
        """Labels of every object."""
        common = {PART_OF: self.environment.namespace, MANAGED_BY: "grayling"}
        return {**self.selector(part), **common}

    def check(self) -> None:
        """Called once everything is declared; a component that cannot be rendered as it stands says so.

        Raises:
            ValueError: what is wrong; a pydantic error counts as one.
        """

    def render(self) -> list[Manifest]:
        """The manifests, complete: namespace, labels, layer, and what becomes of them when the stack goes.

        Workloads bear a checksum of files and Secrets they read: a changed one is a rollout; a changed Job is another.
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


_HOLDS_DATA = {"Namespace", "PersistentVolumeClaim"}


def _holds_data(manifest: Manifest) -> bool:
    """Volumes that outlive a stack are of no use without the passwords that were drawn for them."""
    return manifest["kind"] in _HOLDS_DATA or recipe_of(manifest) is not None
