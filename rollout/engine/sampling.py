"""Reading the sources of one release, each at its own pace, so that a slow one never delays another."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

from rollout.api.texts import told
from rollout.engine import metrics
from rollout.signals.looks import SignalLook, SourceStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rollout.sources import Source
    from rollout.sources.pod_roster import Roster

log: Any = structlog.get_logger()
HURRIED = 0.4
"""Part of the interval after which is looked again while the evidence against the canary is rising."""

PASS_SECONDS = 15.0
"""A pass that takes longer is given up: a source that hangs is one that does not answer."""

TOGETHER_SECONDS = 0.02
"""Sources are read at the same moments, and answer one after the other: what comes within so long is one look."""

MOST_WAITING = 4096
"""Looks that wait to be taken; of more the oldest are dropped, so that a holder that is stuck does not fill up."""


class Sampler:
    """Runs the sources of a release in flight and collects what they see until somebody takes it."""

    def __init__(
        self,
        *,
        key: tuple[str, str],
        roster: Callable[[], Roster],
        interval: Callable[[], float],
        wake: Callable[[], None],
        hurry: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._roster, self._interval, self._wake, self._clock = key, roster, interval, wake, clock
        self._hurry = hurry
        self._reading = 0
        self._later: asyncio.TimerHandle | None = None
        self._looks: list[SignalLook] = []
        self._signals: Mapping[str, Sequence[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._told: dict[str, str] = {}  # what was said of each source that fails, so that it is said once
        self.listeners: list[Callable[[SignalLook], None]] = []

    @property
    def running(self) -> bool:
        """Whether sources are being read."""
        return bool(self._tasks)

    def start(
        self,
        sources: Sequence[Source],
        history: Awaitable[Sequence[SignalLook]] | None = None,
        signals: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Begin to read, after what history there is was taken in; must not read already.

        Args:
            sources: read each at its own pace.
            history: what was before.
            signals: names of the signals that each source tells of, by its name: what is said to be down when it
                breaks.
        """
        known, self._signals = asyncio.Event(), signals or {}
        self._tasks = [asyncio.create_task(self._follow(source, known)) for source in sources]
        self._tasks.append(asyncio.create_task(self._remember(history, known)))

    async def stop(self) -> None:
        """Stop reading and forget what nobody took."""
        tasks, self._tasks, self._looks = self._tasks, [], []
        if self._later is not None:
            self._later.cancel()
            self._later = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=PASS_SECONDS)

    def take(self) -> list[SignalLook]:
        """Everything seen since the last call."""
        looks, self._looks = self._looks, []
        return looks

    async def _remember(self, history: Awaitable[Sequence[SignalLook]] | None, known: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(PASS_SECONDS):
                found = await history if history is not None else ()
            self._looks.extend(found)  # not in one line: somebody may take the looks, and the list with them, meanwhile
        except Exception:  # a baseline that breaks must not keep the release from being watched
            log.exception("no history", release="/".join(self._key))
        finally:
            known.set()
            self._wake()

    async def _follow(self, source: Source, known: asyncio.Event) -> None:
        await known.wait()
        while True:
            began = asyncio.get_running_loop().time()
            self._reading += 1
            try:
                async with asyncio.timeout(PASS_SECONDS):
                    looks = await source.sample(self._roster(), self._clock())
                self._told.pop(source.name, None)
            except Exception as error:  # a source that breaks must not end the others, nor itself
                if self._told.get(source.name) != repr(error):
                    log.exception("source failed", source=source.name, release="/".join(self._key))
                looks = self._broken(source.name, error)
            finally:
                self._reading -= 1
            self._note(source.name, looks)
            await self._rest(began)

    def _broken(self, source: str, error: Exception) -> list[SignalLook]:
        """A source that breaks tells nothing, and that is said of all its signals: it must not pass for calm."""
        self._told[source] = repr(error)
        slow = isinstance(error, TimeoutError)
        reason = f"no answer within {PASS_SECONDS:g} s" if slow else f"{type(error).__name__}: {error}"
        now, said = self._clock(), told(f"source {source} failed: {reason}")
        return [
            SignalLook(name, now, SourceStatus.SOURCE_DOWN, {}, reason=said) for name in self._signals.get(source, ())
        ]

    async def _rest(self, began: float) -> None:
        """Wait for the time of the next pass: a part of the interval while there is suspicion, else all of it."""
        for part in (HURRIED, 1.0):
            await asyncio.sleep(max(0.01, part * self._interval() - (asyncio.get_running_loop().time() - began)))
            if self._hurry():
                return

    def _note(self, source: str, looks: Sequence[SignalLook]) -> None:
        up = source not in self._told and all(look.status is not SourceStatus.SOURCE_DOWN for look in looks)
        metrics.SOURCE_UP.labels(*self._key, source).set(float(up))
        for look in looks:
            for listener in self.listeners:
                listener(look)
        self._looks.extend(looks)
        del self._looks[:-MOST_WAITING]
        self._tell()

    def _tell(self) -> None:
        """Have the looks taken: at once where no source is being read, else soon, so that they are judged together."""
        if self._reading == 0:
            self._tell_now()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self._tell_now)

    def _tell_now(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._wake()
