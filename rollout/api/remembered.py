"""Asking a cluster what was taken back on evidence, before anything is written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kube.errors import ForbiddenError, GraylingError, KubeError
from kube.kinds import CONFIG_MAP, Kind, ObjectList
from rollout.api.taken_back import LABEL, Memory, memory_in

if TYPE_CHECKING:
    from collections.abc import Iterable


class StaysOutError(GraylingError):
    """What is asked for was taken back on evidence, or nobody can say whether it was. Nothing was written."""

    exit_code = 6


class Lists(Protocol):
    """What is asked: a connection for a while, or for one command."""

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> ObjectList:
        """All objects of a kind with a label, in one namespace or (None) in all of them."""


async def remembered(cluster: Lists, namespaces: Iterable[str], notes: list[str]) -> Memory:
    """What the cluster remembers, in all namespaces; of those that matter alone where no more may be read.

    Args:
        cluster: to ask.
        namespaces: without whose memory nobody can say what is kept out.
        notes: gets a sentence where the others were not read.
    """
    try:
        return memory_in((await cluster.list(CONFIG_MAP, None, labels=LABEL)).items)
    except ForbiddenError:
        own = sorted(set(namespaces))
        notes.append(
            f"what other namespaces took back was not asked: these credentials may list ConfigMaps in "
            f"{', '.join(own) or 'none'} at most"
        )
    found = Memory()
    for namespace in own:
        try:
            found = found.joined(memory_in((await cluster.list(CONFIG_MAP, namespace, labels=LABEL)).items))
        except KubeError as error:
            fix = f"let these credentials list ConfigMaps in {namespace}"
            found = found.joined(
                Memory(unreadable=(f"what was taken back in {namespace} is not known: {error}; {fix}",))
            )
    return found
