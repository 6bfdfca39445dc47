"""Telling people: what is new in the journal, and what no release's journal would say, once each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rollout.api.journal import JournalKind
from rollout.api.status import Cursor, JournalEntry
from rollout.decide.drift import altered_of, drift_of
from rollout.engine import report
from rollout.engine.observe import command_mistake
from rollout.notify.channels import COMMAND, NOTE
from rollout.notify.courier import Courier
from rollout.notify.places import place_of

if TYPE_CHECKING:
    from kube.kinds import Manifest
    from rollout.api.status import Status
    from rollout.decide.context import Context
    from rollout.engine.parts import Parts


class Teller:
    """Tells every channel of one release for one term, and remembers how far each has come.

    Args:
        parts: which channels there are.
        manifest: the GrayRelease.
        status: as it was persisted: what it has and a channel has not told is told now.
    """

    def __init__(self, parts: Parts, manifest: Manifest, status: Status) -> None:
        meta = manifest["metadata"]
        release = (meta["namespace"], meta["name"], str(meta.get("uid", "")))
        self._couriers = {
            channel.name: Courier(channel, parts.turns[channel.name], release, place_of(status, channel.name))
            for channel in parts.channels
        }
        self._key = release[:2]
        self._said: dict[str, tuple[str, ...]] = {}
        self._measured: tuple[Any, ...] = ()
        for courier in self._couriers.values():
            courier.feed(status)

    def cursors(self, status: Status) -> list[Cursor]:
        """How far each channel has come, for the status; what another engine's channels have told stays."""
        mine = [
            Cursor(channel=name, release=courier.told.release, entries=courier.told.entries)
            for name, courier in self._couriers.items()
        ]
        return [*mine, *(each for each in status.told if each.channel not in self._couriers)]

    def news(self, status: Status) -> None:
        """Tell what is new in the journal of a status that is persisted, and bring the metrics up to it."""
        for courier in self._couriers.values():
            courier.feed(status)
        measured = (status.phase, status.weight, status.analysis)
        if measured != self._measured:
            self._measured = measured
            report.measure(*self._key, status)

    def besides(self, manifest: Manifest, ctx: Context) -> None:
        """Tell what no journal would: a route that somebody changed while nothing is under way, mistakes, notes."""
        drift = "" if ctx.status.in_flight else drift_of(ctx)
        self._once(ctx.now, JournalKind.DRIFT, drift)
        self._once(ctx.now, COMMAND, command_mistake(manifest))
        self._once(ctx.now, NOTE, *ctx.seen.notes)
        self._once(ctx.now, JournalKind.ALTERED, *(() if ctx.status.in_flight else altered_of(ctx)))

    def _once(self, now: float, what: str, *texts: str) -> None:
        """Tell what is not empty and was not told last time."""
        known, said = self._said.get(what, ()), tuple(filter(None, texts))
        self._said[what] = said
        for text in said:
            if text not in known:
                for courier in self._couriers.values():
                    courier.say(JournalEntry(at=now, what=what, text=text))

    async def stop(self) -> None:
        """Tell nothing any more."""
        await asyncio.gather(*(courier.stop() for courier in self._couriers.values()))
