"""The pods that an object makes: where their template stands, and what it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from review.risks.shapes import Json, mapping, maps, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from review.model.change import Change

_PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout"),
        ("spec", "template"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "GrayRelease": ("spec", "workload", "template"),
    "Pod": (),
}
POD_MAKERS = frozenset(_PLACES)
RUN_FOR_EVER = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "GrayRelease", "Rollout"})
"""Kinds whose pods serve for as long as the object is there."""


class Uses(NamedTuple):
    """What pods read: kind and name of the object."""

    kind: str
    name: str


def template_of(kind: str, manifest: Mapping[str, Any] | None) -> Json:
    """The pod template of an object; empty where it has none."""
    return mapping(manifest, *_PLACES[kind]) if kind in _PLACES and manifest else {}


def pod_of(kind: str, manifest: Mapping[str, Any] | None) -> Json:
    """The specification of an object's pods; empty where it has none."""
    return mapping(template_of(kind, manifest), "spec")


def in_pod(change: Change, rest: str) -> str:
    """A field of an object's pods, as the text of an edit names it."""
    return ".".join((*_PLACES.get(change.ref.kind, ()), "spec", rest))


def in_container(change: Change, name: str, rest: str) -> str:
    """A field of one container."""
    old, new = pods(change)
    group = (
        "initContainers"
        if name in {**containers(old, "initContainers"), **containers(new, "initContainers")}
        else "containers"
    )
    return in_pod(change, f"{group}[{name}].{rest}")


def pods(change: Change) -> tuple[Json, Json]:
    """The specification of an object's pods, before and after."""
    return pod_of(change.ref.kind, change.before), pod_of(change.ref.kind, change.after)


def containers(pod: Json, *groups: str) -> dict[str, Json]:
    """Containers by name; init containers too, where no group is named."""
    return {
        text(container, "name"): container
        for group in groups or ("containers", "initContainers")
        for container in maps(pod, group)
    }


def both(change: Change, *groups: str) -> Iterator[tuple[str, Json | None, Json]]:
    """Every container that there will be: its name, as it was (None where it is new), and as it will be."""
    before, after = pods(change)
    old = containers(before, *groups)
    for name, container in containers(after, *groups).items():
        yield name, old.get(name), container


def changed(change: Change, *groups: str) -> Iterator[tuple[str, Json, Json]]:
    """Containers that were there and will be."""
    for name, old, new in both(change, *groups):
        if old is not None:
            yield name, old, new


def uses(pod: Json) -> frozenset[Uses]:
    """Secrets, ConfigMaps, claims and the account that pods need to start."""
    found = {Uses("ServiceAccount", text(pod, "serviceAccountName"))}
    for container in containers(pod).values():
        found |= set(_by_environment(container))
    for volume in maps(pod, "volumes"):
        found |= set(_by_volume(volume))
    return frozenset(each for each in found if each.name)


def _by_environment(container: Json) -> Iterator[Uses]:
    for variable in maps(container, "env"):
        yield Uses("Secret", text(variable, "valueFrom", "secretKeyRef", "name"))
        yield Uses("ConfigMap", text(variable, "valueFrom", "configMapKeyRef", "name"))
    for source in maps(container, "envFrom"):
        yield Uses("Secret", text(source, "secretRef", "name"))
        yield Uses("ConfigMap", text(source, "configMapRef", "name"))


def _by_volume(volume: Json) -> Iterator[Uses]:
    yield Uses("Secret", text(volume, "secret", "secretName"))
    yield Uses("ConfigMap", text(volume, "configMap", "name"))
    yield Uses("PersistentVolumeClaim", text(volume, "persistentVolumeClaim", "claimName"))
    yield Uses("Secret", text(volume, "csi", "nodePublishSecretRef", "name"))
    for source in maps(volume, "projected", "sources"):
        yield Uses("Secret", text(source, "secret", "name"))
        yield Uses("ConfigMap", text(source, "configMap", "name"))
