"""One worker per release: wait for the lease, take over, look until the release is gone or somebody else holds it.

An error of the API server means "this look again": what was seen and judged is kept. Only who has lost the release
begins anew, from what is persisted.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError, StaleHolderError
from rollout.api.status import Phase
from rollout.engine import metrics
from rollout.engine.beginning import begin
from rollout.engine.lease import ReleaseLease
from rollout.engine.parts import Parts
from rollout.engine.store import ReleaseGoneError

if TYPE_CHECKING:
    from rollout.engine.term import Term

log: Any = structlog.get_logger()
RETRY_FIRST, RETRY_MOST = 0.05, 5.0
MOST_BROKEN = 5
"""So many looks in a row that break for reasons unknown end a term: the next one begins with what is persisted."""

__all__ = ["Parts", "Worker"]


@dataclass(slots=True)
class Worker:
    """Carries out one GrayRelease while it holds its lease."""

    parts: Parts
    namespace: str
    name: str
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: bool = False
    _said: str = ""
    _lease: ReleaseLease = field(init=False)

    def __post_init__(self) -> None:
        parts = self.parts
        self._lease = ReleaseLease(
            parts.cluster,
            self.namespace,
            self.name,
            parts.identity,
            mirrored=lambda: parts.mirror.lease(self.key),
            changed=self._wake,
        )

    @property
    def key(self) -> tuple[str, str]:
        """``(namespace, name)``."""
        return self.namespace, self.name

    @property
    def holds(self) -> bool:
        """Whether this process answers for the release."""
        return self._lease.held

    def wake(self) -> None:
        """Something of this release changed: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Work until the release is gone; losing it means waiting for it again."""
        attempts = 0
        while not self._gone:
            attempts += 1
            try:
                if (term := await self._take_over()) is not None:
                    attempts = 0
                    await self._hold(term)
            except ReleaseGoneError:
                return
            except StaleHolderError as error:
                log.warning("no longer the holder", release="/".join(self.key), error=str(error))
            except KubeError as error:
                self._say("cluster does not answer", error)
                await self._let_go_if_deleted()
            except Exception:  # a release that breaks its worker must not end those of the others
                metrics.FAILURES.labels("Term").inc()
                log.exception("worker broke, and begins anew", release="/".join(self.key))
            if not self._gone:
                await asyncio.sleep(_pause(max(attempts, 1)))
                await self._lease.freed()

    async def stop(self) -> None:
        """Let go of the lease, so that a successor starts at once; the term has ended with the run."""
        await self._lease.release()

    # ------------------------------------------------------------------ a term

    async def _take_over(self) -> Term | None:
        """Become the holder and begin, if nobody else is; few of an engine do that at the same time."""
        async with self.parts.load.entrance(urgent=self._is_urgent()):
            if not await self._lease.acquire():
                return None
            return await self._begin()

    def _is_urgent(self) -> bool:
        status = (self.parts.mirror.release(self.key) or {}).get("status")
        return isinstance(status, dict) and status.get("phase") == Phase.ROLLING_BACK

    async def _begin(self) -> Term:
        return await begin(self.parts, self.key, self._lease.epoch, self._wake)

    async def _hold(self, term: Term) -> None:
        metrics.HELD.inc()
        try:
            await self._look_on(term)
        finally:
            metrics.HELD.dec()
            await term.end()

    async def _look_on(self, term: Term) -> None:
        failures = broken = 0
        while not term.gone:
            await self._lease.check(in_flight=term.status.in_flight)
            try:
                await term.look()
                failures = broken = 0
            except KubeError as error:
                failures += 1
                metrics.FAILURES.labels("Look").inc()
                self._say("this look again", error)
            except (StaleHolderError, ReleaseGoneError):
                raise
            except Exception:
                failures, broken = failures + 1, broken + 1
                metrics.FAILURES.labels("Look").inc()
                if broken == MOST_BROKEN:
                    raise
                log.exception("look broke", release="/".join(self.key))
            if failures:
                await asyncio.sleep(_pause(failures))
            elif not term.gone:
                await term.pause()
        self._gone = True

    async def _let_go_if_deleted(self) -> None:
        """In a namespace that is being deleted no lease can be made any more: nobody else is held off by none."""
        manifest = self.parts.mirror.release(self.key)
        if manifest is None or not manifest["metadata"].get("deletionTimestamp") or self._lease.held:
            return
        try:
            term = await self._begin()
            try:
                await term.look()
                self._gone = term.gone
            finally:
                await term.end()
        except ReleaseGoneError:
            self._gone = True
        except (KubeError, StaleHolderError) as error:
            self._say("cannot let go", error)

    def _say(self, what: str, error: Exception) -> None:
        """Log a failure, once for as long as it is the same."""
        if str(error) != self._said:
            self._said = str(error)
            log.warning(what, release="/".join(self.key), error=str(error))


def _pause(attempts: int) -> float:
    """Seconds before the next attempt: growing, and of no two workers the same."""
    return min(RETRY_MOST, RETRY_FIRST * 2.0 ** (attempts - 1)) * (0.5 + random.random())  # noqa: S311 - no secret
