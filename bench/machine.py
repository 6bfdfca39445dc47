"""What a reader of a committed figure needs to know about where and when it was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def page(title: str, columns: Sequence[str], rows: Sequence[str]) -> str:
    """A committed table: where and when it was measured, the names of its columns, and its rows."""
    head = [f"# {title}", "", *(f"- {name}: {value}" for name, value in about_this_machine().items()), ""]
    line = f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"
    return "\n".join([*head, *line, *rows]) + "\n"


def about_this_machine() -> dict[str, str]:
    """Date, cores, memory, kernel."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GB, Linux {platform.release()}",
    }
