"""What a sandbox must leave as it found it, as plain data that can be compared."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def none_compares_traces() -> Iterator[None]:
    """No sandbox comes or goes while a test compares what one leaves on the machine."""
    from sandbox import locks
    from sandbox.layout import state_root

    with locks.held(state_root() / ".traces"):
        yield


@dataclass(frozen=True)
class Traces:
    """Mounts, rules and settings of the machine, and everything that names one box."""

    mounts: tuple[str, ...]
    rules: str
    settings: tuple[str, ...]
    library: tuple[str, ...]
    links: tuple[str, ...]
    routes: tuple[str, ...]
    groups: tuple[str, ...]
    processes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, interface: str) -> Traces:
        links = [line for line in output("ip", "-o", "link").splitlines() if f" {interface}" in line]
        routes = [line for line in output("ip", "route", "show", "table", "all").splitlines() if interface in line]
        return cls(
            mounts=tuple(sorted(Path("/proc/self/mounts").read_text().splitlines())),
            rules=output("nft", "list", "ruleset"),
            settings=tuple((Path("/proc/sys") / setting).read_text() for setting in SETTINGS),
            library=tuple(sorted(path.name for path in Path("/var/lib").iterdir())),
            links=tuple(links),
            routes=tuple(routes),
            groups=tuple(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/grayling-{name}")),
            processes=tuple(processes(f"/sandbox/{name}/")),
        )


def processes(part: str) -> list[str]:
    """Return the command lines of living processes that contain ``part``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if part in f"{line.strip()}/":
                found.append(line)
    return found
