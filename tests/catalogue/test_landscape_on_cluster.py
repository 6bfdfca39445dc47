"""The landscape comes up by its own files, and an order goes through it: gateway, queue, bill, trace; the ERP's too."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import sys

import aiohttp
import pytest
import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.render import render
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.overlay import laid_over
from components.stack.stackfile import find
from kube.cluster import Cluster
from kube.kinds import KNOWN, NAMESPACE
from tests.components.conftest import ROOT

_SPEC = importlib.util.spec_from_file_location("landscape", ROOT / "examples" / "landscape.py")
landscape = importlib.util.module_from_spec(_SPEC)
sys.modules["landscape"] = landscape  # its dataclasses look there
_SPEC.loader.exec_module(landscape)

pytestmark = [pytest.mark.long, pytest.mark.extras(*landscape.EXTRAS), pytest.mark.timeout(600)]
INVENTORY = Inventory("landscape-sandbox", landscape.SPACE)
DEFINITION = KNOWN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]


def project_with(issuer, folder, *, definitions):
    """The project, with this issuer, and definitions only where there are none."""
    (folder / "stacks").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    contracts = "stacks/contracts/landscape"
    (folder / contracts).mkdir(parents=True)
    for each in (ROOT / contracts).iterdir():
        (folder / contracts / each.name).write_text(each.read_text())
    text = landscape.with_issuer((ROOT / "stacks" / "Pulumi.landscape.yaml").read_text(), issuer)
    said = yaml.safe_load(text)
    said["config"]["grayling:components"]["controller"]["installDefinitions"] = definitions
    (folder / "stacks" / "Pulumi.landscape.yaml").write_text(yaml.safe_dump(said))
    return laid_over(find("landscape", folder), landscape.OVERLAY)


@pytest.fixture(scope="module")
def issuer():
    return landscape.Issuer()


@pytest.fixture(scope="module")
def stack(cluster_kubeconfig, issuer, tmp_path_factory):
    async def up():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            missing = await cluster.find(DEFINITION, "grayreleases.grayling.dev", None) is None
            file = project_with(issuer, tmp_path_factory.mktemp("landscape"), definitions=missing)
            await Applier(cluster, INVENTORY, patience=Patience(300)).apply(render(file))

    async def down():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            plan = await plan_teardown(cluster, INVENTORY)
            await tear_down(cluster, INVENTORY, plan, Patience(240), lambda _line: None)
            assert await cluster.find(NAMESPACE, landscape.SPACE) is None

    asyncio.run(up())
    yield
    asyncio.run(down())


@pytest.fixture
async def seen(stack, cluster_kubeconfig, box, issuer):
    async with (
        await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as client,
    ):
        yield landscape.Followed(cluster, box, client, issuer.token())


async def test_an_order_goes_from_the_gateway_to_its_bill_and_leaves_a_trace(seen):
    base = await landscape.eventually("the gateway", seen.gateway)
    trace = secrets.token_hex(16)
    number = await landscape.eventually("an order", lambda: seen.order(base, trace))
    assert await landscape.eventually("its bill", lambda: seen.billed(base, number))
    assert await landscape.eventually("its trace", lambda: seen.spans(trace)) == ["POST /orders"]


async def test_nobody_comes_in_without_a_token_of_the_issuer(seen):
    base = await landscape.eventually("the gateway", seen.gateway)
    assert await seen.status(base) == 401
    stranger = landscape.Issuer().token()
    assert await seen.status(base, Authorization=f"Bearer {stranger}") == 401


async def test_orders_of_the_erp_go_through_the_adapter_and_kafka_and_come_back(seen):
    booked = await landscape.eventually("a booking", seen.booked)
    assert all(each.startswith("erp-") for each in booked)


async def test_a_machine_that_runs_hot_is_found_by_flink_and_told_to_the_mes(seen):
    alarms = await landscape.eventually("an alarm", seen.alarms)
    assert {each["machine"] for each in alarms} == {"press"}
    assert all(each["celsius"] > 62 for each in alarms)
