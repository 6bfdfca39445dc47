"""What a stack of a thousand objects costs: validating and rendering it, beside the same by a Pulumi program.

    python bench/render.py            # a minute; writes bench/results/render.md

The baseline is the same stack through a program that is not Grayling's own by one line, so that it runs in a process
of its own under the recorder. Seconds are CPU of the whole command, children included.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import page

SERVICES, TIMES = 318, 5
HEAD = """config:
  grayling:environment: {tier: prod, namespace: shop, owners: [platform]}
  grayling:components:
    controller: {image: "registry.example.com/grayling:1.0.0"}
    gateway: {}
    cache: {kind: redis}
    prometheus: {}
  grayling:services:
"""
SERVICE = """    svc-{number}:
      image: registry.example.com/shop/svc-{number}:1.2.3
      port: 8080
      uses: [cache]
      traffic:
        hostnames: [svc-{number}.example.com]
      config:
        app.yaml: "level: info"
"""


def project(folder: Path, extra: str = "") -> Path:
    """A project with the large stack, and ``extra`` at the end of its program."""
    (folder / "stacks").mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    (folder / "__main__.py").write_text((ROOT / "__main__.py").read_text() + extra)
    services = "".join(SERVICE.format(number=number) for number in range(SERVICES))
    (folder / "stacks" / "Pulumi.large.yaml").write_text(HEAD + services)
    return folder


def cpu_of(folder: Path, command: str) -> tuple[float, str]:
    """CPU seconds of ``grayling stack COMMAND large``, and what it printed on stdout."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, "-m", "grayling", "stack", command, "large"]
    out = subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def main() -> int:
    """Measure both in turn, and write the table."""
    with TemporaryDirectory() as made:
        ours = project(Path(made) / "ours")
        other = project(Path(made) / "other", "\npulumi.log.debug('more')\n")
        rows = []
        for command in ("validate", "render"):
            pairs = [(cpu_of(ours, command), cpu_of(other, command)) for _ in range(TIMES)]
            if any(mine[1] != theirs[1] for mine, theirs in pairs):
                raise SystemExit(f"{command}: the two engines do not agree")
            mine, theirs = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
            objects = pairs[0][0][1].count("\nkind: ") if command == "render" else ""
            rows.append(f"| {command} | {objects} | {mine:.2f} | {theirs:.2f} | {mine / theirs:.2f} | 3 |")
    columns = ("command", "objects", "CPU s", "CPU s through a program", "ratio", "bar, s")
    text = page("What a large stack costs", columns, rows)
    (ROOT / "bench" / "results" / "render.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
