"""Releases back to back under load: v1 to v2, v2 to v1, and again; no request may fail, none may be taken back.

Run it in a sandbox of its own in which the local stack is applied::

    python bench/soak.py --name bench --minutes 30
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "examples")]

from load.answers import Summary, summarise
from machine import about_this_machine
from trial.commands import Grayling, end_on_sigterm
from trial.letting_in import let_in
from trial.place import Place, PlaceError
from trial.traffic import Traffic, shares

from kube.errors import KubeError

if TYPE_CHECKING:
    from kube.kinds import Manifest

IMAGE = "sandbox.grayling.dev/shop"
VERSIONS = ("v2", "v1")
RELEASE_SECONDS = 240.0
STRATEGY = {
    "steps": [{"weight": 20, "hold": "4s"}, {"weight": 50, "hold": "4s"}],
    "bake": "3s",
}


@dataclass(slots=True)
class Soak:
    """What happened: outcomes of the releases, and answers as callers saw them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    answers: Summary | None = None

    @property
    def held(self) -> bool:
        """No request failed, every release was promoted."""
        promoted = sum(count for outcome, count in self.outcomes.items() if outcome.startswith("promoted"))
        requests = self.answers
        return requests is not None and requests.failed == 0 and promoted == self.outcomes.total() and not self.trouble


async def bring_in(place: Place, version: str, grayling: Grayling) -> tuple[str, float]:
    """Bring one version in, also one that was taken back before; its outcome, and how many seconds it took."""
    began = time.monotonic()
    former = (await place.release()).get("status", {}).get("last") or {}
    forgiven = await let_in(place, grayling, f"{IMAGE}:{version}")
    await place.start(f"{IMAGE}:{version}")
    if not forgiven and (await place.release())["status"].get("refused"):
        await grayling.run("release", "retry", place.name, "-n", place.namespace)

    def over(status: Manifest) -> bool:
        last = status.get("last") or {}
        return status.get("phase") in {"Idle", "RolledBack"} and last.get("id") != former.get("id")

    status = await place.until(f"done with {version}", over, RELEASE_SECONDS)
    return str(status["last"]["outcome"]), time.monotonic() - began


async def soak(options: argparse.Namespace) -> Soak:
    """Release until the time is over; the release gets its own strategy back at the end."""
    end_on_sigterm()
    place, found = await Place.find(options.name, options.release), Soak()
    out = HERE.parent / "out" / "bench" / f"soak-{options.name}.jsonl"
    seconds = options.minutes * 60
    async with place, Traffic(
        place.url, place.host, out, inside=place.inside, rate=options.rate, seconds=seconds + 600, orders_every=10
    ) as traffic:  # fmt: skip
        status = await place.until("serving a version", lambda status: bool(status.get("stable")), RELEASE_SECONDS)
        serving = status["stable"]["image"].rpartition(":")[2]
        original = (await place.release())["spec"]["strategy"]
        await place.change({"strategy": STRATEGY})
        end = time.monotonic() + seconds
        try:
            for version in cycle(sorted(VERSIONS, key=lambda each: each == serving)):
                if time.monotonic() >= end:
                    break
                await _one(place, version, traffic, found, Grayling(options.name))
        finally:
            await place.change({"strategy": original})
    found.answers = summarise(traffic.answers)
    return found


async def _one(place: Place, version: str, traffic: Traffic, found: Soak, grayling: Grayling) -> None:
    try:
        outcome, took = await bring_in(place, version, grayling)
    except (PlaceError, KubeError) as error:
        outcome, took = "unfinished", 0.0
        found.trouble.append(f"{version}: {error}")
    found.outcomes[outcome] += 1
    found.seconds.append(took)
    fresh = traffic.poll()
    print(f"{found.outcomes.total():4} {version} {outcome} in {took:.1f} s; {shares(fresh) if fresh else 'no answers'}")


def report(found: Soak, facts: dict[str, str]) -> str:
    """The committed report."""
    lines = ["# Releases back to back under load", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    lines += [f"- releases: {found.outcomes.total()}, {dict(found.outcomes)}"]
    middle = sorted(found.seconds)[len(found.seconds) // 2] if found.seconds else 0.0
    lines += [f"- a release took {middle:.1f} s (median)", f"- held: {'yes' if found.held else 'NO'}", ""]
    lines += ["```text", str(found.answers), "```", *(f"- {told}" for told in found.trouble)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description="Releases back to back under load.")
    parser.add_argument("--name", default="bench", help="the sandbox (default bench)")
    parser.add_argument("--release", default="checkout")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for soak.md and soak.json")
    options = parser.parse_args()
    found = asyncio.run(soak(options))
    facts = about_this_machine() | {"load": f"{options.rate:g} requests a second, every tenth places an order"}
    text, data = report(found, facts), _data(found, facts)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "soak.md").write_text(text)
    (options.out / "soak.json").write_text(json.dumps(data, indent=1) + "\n")
    print(text)
    return 0 if found.held else 1


def _data(found: Soak, facts: dict[str, str]) -> dict[str, Any]:
    return {**facts, "held": found.held, **asdict(found), "outcomes": dict(found.outcomes)}  # asdict breaks a Counter


if __name__ == "__main__":
    sys.exit(main())
