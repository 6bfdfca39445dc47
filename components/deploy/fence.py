"""One command at a time changes a stack: who is at it stands on the stack's inventory, and is renewed while it works.

The mark is taken only if nobody wrote the inventory since it was read, so that nothing is carried out that was planned
on another state. A killed command stops renewing: who comes next sees that by a clock of its own, and takes over.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from components.deploy.inventory import HELD, MANAGER
from components.deploy.refusal import RefusedError
from kube.errors import ConflictError, InvalidError, KubeError, NotFoundError, StaleHolderError
from kube.kinds import CONFIG_MAP, Manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from kube.cluster import Cluster


class Fenced(Protocol):
    """What one command at a time works on: an object that bears the mark, and what to call it."""

    @property
    def name(self) -> str:
        """Of the object."""

    @property
    def namespace(self) -> str:
        """Of the object."""

    @property
    def called(self) -> str:
        """``stack shop``."""

    def parent(self, kinds: Iterable[tuple[str, str]], namespaces: Iterable[str]) -> Manifest:
        """The object, where there is none yet."""

    async def find(self, cluster: Cluster) -> Manifest | None:
        """The object, where there is one."""


_WRITER = f"{MANAGER}-fence"
_SECONDS = 10.0
_AT = f"/metadata/annotations/{HELD.replace('/', '~1')}"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a mark is renewed, and after how long without that it counts for nothing."""

    renew_s: float = 5.0
    over_s: float = 30.0


@dataclass(slots=True)
class _Mark:
    """Ours, on the inventory."""

    cluster: Cluster
    inventory: Fenced
    what: str
    rhythm: Rhythm
    told: dict[str, Any] = field(default_factory=dict)
    _renewed: float = 0.0
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, seen: Manifest | None, tell: Callable[[str], None]) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self.told = {"id": uuid4().hex, "command": self.what, "by": _who(), "since": since, "renewals": 0}
        if seen is None:
            await self._first()
        else:
            await self._next(seen, tell)

    async def _first(self) -> None:
        parent = self.inventory.parent((), ())
        parent["metadata"]["annotations"][HELD] = self._new()
        asked = time.monotonic()
        try:
            await self.cluster.create(parent, manager=_WRITER)
        except ConflictError:
            raise self._too_late(await self._read()) from None
        self._renewed = asked

    async def _next(self, seen: Manifest, tell: Callable[[str], None]) -> None:
        if noted := noted_on(seen):
            await self._outlast(noted, tell)
        annotations = seen["metadata"].get("annotations")
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": seen["metadata"]["resourceVersion"]}
        room = [] if annotations else [{"op": "add", "path": "/metadata/annotations", "value": {}}]
        asked = time.monotonic()
        try:
            await self._patch([version, *room, {"op": "add", "path": _AT, "value": self._new()}])
        except (InvalidError, NotFoundError):
            raise self._too_late(await self._read()) from None
        self._renewed = asked

    async def _outlast(self, noted: str, tell: Callable[[str], None]) -> None:
        """See that a mark is not renewed any more."""
        tell(f"{'':<10} waiting   {described(noted)}: it is seen within {self.rhythm.over_s:.0f} s whether it lives")
        until = time.monotonic() + self.rhythm.over_s
        while time.monotonic() < until:
            await asyncio.sleep(min(self.rhythm.renew_s, self.rhythm.over_s) / 2)
            parent = await self._read()
            if (now := noted_on(parent)) != noted:
                raise self._too_late(parent, now)

    def _too_late(self, parent: Manifest | None, noted: str = "") -> RefusedError:
        noted = noted or noted_on(parent)
        at_it = f"{described(noted)} is at it: wait until that has ended, or end it there (a killed one is over after "
        at_it += f"{self.rhythm.over_s:.0f} s)"
        meanwhile = f"another command has changed {self.inventory.called} since this one looked: run it again"
        return RefusedError(f"{self.what} {self.inventory.called}", [at_it if noted else meanwhile])

    async def sure(self) -> None:
        """Before each change: nobody else has taken the stack over.

        Raises:
            StaleHolderError: somebody has.
        """
        if time.monotonic() - self._renewed > self.rhythm.over_s / 2:
            await self.renew()

    async def renew(self) -> None:
        async with self._one:
            asked = time.monotonic()
            await self._over_ours({"op": "replace", "path": _AT, "value": self._new()})
            self._renewed = asked

    async def _over_ours(self, operation: Manifest) -> None:
        parent = await self._read()
        if parent is None:
            return  # it goes with its namespace, at the end of a destroy
        noted = noted_on(parent)
        if not noted or _told(noted).get("id") != self.told["id"]:
            raise self._overtaken(noted)
        try:
            await self._patch([{"op": "test", "path": _AT, "value": noted}, operation])
        except NotFoundError:
            return
        except InvalidError:
            raise self._overtaken(noted_on(await self._read())) from None

    def _overtaken(self, noted: str) -> StaleHolderError:
        who = described(noted) if noted else "somebody, who took the mark of this command off,"
        return StaleHolderError(
            f"{self.what} {self.inventory.called}: stopped half way: {who} has taken over, since this command was "
            "not heard of for too long; what was done stays: when that has ended, run this again"
        )

    async def keep(self) -> None:
        """Renew for ever; whether that succeeds matters to the next change alone."""
        while True:
            await asyncio.sleep(self.rhythm.renew_s)
            with suppress(KubeError, StaleHolderError):
                await self.renew()

    async def give_up(self) -> None:
        """Take the mark off; where that fails, it is over by itself."""
        with suppress(KubeError, StaleHolderError):
            await self._over_ours({"op": "remove", "path": _AT})

    def _new(self) -> str:
        self.told["renewals"] += 1
        return json.dumps(self.told)

    async def _patch(self, operations: list[Manifest]) -> None:
        where = (CONFIG_MAP, self.inventory.name, self.inventory.namespace)
        await self.cluster.json_patch(*where, operations, manager=_WRITER, seconds=_SECONDS)

    async def _read(self) -> Manifest | None:
        return await self.inventory.find(self.cluster)


@asynccontextmanager
async def alone(
    cluster: Cluster,
    inventory: Fenced,
    what: str,
    seen: Manifest | None,
    tell: Callable[[str], None],
    rhythm: Rhythm | None = None,
) -> AsyncIterator[Cluster]:
    """The same cluster, to which nothing is written from here any more once another command has taken over.

    Args:
        cluster: of the stack.
        inventory: of the stack.
        what: names the command: ``apply``.
        seen: the inventory's parent as it was when everything was looked at.
        tell: gets a line when there is something to wait for.
        rhythm: of renewals.

    Raises:
        RefusedError: another command is at it, or was since ``seen``; nothing was written.
        NotFoundError: there is no namespace for the mark yet.
    """
    mark = _Mark(cluster, inventory, what, rhythm or Rhythm())
    keeping: set[asyncio.Task[None]] = set()
    try:
        await mark.take(seen, tell)
        keeping.add(asyncio.create_task(mark.keep()))
        yield cluster.guarded(mark.sure)
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        await mark.give_up()


def noted_on(parent: Manifest | None) -> str:
    """The mark on a parent, as it is written; empty where there is none."""
    return str((((parent or {}).get("metadata") or {}).get("annotations") or {}).get(HELD) or "")


def described(noted: str) -> str:
    """Who is at it, as a person may find them; it ends with a comma where the mark can be read."""
    told = _told(noted)
    if not {"command", "by", "since"} <= told.keys():
        return f"somebody ({noted[:80]})"
    return f"`stack {told['command']}` by {told['by']}, since {told['since']},"


def _told(noted: str) -> dict[str, Any]:
    try:
        found = json.loads(noted)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such account here, as in many a container
        user = f"user {os.getuid()}"
    return f"{user} on {socket.gethostname()} (process {os.getpid()})"
