"""The tutorial, as it is written: its commands in their order, with what they print and how they end.

It goes on with the local stack as the test run applied it, so this file comes before those that change it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.page import differing, run, script, steps
from tests.rollout.on_cluster import ROOT, grayling

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.box import Sandbox

PAGE = ROOT / "docs" / "tutorial" / "first-release.md"
NOT_RUN = {
    "make install",
    "grayling sandbox down --purge --name tutorial",
    "git checkout stacks && rm answers.jsonl load.txt",
}
"""This run is installed, others go on with its box, and its project is a copy."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a fresh clone has and the tutorial uses."""
    made = tmp_path / "project"
    for name in ("stacks", "examples"):
        shutil.copytree(ROOT / name, made / name)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, made)
    (made / ".venv").symlink_to(ROOT / ".venv")
    return made


def test_every_command_of_the_tutorial_does_what_it_says(shop: Sandbox, project: Path) -> None:
    told = steps(PAGE.read_text())
    assert {step.command for step in told} >= NOT_RUN
    wanted = [step for step in told if step.command not in NOT_RUN]
    wrong = differing(wanted, run(script(wanted, tutorial=shop.name), project))
    assert wrong == ""

    past = json.loads(grayling(shop, "release", "history", "checkout", "-n", "shop", "-o", "json"))
    good = next(each for each in past if each["to"]["image"].endswith(":v2"))
    assert [step["weight"]["desired"] for step in good["steps"]] == [20, 50]
    assert all(step["verified_at"] for step in good["steps"])
    answers = [json.loads(line) for line in (project / "answers.jsonl").read_text().splitlines()]
    assert {answer["version"] for answer in answers if answer["status"] != 200} == {"v3"}
