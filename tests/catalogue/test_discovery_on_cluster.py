"""Caches, discovery and identity by their own processes: accounts, loss of a member, restarts, faults that are told."""

from __future__ import annotations

import asyncio

import pytest

from kube.cluster import Cluster
from tests.catalogue.discovery import (
    MEMCACHED,
    SPACE,
    bring_up,
    declared,
    from_client,
    killed,
    rolled,
    take_down,
    until,
)
from tests.components.on_prometheus import all_is_well, series

pytestmark = [pytest.mark.extras("memcached"), pytest.mark.timeout(600)]
KEYS = 3000


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


def rule(kind, name):
    """The expression of an alert."""
    (member,) = [each for each in declared().components if each.kind == kind]
    return next(alert.expr for alert in member.alerts() if alert.name == name)


async def told(cluster, kind, name):
    """The condition of the alert is there, in the stack's own Prometheus."""
    await until(lambda: series(cluster, SPACE, rule(kind, name)))


async def test_panels_and_rules_have_series_and_no_alert_waits(cluster):
    await all_is_well(cluster, declared())


async def test_memcached_takes_the_right_account_alone_and_loses_one_member_at_a_time(cluster):
    assert await from_client(cluster, MEMCACHED, "tried()") == {
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
    written = await from_client(cluster, MEMCACHED, f"written({KEYS})")
    assert (sum(written.values()), len(written), min(written.values()) > KEYS / 4) == (KEYS, 3, True)

    await killed(cluster, "memcached-1", "memcached", "memcached")
    (lost,) = [server for server in written if server.startswith("memcached-1.")]
    assert await from_client(cluster, MEMCACHED, f"found({KEYS})") == {**written, lost: 0}
    assert await rolled(cluster, "memcached") == len(written) - 1
    assert sum((await from_client(cluster, MEMCACHED, f"written({KEYS})")).values()) == KEYS


async def test_memcached_is_told_when_it_forgets_and_turns_away(cluster):
    (member,) = [each for each in declared().components if each.kind == "memcached"]
    assert await from_client(cluster, MEMCACHED, f"filled(SERVERS[0], {member.data * 3})")
    await told(cluster, "memcached", "MemcachedMemoryHigh")
    await told(cluster, "memcached", "MemcachedEvictions")
    most = member.settings.max_connections
    away = await from_client(cluster, MEMCACHED, f"crowd(SERVERS[1], {most + 100})")
    assert 0 < away <= 100  # who beats, and who reads statistics, were there before
    await told(cluster, "memcached", "MemcachedRejectsConnections")
