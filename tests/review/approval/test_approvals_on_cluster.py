"""`stack apply` behind approvals on a real cluster: what was approved goes in, and nothing else."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from kube.cluster import Cluster
from kube.kinds import CONFIG_MAP, NAMESPACE
from tests.components.conftest import ROOT
from tests.components.person import Person
from tests.review.approval.team import ANN, BOB, POLICY, Team

PLACE = "approvals-test"
STACK = f"""\
config:
  grayling:environment: {{tier: staging, namespace: {PLACE}, owners: [a]}}
"""


@pytest.fixture
def team(tmp_path, capsys, cluster_kubeconfig, monkeypatch):
    """A team whose cluster is a real one; its environment has a namespace and a policy, no pods."""
    monkeypatch.delenv("GRAYLING_BASE", raising=False)
    project, keys = tmp_path / "project", tmp_path / "keys"
    (project / "stacks").mkdir(parents=True)
    keys.mkdir()
    (project / "Pulumi.yaml").write_text("name: grayling\nruntime: python\nstackConfigDir: stacks\n")
    (project / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    made = Team(Person(project, None, None, cluster_kubeconfig, capsys), keys)
    made.begin(POLICY, STACK)
    yield made
    bare = tmp_path / "bare"  # without the policy, which would ask for approvals of the end too
    shutil.copytree(project, bare, ignore=shutil.ignore_patterns(".git", ".grayling"))
    file = str(bare / "stacks" / "Pulumi.shop.yaml")
    result = made.run("stack", "destroy", file, "--yes", "--missing-ok", "--kubeconfig", cluster_kubeconfig)
    assert result.code == 0, result.err


def on(team, work):
    """Something on the cluster, as somebody else does it."""

    async def call():
        async with await Cluster.open(kubeconfig=team.person.kubeconfig) as cluster:
            return await work(cluster)

    return asyncio.run(call())


def owners(team):
    async def look(cluster):
        namespace = await cluster.find(NAMESPACE, PLACE)
        return namespace and namespace["metadata"]["annotations"]["grayling.dev/owners"]

    return on(team, look)


def approved(team, old, new):
    team.change(old, new)
    result = team.approve(ANN)
    assert result.code == 0, result.err


def test_what_was_approved_goes_in_and_nothing_else(team):
    approved(team, "owners: [a]", "owners: [a, b]")
    result = team.apply()
    assert result.code == 0, result.err
    assert owners(team) == "a,b"

    approved(team, "owners: [a, b]", "owners: [c]")
    team.change("owners: [c]", "owners: [cc]")
    result = team.apply()  # one byte more
    assert (result.code, "configuration: grayling:environment.owners" in result.err) == (5, True), result.err

    assert team.approve(ANN).code == 0
    assert team.revoke(BOB, team.verdict()["digest"], live=True).code == 0
    for path in team.letters():
        if path.name.startswith("revocation"):
            path.unlink()
    result = team.apply()  # revoked a moment ago, and its file is gone
    assert (result.code, f"revoked by {BOB}" in result.err) == (4, True), result.err

    approved(team, "owners: [cc]", "owners: [d]")

    async def by_hand(cluster):
        patch = {"metadata": {"labels": {"team": "x"}}}
        await cluster.merge_patch(NAMESPACE, PLACE, None, patch, manager="kubectl-edit")

    on(team, by_hand)
    result = team.apply()  # the cluster moved
    assert (result.code, f"live: Namespace {PLACE} (another)" in result.err) == (5, True), result.err
    assert owners(team) == "a,b"

    assert team.approve(ANN).code == 0
    assert team.apply().code == 0
    assert owners(team) == "d"
    listed = team.run("review", "log", team.file, "--kubeconfig", team.person.kubeconfig)
    assert listed.out.count(f"let in: people by {ANN}") == 2

    async def kept(cluster):
        found = (await cluster.list(CONFIG_MAP, PLACE, labels="grayling.dev/review-stack=shop")).items
        return sorted(item["metadata"]["labels"]["grayling.dev/review"] for item in found)

    assert on(team, kept) == ["change", "change", "revocations"]
