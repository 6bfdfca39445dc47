"""Services as processes, and waiting for them."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port} after {seconds} s")


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


@dataclass
class Pod:
    """One running service."""

    process: subprocess.Popen
    http: str
    admin: str
    log: Path

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    async def get(self, url: str) -> tuple[int, dict]:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.json()

    async def post(self, url: str, body: object) -> tuple[int, dict]:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            return response.status, await response.json()

    async def fault(self, **wish: object) -> tuple[int, dict]:
        return await self.post(f"{self.admin}/fault", wish)

    async def metrics(self) -> dict[str, float]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.admin}/metrics") as response:
            lines = (await response.text()).splitlines()
        return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}

    async def ready(self) -> None:
        async def says_so() -> bool:
            return (await self.get(f"{self.admin}/readyz"))[0] == 200

        await until(says_so)
