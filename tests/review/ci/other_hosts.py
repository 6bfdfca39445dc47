"""GitLab and Jenkins as far as the generated pipelines need them: which jobs run, with which values, and how they end.

Stand-ins: the runner's container (the machine itself), artifacts (copied folders), credentials (files and variables).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.review.ci.machine import Machine, git
from tests.review.ci.reading import gitlab_jobs, gitlab_script, jenkins_environment, jenkins_stages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STAGES = ("grayling-preview", "grayling-comment", "grayling-apply", "grayling-drift")


@dataclass
class GitLab:
    """A project on GitLab.

    Attributes:
        machine: where scripts run.
        origin: the repository.
        files: variables of type file, by environment.
        variables: of every job.
    """

    machine: Machine
    origin: Path
    files: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str] = field(default_factory=dict)

    def merge_request(self, branch: str) -> tuple[dict[str, int], dict[str, str]]:
        """Exit codes and output of the jobs that a merge request runs."""
        told = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(self.origin, "merge-base", "main", branch),
        }
        return self._run(git(self.origin, "rev-parse", branch), told)

    def push(self) -> tuple[dict[str, int], dict[str, str]]:
        """The same for a merge into main."""
        told = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}
        return self._run(git(self.origin, "rev-parse", "main"), told)

    def schedule(self) -> tuple[dict[str, int], dict[str, str]]:
        """The same for the clock."""
        told = {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}
        return self._run(git(self.origin, "rev-parse", "main"), told)

    def _run(self, sha: str, told: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
        jobs = gitlab_jobs(git(self.origin, "show", f"{sha}:.gitlab-ci.yml"))
        usual = {**self.variables, **told, "CI_COMMIT_SHA": sha, "CI_PIPELINE_URL": "https://gitlab.example.com/1"}
        codes: dict[str, int] = {}
        printed: dict[str, str] = {}
        artifacts: list[Path] = []
        for name, job in sorted(jobs.items(), key=lambda item: STAGES.index(item[1]["stage"])):
            rule = next((rule for rule in job["rules"] if _holds(rule["if"], usual)), None)
            before = job.get("needs", [each for each in codes if jobs[each]["stage"] != job["stage"]])
            if rule is None or (any(codes[each] for each in before) and rule.get("when") != "always"):
                continue
            codes[name], printed[name], work = self._job(name, job, usual, [] if "needs" in job else artifacts)
            artifacts += [work / path for path in job.get("artifacts", {}).get("paths", ()) if (work / path).exists()]
        return codes, printed

    def _job(
        self, name: str, job: Mapping[str, Any], usual: Mapping[str, str], artifacts: list[Path]
    ) -> tuple[int, str, Path]:
        folder = self.machine.new(name.replace(" ", "-"))
        work = folder / "work"
        self.machine.checkout(self.origin, usual["CI_COMMIT_SHA"], work, deep=job["variables"]["GIT_DEPTH"] == "0")
        for path in artifacts:
            shutil.copytree(path, work / path.name, dirs_exist_ok=True)
        values = dict(usual)
        for key, text in self.files.get(job.get("environment", {}).get("name", ""), {}).items():
            (folder / key).write_text(text)
            values[key] = str(folder / key)
        values |= {key: _expanded(value, values) for key, value in job["variables"].items()}
        code, printed = self.machine.bash(gitlab_script(job), work, values)
        return code, printed, work


def _expanded(value: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], ""), value)


def _holds(rule: str, values: Mapping[str, str]) -> bool:
    return all(_is_true(term, values) for term in rule.split(" && "))


def _is_true(term: str, values: Mapping[str, str]) -> bool:
    name, _, wanted = term.partition(" == ")
    found = values.get(name.removeprefix("$"), "")
    return found == wanted.strip('"') if wanted else bool(found)


@dataclass
class Jenkins:
    """A multibranch pipeline in Jenkins: its stages are run one by one, as a test names them.

    Attributes:
        machine: where scripts run.
        origin: the repository.
        kubeconfig: the file behind each credential.
    """

    machine: Machine
    origin: Path
    kubeconfig: str

    def run(self, commit: str, *stages: str, **values: str) -> tuple[list[int], str]:
        """Exit codes of the scripts of these stages, each stage up to its first that fails; and what they print."""
        folder = self.machine.new("jenkins")
        work, temp = folder / "work", folder / "temp"
        self.machine.checkout(self.origin, git(self.origin, "rev-parse", commit), work, deep=True)
        text = (work / "Jenkinsfile").read_text()
        (folder / "kubeconfig").write_text(self.kubeconfig)
        codes, printed = [], ""
        for stage in stages:
            own = {**values, **jenkins_environment(text, stage), "TEMPORARY": str(temp)}
            if stage != "Install":
                own["KUBECONFIG"] = str(folder / "kubeconfig")
            for script in jenkins_stages(text)[stage]:
                code, told = self.machine.bash(script, work, own)
                codes.append(code)
                printed += told
                if code:
                    break
        return codes, printed
