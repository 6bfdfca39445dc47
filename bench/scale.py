"""What one engine carries: N releases in flight in one controller on one core, against a cluster on paper.

For each N: all are created at once, then all begin a release at once and stay in their first step, so that each is
read as often as a young step is. Then a fault is switched on in one canary after another, and it is timed until weight
0 is on its route. Nobody else may be taken back. ::

    python bench/scale.py --releases 1 10 50 100 200
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import aiohttp
from scale_figures import kept, write
from scale_paper import Paper

from rollout.api.status import Phase
from tests.rollout.engine.test_serve import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

STEPS = [{"weight": 20, "hold": "1h"}, {"weight": 50, "hold": "1h"}]
SIGNALS = {
    "gateway": (
        {"name": "errors", "kind": "errors", "source": "gateway"},
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
    ),
    "pods": (
        {"name": "errors", "kind": "errors", "source": "gateway"},
        {"name": "latency", "kind": "latency", "source": "pods"},
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
    ),
}
STEADY_SECONDS, SHORT_SECONDS = 20.0, 4.0
FAULT = 0.5
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """One N.

    Attributes:
        releases: N.
        signals: which were read.
        created_s: until all N serve their first version.
        begun_s: until all N have their first step verified.
        engine_cpu: part of a core that the engine used while nothing happened.
        engine_waited: part of the time that it waited for its core, because something else ran there.
        platform_cpu: and the API server, proxies and pods on paper.
        memory_mb: resident, at its highest.
        looks: a second.
        reads: of a proxy's statistics, a second.
        late_p50_ms: by how much looks came later than they should.
        late_p99_ms: and the slowest hundredth.
        reactions_ms: from the fault to weight 0 on the route.
        taken_back: releases that were taken back without a fault.
        load: the engine's own measure.
    """

    releases: int
    signals: str
    created_s: float
    begun_s: float
    engine_cpu: float
    engine_waited: float
    platform_cpu: float
    memory_mb: float
    looks: float
    reads: float
    late_p50_ms: float
    late_p99_ms: float
    reactions_ms: list[float]
    taken_back: int
    load: float


class Engine:
    """The process that is measured."""

    def __init__(self, pid: int, metrics_port: int) -> None:
        self.pid, self._port = pid, metrics_port

    def cpu(self) -> float:
        """Seconds computed."""
        return cpu_of(self.pid)

    def waited(self) -> float:
        """Seconds that it could have run and was not let."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9

    def memory_mb(self) -> float:
        """Resident, at its highest."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) / 1024

    async def metrics(self) -> str:
        """What it says of itself."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self._port}/metrics") as answer:
            return await answer.text()


def cpu_of(pid: int | str) -> float:
    """Seconds a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def value(page: str, name: str) -> float:
    """One number of a page."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


def late(before: str, after: str, part: float) -> float:
    """Milliseconds by which ``part`` of the looks between two pages came late at most, between the buckets' edges."""
    edges = [float(each) for each in re.findall(r'look_late_seconds_bucket\{le="([0-9.]+)"\}', after)]
    name = 'grayling_look_late_seconds_bucket{{le="{}"}}'
    counts = [value(after, name.format(edge)) - value(before, name.format(edge)) for edge in edges]
    total = value(after, "grayling_look_late_seconds_count") - value(before, "grayling_look_late_seconds_count")
    below = edge_below = 0.0
    for edge, count in zip(edges, counts, strict=True):
        if count >= part * total:
            return 1000 * (edge_below + (edge - edge_below) * (part * total - below) / max(count - below, 1.0))
        below, edge_below = count, edge
    return 1000 * edges[-1]


@asynccontextmanager
async def engine_on(paper: Paper, most: int, core: int) -> AsyncIterator[Engine]:
    """One controller, pinned to a core."""
    port = free_port()
    command = ["taskset", "-c", str(core), sys.executable, str(HERE / "scale_engine.py")]
    process = await asyncio.create_subprocess_exec(*command, str(paper.port), str(port), str(most))
    try:
        yield Engine(process.pid, port)
    finally:
        process.kill()
        await process.wait()


async def until(what: str, condition: Callable[[], bool], seconds: float, pause: float = 0.25) -> float:
    """Wait for something; how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not {what} within {seconds:g} s")
        await asyncio.sleep(pause)
    return time.monotonic() - began


def statuses(paper: Paper, names: Iterable[str]) -> list[dict[str, Any]]:
    """What the engine wrote of some releases."""
    found = [paper.find("GrayRelease", name) or {} for name in names]
    return [each.get("status") or {} for each in found]


async def measure(releases: int, signals: str, faults: int, chosen: argparse.Namespace, steady: float) -> Result:
    """One N, watched for so many seconds before anything is broken."""
    paper = Paper(signals=SIGNALS[signals])
    await paper.start()
    operator = asyncio.create_task(paper.operate())
    names = [f"checkout-{number:03d}" for number in range(releases)]
    try:
        async with engine_on(paper, chosen.max_in_flight, chosen.core) as engine:
            return await _measured(paper, engine, names, signals, faults, steady)
    finally:
        operator.cancel()
        await paper.stop()


async def _measured(paper: Paper, engine: Engine, names: list[str], signals: str, faults: int, steady: float) -> Result:
    for name in names:
        paper.declare(name, "shop:v1", STEPS)

    def served() -> bool:
        return all(s.get("phase") == Phase.IDLE and s.get("stable") for s in statuses(paper, names))

    created = await until("all created", served, 600.0)
    for name in names:
        paper.declare(name, "shop:v2", STEPS)

    def verified() -> bool:
        return all(s.get("phase") == Phase.STEPPING and s.get("verifiedAt") for s in statuses(paper, names))

    begun = await until("all in their first step", verified, 600.0)
    await asyncio.sleep(steady / 2)
    before, began = await engine.metrics(), time.monotonic()
    cpu, waited, mine, pages = engine.cpu(), engine.waited(), cpu_of("self"), paper.pages
    await asyncio.sleep(steady)
    after, seconds = await engine.metrics(), time.monotonic() - began
    cpu, waited = engine.cpu() - cpu, engine.waited() - waited
    mine, pages = cpu_of("self") - mine, paper.pages - pages
    looks = value(after, "grayling_look_seconds_count") - value(before, "grayling_look_seconds_count")
    broken = names[:: max(1, len(names) // faults)][:faults]
    reactions = [await _reaction(paper, name) for name in broken]
    calm = [name for name in names if name not in broken]
    back = [s for s in statuses(paper, calm) if s.get("phase") in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}]
    for each in back[:3]:
        print("taken back:", json.dumps(each.get("last") or each.get("waiting"))[:600])
    return Result(
        len(names),
        signals,
        created,
        begun,
        cpu / seconds,
        waited / seconds,
        mine / seconds,
        engine.memory_mb(),
        looks / seconds,
        pages / seconds / 2,
        late(before, after, 0.5),
        late(before, after, 0.99),
        [round(1000 * each) for each in reactions],
        len(back),
        value(after, "grayling_engine_load"),
    )


async def _reaction(paper: Paper, name: str) -> float:
    """Seconds from the fault to weight 0 on the route."""
    await asyncio.sleep(random.uniform(0.5, 1.5))
    began = time.monotonic()
    paper.broken[name] = FAULT
    paper.zeros.pop(name, None)
    await until(f"{name} at weight 0", lambda: name in paper.zeros, 120.0, 0.02)
    return paper.zeros[name] - began


async def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, nargs="+", default=[1, 10, 50, 100, 200])
    parser.add_argument("--signals", choices=SIGNALS, nargs="+", default=["gateway"])
    parser.add_argument("--faults", type=int, default=7, help="for each N")
    parser.add_argument("--max-in-flight", type=int, default=1000)
    parser.add_argument("--core", type=int, default=0, help="of the engine; all else has the next one")
    parser.add_argument("--dry", action="store_true", help="write no results")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {(chosen.core + 1) % (os.cpu_count() or 1)})
    results: list[Result] = []
    others = [each for each in kept(HERE / "results") if each["signals"] not in chosen.signals]
    for signals in chosen.signals:
        for releases in chosen.releases:
            found = await _found(releases, signals, chosen)
            print(
                found.releases, signals, f"median reaction {statistics.median(found.reactions_ms):g} ms", asdict(found)
            )
            results.append(found)
            if not chosen.dry:
                write([*others, *(asdict(each) for each in results)], HERE / "results")


async def _found(releases: int, signals: str, chosen: argparse.Namespace) -> Result:
    """One N; of one release several runs, because a fault ends it."""
    if releases > 1:
        return await measure(releases, signals, chosen.faults, chosen, STEADY_SECONDS)
    waits = [*[SHORT_SECONDS] * (chosen.faults - 1), STEADY_SECONDS]
    runs = [await measure(releases, signals, 1, chosen, steady) for steady in waits]
    return Result(**asdict(runs[-1]) | {"reactions_ms": [each for run in runs for each in run.reactions_ms]})


if __name__ == "__main__":
    asyncio.run(main())
