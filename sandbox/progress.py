"""Tells people what is being done and how long it usually takes.

Bringing up a cluster takes from seconds to ten minutes; nobody should have to
guess which. On a terminal running steps show a clock; elsewhere each step is
one plain line when it starts and one when it ends.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

WORTH_A_LINE_S = 1.0


class Progress(Protocol):
    """Receives what is going on; may be called from several threads."""

    def step(self, what: str, usual_s: float) -> AbstractContextManager[None]:
        """Enclose one piece of work that usually takes ``usual_s`` seconds."""

    def say(self, line: str) -> None:
        """Tell one thing."""


class Silent:
    """Tells nothing; for tests and programs."""

    @contextmanager
    def step(self, what: str, usual_s: float) -> Iterator[None]:  # noqa: ARG002 - the protocol's signature
        """Enclose one piece of work."""
        yield

    def say(self, line: str) -> None:
        """Tell nothing."""


@dataclass
class Lines:
    """Writes plain lines, for logs and pipes."""

    sink: TextIO = field(default_factory=lambda: sys.stdout)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def step(self, what: str, usual_s: float) -> Iterator[None]:
        """Write a line before and after the work; work of no length gets only the second."""
        begun = time.monotonic()
        if usual_s >= WORTH_A_LINE_S:
            self.say(f"{what} (usually {duration(usual_s)})")
        yield
        self.say(f"{what}: done in {duration(time.monotonic() - begun)}")

    def say(self, line: str) -> None:
        """Write one line."""
        with self._lock:
            self.sink.write(line + "\n")
            self.sink.flush()


class Live:
    """Shows running steps with a clock on a terminal, finished ones above them."""

    def __init__(self) -> None:
        from rich.progress import Progress as Board
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._board = Board(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True, refresh_per_second=5
        )
        self._board.start()

    @contextmanager
    def step(self, what: str, usual_s: float) -> Iterator[None]:
        """Show the work while it runs and leave one line when it ended well."""
        begun = time.monotonic()
        task = self._board.add_task(f"{what} [dim](usually {duration(usual_s)})[/dim]", total=None)
        try:
            yield
            self.say(f"{what}: done in {duration(time.monotonic() - begun)}")
        finally:
            self._board.remove_task(task)

    def say(self, line: str) -> None:
        """Leave one line above the running steps."""
        self._board.console.print(line, markup=False, highlight=False)

    def close(self) -> None:
        """Give the terminal back."""
        self._board.stop()


@contextmanager
def for_terminal(stream: TextIO | None = None) -> Iterator[Progress]:
    """Provide what suits ``stream`` (standard output by default)."""
    if not (stream or sys.stdout).isatty():
        yield Lines(stream or sys.stdout)
        return
    live = Live()
    try:
        yield live
    finally:
        live.close()


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``0.4 s``, ``12 s``, ``5 min 30 s``."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a decimal tells something
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
