"""GitHub as far as the generated workflows need it: which jobs and steps run, with which values, and how they end.

Stand-ins, each a method named so: the actions (`uses`) and the store of artifacts. `run` steps are executed by bash.
An expression that is not known here is an error, so that no step runs with a value that GitHub would not give it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from tests.review.ci.machine import Machine, git
from tests.review.ci.reading import workflows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
NUMBER = 7


@dataclass
class Job:
    """How one job ended.

    Attributes:
        result: success, failure or skipped.
        codes: exit code of each `run` step by its name.
        printed: what each printed.
        summary: what it wrote for the run's page.
    """

    result: str = "success"
    codes: dict[str, int] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class Run:
    """One run of a workflow: its jobs by name, and the store of artifacts."""

    jobs: dict[str, Job]
    artifacts: Path


@dataclass(frozen=True)
class Use:
    """What an action is given: its inputs, the commit of the event, the store of artifacts, the job's folder."""

    given: Mapping[str, str]
    commit: str
    artifacts: Path
    work: Path


@dataclass
class GitHub:
    """A repository on GitHub.

    Attributes:
        machine: where scripts run.
        origin: the repository.
        secrets: of each environment.
        api: the variables that the host's API stands behind.
        fork: the pull request comes from a fork: no secrets.
    """

    machine: Machine
    origin: Path
    secrets: Mapping[str, Mapping[str, str]]
    api: Mapping[str, str] = field(default_factory=dict)
    fork: bool = False

    def pull_request(self, branch: str) -> Run:
        """Somebody opens a pull request, or pushes to its branch."""
        base, head = git(self.origin, "rev-parse", "main"), git(self.origin, "rev-parse", branch)
        merge = git(self.origin, "commit-tree", "-p", base, "-p", head, "-m", "merge", f"{head}^{{tree}}")
        git(self.origin, "update-ref", f"refs/pull/{NUMBER}/merge", merge)
        repository = "mallory/shop" if self.fork else "acme/shop"
        head_of = {"sha": head, "repo": {"full_name": repository}}
        event = {"pull_request": {"number": NUMBER, "base": {"sha": base}, "head": head_of}}
        return self._run("preview", f"refs/pull/{NUMBER}/merge", merge, event)

    def push(self) -> Run:
        """Something was merged into main."""
        before = git(self.origin, "rev-list", "--first-parent", "main").splitlines()[1:]
        event = {"before": before[0] if before else "0" * 40}
        return self._run("apply", "refs/heads/main", git(self.origin, "rev-parse", "main"), event)

    def schedule(self) -> Run:
        """The clock strikes."""
        return self._run("drift", "refs/heads/main", git(self.origin, "rev-parse", "main"), {})

    def _run(self, kind: str, ref: str, sha: str, event: Mapping[str, Any]) -> Run:
        names = git(self.origin, "ls-tree", "--name-only", sha, ".github/workflows/").splitlines()
        workflow = workflows({name: git(self.origin, "show", f"{sha}:{name}") for name in names})[kind]
        github = {
            "event": event,
            "event_name": {"preview": "pull_request", "apply": "push", "drift": "schedule"}[kind],
            "ref": ref,
            "sha": sha,
            "repository": "acme/shop",
            "server_url": "https://github.example.com",
            "run_id": "1",
            "token": self.api.get("GITHUB_TOKEN", ""),
        }
        run = Run({}, self.machine.new("artifacts"))
        for name, spec in workflow["jobs"].items():
            needed = [
                job for of in _listed(spec.get("needs")) for key, job in run.jobs.items() if key.split("/")[0] == of
            ]
            for matrix in _combinations(spec):
                key = "/".join([name, *matrix.values()])
                context = {"github": github, "matrix": matrix, "vars": {}}
                run.jobs[key] = self._job(spec, context, run, [job.result for job in needed], key)
        return run

    def _job(self, spec: Mapping[str, Any], context: dict[str, Any], run: Run, needed: list[str], key: str) -> Job:
        job = Job()
        if not _holds(spec.get("if"), context, went_well=all(result == "success" for result in needed)):
            job.result = "skipped"
            return job
        folder = self.machine.new(key)
        work, temp = folder / "work", folder / "temp"
        temp.mkdir()
        environment = spec.get("environment", "")
        name = environment["name"] if isinstance(environment, dict) else environment
        secrets = {} if self.fork else self.secrets.get(_expanded(name, context), {})
        context = {**context, "secrets": secrets, "runner": {"temp": str(temp)}}
        for step in spec["steps"]:
            if _holds(step.get("if"), context, went_well=job.result == "success"):
                self._step(step, spec, context, run, job, work)
        return job

    def _step(
        self,
        step: Mapping[str, Any],
        spec: Mapping[str, Any],
        context: Mapping[str, Any],
        run: Run,
        job: Job,
        work: Path,
    ) -> None:
        if "uses" in step:
            given = {key: _expanded(value, context) for key, value in step.get("with", {}).items()}
            stand_in = re.split("[/@]", step["uses"])[1].replace("-", "_")
            getattr(self, f"stand_in_for_{stand_in}")(Use(given, context["github"]["sha"], run.artifacts, work))
            return
        summary = work.with_name("summary")
        github = context["github"]
        usual = {
            "GITHUB_EVENT_NAME": github["event_name"],
            "GITHUB_EVENT_PATH": str(self._event(github["event"], work)),
            "GITHUB_BASE_REF": "main" if "pull_request" in github["event"] else "",
            "GITHUB_REF": github["ref"],
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_ACTOR": "ann",
            "GITHUB_API_URL": self.api.get("GITHUB_API_URL", ""),
            "GITHUB_STEP_SUMMARY": str(summary),
        }
        own = {key: _expanded(value, context) for key, value in {**spec.get("env", {}), **step.get("env", {})}.items()}
        code, printed = self.machine.bash(step["run"], work, {**usual, **own})
        job.codes[step["name"]], job.printed[step["name"]] = code, printed
        job.result = "failure" if code else job.result
        job.summary = summary.read_text() if summary.exists() else ""

    def _event(self, event: Mapping[str, Any], work: Path) -> Path:
        path = work.with_name("event.json")
        path.write_text(json.dumps(event))
        return path

    def stand_in_for_checkout(self, use: Use) -> None:
        """`actions/checkout`: a clone at the commit of the event, or at `ref`."""
        deep = use.given.get("fetch-depth") == "0"
        self.machine.checkout(self.origin, use.given.get("ref") or use.commit, use.work, deep=deep)

    def stand_in_for_setup_python(self, _: Use) -> None:
        """`actions/setup-python`: this run's own interpreter is on PATH."""

    def stand_in_for_actions(self, _: Use) -> None:
        """`pulumi/actions`: the command line is on PATH, where it is."""

    def stand_in_for_upload_artifact(self, use: Use) -> None:
        """`actions/upload-artifact`: a copy in the store."""
        if (use.work / use.given["path"]).is_dir():
            shutil.copytree(use.work / use.given["path"], use.artifacts / use.given["name"])

    def stand_in_for_download_artifact(self, use: Use) -> None:
        """`actions/download-artifact`: those that fit `pattern`, merged."""
        assert use.given["merge-multiple"] == "true"
        for folder in sorted(use.artifacts.iterdir()):
            if fnmatch(folder.name, use.given["pattern"]):
                shutil.copytree(folder, use.work / use.given["path"], dirs_exist_ok=True)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _combinations(spec: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    matrix = spec.get("strategy", {}).get("matrix")
    if not matrix:
        yield {}
        return
    ((key, values),) = matrix.items()
    yield from ({key: value} for value in values)


def _expanded(value: Any, context: Mapping[str, Any]) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return EXPRESSION.sub(lambda found: str(_looked_up(found[1], context)), text)


def _looked_up(path: str, context: Mapping[str, Any]) -> Any:
    """A value of a context; a secret or variable that is not there is empty, anything else a mistake."""
    found: Any = context
    for part in path.split("."):
        if part not in found and path.startswith(("secrets.", "vars.")):
            return ""
        found = found[part]
    return found


def _holds(condition: str | None, context: Mapping[str, Any], *, went_well: bool) -> bool:
    """Without a word on how things went, what went before has to have gone well."""
    if condition is None:
        return went_well
    (inner,) = EXPRESSION.findall(condition)
    terms = inner.split(" && ")
    told = "!cancelled()" in terms
    return (told or went_well) and all(_is_true(term, context) for term in terms)


def _is_true(term: str, context: Mapping[str, Any]) -> bool:
    if term == "!cancelled()":
        return True
    left, right = term.split(" == ")
    return bool(_looked_up(left, context) == _looked_up(right, context))
