"""Two environments through the real Pulumi on one cluster: edits by mistake, drift, the other engine, and the end."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from components.deploy.ownership import set_of
from components.model.layers import OWNER_ANNOTATION
from kube.cluster import Cluster
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, KNOWN, NAMESPACE, POD, SECRET
from manifests.render import definitions, policies
from tests.components.deploy.test_two_environments_on_cluster import (
    CLAIM,
    DEFINITION,
    GRAYRELEASES,
    IMAGES,
    STATEFUL_SET,
    asked_for,
    serves,
)
from tests.components.pulumi_cli import Hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [pytest.mark.pulumi, pytest.mark.timeout(900)]
FIRST, SECOND = "pulumi-a", "pulumi-b"
UPSERT = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
FORCE = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
TOKEN = "grayling:secrets.payment.token"
BUDGET = KNOWN["policy/v1", "PodDisruptionBudget"]
GATEWAY_CLASS = KNOWN["gateway.networking.k8s.io/v1", "GatewayClass"]
SERVICES = """
  grayling:services:
    web:
      image: sandbox.grayling.dev/python:3.11
      command: [python3, -m, http.server, "9000"]
      port: null
      probes: {liveness: /, readiness: /}
"""
STACKS = {
    FIRST: f"""config:
  grayling:environment:
    tier: dev
    namespace: {FIRST}
    owners: [a]
    gateway: {{class: {FIRST}}}
    images:
      ghcr.io/projectcontour/contour: sandbox.grayling.dev/contour:1.33.8
      docker.io/envoyproxy/envoy: sandbox.grayling.dev/envoy:1.40.0
  grayling:components:
    controller: {{image: "sandbox.grayling.dev/grayling:dev", replicas: 1}}
    gateway: {{exposure: {{type: NodePort, httpNodePort: 30091}}}}{SERVICES}""",
    SECOND: f"""config:
  grayling:environment: {{tier: dev, namespace: {SECOND}, owners: [b], profile: {{data: Retain}}}}
  grayling:components:
    controller: {{image: "sandbox.grayling.dev/grayling:dev", replicas: 1, installDefinitions: false}}
    redis: {{{IMAGES}, storage: 64Mi, tls: {{}}}}{SERVICES}      env: {{TOKEN: {{secret: payment, key: token}}}}
""",
}


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory, cluster_kubeconfig: str) -> Iterator[Hands]:
    made = Hands.at(tmp_path_factory.mktemp("pulumi"), cluster_kubeconfig, STACKS)
    left = asyncio.run(_on(cluster_kubeconfig, _definition))
    if left and set_of(left):  # another test's environment keeps them
        file = made.file(FIRST)
        file.write_text(file.read_text().replace("replicas: 1}", "replicas: 1, installDefinitions: false}"))
    for stack in (FIRST, SECOND):
        made.pulumi("stack", "init", stack)
    made.pulumi("config", "set", "--secret", "--path", TOKEN, "first-token", "--stack", SECOND)
    for stack in (FIRST, SECOND):
        up(made, stack, **UPSERT)
    yield made
    made.pulumi("stack", "select", "--create", SECOND)
    made.pulumi("state", "unprotect", "--all", "--yes", "--stack", SECOND)
    for stack in (SECOND, FIRST):
        made.pulumi("destroy", "--yes", "--skip-preview", "--stack", stack)
    asyncio.run(_on(cluster_kubeconfig, _swept))
    if left is None:
        made.grayling("stack", "definitions", "delete", "--yes")


async def _on(kubeconfig, work):
    async with await Cluster.open(kubeconfig=kubeconfig) as cluster:
        return await work(cluster)


async def _definition(cluster):
    return await cluster.find(DEFINITION, GRAYRELEASES)


async def _swept(cluster):
    """What the tier keeps, and what Pulumi wrote on what was there before."""
    await cluster.delete(NAMESPACE, SECOND)
    await cluster.delete(GATEWAY_CLASS, FIRST)
    nobodys = {"metadata": {"annotations": {OWNER_ANNOTATION: None}, "managedFields": [{}]}}
    for item in (*definitions(), *policies()):
        kind, name = await cluster.resolve(item), item["metadata"]["name"]
        if (await cluster.get(kind, name))["metadata"]["annotations"].get(OWNER_ANNOTATION) == f"{FIRST}/{FIRST}":
            await cluster.merge_patch(kind, name, None, nobodys, manager="test")


@pytest.fixture
async def cluster(cluster_kubeconfig: str) -> AsyncIterator[Cluster]:
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


def up(hands, stack, **variables):
    return hands.pulumi("up", "--yes", "--skip-preview", "--stack", stack, **variables)


def previewed(hands, stack, *more, expect=0):
    return hands.pulumi("preview", "--stack", stack, *more, expect=expect)


def settled(hands, stack):
    """Neither against what Pulumi did last nor against the cluster is there a difference."""
    previewed(hands, stack, "--expect-no-changes")
    previewed(hands, stack, "--refresh", "--expect-no-changes")


async def passwords(cluster):
    return [(await cluster.get(SECRET, name, SECOND))["data"] for name in ("redis-auth", "redis-tls")]


async def uid(cluster, kind, name, namespace=None):
    return (await cluster.get(kind, name, namespace))["metadata"]["uid"]


async def stable(cluster, namespace):
    return (await cluster.get(GRAY_RELEASE, "web", namespace))["status"]["stable"]["revision"]


def test_up_again_changes_nothing_whatever_was_drawn(hands):
    for stack in (FIRST, SECOND):
        assert "encryptionsalt: v1:" in hands.file(stack).read_text()
        settled(hands, stack)
        told = up(hands, stack)
        assert re.search(r"Resources:\n +\d+ unchanged", told), told
    state = "".join(path.read_text() for path in hands.folder.glob("state/**/*.json"))
    assert SECOND in state
    assert "first-token" not in state


async def test_the_second_environment_goes_and_comes_back_with_its_data(cluster, hands):
    before, drawn = await serves(cluster, FIRST), await passwords(cluster)
    definition, claim = await uid(cluster, DEFINITION, GRAYRELEASES), await uid(cluster, CLAIM, "data-redis-0", SECOND)
    destroy = ("destroy", "--yes", "--stack", SECOND)
    assert "it is protected" in hands.pulumi(*destroy, expect=1)
    hands.pulumi("state", "unprotect", "--all", "--yes", "--stack", SECOND)
    hands.pulumi(*destroy)
    assert await cluster.find(STATEFUL_SET, "redis", SECOND) is None
    assert await serves(cluster, FIRST) == before
    up(hands, SECOND, **UPSERT)
    await serves(cluster, SECOND)
    assert await passwords(cluster) == drawn
    assert await uid(cluster, CLAIM, "data-redis-0", SECOND) == claim
    assert await uid(cluster, DEFINITION, GRAYRELEASES) == definition
    settled(hands, SECOND)
    assert "it is protected" in hands.pulumi(*destroy, expect=1)


async def test_the_owner_of_the_definitions_goes_and_comes_back(cluster, hands):
    before, definition = await serves(cluster, SECOND), await uid(cluster, DEFINITION, GRAYRELEASES)
    hands.pulumi("destroy", "--yes", "--skip-preview", "--stack", FIRST)
    assert await cluster.find(NAMESPACE, FIRST) is None
    assert await uid(cluster, DEFINITION, GRAYRELEASES) == definition
    assert await serves(cluster, SECOND) == before
    up(hands, FIRST, **UPSERT)
    await serves(cluster, FIRST)
    assert await uid(cluster, DEFINITION, GRAYRELEASES) == definition
    assert await serves(cluster, SECOND) == before
    settled(hands, FIRST)


async def test_edits_by_mistake_lose_nothing(cluster, hands):
    before = await serves(cluster, SECOND)
    store, claim = await uid(cluster, STATEFUL_SET, "redis", SECOND), await uid(cluster, CLAIM, "data-redis-0", SECOND)
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more-config", "namespace": SECOND}}
    await cluster.create(theirs)
    second = f"    more: {{kind: redis, {IMAGES}, storage: null}}\n  grayling:services"
    edits = (
        ("64Mi", "128Mi", "has the way to grow them without losing data"),
        ("  grayling:services", second, f"ConfigMap {SECOND}/more-config is there already and not Pulumi's"),
        ("config:\n", "config:\n  kubernetes:context: nowhere\n", "context nowhere: kubeconfig "),
        ("owners: [b]", "owners: [b], cluster: 'https://10.9.9.9:6443'", "belongs to 'https://10.9.9.9:6443'"),
    )
    for old, new, told in edits:
        with hands.edited(SECOND, old, new):
            assert told in previewed(hands, SECOND, expect=1)
            assert told in hands.pulumi("up", "--yes", "--skip-preview", "--stack", SECOND, expect=1)
    with hands.edited(FIRST, "  grayling:services", "grayling:services"):
        assert "grayling:services: stands outside config" in previewed(hands, FIRST, expect=1)
    assert await serves(cluster, SECOND) == before
    assert await uid(cluster, STATEFUL_SET, "redis", SECOND) == store
    assert await uid(cluster, CLAIM, "data-redis-0", SECOND) == claim
    assert "data" not in await cluster.get(CONFIG_MAP, "more-config", SECOND)
    settled(hands, SECOND)


async def test_a_stateful_set_is_made_anew_as_documented(cluster, hands):
    claim, drawn = await uid(cluster, CLAIM, "data-redis-0", SECOND), await passwords(cluster)
    await cluster.delete(STATEFUL_SET, "redis", SECOND, propagation="Orphan")
    hands.file(SECOND).write_text(hands.file(SECOND).read_text().replace("64Mi", "128Mi"))
    assert "marked for protection" in previewed(hands, SECOND, expect=1)
    hands.pulumi("up", "--yes", "--skip-preview", "--refresh", "--stack", SECOND)
    [template] = (await cluster.get(STATEFUL_SET, "redis", SECOND))["spec"]["volumeClaimTemplates"]
    assert template["spec"]["resources"]["requests"]["storage"] == "128Mi"
    assert await uid(cluster, CLAIM, "data-redis-0", SECOND) == claim
    assert await passwords(cluster) == drawn
    settled(hands, SECOND)


def test_a_changed_job_is_another_one(hands):
    with hands.edited(FIRST, "owners: [a]", "owners: [a]\n    pullSecrets: [registry]"):
        told = previewed(hands, FIRST)
    jobs = dict(re.findall(rf"([-+]+) +kubernetes:batch/v1:Job {FIRST}/(gateway-certgen-\w+) (?:create|delete)", told))
    assert set(jobs) == {"+", "-"}, told
    assert jobs["+"] != jobs["-"]


async def test_a_rotated_secret_comes_in_as_a_release(cluster, hands):
    known = {await stable(cluster, SECOND)}
    hands.pulumi("config", "set", "--secret", "--path", TOKEN, "second-token", "--stack", SECOND)
    up(hands, SECOND)
    await asked_for(cluster, SECOND, known)
    settled(hands, SECOND)


async def test_pulumi_goes_on_after_a_release_was_started(cluster, hands):
    await serves(cluster, FIRST)
    known = {await stable(cluster, FIRST)}
    place = ("--stack", FIRST, "--stack-dir", str(hands.file(FIRST).parent), "-n", FIRST)
    why = ("--by", "alice", "--reason", "faster")
    hands.grayling("release", "start", "web", *place, *why, "--image", "sandbox.grayling.dev/shop:v1")
    started = await cluster.get(GRAY_RELEASE, "web", FIRST)
    asked = await asked_for(cluster, FIRST, known)
    previewed(hands, FIRST, "--refresh", "--expect-no-changes")
    up(hands, FIRST)
    found = await cluster.get(GRAY_RELEASE, "web", FIRST)
    assert found["metadata"]["generation"] == started["metadata"]["generation"]
    assert found["metadata"]["annotations"]["grayling.dev/requested-revision"] == asked
    with hands.edited(FIRST, "sandbox.grayling.dev/shop:v1", "sandbox.grayling.dev/python:3.11"):
        with hands.edited(FIRST, '"9000"]', '"9000", --bind, "0.0.0.0"]'):
            up(hands, FIRST)
            later = await asked_for(cluster, FIRST, {*known, asked})
            assert found["metadata"]["annotations"]["grayling.dev/requested-revision"] != later
            told = hands.grayling("release", "status", "web", "-n", FIRST)
            assert "alice" not in told
        up(hands, FIRST)
    hands.file(FIRST).write_text(hands.file(FIRST).read_text().replace("shop:v1", "python:3.11"))
    settled(hands, FIRST)


async def test_from_one_engine_to_the_other_and_back(cluster, hands):
    before, drawn, file = await serves(cluster, SECOND), await passwords(cluster), str(hands.file(SECOND))
    pod = await uid(cluster, POD, "redis-0", SECOND)
    refused = hands.grayling("stack", "apply", file, "--yes", expect=6)
    assert "Pulumi keeps" in refused
    assert f"grayling stack adopt {SECOND}" in refused
    hands.grayling("stack", "adopt", file, "--yes")
    assert "no difference" in hands.grayling("stack", "diff", file)
    text = hands.file(SECOND).read_text()
    hands.pulumi("stack", "rm", SECOND, "--force", "--preserve-config", "--yes")
    assert hands.file(SECOND).read_text() == text
    assert "0 created, 0 changed, 0 deleted" in hands.grayling("stack", "apply", file, "--yes")

    hands.pulumi("stack", "init", SECOND)
    assert f"grayling stack hand-over {SECOND}" in previewed(hands, SECOND, expect=1)
    assert "UPSERT_EXISTING_OBJECTS=true pulumi up" in hands.grayling("stack", "hand-over", file, "--yes")
    assert "UPSERT_EXISTING_OBJECTS=true" in previewed(hands, SECOND, expect=1)
    up(hands, SECOND, **UPSERT)
    settled(hands, SECOND)
    assert await passwords(cluster) == drawn
    assert await uid(cluster, POD, "redis-0", SECOND) == pod
    assert await serves(cluster, SECOND) == before


async def test_drift_is_seen_by_a_refresh_and_another_writer_is_a_conflict(cluster, hands):
    async def changed_by(manager):
        await cluster.merge_patch(BUDGET, "controller", FIRST, {"spec": {"maxUnavailable": 7}}, manager=manager)
        previewed(hands, FIRST, "--expect-no-changes")
        told = hands.failing("preview", "--refresh", "--expect-no-changes", "--stack", FIRST)
        assert "PodDisruptionBudget pulumi-a/controller" in told

    async def mended():
        assert (await cluster.get(BUDGET, "controller", FIRST))["spec"]["maxUnavailable"] == 1

    refreshing = ("up", "--yes", "--skip-preview", "--refresh", "--stack", FIRST)
    await changed_by("kubectl-edit")
    hands.pulumi(*refreshing)
    await mended()
    await changed_by("somebody")
    assert 'conflict with "somebody"' in hands.pulumi(*refreshing, expect=1)
    hands.pulumi(*refreshing, **FORCE)
    await mended()
    settled(hands, FIRST)


async def test_the_end_of_an_environment_whose_engine_is_dead(cluster, hands):
    await cluster.merge_patch(DEPLOYMENT, "controller", FIRST, {"spec": {"replicas": 0}}, manager="kubectl-scale")
    for _ in range(240):
        if not (await cluster.list(POD, FIRST, labels="app.kubernetes.io/name=controller")).items:
            break
        await asyncio.sleep(0.5)
    destroy = ("destroy", "--yes", "--skip-preview", "--stack", FIRST)
    told = hands.pulumi(*destroy, expect=1)
    assert re.search(rf"GrayRelease {FIRST}/web .*timed out waiting for the condition", told), told
    assert await cluster.find(DEPLOYMENT, "controller", FIRST) is not None
    freed = {"metadata": {"finalizers": None}}
    await cluster.merge_patch(GRAY_RELEASE, "web", FIRST, freed, manager="kubectl-patch")
    hands.pulumi(*destroy)
    assert await cluster.find(NAMESPACE, FIRST) is None
