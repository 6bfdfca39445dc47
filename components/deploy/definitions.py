"""Taking Grayling's own definitions and policies off a cluster: the one way in which that happens, never by the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.deploy.prune import remove
from components.deploy.refusal import RefusedError, named
from kube.errors import NotFoundError
from kube.kinds import POLICY, POLICY_BINDING, label_of
from manifests.render import definitions
from rollout.api.approval_policy import is_ours

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.deploy.waiting import Patience
    from kube.cluster import Cluster
    from kube.kinds import Manifest


async def present(cluster: Cluster) -> list[Manifest]:
    """Those of our definitions that the cluster has, and all policies of ours, of this version or an earlier one.

    Raises:
        RefusedError: objects of them exist, which would be deleted with everything they serve.
    """
    found, objects = [], []
    for definition in definitions():
        kind = await cluster.resolve(definition)
        live = await cluster.find(kind, definition["metadata"]["name"])
        if live is None:
            continue
        found.append({"apiVersion": definition["apiVersion"], "kind": definition["kind"], **live})
        objects += await _objects(cluster, definition)
    found += await _policies(cluster)
    if objects:
        raise RefusedError(
            "delete the definitions",
            [f"objects of them would go with all they serve: {named(objects)}; destroy their stacks first"],
        )
    return found


async def _policies(cluster: Cluster) -> list[Manifest]:
    """Bindings go first: one without its policy would refuse every Approval."""
    found: list[Manifest] = []
    for kind in (POLICY_BINDING, POLICY):
        try:
            listed = (await cluster.list(kind)).items
        except NotFoundError:  # an API server from before there were such
            continue
        made = ({**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in listed)
        found += filter(is_ours, made)
    return found


async def _objects(cluster: Cluster, definition: Manifest) -> list[str]:
    spec = definition["spec"]
    version = next(entry["name"] for entry in spec["versions"] if entry["storage"])
    try:
        kind = await cluster.resolve({"apiVersion": f"{spec['group']}/{version}", "kind": spec["names"]["kind"]})
        return [label_of(item) for item in (await cluster.list(kind)).items]
    except NotFoundError:
        return []


async def delete(cluster: Cluster, found: list[Manifest], patience: Patience, tell: Callable[[str], None]) -> list[str]:
    """Delete them; returns what would not go."""
    return await remove(cluster, found, patience, lambda label: tell(f"{'':<10} deleted   {label}"), tell)
