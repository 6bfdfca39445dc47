"""A generated pipeline against a real cluster: preview, merge, promoted; a bad version, taken back; a hand edit, found.

The host's own parts are stand-ins, named so in `harness` and `host`; every script runs as it is written.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
import yaml

from kube.cluster import Cluster
from kube.errors import KubeError
from kube.kinds import CONFIG_MAP, KNOWN
from tests.review.ci.harness import GitHub
from tests.review.ci.host import TOKEN, StandIn, github
from tests.review.ci.machine import Machine, git
from tests.review.ci.project import ROOT, grayling

pytestmark = pytest.mark.timeout(600)
SERVICE, ACCOUNT = KNOWN["v1", "Service"], KNOWN["v1", "ServiceAccount"]
IMAGES = 'image: "sandbox.grayling.dev/redis:7.0", exporterImage: "sandbox.grayling.dev/redis-exporter:1.45"'
SERVE = "import http.server as h, os, signal, sys; signal.signal(15, lambda *_: sys.exit()); os.chdir(sys.argv[1]); "
SERVE += "h.test(h.SimpleHTTPRequestHandler, port=9000, bind='0.0.0.0')"
GOOD, BETTER, BAD = '"/usr"', '"/etc"', '"/no-such-folder"'
FIRST = f"""config:
  grayling:environment: {{tier: dev, namespace: ci-first, owners: [a]}}
  grayling:components:
    controller: {{image: "sandbox.grayling.dev/grayling:dev", replicas: 1}}
  grayling:services:
    web:
      image: sandbox.grayling.dev/python:3.11
      command: [python3, -c, "{SERVE}", {GOOD}]
      port: null
      probes: {{liveness: /, readiness: /}}
      strategy: {{steps: [{{weight: 50, hold: 2s}}], bake: 2s, drain: 1s, readyDeadline: 15s}}
      analysis: {{signals: [{{name: crashes, kind: crashes, source: kubernetes}}]}}
"""
SECOND = f"""config:
  grayling:environment: {{tier: dev, namespace: ci-second, owners: [a]}}
  grayling:components:
    redis: {{{IMAGES}, storage: null}}
"""
BY_HAND = "by-hand"


@pytest.fixture
def project(tmp_path):
    """A repository with two stacks and the pipeline."""
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "requirements.txt").write_text("grayling\n")
    (folder / "stacks" / "Pulumi.first.yaml").write_text(FIRST)
    (folder / "stacks" / "Pulumi.second.yaml").write_text(SECOND)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    assert grayling(folder, "ci", "init", "github", "--wait", "5m").returncode == 0
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "begin")
    return folder


@pytest.fixture(scope="module")
def previewer(cluster_kubeconfig):
    """A kubeconfig of the account that the guide makes for previews; it goes with what is of it."""
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    made = list(yaml.safe_load_all(text))
    yield with_token(cluster_kubeconfig, asyncio.run(token_of(cluster_kubeconfig, made)))
    asyncio.run(without(cluster_kubeconfig, made))


async def token_of(kubeconfig, made):
    """Apply what the guide says, and ask for a token of the account."""
    async with await Cluster.open(kubeconfig=kubeconfig) as cluster:
        for manifest in made:
            await cluster.apply(manifest, manager="test", force=True)
        path = f"{ACCOUNT.path('grayling-preview', 'pipeline')}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        answer = await cluster.request("POST", path, body=asked, what="ask for a token")
        return answer["status"]["token"]


async def without(kubeconfig, made):
    """Take it away again."""
    async with await Cluster.open(kubeconfig=kubeconfig) as cluster:
        for manifest in reversed(made):
            kind = await cluster.resolve(manifest)
            await cluster.delete(kind, manifest["metadata"]["name"], manifest["metadata"].get("namespace"))


def with_token(kubeconfig, token):
    """The same kubeconfig for another account."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    return yaml.safe_dump(config)


@pytest.fixture
def host(project, tmp_path, cluster_kubeconfig, previewer):
    """GitHub, with the credentials that the guide advises in each environment; nothing of it is left."""
    full = {"GRAYLING_KUBECONFIG": Path(cluster_kubeconfig).read_text()}
    tries = {"GRAYLING_KUBECONFIG": previewer}
    secrets = {"first": full, "second": full, "preview/first": tries, "preview/second": tries}
    yield GitHub(Machine(tmp_path / "machine"), project, secrets)
    for name in ("second", "first"):
        path = str(project / "stacks" / f"Pulumi.{name}.yaml")
        grayling(project, "stack", "destroy", path, "--yes", "--missing-ok", "--kubeconfig", cluster_kubeconfig)


def proposed(project, before, after):
    """A branch with another version of the service."""
    git(project, "checkout", "-qB", "change")
    path = project / "stacks" / "Pulumi.first.yaml"
    path.write_text(path.read_text().replace(before, after))
    git(project, "commit", "-qam", after)
    git(project, "checkout", "-q", "main")


def merged(project):
    git(project, "merge", "-q", "--no-ff", "-m", "merge", "change")


def record_of(run):
    folder = run.artifacts / "grayling-records-first"
    return json.loads((folder / "web.json").read_text()), (folder / "web.md").read_text()


def said(run):
    return {name: job.printed for name, job in run.jobs.items()}


async def previewed(host):
    """Open a pull request; the comments that stand there then."""
    stand_in = StandIn()
    async with github(stand_in) as api:
        host.api = api
        run = await asyncio.to_thread(host.pull_request, "change")
    assert [job.result for job in run.jobs.values()] == ["success"] * 3, said(run)
    return run, {each["body"].splitlines()[0]: each["body"] for each in stand_in.comments}, len(stand_in.comments)


async def test_from_a_pull_request_to_a_release_that_is_promoted_one_that_is_taken_back_and_drift(
    host, project, cluster_kubeconfig
):
    begun = await asyncio.to_thread(host.push)
    assert {name: job.codes["Apply"] for name, job in begun.jobs.items()} == {"apply-first": 0, "apply-second": 0}, (
        said(begun)
    )

    proposed(project, GOOD, BETTER)
    run, comments, count = await previewed(host)
    assert count == len(comments) == 2
    assert "web" in comments["<!-- grayling: first -->"]
    assert {path.suffix for path in (run.artifacts / "grayling-preview-first").iterdir()} == {
        ".md",
        ".html",
        ".json",
        ".sarif",
        ".xml",
    }
    merged(project)
    good = await asyncio.to_thread(host.push)
    assert good.jobs["apply-first"].codes == {
        "Install": 0,
        "Credentials": 0,
        "Apply": 0,
        "Releases": 0,
        "Summary": 0,
    }, said(good)
    record, page = record_of(good)
    assert record["outcome"] in {"promoted", "promoted-not-proven"}
    assert page in good.jobs["apply-first"].summary

    proposed(project, BETTER, BAD)
    merged(project)
    bad = await asyncio.to_thread(host.push)
    assert bad.jobs["apply-first"].codes["Apply"] == 0, said(bad)
    assert bad.jobs["apply-first"].codes["Releases"] == 7, said(bad)
    assert bad.jobs["apply-first"].result == "failure"
    assert record_of(bad)[0]["outcome"] == "rolled-back"

    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
        wanted = {"metadata": {"labels": {"app.kubernetes.io/version": BY_HAND}}}
        await cluster.merge_patch(SERVICE, "redis", "ci-second", wanted, manager="kubectl-edit")
    drift = await asyncio.to_thread(host.schedule)
    assert drift.jobs["drift/second"].codes["Drift"] == 3, said(drift)
    told = (drift.artifacts / "grayling-drift-second" / "second.txt").read_text()
    assert "kubectl-edit" in told
    assert BY_HAND in told

    printed = "".join(host.machine.log)
    for name in ("first", "preview/first"):
        (user,) = yaml.safe_load(host.secrets[name]["GRAYLING_KUBECONFIG"])["users"]
        for secret in (TOKEN, *(str(value) for value in user["user"].values())):
            assert secret not in printed


async def written_until_refused(cluster, wanted):
    """The server takes a while until a policy is in force."""
    async with asyncio.timeout(60):
        while await cluster.apply(wanted, manager="test"):
            await asyncio.sleep(0.5)


async def test_the_account_of_previews_may_try_everything_and_change_nothing(previewer, tmp_path, cluster_kubeconfig):
    path = tmp_path / "kubeconfig"
    path.write_text(previewer)
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ci-tried", "namespace": "default"},
        "data": {},
    }
    async with await Cluster.open(kubeconfig=str(path)) as cluster:
        tried = await cluster.apply(wanted, manager="test", dry_run=True)
        assert tried["metadata"]["name"] == "ci-tried"
        with pytest.raises(KubeError, match="this account may try, and change nothing"):
            await written_until_refused(cluster, wanted)
        with pytest.raises(KubeError, match="cannot delete"):
            await cluster.delete(CONFIG_MAP, "kube-root-ca.crt", "default")
        escape = f"{ACCOUNT.path('default', 'default')}/token"
        with pytest.raises(KubeError, match="this account may try, and change nothing"):
            await cluster.request(
                "POST",
                escape,
                body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
                what="escape",
            )
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
        await cluster.delete(CONFIG_MAP, "ci-tried", "default")
