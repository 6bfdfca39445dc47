"""The tutorial, as it is written: its commands in their order, with what they print and how they end.

It goes on with the local stack as the test run applied it, so this file comes before those that change it.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.page import Step, run, steps
from tests.rollout.on_cluster import ROOT, grayling

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.box import Sandbox

PAGE = ROOT / "docs" / "tutorial" / "first-release.md"
NAME = "--name tutorial"
NOT_RUN = {"make install", f"grayling sandbox down --purge {NAME}", "git checkout stacks && rm answers.jsonl load.txt"}
"""This run is installed, others go on with its box, and its project is a copy."""
BEGINS, ENDS = "@begins@", "@ends@"


def script(wanted: list[Step], box: str) -> str:
    """For one shell: a command that fails ends it, but where the page asks for its exit code."""
    lines = ["code=0"]
    for step, after in zip(wanted, [*wanted[1:], Step("", "")], strict=True):
        lines += [f"echo {BEGINS}", "(exit $code)", step.command.replace(NAME, f"--name {box}"), "code=$?"]
        lines += [f"echo; echo {ENDS}"]
        if after.command != "echo $?":
            lines.append('[ "$code" = 0 ] || exit "$code"')
    return "\n".join(lines)


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
    printed = run(script(wanted, shop.name), project)
    parts = [part.partition(f"\n{ENDS}\n")[0].strip("\n") for part in printed.split(f"{BEGINS}\n")[1:]]
    for step, part in zip(wanted, parts, strict=False):
        assert re.fullmatch(step.pattern, part, re.DOTALL), f"$ {step.command}\n{part}"
    assert len(parts) == len(wanted), printed[-2000:]

    past = json.loads(grayling(shop, "release", "history", "checkout", "-n", "shop", "-o", "json"))
    good = next(each for each in past if each["to"]["image"].endswith(":v2"))
    assert [step["weight"]["desired"] for step in good["steps"]] == [20, 50]
    assert all(step["verified_at"] for step in good["steps"])
    answers = [json.loads(line) for line in (project / "answers.jsonl").read_text().splitlines()]
    assert {answer["version"] for answer in answers if answer["status"] != 200} == {"v3"}
