"""The reconciler of a namespace: one process holds the Lease, and has a worker for each topology."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import structlog

from kube.cache import Reflector
from kube.errors import KubeError, StaleHolderError
from kube.kinds import TOPOLOGY
from rollout.engine.serve import serve_metrics
from topology.engine import metrics
from topology.engine.worker import Worker
from topology.systems.system import Credentials, UnknownSystemError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube.cache import Key
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.engine.lease import ReleaseLease
    from topology.api.spec import TopologySpec
    from topology.systems.system import System

log: Any = structlog.get_logger()
WAIT_SECONDS = 2.0
"""Between two tries at a Lease that another holds."""

RENEW_SECONDS = 2.0
MAKERS = {
    "kafka": "topology.systems.kafka:KafkaSystem",
    "nats": "topology.systems.nats:NatsSystem",
    "rabbitmq": "topology.systems.rabbitmq:RabbitMQSystem",
}
"""One line for each system; it is imported where one is declared."""


@dataclass(slots=True)
class Systems:
    """Systems by topology, with the credentials that are mounted for each."""

    credentials: Path

    def __call__(self, name: str, spec: TopologySpec) -> System:
        """The system of one topology.

        Raises:
            UnknownSystemError: this version knows none of that name.
        """
        if spec.system not in MAKERS:
            known = ", ".join(sorted(MAKERS))
            raise UnknownSystemError(f"no system {spec.system!r} here (known: {known}): the reconciler is too old")
        made: System = resolve_name(MAKERS[spec.system])(spec.address, Credentials(self.credentials / name))
        return made


@dataclass(slots=True)
class Holding:
    """The Lease, asked before every write, by many workers: one asks at a time."""

    lease: ReleaseLease
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def may(self) -> None:
        """Whether this process holds it still.

        Raises:
            StaleHolderError: no.
        """
        async with self._lock:
            if not self.lease.held:
                raise StaleHolderError(f"{self.lease.object_name} is held no more")
            await self.lease.check(in_flight=True)

    async def renew(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.may()


@dataclass(slots=True)
class Reconciler:
    """Makes every topology of a namespace true, while it is the one that may."""

    cluster: Cluster
    namespace: str
    systems: Callable[[str, TopologySpec], System]
    lease: ReleaseLease
    selector: str = ""
    _workers: dict[tuple[str, str], tuple[Worker, asyncio.Task[None]]] = field(default_factory=dict, repr=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def run(self, metrics_port: int | None = None) -> None:
        """Until cancelled; the Lease is let go then."""
        mirror = Reflector(self.cluster, TOPOLOGY, self.namespace, labels=self.selector, on_change=self._note)
        watching = asyncio.create_task(mirror.run())
        try:
            async with serve_metrics(metrics_port, mirror.synced.is_set, metrics.REGISTRY):
                while True:
                    await self._held()
                    await self._term(mirror)
        finally:
            watching.cancel()
            await self.lease.release()

    def _note(self, _key: Key, _item: Manifest | None) -> None:
        self._changed.set()

    async def _held(self) -> None:
        """Wait until this process is the holder."""
        while True:
            try:
                if await self.lease.acquire():
                    log.info("this process reconciles", namespace=self.namespace)
                    return
            except KubeError as error:
                log.warning("no lease", error=str(error))
            await asyncio.sleep(WAIT_SECONDS)

    async def _term(self, mirror: Reflector) -> None:
        """Work as long as nobody else does."""
        holding = Holding(self.lease)
        self._workers.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(holding.renew())
                while True:
                    self._follow(mirror, group, holding)
                    self._changed.clear()
                    await self._changed.wait()
        except* StaleHolderError as error:
            log.warning("another process reconciles now", error=str(error.exceptions[0]))

    def _follow(self, mirror: Reflector, group: asyncio.TaskGroup, holding: Holding) -> None:
        """A worker for each object; one of the same name that was made anew is another."""
        there = {(item["metadata"]["name"], item["metadata"]["uid"]): item for item in mirror.objects.values()}
        for key in self._workers.keys() - there.keys():
            self._workers.pop(key)[1].cancel()
            metrics.forget(key[0])
        for key, item in there.items():
            if key not in self._workers or self._workers[key][1].done():
                worker = Worker(self.cluster, self.namespace, key[0], self.systems, holding.may)
                self._workers[key] = (worker, group.create_task(worker.run()))
            else:
                self._workers[key][0].noticed(int(item["metadata"].get("generation", 0)))
