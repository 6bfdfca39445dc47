"""One topology for as long as it is there: a look when its declaration changes, and one every half minute."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from kube.errors import KubeError, NotFoundError, StaleHolderError
from kube.kinds import TOPOLOGY
from rollout.api.status import Condition
from topology.api.spec import EVERY_SECONDS, TopologySpec
from topology.api.status import READY, Reason, TopologyStatus
from topology.engine import metrics
from topology.engine.look import Look, look
from topology.systems.system import UnauthorizedError, UnknownSystemError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from topology.systems.system import System

log: Any = structlog.get_logger()
MANAGER = "grayling-topology"
FIRST_SECONDS, MOST_SECONDS = 1.0, 120.0


@dataclass(slots=True)
class Worker:
    """Keeps one topology true.

    Args:
        cluster: where the object is.
        namespace: of the object.
        name: of the object.
        system_of: the system that a spec is of.
        may: asked before each write; raises where another process has taken over.
        changed: set when the object changed.
    """

    cluster: Cluster
    namespace: str
    name: str
    system_of: Callable[[str, TopologySpec], System]
    may: Callable[[], Awaitable[None]]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    every: float = EVERY_SECONDS
    _failures: int = field(default=0, repr=False)
    _generation: int = field(default=0, repr=False)

    async def run(self) -> None:
        """Until the object is gone.

        Raises:
            StaleHolderError: another process has taken over.
        """
        while True:
            self.changed.clear()
            try:
                await self._once()
            except NotFoundError:
                metrics.forget(self.name)
                return
            except KubeError as error:
                log.warning("the API server did not take it", topology=self.name, error=str(error))
                self._failures += 1
            except StaleHolderError:
                raise
            except Exception:  # the others go on
                log.exception("a look broke off", topology=self.name)
                self._failures += 1
            await self._pause()

    def noticed(self, generation: int) -> None:
        """The object is there at this generation; a new one is looked at at once."""
        if generation != self._generation:
            self.changed.set()

    async def _pause(self) -> None:
        """Until it is time, or the object changed; a failure does not wait for its turn, nor hurry when repeated."""
        pause = self.every
        if self._failures:
            pause = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures - 1, 10))
        try:
            async with asyncio.timeout(pause * (0.75 + 0.5 * self.chance())):
                await self.changed.wait()
        except TimeoutError:
            return

    async def _once(self) -> None:
        live = await self.cluster.get(TOPOLOGY, self.name, self.namespace)
        generation = self._generation = int(live["metadata"].get("generation", 0))
        before = _status(live)
        try:
            spec = TopologySpec.model_validate(live["spec"])
            done = await self._look(spec, before)
        except ValidationError as error:
            await self._failed(generation, before, Reason.INVALID, f"not understood here: {error.errors()[0]['msg']}")
        except UnknownSystemError as error:
            await self._failed(generation, before, Reason.INVALID, str(error))
        except UnauthorizedError as error:
            await self._failed(generation, await self._kept(before), Reason.UNAUTHORIZED, str(error))
        except UnreachableError as error:
            await self._failed(generation, await self._kept(before), Reason.UNREACHABLE, str(error))
        else:
            await self._told(generation, before, done)

    async def _look(self, spec: TopologySpec, before: TopologyStatus) -> Look:
        async def keep(made: set[str]) -> None:
            await self._write({"made": sorted(made)})

        return await look(self.system_of(self.name, spec), spec, set(before.made), self.may, keep)

    async def _kept(self, before: TopologyStatus) -> TopologyStatus:
        """With what was made on the way; it is in the object alone."""
        live = await self.cluster.get(TOPOLOGY, self.name, self.namespace)
        return before.model_copy(update={"made": _status(live).made})

    async def _told(self, generation: int, before: TopologyStatus, done: Look) -> None:
        now, reason = self.clock(), done.reason
        same = before.observed_generation == generation
        drifted = bool(same and _is_ready(before) and done.written)
        if drifted:
            log.warning("others changed what is declared; it was put right", topology=self.name, items=done.written)
        status = TopologyStatus(
            observed_generation=generation,
            observed_at=now,
            drifted=done.written if drifted else before.drifted if same else [],
            drifted_at=now if drifted else before.drifted_at if same else None,
            made=sorted(done.made),
            items=done.items,
            conditions=[self._condition(before, reason, done.message)],
        )
        self._failures = 0 if reason in {Reason.RECONCILED, Reason.REFUSED} else self._failures + 1
        metrics.SEEN.labels(self.name).set(now)
        metrics.WRITTEN.labels(self.name).inc(len(done.written))
        metrics.count(self.name, [each.state.value for each in done.items])
        await self._finish(status, reason)

    async def _failed(self, generation: int, before: TopologyStatus, reason: Reason, message: str) -> None:
        """What was seen before stays, with its age; that it is old is said by the condition."""
        self._failures += 1
        log.warning("not reconciled", topology=self.name, reason=reason.value, error=message)
        metrics.SEEN.labels(self.name).set(before.observed_at or 0)
        condition = self._condition(before, reason, message)
        update: dict[str, Any] = {"conditions": [condition]}
        if reason is Reason.INVALID:
            update["observed_generation"] = generation
        await self._finish(before.model_copy(update=update), reason)

    async def _finish(self, status: TopologyStatus, reason: Reason) -> None:
        metrics.READY.labels(self.name).set(reason is Reason.RECONCILED)
        await self._write(status.wire())

    async def _write(self, status: Any) -> None:
        await self.may()
        patch = {"status": status}
        await self.cluster.merge_patch(
            TOPOLOGY, self.name, self.namespace, patch, manager=MANAGER, subresource="status"
        )

    def _condition(self, before: TopologyStatus, reason: Reason, message: str) -> Condition:
        said = "True" if reason is Reason.RECONCILED else "False"
        known = before.ready
        since = known.last_transition_time if known and known.status == said else self.clock()
        return Condition(type=READY, status=said, reason=reason.value, message=message, last_transition_time=since)


def _is_ready(status: TopologyStatus) -> bool:
    return status.ready is not None and status.ready.status == "True"


def _status(live: Manifest) -> TopologyStatus:
    """As it was written; one that nobody here understands is none, and what it made is left alone."""
    try:
        return TopologyStatus.model_validate(live.get("status") or {})
    except ValidationError as error:
        log.warning("a status that is not understood", error=str(error)[:500])
        return TopologyStatus()
