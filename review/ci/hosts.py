"""What is written for each host: which files, and what a person has to create there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from review.ci.actions import pinned

if TYPE_CHECKING:
    from review.ci.recipe import Recipe

HOSTS = ("github", "gitlab", "jenkins")
WORKFLOWS = Path(".github", "workflows")
GITLAB, GITLAB_PART = Path(".gitlab-ci.yml"), Path(".gitlab", "grayling.yml")
JENKINS = Path("Jenkinsfile")


@cache
def _templates() -> Environment:
    """Marks in brackets: braces are the hosts' own."""
    made = Environment(  # noqa: S701 - pipelines, not HTML
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["pinned"] = pinned
    return made


def _text(template: str, recipe: Recipe) -> str:
    lines = _templates().get_template(template).render(recipe=recipe).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def files_of(host: str, recipe: Recipe, *, part: bool = False) -> dict[Path, str]:
    """The files of a host by their place in the repository.

    Args:
        host: one of ``HOSTS``.
        recipe: what goes into them.
        part: GitLab has a pipeline of the project's own already; ours is included into it.
    """
    if host == "github":
        kinds = ("preview", "apply", "drift")
        return {WORKFLOWS / f"grayling-{kind}.yml": _text(f"github-{kind}.yml.j2", recipe) for kind in kinds}
    if host == "gitlab":
        return {GITLAB_PART if part else GITLAB: _text("gitlab.yml.j2", replace(recipe, own_stages=not part))}
    return {JENKINS: _text("Jenkinsfile.j2", recipe)}


def advice(host: str, recipe: Recipe, *, part: bool = False) -> str:
    """What a person has to create on the host: no file of a repository can."""
    return _text(f"advice-{host}.j2", replace(recipe, own_stages=not part))
