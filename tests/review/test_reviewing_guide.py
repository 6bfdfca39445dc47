"""The reviewer's guide: every command of it that needs no cluster is run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.review.previews import manifest, preview, step, written

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "reviewing.md"
COMMANDS = [line for line in re.findall(r"^\$ (.+)$", GUIDE.read_text(), re.MULTILINE) if not line.startswith("pulumi")]


def test_the_guide_has_commands():
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_it_runs_as_it_stands(command, tmp_path):
    written(tmp_path, preview(step("create", None, manifest("ConfigMap", "a"))))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-c", command]
    done = subprocess.run(
        shell, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"-o \w+=(\S+)", command):
        assert (tmp_path / name).stat().st_size > 100
