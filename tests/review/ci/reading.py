"""Pipelines as their hosts read them: the shell steps of each job, with the environment in which they run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKFLOW = ".github/workflows/grayling-{}.yml"


class Yaml12(yaml.SafeLoader):
    """As GitHub and GitLab read it: `on` is a word."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool" or first not in "oOyYnN"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def workflows(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The workflows of GitHub by what they are for."""
    kinds = ("preview", "apply", "drift")
    return {kind: yaml.load(files[WORKFLOW.format(kind)], Yaml12) for kind in kinds}  # noqa: S506 - a SafeLoader


def steps_of(workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All steps of all jobs."""
    for job in workflow["jobs"].values():
        yield from job["steps"]


def gitlab_jobs(text: str) -> dict[str, dict[str, Any]]:
    """GitLab's jobs by name, with what they extend."""
    read = yaml.load(text, Yaml12)  # noqa: S506 - a SafeLoader
    jobs = {name: job for name, job in read.items() if isinstance(job, dict) and "script" in job}
    return {name: _merged(read[job["extends"]], job) for name, job in jobs.items()}


def _merged(base: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    variables = {**base.get("variables", {}), **job.get("variables", {})}
    return {**base, **job, "variables": variables}


def gitlab_script(job: Mapping[str, Any]) -> str:
    """What the runner gives to one shell."""
    return "\n".join(["set -eo pipefail", *job["before_script"], *job["script"]])


def jenkins_stages(text: str) -> dict[str, list[str]]:
    """The shell scripts of each stage of a declarative pipeline, as Groovy reads a text in three quotes."""
    parts = re.split(r"^ {8}stage\('([^']+)'\) \{$", text, flags=re.MULTILINE)[1:]
    return {
        name: [_groovy(each) for each in re.findall(r"sh '''(.*?)'''", body, re.DOTALL)]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _groovy(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text, flags=re.DOTALL)


def jenkins_environment(text: str, stage: str) -> dict[str, str]:
    """Plain values of the `environment` block of a stage."""
    body = text.split(f"stage('{stage}') {{")[1].split("\n        stage(", maxsplit=1)[0]
    return dict(re.findall(r"^ +([A-Z]+) = '([^']*)'$", body, re.MULTILINE))
