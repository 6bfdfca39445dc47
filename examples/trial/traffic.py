"""Steady traffic on a service of the box, sent from inside the box's network, read here as it happens."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from load.answers import Answer, Summary, summarise

from trial.commands import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLES = Path(__file__).resolve().parent.parent
FIRST_ANSWER_SECONDS = 15.0


class TrafficError(Exception):
    """The load generator did not start, or ended early; the message has what it said."""


class Traffic:
    """Runs ``python -m load`` in another process while the ``async with`` block runs.

    Args:
        url: where to, as seen from inside.
        host: the Host header.
        out: file for the answers; replaced.
        inside: turns a command into one that runs inside the box's network.
        rate: requests a second.
        orders_every: every Nth request places an order; 0 for none.
        seconds: the end of the traffic whatever happens.
    """

    def __init__(
        self,
        url: str,
        host: str,
        out: Path,
        *,
        inside: Callable[[Sequence[str]], Sequence[str]] = lambda argv: argv,
        rate: float = 100.0,
        orders_every: int = 0,
        seconds: float = 3600.0,
    ) -> None:
        self.answers: list[Answer] = []
        self._out, self._read = out, 0
        argv = [sys.executable, "-m", "load", "--url", url, "--host", host, "--out", str(out)]
        argv += ["--rate", str(rate), "--seconds", str(seconds), "--orders-every", str(orders_every)]
        self._argv = list(inside(argv))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._out.unlink(missing_ok=True)
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._argv, cwd=EXAMPLES, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                while not self.poll():  # noqa: ASYNC110 - another process writes the file
                    await asyncio.sleep(0.1)
        except BaseException:
            await stop(self._process)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await stop(self._process)
        self._read_on()

    def poll(self) -> list[Answer]:
        """The answers that came since the last call.

        Raises:
            TrafficError: the generator has ended.
        """
        if self._process is not None and self._process.returncode is not None:
            raise TrafficError(f"the load generator ended with {self._process.returncode}: {' '.join(self._argv)}")
        return self._read_on()

    def since(self, at: float) -> list[Answer]:
        """The answers to requests scheduled at ``at`` (seconds since the epoch) or later, as far as they are read."""
        return [answer for answer in self.answers if answer.scheduled >= at]

    def summary(self) -> Summary:
        """The numbers so far."""
        return summarise(self.answers)

    def _read_on(self) -> list[Answer]:
        if not self._out.exists():
            return []
        with self._out.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        fresh = [Answer(**json.loads(line)) for line in whole.splitlines()]
        self.answers += fresh
        return fresh


def shares(answers: Sequence[Answer]) -> str:
    """Who answered, in words: ``v1 80 %, v2 20 %, 0 failed``."""
    counts = Counter(answer.version or "nobody" for answer in answers)
    parts = [f"{version} {100 * count / len(answers):.0f} %" for version, count in sorted(counts.items())]
    return ", ".join([*parts, f"{sum(answer.bad for answer in answers)} failed"])
