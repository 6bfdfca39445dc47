"""What does watching the errors of a thousand services at rest cost the engine that also carries out releases?

    python bench/drift_cost.py [--services 40]   # half a minute of a core; writes bench/results/drift-cost.md and .json

Services are watched one after the other and know nothing of each other, so 40 are measured and a thousand cost 25
times as much.

`rollout.engine.drift.DriftWatch` itself asks a Prometheus on paper (another process, the same answer for each service)
by its own client: from nothing at noon, slot by slot, and over midnight. Beside it, in the same run and process, the
judge looks at releases under way as often as a thousand of them are looked at, since processors differ and ratios less.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import re
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
from aiohttp import web

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.early.days import quiet
from bench.machine import about_this_machine, page
from rollout.engine.drift import DAY, DAYS, AtRest, DriftWatch, at_rest
from rollout.judge import Judge, JudgePolicy, SignalPolicy
from rollout.signals.kinds import SignalKind
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from rollout.sources.ask import DirectAsk
from rollout.sources.days import SLOT_SECONDS
from tests.rollout.engine.plant import gray_release
from tests.rollout.engine.test_serve import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable

TODAY = DAYS + 1
MIDNIGHT = (TODAY + 1) * DAY
SLOTS, LOOKS, EVERY_S, THOUSAND, TRACED = 6, 2000, 5.0, 1000, 3
SIGNALS = [{"name": "errors", "kind": "errors", "source": "pods"}]


def paper(port: int) -> None:
    """Serve what a Prometheus says of a service, whichever."""
    requests, errors = (each.ravel() for each in quiet("all of these", TODAY + 2, np.random.default_rng(1)))
    counts = {"200": requests - errors, "503": errors}
    known: dict[tuple[int, int], str] = {}

    def said(first: int, last: int) -> str:
        result = [
            {
                "metric": {"code": code},
                "values": [[slot * SLOT_SECONDS, str(each[slot])] for slot in range(first, last)],
            }
            for code, each in counts.items()
        ]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})

    async def query(request: web.Request) -> web.Response:
        form = await request.post()
        span = int(re.findall(r"\[(\d+)s:", str(form["query"]))[0])
        last = int(float(str(form["time"])) // SLOT_SECONDS) + 1
        asked = max(0, last - 1 - span // SLOT_SECONDS), last
        if asked not in known:
            known[asked] = said(*asked)
        return web.Response(text=known[asked], content_type="application/json")

    app = web.Application()
    app.router.add_post("/api/v1/query", query)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one look at all services: seconds of processor, and the most of it while nobody else had a turn."""

    cpu_s: float
    longest_ms: float


async def cost(work: Awaitable[None]) -> Cost:
    """Measure it, beside somebody who wants a turn each millisecond."""
    longest, stop = 0.0, False

    async def turns() -> None:
        nonlocal longest
        while not stop:
            began = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - began)

    waits = asyncio.create_task(turns())
    began = time.process_time()
    await work
    took, stop = time.process_time() - began, True
    await waits
    return Cost(took, longest * 1000)


async def kept_kb(watch: DriftWatch, services: int) -> float:
    """What is allocated for one of so many services, once all are known."""
    tracemalloc.start()
    await watch.look()
    gc.collect()
    found = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return found / services / 1000


def look_s() -> float:
    """Seconds of processor that one look at one signal of a release costs its judge, beside two pods of stable."""
    rng = np.random.default_rng(2)
    judge = Judge(JudgePolicy((SignalPolicy("errors", SignalKind.ERRORS),), horizon_seconds=LOOKS * EVERY_S))
    looks = []
    for number in range(LOOKS):
        pods = {
            name: PodLook(arm, 600.0, EVERY_S, requests=100, errors={"errors": int(rng.binomial(100, 0.001))})
            for name, arm in (("a", Arm.STABLE), ("b", Arm.STABLE), ("c", Arm.CANARY))
        }
        looks.append(SignalLook("errors", number * EVERY_S, SourceStatus.OK, pods))
    began = time.process_time()
    for each in looks:
        judge.look(each.at, [each])
    return (time.process_time() - began) / LOOKS


async def _there(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until it answers, whatever that is."""
    for _ in range(100):
        try:
            async with session.get(url):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    raise SystemExit("the Prometheus on paper does not come up")


def at_rest_there(services: int, url: str) -> list[AtRest]:
    """So many services, of one Prometheus."""
    manifest = gray_release(analysis={"signals": SIGNALS}, sources={"prometheus": url})
    manifest["metadata"]["uid"] = "1"
    one = at_rest(manifest)
    return [] if one is None else [one._replace(key=("shop", f"service-{number}")) for number in range(services)]


async def measured(services: int) -> dict[str, Any]:
    """All figures."""
    port, slot = free_port(), MIDNIGHT - SLOTS - 1
    server = multiprocessing.Process(target=paper, args=(port,), daemon=True)
    server.start()
    resting = at_rest_there(services, f"http://127.0.0.1:{port}")
    async with aiohttp.ClientSession() as session:
        await _there(session, f"http://127.0.0.1:{port}")
        ask = DirectAsk(session, f"http://127.0.0.1:{port}")

        def watch_of(count: int) -> DriftWatch:
            now = lambda: (slot + 1.5) * SLOT_SECONDS  # noqa: E731 - set by hand
            return DriftWatch(lambda: resting[:count], lambda _url: ask, [], now, 0.0)

        await watch_of(1).look()
        gc.collect()
        gc.freeze()  # what the first judge of a process makes for all, and what is no business of the watch
        each_kb = await kept_kb(watch_of(TRACED), TRACED)
        watch = watch_of(services)
        begins = await cost(watch.look())
        steps = []
        for _ in range(SLOTS):
            slot += 1
            steps.append(await cost(watch.look()))
        slot = MIDNIGHT
        await watch.look()  # the last one of a day ends with it
        slot += 1
        anew = await cost(watch.look())
    server.terminate()
    usual, times = min(steps, key=lambda each: each.cpu_s), THOUSAND / services
    looked = THOUSAND / EVERY_S * SLOT_SECONDS * look_s()
    return {
        "services": services,
        "kept_kb": round(each_kb, 1),
        "begins": asdict(begins),
        "slot": asdict(usual),
        "midnight": asdict(anew),
        "share_of_core": times * usual.cpu_s / SLOT_SECONDS,
        "share_of_core_day": times * (usual.cpu_s * (DAY - 1) + anew.cpu_s) / 86_400,
        "of_1000_releases": times * usual.cpu_s / looked,
    }


def told(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    rows = [
        f"| {what} | {found[key]['cpu_s']:.2f} | {1000 * found[key]['cpu_s'] / found['services']:.2f} | "
        f"{found[key]['longest_ms']:.0f} |"
        for key, what in (
            ("begins", "from nothing, at the end of a day: eight days asked, all of today judged"),
            ("slot", "each five minutes: the newest asked and judged"),
            ("midnight", "the first of a new day: the day before learned"),
        )
    ]
    columns = ("one look at all", "processor, s", "of one service, ms", "longest without a turn for others, ms")
    made = page(f"What the watch of errors costs, {found['services']} services at rest", columns, rows)
    lines = (
        f"a thousand: {found['share_of_core']:.2%} of a core by day, {found['share_of_core_day']:.2%} with midnight",
        f"{found['of_1000_releases']:.1%} of what the judge takes for 1,000 releases under way (one signal, every 5 s)",
        f"{found['kept_kb']:.0f} kB kept of each",
    )
    return "\n".join([made, *(f"- {line}" for line in lines)]) + "\n"


def main() -> int:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--services", type=int, default=40)
    asked.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    given = asked.parse_args()
    found = asyncio.run(measured(given.services))
    (given.out / "drift-cost.json").write_text(json.dumps({**about_this_machine(), **found}, indent=1) + "\n")
    (given.out / "drift-cost.md").write_text(told(found))
    print(told(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
