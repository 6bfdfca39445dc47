"""How long a bad version serves: faults switched on at a known moment in a canary under steady load.

Run it in a sandbox of its own in which the local stack is applied; it changes the strategy of the release there::

    grayling sandbox up --name bench
    KUBECONFIG=… grayling stack apply local --yes
    python bench/reaction.py --name bench --runs 10

Each run: version v2 is brought in, 20 % of 100 requests a second reach it, it is left alone for some seconds, then one
fault is switched on in its pods. Callers' answers, a watch of the route, and the release record tell the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "examples")]

from machine import about_this_machine
from reaction_figures import Run, Scenario, epoch, figures, markdown, scenario_of
from trial.commands import Grayling, end_on_sigterm
from trial.letting_in import let_in
from trial.moments import failed, moments_of, slower_than
from trial.place import Place, PlaceError
from trial.traffic import Traffic, shares

from kube.errors import KubeError
from kube.kinds import HTTP_ROUTE, Manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trial.moments import Moments

CANARY, STABLE = "v2", "v1"
WEIGHT = 20
IMAGE = "sandbox.grayling.dev/shop"
FAULTS: dict[str, dict[str, Any]] = {
    "errors": {"errors": 0.5},
    "delay": {"delay_seconds": 0.3},
    "crash": {"crash": True},
}
SOURCES = ("direct", "prometheus")
DIRECT = {"errors": "gateway", "latency": "pods"}
READY_SECONDS, FOUND_SECONDS, OVER_SECONDS = 180.0, 300.0, 120.0
QUIET_SECONDS = (4.0, 8.0)  # random, so that faults meet every phase of the sampling
AFTER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Bench:
    """One box under load."""

    place: Place
    grayling: Grayling
    traffic: Traffic
    image: str

    async def run(self, fault: str) -> Run:
        """Bring the canary in, break it, wait until it is taken back, and read what happened."""
        self.traffic.answers.clear()
        revision = await self._canary_at_weight()
        await asyncio.sleep(random.uniform(*QUIET_SECONDS))
        async with self._route_watched(revision) as zeros:
            pods = await self.place.pods(revision)
            at = min(await asyncio.gather(*(self.place.fault(pod, FAULTS[fault]) for pod in pods)))
            await self.place.until("taken back", lambda s: s.get("phase") == "RolledBack", FOUND_SECONDS)
            await asyncio.sleep(AFTER_SECONDS)
        self.traffic.poll()
        await self.place.gone(revision, OVER_SECONDS)
        record = json.loads((await self.grayling.run("release", "record", *self._who(), "-o", "json")).out)
        return _run_of(fault, at, self.traffic, record, next((seen for seen in zeros if seen >= at), None))

    async def settle(self) -> None:
        """Version v1 alone, nothing in flight, brought back quickly where another one serves."""
        image = f"{self.image}:{STABLE}"
        await self.place.change({"strategy": {"steps": [{"weight": 50, "hold": "2s"}], "bake": "1s"}})
        await self.place.start(image)
        await self.place.until(
            f"serving {STABLE} alone",
            lambda s: s.get("phase") in {"Idle", "RolledBack"} and (s.get("stable") or {}).get("image") == image,
            OVER_SECONDS,
        )

    async def _canary_at_weight(self) -> str:
        image = f"{self.image}:{CANARY}"
        forgiven = await let_in(self.place, self.grayling, image)
        await self.place.start(image)
        refused = (await self.place.release())["status"].get("refused") or ()
        if not forgiven and any(entry.get("image") == image for entry in refused):
            await self.grayling.run("release", "retry", *self._who())
        status = await self.place.until(
            f"verified at {WEIGHT} %",
            lambda s: s.get("phase") == "Stepping" and s["weight"]["desired"] == WEIGHT and bool(s.get("verifiedAt")),
            READY_SECONDS,
        )
        return str(status["canary"]["revision"])

    def _who(self) -> tuple[str, ...]:
        return (self.place.name, "-n", self.place.namespace)

    @asynccontextmanager
    async def _route_watched(self, revision: str) -> AsyncIterator[list[float]]:
        zeros: list[float] = []
        task = asyncio.create_task(self._watch_route(revision, zeros))
        try:
            yield zeros
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch_route(self, revision: str, zeros: list[float]) -> None:
        """Note when the route is seen to give ``revision`` nothing."""
        cluster, only = self.place.cluster, f"metadata.name={self.place.name}"
        while True:
            try:
                version = (await cluster.list(HTTP_ROUTE, self.place.namespace, fields=only)).resource_version
                async for event in cluster.watch(
                    HTTP_ROUTE, self.place.namespace, resource_version=version, fields=only
                ):
                    if event.type != "BOOKMARK" and _weight(event.object, revision) == 0:
                        zeros.append(time.time())  # noqa: PERF401 - one at a time, as they come
            except KubeError:
                await asyncio.sleep(0.05)


def _weight(route: Manifest, revision: str) -> int:
    backends = [ref for rule in route["spec"].get("rules") or () for ref in rule.get("backendRefs") or ()]
    return sum(int(ref.get("weight", 1)) for ref in backends if ref["name"] == revision)


def _run_of(fault: str, at: float, traffic: Traffic, record: Manifest, zero: float | None) -> Run:
    is_bad = slower_than(0.9 * FAULTS["delay"]["delay_seconds"]) if fault == "delay" else failed
    seen: Moments = moments_of(traffic.answers, CANARY, since=at, is_bad=is_bad)
    reaction = record.get("reaction") or {}
    start = at if fault == "crash" or seen.first_bad is None else seen.first_bad
    return Run(
        fault=at,
        start=start,
        evidence=epoch(reaction.get("evidence_at")),
        decided=epoch(reaction.get("decided_at")),
        written=epoch(reaction.get("written_at")),
        observed=epoch(reaction.get("observed_at")),
        weight_zero=zero,
        last_canary=seen.last_canary,
        failed=sum(answer.bad for answer in traffic.answers if answer.done >= at),
        requests=seen.canary,
        outcome=str(record.get("outcome")),
        culprits=tuple(record.get("culprits") or ()),
    )


def strategy(sources: str, release: Manifest) -> Manifest:
    """What is merged into the release: one long step, and where its signals are read. Judge and rates stay as they are.

    With ``prometheus``, which scrapes each second, errors and latency come through it; else from gateway and pods.
    """
    one_step = {"steps": [{"weight": WEIGHT, "hold": "30m"}], "bake": "1s", "drain": "1s"}
    signals = [dict(signal) for signal in release["spec"]["analysis"]["signals"]]
    for signal in signals:
        signal["source"] = (
            "prometheus"
            if sources == "prometheus" and signal["kind"] in DIRECT
            else DIRECT.get(signal["kind"], signal["source"])
        )
    sampling = {"young": "250ms", "settled": "1s", "youngFor": "30m"}
    return {"strategy": one_step, "analysis": {"signals": signals, "sampling": sampling}}


async def measure(bench: Bench, fault: str, sources: str, runs: int, original: Manifest) -> Scenario:
    """All runs of one scenario; a run that goes wrong is told, not repeated."""
    scenario = Scenario(fault, sources)
    await bench.settle()
    await bench.place.change(strategy(sources, original))
    for number in range(1, runs + 1):
        try:
            run = await bench.run(fault)
        except (PlaceError, KubeError) as error:
            scenario.trouble.append(f"run {number}: {error}")
            print(f"{fault}, {sources}: run {number}: {error}")
            await bench.settle()
            await bench.place.change(strategy(sources, original))
            continue
        scenario.runs.append(run)
        if run.outcome != "rolled-back":
            scenario.trouble.append(f"run {number}: {run.outcome}")
        took = "never" if run.last_canary is None else f"{(run.last_canary - run.start) * 1000:.0f} ms"
        print(f"{fault}, {sources}: run {number}: {took} ({', '.join(run.culprits)}), {run.failed} requests failed")
    return scenario


async def whole(options: argparse.Namespace) -> list[Scenario]:
    """All scenarios asked for, each kept when it is over; the release gets its own strategy back at the end."""
    end_on_sigterm()
    place = await Place.find(options.name, options.release)
    out = HERE.parent / "out" / "bench" / f"reaction-{options.name}.jsonl"
    async with place, Traffic(place.url, place.host, out, inside=place.inside, seconds=7000.0) as traffic:
        print(f"load on {place.url} ({place.host}): {shares(traffic.answers)}")
        bench = Bench(place, Grayling(options.name), traffic, options.image)
        original = await place.release()
        measured = []
        try:
            for sources in options.sources:
                for fault in options.faults:
                    measured.append(await measure(bench, fault, sources, options.runs, original))
                    keep(measured[-1], options)
            return measured
        finally:
            kept = original["spec"]
            await place.change({"strategy": kept["strategy"], "analysis": kept["analysis"]})


def about(options: argparse.Namespace) -> dict[str, str]:
    """What a reader needs to judge the figures."""
    return about_this_machine() | {
        "load": f"100 requests a second, {WEIGHT} % to the canary, all on this machine",
        "runs": f"{options.runs} of each; the default judge",
    }


def keep(scenario: Scenario, options: argparse.Namespace) -> None:
    """Write a scenario beside those that were measured before."""
    file, facts = options.out / "reaction.json", about(options)
    options.out.mkdir(parents=True, exist_ok=True)
    before = json.loads(file.read_text())["scenarios"] if file.exists() else []
    known = {(each.fault, each.sources): each for each in (*map(scenario_of, before), scenario)}
    every = [known[key] for key in sorted(known, key=lambda key: (SOURCES.index(key[1]), [*FAULTS].index(key[0])))]
    (options.out / "reaction.md").write_text(markdown(every, facts))
    file.write_text(json.dumps({**facts, "scenarios": [figures(each) for each in every]}, indent=1) + "\n")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="How fast a bad version goes.")
    parser.add_argument("--name", default="bench", help="the sandbox (default bench)")
    parser.add_argument("--release", default="checkout")
    parser.add_argument("--image", default=IMAGE, help=f"without tag (default {IMAGE})")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for reaction.md and reaction.json")
    options = parser.parse_args()
    scenarios = asyncio.run(whole(options))
    print((options.out / "reaction.md").read_text())
    return 0 if all(not each.trouble for each in scenarios) else 1


if __name__ == "__main__":
    sys.exit(main())
