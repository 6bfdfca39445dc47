"""A release, made by the very line of the release workflow, with an image and an address that nobody has."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
IMAGE = f"registry.example.com/team/grayling:0.1.0@sha256:{'ab' * 32}"
RUNNER = {
    "GITHUB_SERVER_URL": "https://git.example.com",
    "GITHUB_REPOSITORY": "Team/Grayling",
    "GITHUB_REF_NAME": "v0.1.0",
}


def workflow() -> dict[Any, Any]:
    """The release workflow; YAML reads its key `on` as true."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    found: dict[Any, Any] = yaml.safe_load(text)
    return found


def step(name: str) -> dict[str, Any]:
    """The one step of this name."""
    [found] = [each for job in workflow()["jobs"].values() for each in job["steps"] if each.get("name") == name]
    return found


def bare() -> dict[str, str]:
    """This process's environment without what points into the checkout."""
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "KUBECONFIG", "VIRTUAL_ENV"}}


@dataclass(frozen=True)
class Made:
    """The files of a release."""

    folder: Path

    def one(self, pattern: str) -> Path:
        [found] = self.folder.glob(pattern)
        return found


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """Everything that is published."""
    out = tmp_path_factory.mktemp("release") / "dist"
    text = step("Everything that is published")["run"].replace("OUT=dist", f"OUT={out}")
    text = text.replace("make release", "make --old-file .venv/.installed release")  # these tests run in it
    environment = {**os.environ, **RUNNER, "IMAGE": IMAGE, "MAKEFLAGS": ""}
    done = subprocess.run(
        ["bash", "-e", "-c", text], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Made(out)


@pytest.fixture
def project(tmp_path) -> Path:
    """What a person has beside an installed Grayling."""
    target = tmp_path / "project"
    shutil.copytree(ROOT / "stacks", target / "stacks")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, target)
    return target
