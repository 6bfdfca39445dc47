"""Starting the engine: for every release of some namespaces (the controller), or for one in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from kube.kinds import GRAY_RELEASE
from rollout.engine import metrics
from rollout.engine.drift import AtRest, DriftWatch, at_rest
from rollout.engine.load import MAX_IN_FLIGHT
from rollout.engine.mirror import Mirror
from rollout.engine.serve import serve_metrics
from rollout.engine.toolbox import Toolbox
from rollout.engine.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kube.cache import Key
    from kube.cluster import Cluster
    from rollout.engine.parts import Parts
    from rollout.sources.ask import Ask

log: Any = structlog.get_logger()
AGAIN_SECONDS = 1.0


class Controller:
    """Keeps one worker for each GrayRelease it sees."""

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Iterable[str | None],
        *,
        parts: Callable[[Mirror], Parts],
        only: Key | None = None,
    ) -> None:
        self.mirror = Mirror(cluster, namespaces, self._changed, nodes=only is None)
        self._parts, self._only = parts(self.mirror), only
        self._workers: dict[Key, tuple[Worker, asyncio.Task[None]]] = {}

    async def run(self, *more: Callable[[], Awaitable[None]]) -> None:
        """Work until cancelled, and do ``more`` beside it; leases are let go on the way out.

        Whatever breaks ends alone: a release that breaks its worker gets a new one, the mirrors begin anew.
        """
        beside = [asyncio.create_task(_again(each)) for each in (self.mirror.run, self._parts.load.measure, *more)]
        try:
            await self.mirror.synced()
            log.info("watching", releases=len(self.mirror.releases()), identity=self._parts.identity)
            while True:
                self._keep_up()
                await asyncio.sleep(1.0)
        finally:
            await self._let_go()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def worker(self, key: Key) -> Worker | None:
        """The worker of a release."""
        found = self._workers.get(key)
        return found[0] if found else None

    def resting(self) -> list[AtRest]:
        """Releases that this process holds, and that are not under way."""
        held = [key for key, (worker, _) in self._workers.items() if worker.holds]
        known = [manifest for key in held if (manifest := self.mirror.release(key))]
        return [found for manifest in known if (found := at_rest(manifest))]

    def watch_drift(self, ask: Callable[[str], Ask]) -> DriftWatch:
        """Who watches their errors meanwhile."""
        return DriftWatch(self.resting, ask, self._parts.channels)

    def _changed(self, key: Key) -> None:
        if worker := self.worker(key):
            worker.wake()

    def _keep_up(self) -> None:
        for key, (_, task) in list(self._workers.items()):
            if task.done():
                del self._workers[key]
                self._parts.load.leave(key)
                _tell_of(task, "/".join(key))
        for key in self.mirror.releases():
            if key not in self._workers and self._only in {None, key} and self.mirror.known(key[0]):
                worker = Worker(self._parts, *key)
                self._workers[key] = (worker, asyncio.create_task(worker.run()))

    async def _let_go(self) -> None:
        tasks = [task for _, task in self._workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            await asyncio.gather(*(worker.stop() for worker, _ in self._workers.values()), return_exceptions=True)


async def _again(work: Callable[[], Awaitable[None]], pause: float = AGAIN_SECONDS) -> None:
    """Do something that never ends by itself, again where it breaks."""
    while True:
        try:
            await work()
        except Exception:  # of one mirror or one measurement; the releases go on with what is known
            metrics.FAILURES.labels("Engine").inc()
            log.exception("a part of the engine broke, and begins anew")
        await asyncio.sleep(pause)


def _tell_of(task: asyncio.Task[None], release: str) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        metrics.FAILURES.labels("Worker").inc()
        log.error("worker broke, and begins anew", release=release, exc_info=error)


async def run_controller(
    cluster: Cluster,
    namespaces: Iterable[str | None] = (None,),
    *,
    identity: str,
    metrics_port: int | None = 9090,
    max_in_flight: int = MAX_IN_FLIGHT,
) -> None:
    """Carry out every GrayRelease of the namespaces (None: all) until cancelled, so many at the same time."""
    async with Toolbox.open(cluster, identity, max_in_flight) as tools:
        controller = Controller(cluster, namespaces, parts=tools.parts)
        async with serve_metrics(metrics_port, lambda: controller.mirror.serves):
            await controller.run(controller.watch_drift(tools.ask).run)


async def run_foreground(cluster: Cluster, namespace: str, name: str, *, identity: str) -> None:
    """Carry out one release from this process until cancelled.

    Raises:
        NotFoundError: there is no such GrayRelease.
    """
    await cluster.get(GRAY_RELEASE, name, namespace)
    async with Toolbox.open(cluster, identity) as tools:
        await Controller(cluster, [namespace], parts=tools.parts, only=(namespace, name)).run()
