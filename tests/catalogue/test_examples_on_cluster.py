"""An API server takes every example of every kind, in a dry run that it makes itself."""

from __future__ import annotations

import asyncio

import pytest

from components.model.layers import is_definition
from kube.cluster import Cluster
from kube.kinds import KNOWN, NAMESPACE
from manifests import render
from sandbox.extras import EXTRAS
from tests.components import kind_examples

pytestmark = [pytest.mark.long, pytest.mark.extras(*EXTRAS)]


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


async def refusals(cluster, manifests):
    """What the server says of each that it does not take."""
    found = []
    for manifest in manifests:
        try:
            await cluster.apply(manifest, manager="test", dry_run=True)
        except Exception as error:  # noqa: BLE001 - every reason is told at once
            found.append(f"{manifest['kind']} {manifest['metadata']['name']}: {error}")
    return found


@pytest.fixture(scope="module")
def definitions(cluster_kubeconfig):
    """Our own definitions, as far as no stack has left them; a stack that comes later brings its own."""

    async def each(work):
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            return [item for item in [*render.definitions(), *render.policies()] if await work(cluster, item)]

    async def bring(cluster, item):
        missing = await cluster.find(kind_of(item), item["metadata"]["name"]) is None
        if missing:
            await cluster.apply(item, manager="test")
        return missing

    made = [item["metadata"]["name"] for item in asyncio.run(each(bring))]

    async def take(cluster, item):
        if item["metadata"]["name"] in made:
            await cluster.delete(kind_of(item), item["metadata"]["name"])

    yield
    asyncio.run(each(take))


@pytest.mark.parametrize(("kind", "size"), kind_examples.ALL)
async def test_an_api_server_takes_the_example(cluster, definitions, kind, size):
    assert await taken(cluster, kind_examples.declared(kind, size).manifests()) == []


async def taken(cluster, made):
    """What an API server says of these objects, in a namespace that comes and goes."""
    space = next(each for each in made if each["kind"] == "Namespace")
    await cluster.apply(space, manager="test")
    try:
        return await refusals(cluster, [each for each in made if not is_definition(each)])
    finally:
        await cluster.delete(NAMESPACE, space["metadata"]["name"])


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
async def test_an_api_server_takes_a_kafka_that_strimzi_runs(cluster, definitions, tier):
    manifests = kind_examples.declared("kafka", "strimzi", tier=tier, namespace=f"strimzi-{tier}").manifests()
    space = next(each for each in manifests if each["kind"] == "Namespace")
    wanted = [each for each in manifests if each["apiVersion"] == "kafka.strimzi.io/v1"]
    assert {each["kind"] for each in wanted} == {"Kafka", "KafkaNodePool", "KafkaUser"}
    await cluster.apply(space, manager="test")
    try:
        assert await refusals(cluster, [each for each in manifests if not is_definition(each)]) == []
        wanted[0]["spec"]["nothing"] = True
        assert any("nothing" in line for line in await refusals(cluster, wanted))
    finally:
        await cluster.delete(NAMESPACE, space["metadata"]["name"])


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
async def test_an_api_server_takes_what_an_operator_of_rabbitmq_reads(cluster, definitions, tier):
    made = kind_examples.declared("rabbitmq", "operator", tier=tier, namespace=f"operator-{tier}").manifests()
    assert [each["kind"] for each in made].count("RabbitmqCluster") == 1
    assert "StatefulSet" not in [each["kind"] for each in made]
    assert await taken(cluster, made) == []


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
async def test_an_api_server_takes_a_consul_of_every_tier(cluster, definitions, tier):
    made = kind_examples.declared("consul", "production", tier=tier, namespace=f"consul-{tier}").manifests()
    assert await taken(cluster, made) == []


def kind_of(manifest):
    return KNOWN[manifest["apiVersion"], manifest["kind"]]
