"""A person lets in again what was taken back on evidence: the word is kept where it was remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import UsageError
from kube.kinds import CONFIG_MAP, GRAY_RELEASE
from rollout.api.taken_back import KEY, LABEL, entry_in, memory_in, pair_in
from rollout.client.commands import MANAGER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.taken_back import Forgiven, TakenBack


async def forgive(cluster: Cluster, namespace: str, name: str, release: str, word: Forgiven) -> TakenBack:
    """Write a person's word into the memory of one release; returns what it is about.

    Args:
        cluster: where it is remembered.
        namespace: where it was taken back.
        name: of the GrayRelease.
        release: how its id begins; empty for what the GrayRelease asks for now, or the only one there is.
        word: who, why and when.

    Raises:
        UsageError: nothing fits, or more than one.
        ConflictError: somebody else wrote it meanwhile.
    """
    kept = (await cluster.list(CONFIG_MAP, namespace, labels=f"{LABEL}={name}")).items
    unreadable = memory_in(kept).unreadable
    if unreadable:
        raise UsageError("; ".join(unreadable))
    found = [(entry_in(each), each) for each in kept]
    entry, config_map = await _chosen(cluster, namespace, name, release, found)
    told = entry.model_copy(update={"forgiven": word})
    meta = {"resourceVersion": config_map["metadata"]["resourceVersion"]}
    patch = {"metadata": meta, "data": {KEY: told.wire_text()}}
    await cluster.merge_patch(CONFIG_MAP, config_map["metadata"]["name"], namespace, patch, manager=MANAGER)
    return told


async def _chosen(
    cluster: Cluster, namespace: str, name: str, release: str, found: Sequence[tuple[TakenBack, Manifest]]
) -> tuple[TakenBack, Manifest]:
    """The one that is meant.

    Raises:
        UsageError: none is, or more than one.
    """
    there = ", ".join(f"{each.release} ({each.image})" for each, _ in found)
    if not found:
        raise UsageError(
            f"{namespace}/{name}: nothing was taken back on evidence; `release retry` tries the rest again"
        )
    if release:
        fitting = [each for each in found if each[0].release.startswith(release)]
    else:
        left = [each for each in found if each[0].keeps_out]
        fitting = left if len(left) == 1 else await _asked_for(cluster, namespace, name, left)
    if len(fitting) != 1:
        which = f"--release {release}" if release else "which one is meant"
        raise UsageError(f"{namespace}/{name}: {which} is not clear; name one with --release: {there}")
    return fitting[0]


async def _asked_for(
    cluster: Cluster, namespace: str, name: str, found: Sequence[tuple[TakenBack, Manifest]]
) -> list[tuple[TakenBack, Manifest]]:
    live = await cluster.find(GRAY_RELEASE, name, namespace)
    pair = pair_in(live) if live is not None else None
    return [each for each in found if pair is not None and each[0].is_about(pair)]
