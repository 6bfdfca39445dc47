"""What a box writes down about itself, and whether the process it names still runs.

A process id alone may have been given to another program since, so the record
keeps the start time and the boot it belongs to as well: only all three together
say that the box is alive.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.address import Link

if TYPE_CHECKING:
    from sandbox.layout import State

PROC = Path("/proc")


@dataclass(frozen=True)
class Record:
    """One box: its name, its addresses, its first process and the programs it runs.

    ``since`` is when that process was started, as Kubernetes writes times.
    """

    name: str
    slot: int
    kubernetes: str
    pid: int = 0
    started: int = 0
    boot: str = ""
    since: str = ""

    @property
    def link(self) -> Link:
        """The pair of addresses of this box."""
        return Link(self.slot)

    @property
    def node(self) -> str:
        """The name of the Kubernetes node."""
        return f"grayling-{self.name}"

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context."""
        return f"grayling-{self.name}"

    @property
    def cgroup(self) -> str:
        """The control group that holds every pod of this box."""
        return f"grayling-{self.name}"

    def alive(self, proc: Path = PROC) -> bool:
        """Say whether the box's first process is running in this boot."""
        return self.pid > 0 and self.boot == boot_id(proc) and self.started == start_time(self.pid, proc)

    def running_as(self, pid: int, proc: Path = PROC) -> Record:
        """Return this record with ``pid`` as its first process."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return replace(self, pid=pid, started=start_time(pid, proc), boot=boot_id(proc), since=now)

    def save(self, state: State) -> None:
        """Write the record in one step, so that a reader never sees half of it."""
        partial = state.record.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(state.record)


def load(state: State) -> Record | None:
    """Return the record of a box, or None where there is none (or half of one)."""
    try:
        return Record(**json.loads(state.record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def boot_id(proc: Path = PROC) -> str:
    """Return what the kernel calls this boot."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int, proc: Path = PROC) -> int:
    """Return when ``pid`` started in clock ticks since boot; 0 when there is no such process or it is a zombie."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])
