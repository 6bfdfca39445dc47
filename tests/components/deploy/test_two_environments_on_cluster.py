"""Two environments on one cluster, each destroyed and brought back: definitions and the other's services stay."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from components.model.layers import OWNER_ANNOTATION
from components.stack.passphrase import new_salt
from kube.cluster import Cluster
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, KNOWN, NAMESPACE, POD, SECRET
from tests.components.conftest import ROOT

pytestmark = pytest.mark.timeout(900)
DEFINITION = KNOWN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
STATEFUL_SET = KNOWN["apps/v1", "StatefulSet"]
CLAIM = KNOWN["v1", "PersistentVolumeClaim"]
GRAYRELEASES = "grayreleases.grayling.dev"
STACK = """config:
  grayling:environment: {{tier: dev, namespace: {name}, owners: [a]}}
  grayling:components:
    controller: {{image: "sandbox.grayling.dev/grayling:dev", replicas: 1}}
    {more}
  grayling:services:
    web:
      image: sandbox.grayling.dev/python:3.11
      command: [python3, -m, http.server, "9000"]
      port: null
      probes: {{liveness: /, readiness: /}}
"""
IMAGES = 'image: "sandbox.grayling.dev/redis:7.0", exporterImage: "sandbox.grayling.dev/redis-exporter:1.45"'
REDIS = f"redis: {{{IMAGES}, storage: 64Mi}}"


@pytest.fixture(scope="module")
def two(tmp_path_factory, cluster_kubeconfig):
    """Both environments, and hands at the command line."""
    project = tmp_path_factory.mktemp("project")
    (project / "stacks").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / name).write_text((ROOT / name).read_text())
    for name, more in (("env-a", ""), ("env-b", REDIS)):
        (project / "stacks" / f"Pulumi.{name}.yaml").write_text(STACK.format(name=name, more=more))

    def grayling(command, stack, *more, expect=0, change=None):
        """One command; ``change`` makes of the file's text what it says for this command alone."""
        path = project / "stacks" / f"Pulumi.{stack}.yaml"
        before = path.read_text()
        if change:
            path.write_text(change(before))
        place = ("--kubeconfig", cluster_kubeconfig)
        argv = [sys.executable, "-m", "grayling", "stack", command, str(path), *more, *place]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        path.write_text(before)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    for name in ("env-a", "env-b"):
        grayling("apply", name, "--yes")
    yield grayling
    for name in ("env-b", "env-a"):
        grayling("destroy", name, "--yes", "--missing-ok")


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


async def serves(cluster, namespace):
    """The release and the Deployment that serves it, with a pod, by uid."""
    for _ in range(240):
        release = await cluster.get(GRAY_RELEASE, "web", namespace)
        made = (await cluster.list(DEPLOYMENT, namespace, labels="grayling.dev/release=web")).items
        ready = [item for item in made if (item.get("status") or {}).get("availableReplicas")]
        if ready and "stable" in (release.get("status") or {}):
            return release["metadata"]["uid"], ready[0]["metadata"]["uid"]
        await asyncio.sleep(0.5)
    raise AssertionError(f"{namespace}/web does not serve: {release.get('status')}")


async def test_the_second_environment_goes_and_comes_back(cluster, two):
    before = await serves(cluster, "env-a")
    definition = await cluster.get(DEFINITION, GRAYRELEASES)
    await serves(cluster, "env-b")
    assert f"CustomResourceDefinition {GRAYRELEASES}" not in two("destroy", "env-b", "--yes"), "it is not its own"
    assert await cluster.find(NAMESPACE, "env-b") is None
    assert await serves(cluster, "env-a") == before
    assert (await cluster.get(DEFINITION, GRAYRELEASES))["metadata"]["uid"] == definition["metadata"]["uid"]
    two("apply", "env-b", "--yes")
    await serves(cluster, "env-b")
    assert await serves(cluster, "env-a") == before


async def test_the_owner_of_the_definitions_goes_and_comes_back_with_a_guest_in_its_namespace(cluster, two):
    before = await serves(cluster, "env-b")
    definition = await cluster.get(DEFINITION, GRAYRELEASES)
    own = await cluster.get(GRAY_RELEASE, "web", "env-a")
    guest = {"apiVersion": own["apiVersion"], "kind": own["kind"], "spec": own["spec"]}
    await cluster.create({**guest, "metadata": {"name": "guest", "namespace": "env-a"}})
    told = two("destroy", "env-a", "--yes")
    assert "GrayRelease env-a/guest" in told
    if "env-a" in definition["metadata"]["annotations"][OWNER_ANNOTATION]:
        assert f"CustomResourceDefinition {GRAYRELEASES}" in told.partition("kept: ")[2]
    assert await cluster.find(NAMESPACE, "env-a") is None
    assert await serves(cluster, "env-b") == before
    two("apply", "env-a", "--yes")
    await serves(cluster, "env-a")
    assert (await cluster.get(DEFINITION, GRAYRELEASES))["metadata"]["uid"] == definition["metadata"]["uid"]
    assert "no difference" in two("diff", "env-a")


async def test_edits_by_mistake_lose_nothing(cluster, two):
    before = await serves(cluster, "env-b")
    store = (await cluster.get(STATEFUL_SET, "redis", "env-b"))["metadata"]["uid"]
    claim = (await cluster.get(CLAIM, "data-redis-0", "env-b"))["metadata"]["uid"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "env-b"}}
    await cluster.create(theirs)
    taken = {**theirs, "metadata": {"name": "more-config", "namespace": "env-b"}}
    await cluster.create(taken)

    grown = two("apply", "env-b", "--yes", expect=6, change=lambda text: text.replace("64Mi", "128Mi"))
    assert "has the way to grow them without losing data" in grown
    outdented = two("apply", "env-b", "--yes", expect=2, change=lambda text: text.replace("  grayling:s", "grayling:s"))
    assert "grayling:services: stands outside config" in outdented
    no_services = two("apply", "env-b", "--yes", expect=6, change=lambda text: text.partition("  grayling:services")[0])
    assert "--allow-delete" in no_services
    second = f"more: {{kind: redis, {IMAGES}, storage: null}}\n  grayling:services"
    adds = lambda text: text.replace("grayling:services", f"  {second}")  # noqa: E731 - beside the others
    foreign = two("apply", "env-b", "--yes", expect=6, change=adds)
    assert "ConfigMap env-b/more-config" in foreign

    assert await serves(cluster, "env-b") == before
    assert (await cluster.get(STATEFUL_SET, "redis", "env-b"))["metadata"]["uid"] == store
    assert (await cluster.get(CLAIM, "data-redis-0", "env-b"))["metadata"]["uid"] == claim
    assert await cluster.find(CONFIG_MAP, "theirs", "env-b") is not None
    assert await cluster.find(STATEFUL_SET, "more", "env-b") is None
    assert "0 created, 0 changed, 0 deleted" in two("apply", "env-b", "--yes")


async def test_a_rotated_secret_comes_in_as_a_release(cluster, two, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    old = await serves(cluster, "env-b")
    before = (await cluster.get(GRAY_RELEASE, "web", "env-b"))["status"]["stable"]["revision"]

    def with_secret(value):
        def change(text):
            salt, crypter = new_salt("correct horse")
            sealed = f"  grayling:secrets: {{payment: {{token: {{secure: '{crypter.seal(value)}'}}}}}}\n"
            used = "      env: {TOKEN: {secret: payment, key: token}}\n"
            return f"encryptionsalt: {salt}\n{text}{used}{sealed}"

        return change

    revisions = {before}
    for value in ("first", "second"):
        two("apply", "env-b", "--yes", change=with_secret(value))
        revisions.add(await asked_for(cluster, "env-b", revisions))
    assert len(revisions) == 3
    assert (await serves(cluster, "env-b"))[0] == old[0]
    two("apply", "env-b", "--yes")
    for _ in range(240):
        status = (await cluster.get(GRAY_RELEASE, "web", "env-b"))["status"]
        made = (await cluster.list(DEPLOYMENT, "env-b", labels="grayling.dev/release=web")).items
        serving = [each["metadata"]["name"] for each in made if (each.get("status") or {}).get("availableReplicas")]
        if serving == [status["desiredRevision"]] == [status["stable"]["revision"]]:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{serving} after {status}")


async def asked_for(cluster, namespace, known):
    """The revision that the engine brings in, when it is one that was not known."""
    for _ in range(120):
        status = (await cluster.get(GRAY_RELEASE, "web", namespace))["status"]
        if status["desiredRevision"] not in known:
            return status["desiredRevision"]
        await asyncio.sleep(0.5)
    raise AssertionError(f"no other revision than {known}")


async def test_handed_over_and_adopted_again_nothing_has_changed(cluster, two):
    password = (await cluster.get(SECRET, "redis-auth", "env-b"))["data"]
    before = await serves(cluster, "env-b")
    two("hand-over", "env-b", "--yes")
    secret = await cluster.get(SECRET, "redis-auth", "env-b")
    await cluster.delete(SECRET, "redis-auth", "env-b")
    notes = {key: secret["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    await cluster.create({**secret, "metadata": notes}, manager="pulumi-kubernetes")  # its data is Pulumi's now
    assert "Pulumi keeps" in two("apply", "env-b", "--yes", expect=6)
    told = two("adopt", "env-b", "--yes")
    assert re.search(r"\d+ adopted, 0 were ours already", told)
    assert "no difference" in two("diff", "env-b")
    assert "0 created, 0 changed, 0 deleted" in two("apply", "env-b", "--yes")
    assert (await cluster.get(SECRET, "redis-auth", "env-b"))["data"] == password
    assert await serves(cluster, "env-b") == before


async def test_an_engine_that_is_dead(cluster, two):
    engine = await cluster.get(DEPLOYMENT, "controller", "env-b")
    assert engine["spec"]["replicas"] == 1
    await cluster.merge_patch(DEPLOYMENT, "controller", "env-b", {"spec": {"replicas": 0}}, manager="test")
    for _ in range(240):  # one that ends may still let a release go
        if not (await cluster.list(POD, "env-b", labels="app.kubernetes.io/name=controller")).items:
            break
        await asyncio.sleep(0.5)
    told = two("destroy", "env-b", "--yes", "--timeout", "10", expect=10)
    assert re.search(r"GrayRelease env-b/web is not gone after 10 s: .*grayling\.dev/release", told), told
    assert "--without-engine" in told
    two("destroy", "env-b", "--yes", "--without-engine")
    assert await cluster.find(NAMESPACE, "env-b") is None
    await serves(cluster, "env-a")
