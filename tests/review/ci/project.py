"""A small project in a git repository of its own, and the command line in it."""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path

from grayling import cli
from terminal.exits import Session, run

ROOT = Path(__file__).parents[3]
STACK = """\
config:
  grayling:environment: {{tier: {tier}, namespace: {namespace}, owners: [platform], engine: {{namespace: platform}}}}
  grayling:components: {{redis: {{storage: null}}}}
"""
SERVICES = "  grayling:services: {checkout: {image: registry.example.com/checkout:1.0.0}}\n"


def made(folder: Path, **tiers: str) -> Path:
    """A project with a stack of each name; a name with a `_` at its end has no services."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "requirements.txt").write_text("grayling==0.1.0\n")
    (folder / "stacks").mkdir(exist_ok=True)
    for name, tier in tiers.items():
        text = STACK.format(tier=tier, namespace=f"shop-{name[0]}") + ("" if name.endswith("_") else SERVICES)
        (folder / "stacks" / f"Pulumi.{name.strip('_')}.yaml").write_text(text)
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    return folder


def grayling(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as a person runs it there, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(cli, arguments, prog_name="grayling", session=Session())
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def files(folder: Path) -> dict[str, str]:
    """What was written there."""
    found = [*(folder / ".github").rglob("*.yml"), *(folder / ".gitlab").rglob("*.yml"), folder / ".gitlab-ci.yml"]
    found.append(folder / "Jenkinsfile")
    return {str(path.relative_to(folder)): path.read_text() for path in found if path.exists()}
