"""A real Prometheus over series of the past: blocks made by promtool, and the shipped expression asked for."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np

from components.model.exhaustion import RATIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.early.worlds import Floats

BEGAN = 1_700_000_000 // 86_400 * 86_400
LABELS = 'namespace="bench",instance_name="s{number}",resource="memory"'
MOST_STEPS = 10_000
STARTS_SECONDS = 120


def programs() -> tuple[str, str]:
    """Prometheus and promtool, on PATH.

    Raises:
        SystemExit: they are not there.
    """
    found = [os.environ.get(name.upper()) or shutil.which(name) for name in ("prometheus", "promtool")]
    if not all(found):
        raise SystemExit("no prometheus and promtool on PATH: install Debian's package prometheus, or set PROMETHEUS")
    return str(found[0]), str(found[1])


def blocks(used: Floats, folder: Path) -> None:
    """Write series as a Prometheus has them after weeks; one sample a minute."""
    text = folder / "series.om"
    with text.open("w") as out:
        out.write(f"# TYPE {RATIO} gauge\n")
        for number, row in enumerate(used):
            labels = LABELS.format(number=number)
            out.writelines(f"{RATIO}{{{labels}}} {value:.5f} {BEGAN + 60 * at}\n" for at, value in enumerate(row))
        out.write("# EOF\n")
    line = [programs()[1], "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h"]
    subprocess.run([*line, str(text), str(folder / "data")], check=True, capture_output=True)
    text.unlink()


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Serve the blocks while the context is open; its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    (folder / "prometheus.yml").write_text("{}")
    options = ["--storage.tsdb.retention.time=10y", "--query.timeout=30m", "--query.max-samples=500000000"]
    where = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            [programs()[0], *where, *options, f"--web.listen-address={address}"], stderr=log, stdout=log
        )
        try:
            _wait_for(f"http://{address}/-/ready", running)
            yield f"http://{address}"
        finally:
            running.terminate()
            running.wait()


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    for _ in range(STARTS_SECONDS * 2):
        with contextlib.suppress(URLError, ConnectionError), urlopen(url):  # noqa: S310 - of this machine
            return
        if running.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit("prometheus does not start")


def true_at(address: str, expr: str, minutes: int, every: int) -> NDArray[np.bool_]:
    """Whether an expression gives something at every such minute."""
    found = np.zeros(minutes // every, dtype=bool)
    for first in range(0, found.size, MOST_STEPS):
        last = min(first + MOST_STEPS, found.size) - 1
        for at, _ in _asked(address, expr, BEGAN + 60 * every * first, BEGAN + 60 * every * last, 60 * every):
            found[round((at - BEGAN) / 60 / every)] = True
    return found


def _asked(address: str, expr: str, start: int, end: int, step: int) -> list[Any]:
    asked = urlencode({"query": expr, "start": start, "end": end, "step": step}).encode()
    with urlopen(f"{address}/api/v1/query_range", asked) as answer:  # noqa: S310 - of this machine
        result = json.load(answer)["data"]["result"]
    return [pair for series in result for pair in series["values"]]
