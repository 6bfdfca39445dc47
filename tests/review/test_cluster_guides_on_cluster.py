"""The guides for platform engineers and for pipelines, as they are written, on a real cluster."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.page import differing, run, script, steps
from tests.rollout.on_cluster import ROOT, grayling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.box import Sandbox

pytestmark = pytest.mark.timeout(600)
TUTORIALS = ROOT / "docs" / "tutorial"
NOT_RUN = {"make install", "grayling sandbox down --purge --name platform"}
"""This run is installed, and others go on with its box."""
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def clone(tmp_path: Path, box: Sandbox) -> Iterator[Path]:
    """A copy of what a fresh clone has and the guides use; nothing of it is left on the cluster."""
    made = tmp_path / "work" / "grayling"
    (made / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, made)
    (made / ".venv").symlink_to(ROOT / ".venv")
    yield made
    for number, project in enumerate(sorted(made.parent.glob("*/stacks"), reverse=True)):
        bare = tmp_path / f"bare-{number}"  # without the policy, whose people are not here any more
        shutil.copytree(project.parent, bare, ignore=shutil.ignore_patterns(".git", ".grayling", ".venv"))
        for path in sorted((bare / "stacks").glob("*.yaml"), reverse=True):
            grayling(box, "stack", "destroy", str(path), "--yes", "--missing-ok")


def walk(page: str, box: Sandbox, folder: Path) -> str:
    """What differs from the page; empty where nothing does."""
    wanted = [step for step in steps((TUTORIALS / page).read_text()) if step.command not in NOT_RUN]
    assert len(wanted) >= 20
    printed = run(script(wanted, platform=box.name), folder, seconds=480, **NOBODY)
    return differing(wanted, printed)


def test_every_command_of_the_platform_engineers_guide_does_what_it_says(box: Sandbox, clone: Path) -> None:
    assert {step.command for step in steps((TUTORIALS / "for-platform-engineers.md").read_text())} >= NOT_RUN
    wrong = walk("for-platform-engineers.md", box, clone)
    assert wrong == ""


def test_every_command_of_the_pipelines_guide_does_what_it_says(box: Sandbox, clone: Path) -> None:
    wrong = walk("for-ci.md", box, clone.parent)
    assert wrong == ""
