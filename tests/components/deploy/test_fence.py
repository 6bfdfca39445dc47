"""One command at a time at a stack: the second is told who is at it, and a killed one is in nobody's way for long."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress

import pytest

from components.deploy.apply import Applier
from components.deploy.fence import Rhythm, alone
from components.deploy.inventory import HELD, Inventory
from components.deploy.prune import remove
from components.deploy.refusal import RefusedError
from components.deploy.survey import take_survey
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from kube.errors import KubeError, StaleHolderError, ThrottledError
from tests.components.conftest import ROOT
from tests.components.deploy.test_nothing_by_accident import stack
from tests.fakes.apiserver import running

INVENTORY = Inventory("shop", "shop")
QUICK = Rhythm(0.02, 0.4)
NOW = Patience(0, 0)


def config(*names):
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "namespace": "shop"}} for n in names]


@asynccontextmanager
async def shop():
    async with running() as server:
        server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield server


def applier(cluster, rhythm=QUICK):
    return Applier(cluster, INVENTORY, patience=NOW, rhythm=rhythm, allow_delete=True)


def quiet(_line):
    """Nobody listens."""


def there(server):
    return {item["metadata"]["name"] for item in server.all("ConfigMap")} - {INVENTORY.name}


def held(server):
    parent = server.find("ConfigMap", INVENTORY.name)
    return parent and parent["metadata"]["annotations"].get(HELD)


@pytest.mark.parametrize("before", [(), ("old",)], ids=["never applied", "applied before"])
async def test_of_two_applies_at_once_one_writes(before):
    async with shop() as server, server.cluster() as one, server.cluster() as two:
        if before:
            await applier(one).apply(config(*before))
        server.late = 0.05
        found = await asyncio.gather(
            applier(one).apply(config("a", "b")), applier(two).apply(config("c", "d")), return_exceptions=True
        )
        [lost] = [each for each in found if isinstance(each, Exception)]
        assert isinstance(lost, RefusedError)
        assert "apply stack shop: refused, and nothing was changed" in str(lost)
        assert there(server) in ({"a", "b"}, {"c", "d"})
        assert not held(server)


async def test_the_loser_is_told_who_is_at_it_and_goes_on_afterwards():
    async with shop() as server, server.cluster() as one, server.cluster() as two:
        await applier(one).apply(config("a"))
        seen = await INVENTORY.find(one)
        async with alone(one, INVENTORY, "apply", seen, quiet, QUICK):
            plan = await plan_teardown(two, INVENTORY)
            for work in (
                applier(two).apply(config("b")),
                tear_down(two, INVENTORY, plan, NOW, quiet, rhythm=QUICK),
            ):
                with pytest.raises(RefusedError) as refused:
                    await work
                [reason] = refused.value.reasons
                assert reason.startswith("`stack apply` by ")
                assert "(process " in reason
                assert ", since 20" in reason
                assert "wait until that has ended, or end it there" in reason
            assert there(server) == {"a"}
        await applier(two).apply(config("b"))
        assert there(server) == {"b"}


async def test_nothing_is_carried_out_that_was_planned_on_another_state():
    async with shop() as server, server.cluster() as one, server.cluster() as two:
        await applier(one).apply(config("a"))
        survey = await take_survey(one, INVENTORY, config("a", "b"))
        plan = await plan_teardown(one, INVENTORY)
        await applier(two).apply(config("a", "c"))
        for work in (applier(one).carry_out(survey), tear_down(one, INVENTORY, plan, NOW, quiet, rhythm=QUICK)):
            with pytest.raises(RefusedError, match="another command has changed stack shop since this one looked"):
                await work
        assert there(server) == {"a", "c"}


async def test_a_first_apply_that_somebody_else_was_faster_with():
    async with shop() as server, server.cluster() as one, server.cluster() as two:
        survey = await take_survey(one, INVENTORY, config("a"))
        await applier(two).apply(config("c"))
        with pytest.raises(RefusedError, match="another command has changed stack shop since this one looked"):
            await applier(one).carry_out(survey)
        assert there(server) == {"c"}


async def test_whoever_was_silent_for_too_long_writes_no_more():
    async with shop() as server, server.cluster() as one, server.cluster() as two:
        await applier(one).apply(config("a"))
        seen = await INVENTORY.find(one)
        lines = []
        async with alone(one, INVENTORY, "destroy", seen, quiet, Rhythm(60, 0.2)) as guarded:
            await Applier(two, INVENTORY, lines.append, NOW, rhythm=QUICK).apply(config("a", "b"))
            assert any("it is seen within 0 s whether it lives" in line for line in lines)
            with pytest.raises(StaleHolderError, match="stopped half way: somebody, who took the mark"):
                await guarded.apply(config("late")[0], manager="grayling-stack")
            async with alone(two, INVENTORY, "apply", await INVENTORY.find(two), quiet, QUICK):
                with pytest.raises(StaleHolderError, match=r"stopped half way: `stack apply` by .* has taken over"):
                    await guarded.delete(await two.resolve(config("a")[0]), "a", "shop")
                mark = held(server)
            assert mark
        assert there(server) == {"a", "b"}
        assert not held(server)


async def test_a_command_that_is_stopped_takes_its_mark_off():
    async with shop() as server, server.cluster() as one:
        await applier(one).apply(config("a"))
        server.late = 5.0
        work = asyncio.create_task(applier(one, Rhythm()).apply(config("a", "b")))
        while not held(server):
            await asyncio.sleep(0.01)
        server.late = 0.0
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        assert not held(server)


async def test_a_server_that_is_away_for_a_while_takes_nothing_away():
    async with shop() as server, server.cluster() as one:
        await applier(one).apply(config("a"))
        async with alone(one, INVENTORY, "apply", await INVENTORY.find(one), quiet, Rhythm(0.02, 0.1)) as guarded:
            server.fail("GET", INVENTORY.name, 429, times=10_000)
            await asyncio.sleep(0.2)
            with pytest.raises(ThrottledError):
                await guarded.apply(config("b")[0], manager="grayling-stack")
            server.faults.clear()
            await guarded.apply(config("b")[0], manager="grayling-stack")
        assert there(server) == {"a", "b"}


async def test_a_mark_that_nobody_can_read_is_over_too():
    async with shop() as server, server.cluster() as one:
        await applier(one).apply(config("a"))
        for text in ("{", "[]", '{"by": 1}'):
            parent = server.find("ConfigMap", INVENTORY.name)
            parent["metadata"]["annotations"][HELD] = text
            server.put(parent)
            await applier(one, Rhythm(0.02, 0.1)).apply(config("a", "b"))
        assert there(server) == {"a", "b"}


async def test_an_error_is_told_when_the_rest_of_its_wave_is_at_its_end():
    """Else deletions would go on after the mark was taken off."""
    async with shop() as server, server.cluster() as one:
        objects = config("a", "b")
        for each in objects:
            server.put(each)
        server.late, done = 0.1, []
        server.fail("DELETE", "/configmaps/a$", 500)
        with pytest.raises(KubeError, match="injected"):
            await remove(one, objects, Patience(5, 0.01), done.append)
        assert done == ["ConfigMap shop/b"]


def test_a_command_that_was_killed_half_way_is_finished_by_the_next(person):
    path = person.stack("shop", stack())
    person.server.late = 0.3
    argv = [sys.executable, "-m", "grayling", "stack", "apply", path, "--yes", "--kubeconfig", person.kubeconfig]
    with subprocess.Popen([*argv, "--timeout", "0"], cwd=ROOT, stderr=subprocess.DEVNULL) as killed:
        while "ServiceAccount/shop/redis" not in person.labels():
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
    person.server.late = 0.0
    assert json.loads(held(person.server))["by"].endswith(f"(process {killed.pid})")
    assert "StatefulSet/shop/redis" not in person.labels()

    async def again():
        from components.deploy.render import render
        from components.stack.stackfile import find
        from kube.cluster import Cluster

        async with await Cluster.open(kubeconfig=person.kubeconfig) as cluster:
            await applier(cluster).apply(render(find(path)))

    asyncio.run(again())
    assert "StatefulSet/shop/redis" in person.labels()
    assert not held(person.server)
    assert person.apply(path).err.splitlines()[-1].startswith("nothing to do")
