"""A kind is one row: four new ones, put into a copy of the table, are taken by everybody who reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("components", "kube", "manifests", "rollout", "tests/rollout/signals")
FILES = ("tests/rollout/samples.py",)

MEMBERS = """\
    TIDE = "tide"
    RETRIES = "retries"
    REJECTIONS = "rejections"
    QUEUEING = "queueing"
"""

ROWS = """\
        SignalKind.TIDE: Kind(
            family=Family.GAUGE,
            noun="tide",
            unit="messages",
            sources=BY_METRIC,
            metric="tide_height",
            weight=0.2,
            floor=0.0,
            target=0.0,
            promql=_HIGHEST,
            bound=lambda _floor, _threshold: 10_000.0,
        ),
        SignalKind.RETRIES: Kind(
            family=Family.COUNT,
            noun="retries",
            sources=frozenset({SourceName.PODS, SourceName.LOGS}),
            weight=0.1,
            floor=1e-3,
            target=1 / 15,
            promql=_HOURLY,
        ),
        SignalKind.REJECTIONS: Kind(
            family=Family.FAILURES,
            noun="rejections",
            sources=frozenset({SourceName.GATEWAY, SourceName.PROMETHEUS}),
            metric="admissions_total",
            weight=0.3,
            floor=0.02,
            target=0.05,
            promql=_FAILED_SHARE,
            bound=_well_above_the_floor,
        ),
        SignalKind.QUEUEING: Kind(
            family=Family.LATENCY,
            noun="requests that waited long",
            sources=BY_METRIC,
            metric="queue_seconds",
            weight=0.2,
            floor=0.005,
            target=0.05,
            promql=_SLOWEST,
            bound=_the_threshold,
        ),
"""


@pytest.fixture
def copy(tmp_path) -> Path:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "tests" / "__init__.py").touch()
    return tmp_path


MEMBERS_END, ROWS_END = "\n\ndef _well_above_the_floor", '    }\n)\n"""Every kind."""\n'


def put(text: str, before: str, what: str) -> str:
    """At the end of its list, whatever kinds the house has by then."""
    assert text.count(before) == 1, before
    return text.replace(before, what + before)


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_a_new_kind_is_one_row(copy):
    kinds = copy / "rollout" / "signals" / "kinds.py"
    text = put(kinds.read_text(), MEMBERS_END, MEMBERS)
    kinds.write_text(put(text, ROWS_END, ROWS))
    where = run(copy, "-c", "import rollout, components; print(rollout.__file__, components.__file__)")
    assert [Path(each).parents[1] for each in where.stdout.split()] == [copy, copy]
    names = " or ".join(line.split('"')[1] for line in MEMBERS.splitlines())
    options = ("-q", "-c", os.devnull, "--rootdir", str(copy), "-p", "no:cacheprovider", "-p", "no:xdist")
    done = run(copy, "-m", "pytest", *options, "tests/rollout/signals/test_every_kind.py", "-k", names)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    tried = int(done.stdout.rsplit(" passed", 1)[0].rsplit("\n", 1)[-1])
    assert tried >= 4 * 9, done.stdout


def test_a_kind_without_a_row_is_told_at_once(copy):
    kinds = copy / "rollout" / "signals" / "kinds.py"
    kinds.write_text(put(kinds.read_text(), MEMBERS_END, '    TIDE = "tide"\n'))
    options = ("-q", "-c", os.devnull, "--rootdir", str(copy), "-p", "no:cacheprovider", "-p", "no:xdist")
    done = run(copy, "-m", "pytest", *options, "tests/rollout/signals/test_every_kind.py", "-k", "has_every_kind")
    assert done.returncode == 1
    assert "TIDE" in done.stdout
