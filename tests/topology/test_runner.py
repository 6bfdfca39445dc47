"""The reconciler against an API server: one holder, takeover, backoff, and a status that a person can act on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from kube.cluster import Cluster
from kube.kinds import TOPOLOGY
from rollout.engine.lease import ReleaseLease
from tests.fakes.apiserver import running
from tests.fakes.kubeconfig import kubeconfig_for
from tests.topology.declared import item, spec
from topology.api.spec import manifest
from topology.engine.runner import Reconciler, Systems
from topology.systems.memory import MemorySystem
from topology.systems.system import UnauthorizedError

BOX = item("box", "a", shape="round", room=2)


@pytest.fixture
async def server():
    async with running() as made:
        yield made


@pytest.fixture
async def cluster(server, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig_for(server.port))
    async with await Cluster.open(kubeconfig=str(path)) as opened:
        yield opened


def declare(server, declared, name="broker"):
    made = manifest(name, declared)
    made["metadata"]["namespace"] = "shop"
    server.put(made)


async def change(cluster, declared):
    """Another declaration, as an apply writes it: the status stays."""
    await cluster.merge_patch(TOPOLOGY, "broker", "shop", {"spec": declared.wire()}, manager="grayling-stack")


@asynccontextmanager
async def reconciling(cluster, system, identity="one"):
    """A reconciler that runs meanwhile."""
    lease = ReleaseLease(cluster, "shop", "topology", identity)
    systems = system if isinstance(system, Systems) else lambda _name, _spec: system
    task = asyncio.create_task(Reconciler(cluster, "shop", systems, lease).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition):
    async with asyncio.timeout(60):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


async def status(cluster, reason):
    async def look():
        live = await cluster.get(TOPOLOGY, "broker", "shop")
        found = live.get("status") or {}
        current = found.get("conditions") and found["conditions"][0]["reason"] == reason
        return found if current else None

    return await until(look)


async def test_what_is_declared_is_made_and_a_change_is_followed_at_once(server, cluster):
    system = MemorySystem()
    declare(server, spec(BOX))
    async with reconciling(cluster, system):
        first = await status(cluster, "Reconciled")
        assert (first["made"], first["observedGeneration"]) == (["box a"], 1)
        await change(cluster, spec(item("box", "a", shape="round", room=1)))
        refused = await status(cluster, "Refused")
        assert "box a: room 2 → 1 loses data" in refused["conditions"][0]["message"]
        assert "topology.allow" in refused["items"][0]["fix"]
        assert system.items["box a"].settings["room"] == 2


async def test_another_takes_over_and_knows_what_was_made(server, cluster):
    system = MemorySystem()
    declare(server, spec(BOX, item("account", "x")))
    async with reconciling(cluster, system):
        await status(cluster, "Reconciled")
    await change(cluster, spec(BOX, prune=True))
    async with reconciling(cluster, system, "two"):

        async def gone():
            return "account x" not in system.items

        await until(gone)
        assert (await status(cluster, "Reconciled"))["made"] == ["box a"]


async def test_of_two_at_once_one_writes(server, cluster):
    system = MemorySystem()
    async with reconciling(cluster, system), reconciling(cluster, system, "two"):
        declare(server, spec(BOX, item("wire", "b", to="a")))
        await status(cluster, "Reconciled")
    assert sorted(step.label for step in system.log) == ["box a", "wire b"]


class Locked(MemorySystem):
    """Takes no account until it is opened."""

    def __init__(self):
        super().__init__()
        self.tries, self.opened = 0, False

    async def observe(self):
        self.tries += 1
        if not self.opened:
            raise UnauthorizedError("broker does not take the account topology")
        return await super().observe()


async def test_who_is_locked_out_says_so_tries_again_and_forgets_nothing(server, cluster):
    system = Locked()
    declare(server, spec(BOX))
    async with reconciling(cluster, system):
        told = await status(cluster, "Unauthorized")
        assert told["conditions"][0]["message"] == "broker does not take the account topology"
        assert not told.get("observedAt")

        async def again():
            return system.tries > 1

        await until(again)
        system.opened = True
        assert (await status(cluster, "Reconciled"))["observedAt"]


async def test_credentials_that_are_not_there_are_told_by_name(server, cluster, tmp_path):
    declare(server, spec(BOX))
    async with reconciling(cluster, Systems(tmp_path)):
        told = await status(cluster, "Unauthorized")
        assert "broker: no credential username" in told["conditions"][0]["message"]


async def test_a_system_that_nobody_here_knows_is_told_and_hurts_no_other(server, cluster, tmp_path):
    newer = spec(BOX).model_copy(update={"system": "newer"})
    declare(server, newer)
    async with reconciling(cluster, Systems(tmp_path)) as task:
        told = await status(cluster, "Invalid")
        assert "no system 'newer' here (known: kafka, nats, rabbitmq)" in told["conditions"][0]["message"]
        assert not task.done()


async def test_an_object_that_goes_takes_nothing_with_it(server, cluster):
    system = MemorySystem()
    declare(server, spec(BOX))
    async with reconciling(cluster, system) as task:
        await status(cluster, "Reconciled")
        await cluster.delete(TOPOLOGY, "broker", "shop")
        declare(server, spec(BOX), "other")

        async def followed():
            return (await cluster.get(TOPOLOGY, "other", "shop")).get("status")

        await until(followed)
        assert "box a" in system.items
        assert not task.done()
