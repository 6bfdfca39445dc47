"""The guide for platform engineers, as it is written, on a real cluster: it takes away what it made."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.page import differing, run, script, steps
from tests.rollout.on_cluster import ROOT, grayling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.box import Sandbox

PAGE = ROOT / "docs" / "tutorial" / "for-platform-engineers.md"
NOT_RUN = {"make install", "grayling sandbox down --purge --name platform"}
"""This run is installed, and others go on with its box."""


@pytest.fixture
def project(tmp_path: Path, box: Sandbox) -> Iterator[Path]:
    """A copy of what a fresh clone has and the guide uses; nothing of it is left on the cluster."""
    made = tmp_path / "project"
    (made / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, made)
    (made / ".venv").symlink_to(ROOT / ".venv")
    yield made
    for path in sorted((made / "stacks").glob("*.yaml"), reverse=True):
        grayling(box, "stack", "destroy", str(path), "--yes", "--missing-ok")


def test_every_command_of_the_platform_engineers_guide_does_what_it_says(box: Sandbox, project: Path) -> None:
    told = steps(PAGE.read_text())
    assert {step.command for step in told} >= NOT_RUN
    wanted = [step for step in told if step.command not in NOT_RUN]
    assert len(wanted) >= 20
    wrong = differing(wanted, run(script(wanted, platform=box.name), project))
    assert wrong == ""
