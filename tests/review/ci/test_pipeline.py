"""The generated pipelines, run without a cluster: what runs, in which order, with which values, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.review.ci.harness import GitHub
from tests.review.ci.host import TOKEN, StandIn, github, gitlab
from tests.review.ci.machine import Machine, git
from tests.review.ci.other_hosts import GitLab, Jenkins
from tests.review.ci.project import grayling, made

PLANTED = "planted-in-a-kubeconfig"
NOWHERE = f"""\
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{{name: nowhere, context: {{cluster: nowhere, user: ann, namespace: shop-d}}}}]
clusters: [{{name: nowhere, cluster: {{server: "https://127.0.0.1:9"}}}}]
users: [{{name: ann, user: {{token: {PLANTED}}}}}]
"""


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


@pytest.fixture
def origin(tmp_path):
    """A repository with two stacks, the pipelines of every host, and a branch that changes one of them."""
    folder = made(tmp_path / "origin", dev="dev", prod="prod")
    for host in ("github", "gitlab", "jenkins"):
        assert grayling(folder, "ci", "init", host).returncode == 0
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "begin")
    git(folder, "checkout", "-qb", "change")
    path = folder / "stacks" / "Pulumi.dev.yaml"
    path.write_text(path.read_text().replace("1.0.0", "1.1.0"))
    git(folder, "commit", "-qam", "checkout 1.1.0")
    git(folder, "checkout", "-q", "main")
    return folder


async def test_a_pull_request_from_a_fork_gets_no_secret_and_no_comment(origin, machine):
    host = StandIn()
    async with github(host) as api:
        everything = {name: {"GRAYLING_KUBECONFIG": NOWHERE} for name in ("preview/dev", "preview/prod")}
        run = await asyncio.to_thread(GitHub(machine, origin, everything, api, fork=True).pull_request, "change")
    assert run.jobs["comment"].result == "skipped"
    preview = run.jobs["preview/dev"]
    assert "no credentials for its cluster here, so the preview cannot know what is on it" in preview.printed["Preview"]
    assert not host.seen
    assert PLANTED not in "".join(machine.log)


async def test_a_preview_that_fails_is_told_in_the_comment(origin, machine):
    """The tool is broken in the pull request, and the comment comes from the one of main."""
    path = origin / "stacks" / "Pulumi.prod.yaml"
    git(origin, "checkout", "-q", "change")
    path.write_text("config: [\n")
    git(origin, "commit", "-qam", "a mistake")
    git(origin, "checkout", "-q", "main")
    host = StandIn()
    async with github(host) as api:
        run = await asyncio.to_thread(GitHub(machine, origin, {}, api).pull_request, "change")
    assert run.jobs["preview/prod"].result == "failure"
    assert run.jobs["preview/prod"].codes["Preview"] == 2
    assert run.jobs["comment"].codes["Comment"] == 0, run.jobs["comment"].printed
    (prod,) = [each["body"] for each in host.comments if each["body"].startswith("<!-- grayling: prod -->")]
    head = git(origin, "rev-parse", "change")
    assert f"There is no preview of stack prod at commit {head}: it failed. See https://github.example.com/" in prod
    assert TOKEN not in "".join(machine.log)


def test_a_cluster_that_does_not_answer_stops_the_stacks_behind_it(origin, machine):
    secrets = {name: {"GRAYLING_KUBECONFIG": NOWHERE} for name in ("dev", "prod")}
    run = GitHub(machine, origin, secrets).push()
    dev = run.jobs["apply-dev"]
    assert dev.codes["Apply"] == 12, dev.printed["Apply"]
    assert "Releases" not in dev.codes
    assert run.jobs["apply-prod"].result == "skipped"
    assert PLANTED not in "".join(machine.log)


def test_drift_is_looked_for_in_every_stack_though_one_fails(origin, machine):
    secrets = {name: {"GRAYLING_KUBECONFIG": NOWHERE} for name in ("preview/dev", "preview/prod")}
    run = GitHub(machine, origin, secrets).schedule()
    assert {name: job.codes["Drift"] for name, job in run.jobs.items()} == {"drift/dev": 12, "drift/prod": 12}


async def test_gitlab_runs_the_same_and_comments_though_a_preview_fails(origin, machine):
    host = StandIn()
    async with gitlab(host) as api:
        variables = {**api, "GRAYLING_GITLAB_TOKEN": api["GITLAB_TOKEN"]}
        project = GitLab(machine, origin, {"preview/dev": {"GRAYLING_KUBECONFIG": NOWHERE}}, variables)
        codes, printed = await asyncio.to_thread(project.merge_request, "change")
    assert list(codes) == ["preview dev", "preview prod", "comment on the merge request"]
    assert codes["preview dev"] == 12, printed["preview dev"]
    assert codes["comment on the merge request"] == 0, printed["comment on the merge request"]
    assert len(host.comments) == 2
    codes, _ = GitLab(machine, origin, {"dev": {"GRAYLING_KUBECONFIG": NOWHERE}}).push()
    assert codes == {"apply dev": 12}
    assert {PLANTED, TOKEN}.isdisjoint("".join(machine.log).split())


def test_jenkins_runs_the_same(origin, machine):
    jenkins = Jenkins(machine, origin, NOWHERE)
    codes, told = jenkins.run("main", "Install", "Apply dev")
    assert codes == [0, 12], told
    codes, told = jenkins.run("main", "Install", "Drift dev")
    assert codes == [0, 12], told
    assert PLANTED not in "".join(machine.log)
