"""One holder at a time: a Lease per release, and the epoch that fences late writers.

Expiry is judged by the local clock from the moment a renewal was last *seen* (as client-go does), so that clocks of
different machines never meet. A process that starts again under the same identity takes its own lease back at once:
in a cluster the identity is the pod, and a pod's container does not run twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kube.errors import ConflictError, KubeError
from kube.kinds import LEASE, Manifest
from rollout.revision import MANAGER
from rollout.status import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.cluster import Cluster

IN_FLIGHT_SECONDS = 8
IDLE_SECONDS = 30


class LeaseLostError(Exception):
    """Another holder has the release; whatever this one still wants to write is out of date."""


@dataclass(slots=True)
class ReleaseLease:
    """The lease of one release as one holder sees it."""

    cluster: Cluster
    namespace: str
    name: str
    identity: str
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    epoch: int = 0
    held: bool = False
    _seen: str = field(default="", repr=False)
    _seen_at: float = field(default=0.0, repr=False)
    _renewed_at: float = field(default=0.0, repr=False)
    _seconds: int = field(default=IN_FLIGHT_SECONDS, repr=False)

    @property
    def object_name(self) -> str:
        """Name of the Lease object."""
        return f"grayling-{self.name}"

    async def acquire(self) -> bool:
        """Try once to become the holder. True when this process holds it now; `epoch` is then its number."""
        found = await self.cluster.find(LEASE, self.object_name, self.namespace)
        if found is None:
            return await self._create()
        spec = found.get("spec", {})
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self.identity and not self._expired(spec):
            return False
        return await self._take(found, int(spec.get("leaseTransitions") or 0) + 1)

    async def _create(self) -> bool:
        lease: Manifest = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.object_name, "namespace": self.namespace},
            "spec": self._spec(1),
        }
        try:
            await self.cluster.create(lease)
        except ConflictError:
            return False
        return self._mine(1)

    async def _take(self, found: Manifest, transitions: int) -> bool:
        try:
            await self._write(found, transitions)
        except ConflictError:
            return False
        return self._mine(transitions)

    def _mine(self, epoch: int) -> bool:
        self.held, self.epoch, self._renewed_at = True, epoch, self.monotonic()
        return True

    def _expired(self, spec: Manifest) -> bool:
        stamp = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, self.monotonic()
        return self.monotonic() - self._seen_at > float(spec.get("leaseDurationSeconds") or IN_FLIGHT_SECONDS)

    async def renew(self, *, in_flight: bool) -> None:
        """Renew when a third of the time is over, or at once when a release takes off.

        Raises:
            LeaseLostError: somebody else holds it.
        """
        seconds = IN_FLIGHT_SECONDS if in_flight else IDLE_SECONDS
        due = self.monotonic() - self._renewed_at >= seconds / 3
        if not due and seconds >= self._seconds:
            return
        found = await self.cluster.find(LEASE, self.object_name, self.namespace)
        if found is not None and found["spec"].get("holderIdentity") not in {self.identity, None}:
            self.held = False
            raise LeaseLostError(f"{found['spec'].get('holderIdentity')} holds {self.object_name} now")
        self._seconds = seconds
        if found is None:
            await self._create()
        elif not await self._take(found, self.epoch):
            raise LeaseLostError(f"{self.object_name} was written by somebody else")

    async def check(self, *, in_flight: bool) -> None:
        """Renew where that is due. An API server that does not answer takes nothing away before the lease is over.

        Raises:
            LeaseLostError: somebody else holds it, or it is over.
        """
        try:
            await self.renew(in_flight=in_flight)
        except KubeError as error:
            if self.monotonic() - self._renewed_at >= self._seconds:
                raise LeaseLostError(f"{self.object_name} could not be renewed in time: {error}") from error

    async def freed(self) -> None:
        """Wait until it is worth trying again."""
        await asyncio.sleep(0.5)

    async def release(self) -> None:
        """Let go, so that the next holder does not have to wait."""
        if not self.held:
            return
        self.held = False
        found = await self.cluster.find(LEASE, self.object_name, self.namespace)
        if found is not None and found["spec"].get("holderIdentity") == self.identity:
            patch = {
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "spec": {"holderIdentity": None},
            }
            await self.cluster.merge_patch(LEASE, self.object_name, self.namespace, patch, manager=MANAGER)

    async def _write(self, found: Manifest, transitions: int) -> None:
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "spec": self._spec(transitions)}
        await self.cluster.merge_patch(LEASE, self.object_name, self.namespace, patch, manager=MANAGER)

    def _spec(self, transitions: int) -> Manifest:
        now = timestamp(self.clock())
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._seconds,
            "renewTime": now,
            "acquireTime": now,
            "leaseTransitions": transitions,
        }
