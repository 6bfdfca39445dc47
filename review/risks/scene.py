"""All changes of a preview, and what rules ask about them together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from review.model.change import Op
from review.risks.shapes import mapping, maps, text, texts
from review.risks.templates import POD_MAKERS, RUN_FOR_EVER, Uses, pod_of, template_of, uses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from review.model.change import Change, ChangeSet, ObjectRef

_MONITORING = frozenset(
    {"prometheus", "alertmanager", "grafana", "loki", "tempo", "thanos", "node-exporter", "kube-state-metrics"}
)
NAME = "app.kubernetes.io/name"
_BY_SERVER = frozenset({"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"})
"""Labels that no template has, since each pod gets its own."""


@dataclass(frozen=True)
class Scene:
    """The whole preview."""

    changes: ChangeSet

    @cached_property
    def users(self) -> Mapping[tuple[str, Uses], tuple[ObjectRef, ...]]:
        """Who will use an object, by namespace, kind and name; only what this preview shows is known."""
        found: dict[tuple[str, Uses], list[ObjectRef]] = defaultdict(list)
        for change in self.changes.changes:
            if change.ref.kind in POD_MAKERS and change.after:
                for used in uses(pod_of(change.ref.kind, change.after)):
                    found[change.ref.namespace, used].append(change.ref)
        return {key: tuple(sorted(refs)) for key, refs in found.items()}

    @cached_property
    def leaving(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Labels of the pods that go with their workload, by namespace."""
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for change in self.changes.of_kind(*RUN_FOR_EVER):
            if change.ops == (Op.DELETE,):
                labels = mapping(template_of(change.ref.kind, change.before), "metadata", "labels")
                found[change.ref.namespace].append(labels)
        return {namespace: tuple(labels) for namespace, labels in found.items()}

    @cached_property
    def staying(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Labels of the pods that this preview shows and leaves running, by namespace."""
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for change in self.changes.of_kind(*RUN_FOR_EVER):
            if change.after:
                labels = mapping(template_of(change.ref.kind, change.after), "metadata", "labels")
                found[change.ref.namespace].append(labels)
        return {namespace: tuple(labels) for namespace, labels in found.items()}

    @cached_property
    def namespaces_gone(self) -> frozenset[str]:
        """Namespaces that are deleted, with all that is in them."""
        return frozenset(change.ref.name for change in self.changes.of_kind("Namespace") if change.goes)

    def pods_go_too(self, change: Change) -> bool:
        """Whether an object that goes selects pods whose workload goes in the same preview."""
        spec = mapping(change.before, "spec")
        plain = change.ref.kind == "Service"
        selector = mapping(spec, "selector")
        wanted = selector if not plain else {"matchLabels": selector}
        if change.ref.kind == "NetworkPolicy":
            wanted = mapping(spec, "podSelector")
        chosen = bool(mapping(wanted, "matchLabels") or maps(wanted, "matchExpressions"))
        goes, stays = (
            any(selects(wanted, labels) for labels in pods.get(change.ref.namespace, ()))
            for pods in (self.leaving, self.staying)
        )
        return chosen and goes and not stays


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a label selector chooses pods with some labels; an expression that is not known chooses none."""
    plain = mapping(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in plain.items() if key not in _BY_SERVER):
        return False
    return all(_holds(each, labels) for each in maps(selector, "matchExpressions"))


def _holds(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = text(expression, "key"), texts(expression, "values")
    match text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def watches_only(change: Change) -> bool:
    """Whether an object is of the monitoring: what it does wrong is seen by people, not by users."""
    name = text(change.after or change.before, "metadata", "labels", NAME)
    return ":monitoring:" in change.urn or name in _MONITORING
