"""`ci init`: write the pipeline of a host for the stacks that there are, and say what a person creates there."""

from __future__ import annotations

import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kube.errors import UsageError
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from review.ci.recipe import Recipe, Way

LONGEST_WAIT_S = 5 * 3600
"""A job on GitHub's own machines ends after six hours."""
ELSE_MINUTES = 45
"""What a job that waits for releases does besides."""
FIVE_FIELDS = r"[0-9*,/-]+( [0-9*,/-]+){4}"
PYTHON_IMAGE = "docker.io/library/python:3.13-bookworm"


@click.command()
@click.argument("host", type=click.Choice(["github", "gitlab", "jenkins"]))
@click.option("--way", type=click.Choice(["apply", "pulumi"]), default="apply", show_default=True, help="Who applies.")
@click.option("--stack", "stacks", multiple=True, metavar="NAME", help="Only this one, repeatable; all but tier local.")
@click.option("--branch", default="main", show_default=True, help="What is merged into it is applied.")
@click.option("--wait", default="2h", show_default=True, help="How long a release may take; 5h at most.")
@click.option("--cron", default="17 5 * * *", show_default=True, help="When drift is looked for.")
@click.option("--requirements", metavar="FILE", help="What jobs install from; requirements.txt if there is one.")
@click.option("--image", metavar="NAME@DIGEST", help="Image of GitLab's jobs: python3, bash, git, ssh-keygen.")
@click.option("--check", is_flag=True, help="Write nothing; exit 3 where a file is out of date.")
@click.option("--force", is_flag=True, help="Write over files that were edited by hand.")
def init(
    *,
    host: str,
    way: Way,
    stacks: tuple[str, ...],
    branch: str,
    wait: str,
    cron: str,
    requirements: str | None,
    image: str | None,
    check: bool,
    force: bool,
) -> int:
    """Write the pipeline for the stacks that there are: preview, approvals, apply, watch, drift.

    Running it twice changes nothing. A file that was edited by hand is kept, unless --force is given.
    """
    from review.ci.files import signed
    from review.ci.hosts import advice, files_of

    root = _root(Path.cwd())
    recipe = _recipe(root, way, stacks, branch, wait, cron, requirements, image)
    part = host == "gitlab" and _is_foreign(root)
    comment = "//" if host == "jenkins" else "#"
    command = shlex.join(_command(click.get_current_context()))
    made = files_of(host, recipe, part=part)
    texts = {root / path: signed(body, command, comment) for path, body in made.items()}
    if check:
        return _check(root, texts)
    _write(root, texts, force=force)
    click.echo(advice(host, recipe, part=part), err=True)
    return ExitCode.DONE


def _root(start: Path) -> Path:
    """The top of the repository, which has to be the project too."""
    from components.stack.project import project_of

    project = project_of(start)
    top = next((folder for folder in (project, *project.parents) if (folder / ".git").exists()), None)
    if top is None:
        raise UsageError(f"{project} is in no git repository: run `git init` there first")
    if top != project:
        raise UsageError(f"{project} is not the top of its repository {top}: a host reads pipelines at the top alone")
    return project


def _recipe(
    root: Path,
    way: Way,
    stacks: tuple[str, ...],
    branch: str,
    wait: str,
    cron: str,
    requirements: str | None,
    image: str | None,
) -> Recipe:
    from review.ci.recipe import Recipe, requirements_of, stacks_of

    version = metadata.version("pulumi")
    usual = f"docker.io/pulumi/pulumi-python:{version}" if way == "pulumi" else PYTHON_IMAGE
    return Recipe(
        stacks=stacks_of(root, stacks),
        way=way,
        requirements=requirements_of(root, requirements),
        branch=_fits("--branch", branch, r"[A-Za-z0-9][A-Za-z0-9._/-]*", "name one branch, without patterns"),
        wait=wait,
        minutes=round(_seconds(wait) / 60) + ELSE_MINUTES,
        cron=_fits("--cron", cron, FIVE_FIELDS, "write five fields, as '17 5 * * *'"),
        image=_fits("--image", image or usual, r"[A-Za-z0-9][\w./:@-]*", "write NAME:TAG or NAME@sha256:DIGEST"),
        pulumi=version,
    )


def _seconds(wait: str) -> float:
    from rollout.api.durations import seconds_of

    try:
        seconds = seconds_of(wait)
    except ValueError as error:
        raise UsageError(f"--wait {wait}: {error}") from error
    if not 0 < seconds <= LONGEST_WAIT_S:
        raise UsageError(f"--wait {wait}: write a time up to 5h; a job on GitHub ends after six hours")
    return seconds


def _fits(option: str, value: str, pattern: str, fix: str) -> str:
    if re.fullmatch(pattern, value) is None:
        raise UsageError(f"{option} {value!r}: {fix}")
    return value


def _is_foreign(root: Path) -> bool:
    """Whether the project has a GitLab pipeline that is not ours."""
    from review.ci.files import State, state_of
    from review.ci.hosts import GITLAB

    return state_of(root / GITLAB, "") is State.FOREIGN


def _command(ctx: click.Context) -> list[str]:
    """The command line that makes the same again: what differs from the defaults."""
    words = ["grayling", "ci", "init", str(ctx.params["host"])]
    for option in ctx.command.params:
        value = ctx.params.get(option.name or "")
        if not isinstance(option, click.Option) or option.is_flag or value in (None, ()):
            continue
        if value != option.get_default(ctx):
            values = value if isinstance(value, tuple) else (value,)
            words += [word for each in values for word in (option.opts[0], str(each))]
    return words


def _check(root: Path, texts: dict[Path, str]) -> int:
    from review.ci.files import State, state_of

    states = {path: state_of(path, text) for path, text in texts.items()}
    for path, state in states.items():
        told = "out of date" if state is State.OLDER else "missing" if state is State.MISSING else state
        click.echo(f"{path.relative_to(root)}: {told}")
    return ExitCode.DONE if set(states.values()) == {State.SAME} else ExitCode.CHANGES


def _write(root: Path, texts: dict[Path, str], *, force: bool) -> None:
    from review.ci.files import State, write

    for path, state in write(texts, force=force).items():
        told = "written over" if state in {State.EDITED, State.FOREIGN} else state
        click.echo(f"{path.relative_to(root)}: {told}")
