"""One holder at a time: a Lease per release, and the epoch that fences late writers.

Expiry is judged by the local clock from the moment a renewal was last *seen* (as client-go does), so that clocks of
different machines never meet. A process that starts again under the same identity takes its own lease back at once:
in a cluster the identity is the pod, and a pod's container does not run twice.

A holder renews with one request, made of what the server answered last. Who waits asks nothing: it watches. A server
that does not answer takes nothing away before the lease is over, and a Lease that somebody deletes is made again.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kube.errors import ConflictError, KubeError, NotFoundError, StaleHolderError
from kube.kinds import LEASE, Manifest
from rollout.api.revision import MANAGER
from rollout.api.status import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.cluster import Cluster

IN_FLIGHT_SECONDS = 8
IDLE_SECONDS = 30
BLIND_SECONDS = 3.0
"""Who cannot watch tries again after this."""

PREFIX = "grayling-"
LABELS = {"app.kubernetes.io/managed-by": "grayling"}


@dataclass(slots=True)
class ReleaseLease:
    """The lease of one release as one holder sees it.

    Args:
        cluster: where it is.
        namespace: of the release.
        name: of the release.
        identity: of this process.
        mirrored: the Lease as the mirror has it; None where it shows none, or where there is no mirror to trust.
        changed: set when the mirror changed.
        clock: seconds since the epoch, for people who read the Lease.
        monotonic: seconds, for everything else.
    """

    cluster: Cluster
    namespace: str
    name: str
    identity: str
    mirrored: Callable[[], Manifest | None] = lambda: None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    epoch: int = 0
    held: bool = False
    _acquired: str = field(default="", repr=False)
    _version: str = field(default="", repr=False)
    _seen: str = field(default="", repr=False)
    _seen_at: float = field(default=0.0, repr=False)
    _renewed_at: float = field(default=0.0, repr=False)
    _seconds: int = field(default=IN_FLIGHT_SECONDS, repr=False)

    @property
    def object_name(self) -> str:
        """Name of the Lease object."""
        return f"{PREFIX}{self.name}"

    async def acquire(self) -> bool:
        """Try once to become the holder. True when this process holds it now; `epoch` is then its number.

        Raises:
            KubeError: the server did not answer, or does not allow it.
        """
        found = await self.cluster.find(LEASE, self.object_name, self.namespace)
        self._acquired = timestamp(self.clock())
        if found is None:
            return await self._create(1)
        spec = found.get("spec") or {}
        if not self._is_free(spec):
            return False
        try:
            await self._write(found["metadata"]["resourceVersion"], int(spec.get("leaseTransitions") or 0) + 1)
        except ConflictError:
            return False
        return True

    def _is_free(self, spec: Manifest) -> bool:
        return (spec.get("holderIdentity") or "") in {"", self.identity} or self._left(spec) <= 0

    def _left(self, spec: Manifest) -> float:
        """Seconds before another holder's lease is over, as far as was seen here."""
        stamp = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, self.monotonic()
        lasts = float(spec.get("leaseDurationSeconds") or IN_FLIGHT_SECONDS)
        return lasts - (self.monotonic() - self._seen_at) + _A_MOMENT

    async def freed(self) -> None:
        """Wait until it is worth trying to become the holder, without asking anybody."""
        while True:
            found = self.mirrored()
            if found is None:
                await asyncio.sleep(BLIND_SECONDS * (0.5 + random.random()))  # noqa: S311 - no secret
                return
            if self._is_free(found.get("spec") or {}):
                return
            await self._wait(self._left(found.get("spec") or {}))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, _A_MOMENT)):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()

    # ------------------------------------------------------------------ holding

    async def check(self, *, in_flight: bool) -> None:
        """Renew where that is due: after a third of the time, or at once when a release takes off.

        Raises:
            StaleHolderError: somebody else holds it, or it is over.
        """
        seconds = IN_FLIGHT_SECONDS if in_flight else IDLE_SECONDS
        due = self.monotonic() - self._renewed_at >= seconds / 3
        if not due and seconds >= self._seconds:
            return
        try:
            await self._renew(seconds)
        except KubeError as error:
            if self.monotonic() - self._renewed_at >= self._seconds:
                self.held = False
                raise StaleHolderError(f"{self.object_name} could not be renewed in time: {error}") from error

    async def _renew(self, seconds: int) -> None:
        before, self._seconds = self._seconds, seconds
        try:
            await self._write(self._version, self.epoch)
        except NotFoundError:
            self._version = ""
            if not await self._create(self.epoch):
                self._lost("somebody else")
        except ConflictError:
            await self._renew_as_it_is()
        except KubeError:
            self._seconds = before
            raise

    async def _renew_as_it_is(self) -> None:
        """Somebody wrote the Lease: a new holder, or only somebody's annotation."""
        found = await self.cluster.get(LEASE, self.object_name, self.namespace, seconds=SECONDS)
        holder = (found.get("spec") or {}).get("holderIdentity")
        if holder != self.identity:
            self._lost(holder or "nobody")
        try:
            await self._write(found["metadata"]["resourceVersion"], self.epoch)
        except ConflictError as error:
            raise KubeError(str(error)) from error  # written again meanwhile: the next look tries

    def _lost(self, holder: str) -> None:
        self.held = False
        raise StaleHolderError(f"{holder} holds {self.object_name} now")

    async def release(self) -> None:
        """Let go, so that the next holder does not have to wait."""
        if not self.held:
            return
        self.held = False
        found = await self.cluster.find(LEASE, self.object_name, self.namespace)
        if found is not None and (found.get("spec") or {}).get("holderIdentity") == self.identity:
            patch = {
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "spec": {"holderIdentity": None},
            }
            await self.cluster.merge_patch(LEASE, self.object_name, self.namespace, patch, manager=MANAGER)

    # ------------------------------------------------------------------ writing

    async def _create(self, transitions: int) -> bool:
        lease: Manifest = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.object_name, "namespace": self.namespace, "labels": LABELS},
            "spec": self._spec(transitions),
        }
        try:
            made = await self.cluster.create(lease, seconds=SECONDS)
        except ConflictError:
            return False
        self._mine(made, transitions)
        return True

    async def _write(self, version: str, transitions: int) -> None:
        patch = {"metadata": {"resourceVersion": version, "labels": LABELS}, "spec": self._spec(transitions)}
        made = await self.cluster.merge_patch(
            LEASE, self.object_name, self.namespace, patch, manager=MANAGER, seconds=SECONDS
        )
        self._mine(made, transitions)

    def _mine(self, made: Manifest, epoch: int) -> None:
        self.held, self.epoch, self._renewed_at = True, epoch, self.monotonic()
        self._version = str(made["metadata"].get("resourceVersion", ""))

    def _spec(self, transitions: int) -> Manifest:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._seconds,
            "renewTime": timestamp(self.clock()),
            "acquireTime": self._acquired,
            "leaseTransitions": transitions,
        }


SECONDS = 5.0
"""A request about a Lease that takes longer is given up, and made anew."""

_A_MOMENT = 0.001
