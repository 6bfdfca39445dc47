"""Waves in their home cluster: one ConfigMap with the state, the stop switch, and the mark of the command at work.

The switch has a key of its own: whoever stops writes that and nothing else, and an intent is written only where it is
off, in one request.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.deploy.fence import alone, described, noted_on
from components.deploy.refusal import RefusedError
from kube.errors import GraylingError, InvalidError, KubeError, NotFoundError
from kube.kinds import CONFIG_MAP
from review.promotion.waves.runner import HaltError
from review.promotion.waves.state import StateError, read_state
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from components.deploy.fence import Rhythm
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.promotion.waves.state import State

MANAGER = "grayling-waves"
STATE, STOP = "state", "stop"
WAVES_LABEL = "grayling.dev/waves"


class HeldError(GraylingError):
    """Another command is at the same waves."""

    exit_code = 11


@dataclass(frozen=True, slots=True)
class Book:
    """The object that the state of one plan is kept in."""

    plan: str
    namespace: str

    @property
    def name(self) -> str:
        """Of the ConfigMap."""
        return f"grayling-waves-{self.plan}"

    @property
    def called(self) -> str:
        """As people call it."""
        return f"waves {self.plan}"

    @property
    def place(self) -> str:
        """As messages name it."""
        return f"ConfigMap {self.namespace}/{self.name}"

    def parent(self, kinds: Iterable[tuple[str, str]], namespaces: Iterable[str]) -> Manifest:  # noqa: ARG002 - none
        """The object before anything is in it."""
        labels = {WAVES_LABEL: self.plan, "app.kubernetes.io/managed-by": "grayling"}
        meta: Manifest = {"name": self.name, "namespace": self.namespace, "labels": labels, "annotations": {}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {STATE: "", STOP: ""}}

    async def find(self, cluster: Cluster) -> Manifest | None:
        """The object, where the waves were ever started."""
        return await cluster.find(CONFIG_MAP, self.name, self.namespace)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the book said when it was read.

    Attributes:
        found: the object; None where the waves were never started.
        stop: the switch as it is written; empty where it is off.
        holder: the command that is or was at it, in words; empty where there is none.
    """

    found: Manifest | None
    state: State | None
    stop: str
    holder: str

    @property
    def stopped(self) -> str:
        """Who stopped the waves and why; empty where nobody has."""
        return _told(self.stop)


def entry_of(book: Book, found: Manifest | None) -> Entry:
    """The object, read.

    Raises:
        StateError: the state in it is none.
    """
    data = (found or {}).get("data") or {}
    text, noted = str(data.get(STATE) or ""), noted_on(found)
    state = read_state(text, book.place) if text else None
    return Entry(found, state, str(data.get(STOP) or ""), described(noted).rstrip(",") if noted else "")


async def press(cluster: Cluster, book: Book, *, by: str, reason: str, at: str) -> None:
    """Turn the switch on, whoever is at work.

    Raises:
        StateError: the waves were never started.
    """
    told = json.dumps({"by": by, "reason": reason, "at": at})
    try:
        await cluster.merge_patch(CONFIG_MAP, book.name, book.namespace, {"data": {STOP: told}}, manager=MANAGER)
    except NotFoundError as error:
        raise StateError(f"{book.called}: was never started ({book.place} is not there)") from error


def _told(stop: str) -> str:
    if not stop:
        return ""
    try:
        found = json.loads(stop)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return f"stopped by somebody ({stop[:80]})"
    reason = f": {found['reason']}" if found.get("reason") else ""
    return f"stopped by {found.get('by') or 'somebody'} at {found.get('at') or 'some time'}{reason}"


class Writing:
    """A ledger for the one command that holds the mark."""

    def __init__(self, cluster: Cluster, book: Book) -> None:
        self._cluster, self._book = cluster, book

    async def keep(self, state: State) -> None:
        """Write it, whatever the switch says."""
        await self._patch([_state(state)])

    async def intend(self, state: State) -> None:
        """Write it where the switch is off.

        Raises:
            HaltError: it is on.
        """
        try:
            await self._patch([_test_stop(""), _state(state)])
        except InvalidError:
            if told := await self._stop():
                raise HaltError(ExitCode.ABORTED, told) from None
            raise

    async def release(self, seen: str) -> None:
        """Turn the switch off, if nobody has used it since it was read.

        Raises:
            HaltError: somebody has.
        """
        try:
            await self._patch([_test_stop(seen), {"op": "replace", "path": f"/data/{STOP}", "value": ""}])
        except InvalidError:
            raise HaltError(ExitCode.ABORTED, await self._stop() or "stopped meanwhile") from None

    async def stopped(self) -> str:
        """Who has stopped the waves; empty also while the cluster does not answer: nothing is started without it."""
        try:
            return await self._stop()
        except KubeError:
            return ""

    async def _stop(self) -> str:
        found = await self._book.find(self._cluster)
        return _told(str(((found or {}).get("data") or {}).get(STOP) or ""))

    async def _patch(self, operations: list[dict[str, Any]]) -> None:
        where = (CONFIG_MAP, self._book.name, self._book.namespace)
        await self._cluster.json_patch(*where, operations, manager=MANAGER)


def _test_stop(value: str) -> dict[str, Any]:
    return {"op": "test", "path": f"/data/{STOP}", "value": value}


def _state(state: State) -> dict[str, Any]:
    return {"op": "replace", "path": f"/data/{STATE}", "value": state.model_dump_json(by_alias=True)}


@asynccontextmanager
async def writing(
    cluster: Cluster, book: Book, verb: str, entry: Entry, tell: Callable[[str], None], rhythm: Rhythm | None = None
) -> AsyncIterator[Writing]:
    """The ledger, alone: nothing is written through it any more once another command has taken over.

    Raises:
        HeldError: another command is at it, or was since ``entry`` was read.
        StateError: the home has no such namespace.
    """
    async with AsyncExitStack() as stack:
        try:
            mark = alone(cluster, book, f"waves {verb}", entry.found, tell, rhythm)
            guarded = await stack.enter_async_context(mark)
        except RefusedError as error:
            raise HeldError(f"waves {verb} {book.plan}: {'; '.join(error.reasons)}") from error
        except NotFoundError as error:
            raise StateError(f"{book.place}: the home has no namespace {book.namespace}: create it there") from error
        yield Writing(guarded, book)
