"""The first process of a box: starts the node's daemons and keeps them running.

It has the duties of an init: it reaps every orphan, starts again what dies (each
time a little later), and on a polite signal stops the daemons in order. When it
is killed the kernel ends the whole box with it, which is what makes `down` safe.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import daemons, interior, record
from sandbox.address import API_PORT
from sandbox.api import Api
from sandbox.layout import State
from sandbox.provisioner import Provisioner

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 0.1
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 15.0
STABLE_S = 30.0
LOG_LIMIT = 32 * 1024 * 1024
LOG_CHECK_S = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def backoff_s(failures: int) -> float:
    """Return how long to wait before start number ``failures`` + 1."""
    return float(min(FIRST_BACKOFF_S * 2 ** max(failures - 1, 0), LAST_BACKOFF_S))


@dataclass
class Child:
    """One daemon and what has become of it. Times are of the monotonic clock, in seconds."""

    daemon: daemons.Daemon
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    restarts: int = -1
    not_before: float = 0.0

    def state(self) -> str:
        """Return ``running``, ``waiting`` (for another or for its first start) or ``backoff``."""
        if self.pid:
            return "running"
        return "backoff" if self.failures else "waiting"

    def died(self, now: float) -> None:
        """Note the end of the process and when it may start again."""
        self.failures = 1 if now - self.started_at > STABLE_S else self.failures + 1
        self.not_before, self.pid = now + backoff_s(self.failures), 0


@dataclass
class Supervisor:
    """Runs ``plan`` until told to stop. ``probes`` say by name whether something answers."""

    plan: tuple[daemons.Daemon, ...]
    probes: dict[str, Callable[[], bool]]
    logs: Path
    health: Path
    stopping: bool = False
    children: list[Child] = field(default_factory=list)
    _answered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.children = [Child(daemon) for daemon in self.plan]

    def run(self) -> None:
        """Keep the daemons running until a signal asks for the end, then stop them."""
        next_log_check = 0.0
        while not self.stopping:
            now = time.monotonic()
            if self._reap(now) | self._start_ready(now):
                self.report()
            if now > next_log_check:
                self._shorten_logs()
                next_log_check = now + LOG_CHECK_S
            time.sleep(TICK_S)
        self.stop()

    def stop(self) -> None:
        """Stop the daemons, last started first; each gets its grace and then is killed."""
        for child in reversed(self.children):
            if child.pid:
                _signal(child.pid, signal.SIGTERM)
                deadline = time.monotonic() + child.daemon.grace_s
                while child.pid and time.monotonic() < deadline:
                    self._reap(time.monotonic())
                    time.sleep(TICK_S / 5)
                if child.pid:
                    _signal(child.pid, signal.SIGKILL)
        self.report()

    def report(self) -> None:
        """Write what became of each daemon where `status` reads it."""
        entries = [
            {"name": child.daemon.name, "state": child.state(), "restarts": max(child.restarts, 0), "pid": child.pid}
            for child in self.children
        ]
        partial = self.health.with_suffix(".partial")
        partial.write_text(json.dumps(entries))
        partial.replace(self.health)

    def _reap(self, now: float) -> bool:
        """Collect every ended process, ours or orphaned; say whether a daemon was among them."""
        by_pid, changed = {child.pid: child for child in self.children if child.pid}, False
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return changed
            if pid == 0:
                return changed
            if pid in by_pid:
                by_pid[pid].died(now)
                changed = True

    def _start_ready(self, now: float) -> bool:
        started = False
        for child in self.children:
            if not child.pid and now >= child.not_before and self._answers(child.daemon.after):
                self._start(child, now)
                started = True
        return started

    def _answers(self, probe: str) -> bool:
        """Say whether a probe has passed; the first start of a daemon waits for it, later ones do not."""
        if probe and probe not in self._answered and self.probes[probe]():
            self._answered.add(probe)
        return not probe or probe in self._answered

    def _start(self, child: Child, now: float) -> None:
        with (self.logs / f"{child.daemon.name}.log").open("ab") as sink:
            process = subprocess.Popen(
                child.daemon.argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH, "HOME": "/root"},
                cwd="/",
                start_new_session=True,
            )
        process.returncode = 0  # reaped above, not by the Popen object
        child.pid, child.started_at, child.restarts = process.pid, now, child.restarts + 1

    def _shorten_logs(self) -> None:
        """Keep one older part of each log that has grown too long."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                log.with_suffix(".log.1").write_bytes(log.read_bytes())
                os.truncate(log, 0)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _port_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return True
    except OSError:
        return False


def main(root: str) -> int:
    """Be the first process of the box whose state lies below ``root``."""
    state = State(Path(root))
    box = record.load(state)
    if box is None:
        sys.stderr.write(f"no record of a box in {state.record}; run `grayling sandbox up`\n")
        return 1
    interior.prepare_mounts(state)
    interior.wait_for_link()
    interior.configure_link(box.link)
    api = Api("127.0.0.1", API_PORT, state.pki, timeout_s=2.0)
    probes = {"etcd": lambda: _port_open(daemons.ETCD_PORT), "api": api.healthy}
    supervisor = Supervisor(daemons.plan(box, state), probes, state.logs, state.health)

    def ask_to_stop(_number: int, _frame: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    provisioner = Provisioner(Api("127.0.0.1", API_PORT, state.pki), state.volumes)
    threading.Thread(target=provisioner.run, name="provisioner", daemon=True).start()
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
