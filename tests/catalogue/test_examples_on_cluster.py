"""An API server takes every example of every kind, in a dry run that it makes itself."""

from __future__ import annotations

import pytest

from kube.cluster import Cluster
from kube.kinds import NAMESPACE
from sandbox.extras import EXTRAS
from tests.components import kind_examples

pytestmark = pytest.mark.extras(*EXTRAS)


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


@pytest.mark.parametrize(("kind", "size"), kind_examples.ALL)
async def test_an_api_server_takes_the_example(cluster, kind, size):
    manifests = kind_examples.declared(kind, size).manifests()
    space = next(each for each in manifests if each["kind"] == "Namespace")
    definitions = [each for each in manifests if each["kind"] == "CustomResourceDefinition"]
    await cluster.apply(space, manager="test")
    for definition in definitions:
        await cluster.apply(definition, manager="test")
    try:
        assert await refusals(cluster, manifests) == []
    finally:
        await cluster.delete(NAMESPACE, space["metadata"]["name"])
