"""What is written passes the linters of each host, and the laws that they do not know."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from groovy_parser.parser import parse_groovy_content
from lark.exceptions import UnexpectedInput

from review.ci.actions import ACTIONS
from sandbox.layout import Cache
from sandbox.pypi import go
from tests.review.ci.project import files, grayling, made
from tests.review.ci.reading import gitlab_jobs, gitlab_script, jenkins_stages, steps_of, workflows

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
BIN = Path(sys.executable).parent
WAYS = ("apply", "pulumi")


@pytest.fixture(scope="module", params=WAYS)
def project(request, tmp_path_factory):
    """A project with the pipelines of every host, for one way."""
    folder = made(tmp_path_factory.mktemp(request.param), dev="dev", **{"eu.1": "prod"})
    for host in ("github", "gitlab", "jenkins"):
        assert grayling(folder, "ci", "init", host, "--way", request.param).returncode == 0
    return folder


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory):
    """Compiled from its module: what PyPI has downloads a binary when it is installed."""
    folder = tmp_path_factory.mktemp("go")
    environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run([str(go(Cache.default())), "install", ACTIONLINT], env=environment, check=True, timeout=240)
    return folder / "actionlint"


def linted(*argv, cwd):
    done = subprocess.run([str(each) for each in argv], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_actionlint_finds_nothing(project, actionlint):
    assert linted(actionlint, "-no-color", cwd=project) == (0, "")


def test_actionlint_would_find_something(project, actionlint, tmp_path):
    text = files(project)[".github/workflows/grayling-apply.yml"].replace("runner.temp", "runner.tmp")
    (tmp_path / "bad.yml").write_text(text)
    code, told = linted(actionlint, "-no-color", "bad.yml", cwd=tmp_path)
    assert code == 1
    assert 'property "tmp" is not defined' in told


def test_zizmor_finds_nothing_as_an_auditor(project):
    code, told = linted(BIN / "zizmor", "--offline", "--no-progress", "--persona", "auditor", ".github", cwd=project)
    assert (code, "No findings to report" in told) == (0, True), told


def test_zizmor_would_find_something(project, tmp_path):
    text = files(project)[".github/workflows/grayling-preview.yml"].replace("pull_request:", "pull_request_target:")
    (tmp_path / "bad.yml").write_text(text)
    code, told = linted(BIN / "zizmor", "--offline", "--no-progress", "bad.yml", cwd=tmp_path)
    assert code != 0
    assert "dangerous-triggers" in told


@pytest.mark.parametrize(
    ("schema", "pattern", "more"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml", ()),
        ("vendor.gitlab-ci", ".gitlab-ci.yml", ("--data-transform", "gitlab-ci")),
    ],
)
def test_the_hosts_own_schemas_hold(project, schema, pattern, more):
    names = sorted(project.glob(pattern))
    code, told = linted(BIN / "check-jsonschema", "--builtin-schema", schema, *more, *names, cwd=project)
    assert code == 0, told


def test_groovy_reads_what_is_written_for_jenkins(project, tmp_path):
    """Of one stack: the parser takes a second for each hundred lines."""
    one = made(tmp_path / "one", dev="dev")
    assert grayling(one, "ci", "init", "jenkins", "--way", project.name.rstrip("0")).returncode == 0
    text = files(one)["Jenkinsfile"]
    assert parse_groovy_content(text) is not None
    with pytest.raises(UnexpectedInput):
        parse_groovy_content(text[: text.index("stage('Preview")])


def scripts(folder):
    """Every shell script, by host."""
    made = files(folder)
    for workflow in workflows(made).values():
        yield from (step["run"] for step in steps_of(workflow) if "run" in step)
    yield from (gitlab_script(job) for job in gitlab_jobs(made[".gitlab-ci.yml"]).values())
    yield from (script for found in jenkins_stages(made["Jenkinsfile"]).values() for script in found)


def test_bash_reads_every_script(project):
    found = list(scripts(project))
    assert len(found) > 30
    for script in found:
        assert linted("bash", "-n", "-c", script, cwd=project) == (0, ""), script


def test_no_value_of_the_host_stands_in_a_script_and_none_is_traced(project):
    for script in scripts(project):
        assert "${{" not in script
        assert "$CI_COMMIT_MESSAGE" not in script
        assert not re.search(r"set -[a-z]*x|echo .*(TOKEN|PASSPHRASE|GRAYLING_KUBECONFIG)", script)


def test_every_action_is_in_the_table_and_pinned_to_its_commit(project):
    text = "\n".join(text for name, text in files(project).items() if name.startswith(".github"))
    used = set(re.findall(r"uses: (\S+)@(\S+) # (\S+)$", text, re.MULTILINE))
    assert text.count("uses: ") == len(re.findall(r"uses: \S+@[0-9a-f]{40} # v", text))
    assert used <= {(name, action.commit, action.tag) for name, action in ACTIONS.items()}
    assert {name for name, _, _ in used} == set(ACTIONS) - (set() if "pulumi/" in text else {"pulumi/actions"})


def test_every_job_may_little_and_ends(project):
    found = workflows(files(project))
    for workflow in found.values():
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 360
            assert job["permissions"].pop("contents") == "read"
        for step in steps_of(workflow):
            if "checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    writes = {name for workflow in found.values() for name, job in workflow["jobs"].items() if job["permissions"]}
    assert writes == {"comment"}
    assert all("timeout" in job for job in gitlab_jobs(files(project)[".gitlab-ci.yml"]).values())


def test_a_pull_request_runs_without_the_right_to_write_and_the_comment_without_its_code(project):
    preview = workflows(files(project))["preview"]
    assert list(preview["on"]) == ["pull_request"]
    comment = preview["jobs"]["comment"]
    assert comment["steps"][0]["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert "head.repo.full_name == github.repository" in comment["if"]
    assert "secrets." not in str(comment)


def test_one_at_a_time_and_what_runs_is_never_cut_off(project):
    found = files(project)
    for job in workflows(found)["apply"]["jobs"].values():
        assert job["concurrency"] == {"group": f"grayling-{job['env']['STACK']}", "cancel-in-progress": False}
        assert job["environment"] == job["env"]["STACK"]
    for name, job in gitlab_jobs(found[".gitlab-ci.yml"]).items():
        if name.startswith("apply"):
            assert job["resource_group"] == f"grayling-{job['variables']['STACK']}"
            assert job["interruptible"] is False
    assert "disableConcurrentBuilds()" in found["Jenkinsfile"]


def test_secrets_reach_only_the_steps_that_need_them(project):
    for workflow in workflows(files(project)).values():
        for job in workflow["jobs"].values():
            assert "secrets." not in str({key: value for key, value in job.items() if key != "steps"})
            with_secrets = {step["name"] for step in job["steps"] if "secrets." in str(step)}
            assert with_secrets <= {"Credentials", "Preview", "Approvals", "Apply", "Drift"}
