"""Caches, discovery and identity by their own processes: accounts, loss of a member, restarts, faults that are told."""

from __future__ import annotations

import asyncio

import pytest

from components.middleware.eureka_settings import MANAGEMENT_PORT
from kube.cluster import Cluster
from kube.kinds import POD
from tests.catalogue.brokers import until
from tests.catalogue.discovery import (
    EUREKA,
    MEMCACHED,
    SMALLER,
    SPACE,
    bring_up,
    declared,
    from_client,
    killed,
    rolled,
    take_down,
    told,
)
from tests.components.on_prometheus import alerts, eventually, has_data, wanted

pytestmark = [pytest.mark.extras("memcached", "eureka"), pytest.mark.timeout(900)]
KEYS = 3000
INSTANCES = 10


@pytest.fixture(scope="module")
def stack(cluster_kubeconfig):
    """The stack, once for all tests here."""

    async def on_cluster(act):
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
            await act(opened)

    asyncio.run(on_cluster(bring_up))
    yield cluster_kubeconfig
    asyncio.run(on_cluster(take_down))


@pytest.fixture
async def cluster(stack):
    async with await Cluster.open(kubeconfig=stack) as opened:
        yield opened


def of_kind(kind):
    (member,) = [each for each in declared().components if each.kind == kind]
    return member


def watched():
    """Panels and selectors of rules of the systems here; the engine and the service of the stack do not run."""
    return [(what, expr) for what, expr in wanted(declared().components) if what.partition(":")[0] in SMALLER]


async def test_panels_and_rules_have_series_and_no_alert_waits(cluster):
    async def left():
        missing = [
            (what, expr)
            for what, expr in watched()
            if not await has_data(cluster, SPACE, expr, numbers=": panel " in what)
        ]
        waiting = (await alerts(cluster, SPACE)).items()
        return missing + [name for name, each in waiting if each["labels"]["component"] in SMALLER]

    assert {what.partition(":")[0] for what, _ in watched()} == SMALLER.keys()
    assert await eventually(left, seconds=240) == []


async def test_memcached_takes_the_right_account_alone_and_loses_one_member_at_a_time(cluster):
    assert await from_client(cluster, MEMCACHED, "tried") == {
        "right": ["STORED", "1"],
        "protocol": "TLSv1.3",
        "flush": "CLIENT_ERROR flush_all not allowed",
        "watch": "CLIENT_ERROR watch commands not allowed",
        "wrong password": "PermissionError",
        "unknown account": "PermissionError",
        "no account": "CLIENT_ERROR unauthenticated",
        "plain": "ConnectionResetError",
        "unknown authority": "SSLCertVerificationError",
    }
    written = await from_client(cluster, MEMCACHED, "written", KEYS)
    assert (sum(written.values()), len(written), min(written.values()) > KEYS / 4) == (KEYS, 3, True)

    await killed(cluster, "memcached-1", "memcached", "memcached")
    (lost,) = [server for server in written if server.startswith("memcached-1.")]
    assert await from_client(cluster, MEMCACHED, "found", KEYS) == {**written, lost: 0}
    assert await rolled(cluster, "memcached") == len(written) - 1

    async def written_again():
        """Names may lead to addresses of before for some seconds."""
        try:
            return sum((await from_client(cluster, MEMCACHED, "written", KEYS)).values()) == KEYS
        except AssertionError:
            return False

    await until(written_again)


async def test_memcached_is_told_when_it_forgets_and_turns_away(cluster):
    member = of_kind("memcached")

    async def filled():
        assert await from_client(cluster, MEMCACHED, "filled", 0, member.data * 3)

    await filled()
    await told(cluster, member, "MemcachedMemoryHigh")
    await told(cluster, member, "MemcachedEvictions", filled)
    most = member.settings.max_connections
    away = await from_client(cluster, MEMCACHED, "crowd", 1, most + 100)
    assert 95 <= away <= 101  # the client that beats may be there, too
    await told(cluster, member, "MemcachedRejectsConnections")


async def eureka_knows(cluster, member, numbers):
    """A member knows these instances and no more of them."""

    async def same():
        return await from_client(cluster, EUREKA, "known", member, INSTANCES) == numbers

    await until(same)


async def test_what_registers_at_one_eureka_is_found_at_the_other_and_survives_its_loss(cluster):
    assert await from_client(cluster, EUREKA, "tried") == {
        "right": 200,
        "protocol": "TLSv1.3",
        "wrong password": 401,
        "no account": 401,
        "unknown authority": "SSLCertVerificationError",
        "plain": 400,
    }
    for member in range(2):
        path = f"{POD.path(SPACE)}/eureka-{member}:{MANAGEMENT_PORT}/proxy/actuator/health/readiness"
        said = await cluster.request("GET", path, what="what makes it ready")
        assert said["components"] == {"readinessState": {"status": "UP"}, "registry": {"status": "UP"}}
    half = INSTANCES // 2
    assert await from_client(cluster, EUREKA, "registered", 0, 0, half) == [204] * half
    await eureka_knows(cluster, 1, list(range(half)))

    await killed(cluster, "eureka-0", "eureka", "java")
    assert await from_client(cluster, EUREKA, "registered", 1, half, INSTANCES) == [204] * half
    await eureka_knows(cluster, 0, list(range(INSTANCES)))
    assert await rolled(cluster, "eureka") == 1
    await eureka_knows(cluster, 0, list(range(INSTANCES)))
    await eureka_knows(cluster, 1, list(range(INSTANCES)))
    await told(cluster, of_kind("eureka"), "EurekaRenewalsBelowThreshold")  # nobody renewed those instances
