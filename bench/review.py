"""What a review of two thousand objects costs: a preview of Pulumi read, judged, and told as JSON, HTML and Markdown.

    python bench/review.py            # a minute; writes bench/results/review.md

The baseline is a process that only parses the same file, so that the ratio holds on any machine. Seconds are CPU of
the whole command.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import page

OBJECTS, TIMES, BAR_S = 2000, 5, 5
COMPILED = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""As an installation is: modules are compiled once, by the first run, which is not counted."""
TAKEN_FROM = ("delete-component", "update-rabbitmq-config", "update-grayrelease-image", "change-owners")
"""Recorded previews whose updates are multiplied."""


def preview(objects: int = OBJECTS) -> dict[str, Any]:
    """A preview of so many updates: recorded ones under other names, each with secrets and live state of its own."""
    chance = random.Random(1)
    recorded = [step for name in TAKEN_FROM for step in _updates(name)]
    steps = [_renamed(recorded[number % len(recorded)], number, chance) for number in range(objects)]
    return {"config": {}, "steps": steps, "diagnostics": [], "changeSummary": {"update": objects, "same": 0}}


def _updates(name: str) -> list[dict[str, Any]]:
    data = json.loads(gzip.decompress((ROOT / "tests" / "data" / "previews" / f"{name}.json.gz").read_bytes()))
    return [step for step in data["steps"] if step["op"] == "update"]


def _renamed(step: dict[str, Any], number: int, chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(step))
    made["urn"] = f"{made['urn']}-{number}"
    for side in ("oldState", "newState"):
        for state in ("inputs", "outputs"):
            meta = (made[side].get(state) or {}).get("metadata")
            if meta:
                meta["name"] = f"{meta['name']}-{number}"
                meta["annotations"] = {**meta.get("annotations", {}), "token": f"{chance.getrandbits(128):032x}"}
    return made


def cpu_of(*line: str) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True, env=COMPILED)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure both in turn, and write the table."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "preview.json"
        file.write_text(json.dumps(preview()))
        size = file.stat().st_size / 2**20
        forms = [part for form in ("json", "html", "markdown") for part in ("-o", f"{form}={folder}/review.{form}")]
        ours = (sys.executable, "-m", "grayling", "review", "preview", "--from", str(file), *forms)
        parse = (sys.executable, "-c", "import json, sys; json.loads(open(sys.argv[1]).read())", str(file))
        cpu_of(*ours)
        pairs = [(cpu_of(*ours), cpu_of(*parse)) for _ in range(TIMES)]
        told = json.loads((Path(folder) / "review.json").read_text())
    if len(told["changes"]) != OBJECTS:
        raise SystemExit(f"{len(told['changes'])} objects were told instead of {OBJECTS}")
    mine, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    row = f"| {OBJECTS} objects | {size:.1f} | {mine:.2f} | {theirs:.2f} | {mine / theirs:.1f} | {BAR_S} |"
    columns = ("review", "MiB", "CPU s", "CPU s to parse alone", "ratio", "bar, s")
    text = page("What a large review costs", columns, [row])
    (ROOT / "bench" / "results" / "review.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
