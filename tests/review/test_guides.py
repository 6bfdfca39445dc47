"""The guides that need no cluster, as they are written: each command in its order, with what it prints."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.page import differing, run, script, steps

ROOT = Path(__file__).parents[2]
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.mark.parametrize(("page", "least"), [("for-reviewers", 25)])
def test_every_command_of_a_guide_does_what_it_says(page: str, least: int, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "grayling").mkdir(parents=True)
    shutil.copy(ROOT / "__main__.py", folder / "grayling")
    told = steps((ROOT / "docs" / "tutorial" / f"{page}.md").read_text())
    assert len(told) >= least
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    wrong = differing(told, run(script(told), folder, PATH=path, HOME=str(tmp_path), **NOBODY))
    assert wrong == ""
