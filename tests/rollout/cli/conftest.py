"""The command line as a person meets it: real arguments, real exit codes, over HTTP to a small API server."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rollout.cli import cli
from rollout.client.commands import unanswered
from terminal.exits import Session, run
from tests.fakes.apiserver import ApiServer
from tests.fakes.kubeconfig import kubeconfig_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future


class Result(NamedTuple):
    code: int
    out: str
    err: str


@dataclass
class World:
    """The API server in a thread of its own, and the person at the shell."""

    server: ApiServer
    loop: asyncio.AbstractEventLoop
    kubeconfig: str
    capsys: Any
    tasks: list[Future] = field(default_factory=list)

    def put(self, manifest: dict) -> None:
        """Store an object as some controller would."""
        asyncio.run_coroutine_threadsafe(self._put(manifest), self.loop).result(5)

    async def _put(self, manifest: dict) -> None:
        self.server.put(manifest)

    def grayling(self, *arguments: str, session: Session | None = None) -> Result:
        code = run(cli, arguments, prog_name="release", session=session or Session())
        said = self.capsys.readouterr()
        return Result(int(code), said.out, said.err)

    def answering(self, answer: Callable[[str], str], name: str = "checkout", *, done: bool | None = True) -> None:
        """Stand in for the engine: acknowledge each command; ``done`` is None for one that does not say."""
        self.tasks.append(asyncio.run_coroutine_threadsafe(self._answer(answer, name, done), self.loop))

    async def _answer(self, answer: Callable[[str], str], name: str, done: bool | None) -> None:  # noqa: FBT001 - for a coroutine
        said = {} if done is None else {"commandDone": done}
        while True:
            found = self.server.find("GrayRelease", name)
            command = unanswered(found) if found else None
            if found and command:
                status = {
                    **found.get("status", {}),
                    "command": command.id,
                    "commandAnswer": answer(command.verb),
                } | said
                self.server.put({**found, "status": status})
            await asyncio.sleep(0.01)

    def then(self, delay: float, change: Callable[[], None]) -> None:
        """Do something a little later, while a command waits."""

        async def later() -> None:
            await asyncio.sleep(delay)
            change()

        self.tasks.append(asyncio.run_coroutine_threadsafe(later(), self.loop))

    def when_watched(self, *changes: Callable[[], None]) -> None:
        """Do things one after the other, each once a command is watching."""
        self.when(lambda: bool(self.server.watchers), *changes)

    def when(self, condition: Callable[[], bool], *changes: Callable[[], None]) -> None:
        """Do things one after the other, each once something is so."""

        async def later() -> None:
            for change in changes:
                while not condition():
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.15)
                change()

        self.tasks.append(asyncio.run_coroutine_threadsafe(later(), self.loop))


@pytest.fixture
def world(tmp_path, capsys, monkeypatch) -> Iterator[World]:
    monkeypatch.setenv("NO_COLOR", "1")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ApiServer()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubeconfig_for(server.port))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    made = World(server, loop, str(kubeconfig), capsys)
    yield made
    asyncio.run_coroutine_threadsafe(_end(server), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


async def _end(server: ApiServer) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop()
