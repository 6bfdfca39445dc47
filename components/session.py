"""One stack on one cluster for the length of a command: render it, connect, do, close."""

from __future__ import annotations

import fnmatch
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.inventory import Inventory
from components.layers import kept
from components.outcome import NotReadyError, Outcome, Report
from components.removal import remove
from components.render import render
from kube.cluster import Cluster
from kube.errors import UsageError
from kube.kinds import label_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from components.stackfile import StackFile
    from components.waiting import Patience
    from kube.kinds import Manifest

NAME_LABEL = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster."""

    kubeconfig: str | None = None
    context: str | None = None


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Cluster]:
    """The cluster, closed again at the end.

    Raises:
        UsageError: no cluster is configured.
    """
    async with await Cluster.open(kubeconfig=target.kubeconfig, context=target.context) as cluster:
        yield cluster


def inventory_of(file: StackFile) -> Inventory:
    """The inventory of a stack.

    Raises:
        UsageError: the stack file names no namespace.
    """
    environment = (file.document().get("config") or {}).get("grayling:environment")
    namespace = environment.get("namespace") if isinstance(environment, dict) else None
    if not isinstance(namespace, str):
        raise UsageError(f"{file.source}: grayling:environment.namespace: is required; add it")
    return Inventory(file.stack, namespace)


def selected(manifests: Sequence[Manifest], patterns: Sequence[str]) -> list[Manifest]:
    """Objects that one of ``patterns`` fits: a component's name, ``Kind/name``, either with wildcards; all without any.

    The namespace is always among them, since everything else needs it.

    Raises:
        UsageError: a pattern fits nothing.
    """
    if not patterns:
        return list(manifests)
    for pattern in patterns:
        if not any(_fits(item, pattern) for item in manifests):
            names = sorted({item["metadata"]["labels"][NAME_LABEL] for item in manifests if _named(item)})
            raise UsageError(f"--only {pattern}: nothing of that name; components: {', '.join(names)}")
    return [item for item in manifests if item["kind"] == "Namespace" or any(_fits(item, one) for one in patterns)]


def _named(item: Manifest) -> bool:
    return NAME_LABEL in (item["metadata"].get("labels") or {})


def _fits(item: Manifest, pattern: str) -> bool:
    component = (item["metadata"].get("labels") or {}).get(NAME_LABEL, "")
    own = f"{item['kind']}/{item['metadata']['name']}"
    return fnmatch.fnmatchcase(component, pattern) or fnmatch.fnmatchcase(own.lower(), pattern.lower())


async def destroy(cluster: Cluster, inventory: Inventory, patience: Patience, tell: Callable[[str], None]) -> Report:
    """Delete everything the stack owns, but what its tier keeps.

    Raises:
        NotReadyError: an object would not go in time.
    """
    report = Report()
    live = await inventory.members(cluster, await inventory.known_kinds(cluster))

    def note(label: str) -> None:
        """Keep count, and say it."""
        report.outcomes.append(Outcome("deleted", label))
        tell(f"{'':<10} deleted   {label}")

    gone = [item for item in live.values() if not kept(item)]
    problems = await remove(cluster, gone, patience, note)
    if problems:
        raise NotReadyError(problems, report)
    for item in live.values():
        if kept(item):
            report.outcomes.append(Outcome("kept", label_of(item)))
    if not report.count("kept"):
        await _forget(cluster, inventory)
    return report


async def _forget(cluster: Cluster, inventory: Inventory) -> None:
    kind = await cluster.resolve({"apiVersion": "v1", "kind": "ConfigMap"})
    await cluster.delete(kind, inventory.name, inventory.namespace)


def rendered(file: StackFile, patterns: Sequence[str] = ()) -> list[Manifest]:
    """The stack's objects, or those that ``patterns`` select.

    Raises:
        UsageError: the stack file is wrong, or a pattern fits nothing.
    """
    return selected(render(file), patterns)
