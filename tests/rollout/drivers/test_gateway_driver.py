from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kube.cache import Reflector
from kube.errors import ClusterUnreachableError, InvalidError, NotFoundError, StaleHolderError
from kube.kinds import HTTP_ROUTE
from rollout.drivers import RouteTakenError
from rollout.drivers.httproute.driver import ATTEMPTS, GatewayDriver
from rollout.drivers.httproute.patch import epoch_on
from rollout.drivers.httproute.route import weights_on
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.drivers.routes import UID, A, B, C, route, spec, traffic
from tests.rollout.samples import spec as sample_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.cluster import Cluster
    from rollout.api.spec import Spec

PATH = "httproutes/checkout"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as it:
        yield it


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    async with server.cluster() as it:
        yield it


class Stage:
    """A driver, the cache it trusts, and the server behind both."""

    def __init__(self, server: ApiServer, cluster: Cluster) -> None:
        self.server, self.spec = server, spec()
        self.routes = Reflector(cluster, HTTP_ROUTE)
        self.routes.healthy = True
        self.driver = GatewayDriver(
            cluster, self.routes, name="checkout", namespace="shop", uid=UID, spec_of=self.current, patience=0.02
        )

    def current(self) -> Spec:
        return self.spec

    def stored(self) -> dict[str, Any]:
        found = self.server.find("HTTPRoute", "checkout")
        assert found is not None
        return found

    def put(self, made: dict[str, Any], *, cached: bool = True) -> None:
        """Write as somebody else; the cache may not have heard of it yet."""
        self.server.put(made)
        if cached:
            self.routes.put(self.stored())

    @property
    def writes(self) -> list[str]:
        return [method for method, _, _ in self.server.writes]


@pytest.fixture
def stage(server: ApiServer, cluster: Cluster) -> Stage:
    return Stage(server, cluster)


async def test_a_route_is_made_when_there_is_none_and_then_patched(stage):
    assert not stage.driver.observe().exists
    await stage.driver.shift({A: 100}, epoch=1)
    await stage.driver.shift({A: 80, B: 20}, epoch=1)
    made = stage.stored()
    assert (weights_on(made), epoch_on(made)) == ({A: 80, B: 20}, 1)
    assert made["metadata"]["ownerReferences"][0]["uid"] == UID
    assert made["metadata"]["labels"]["grayling.dev/release"] == "checkout"
    assert made["spec"]["hostnames"] == ["shop.test"]
    assert stage.writes == ["POST", "PATCH"]
    assert stage.driver.observe().weights == {A: 80, B: 20}


async def test_the_same_again_sends_nothing(stage):
    for _ in range(3):
        await stage.driver.shift({A: 80, B: 20}, epoch=1)
    assert stage.writes == ["POST"]


async def test_without_a_live_cache_the_route_is_read_first(stage):
    stage.put(route({A: 100}), cached=False)
    stage.routes.healthy = False
    await stage.driver.shift({A: 80, B: 20}, epoch=3)
    assert (stage.writes, weights_on(stage.stored())) == (["PATCH"], {A: 80, B: 20})


async def test_a_cache_that_lags_costs_one_more_try(stage):
    stage.put(route({A: 100}))
    stage.put(route({"debug": 0, A: 100}), cached=False)
    await stage.driver.shift({A: 100, B: 0}, epoch=3)
    assert weights_on(stage.stored()) == {A: 100, B: 0}
    assert stage.writes == ["PATCH", "PATCH"]


async def test_a_route_the_cache_does_not_know_yet(stage):
    stage.put(route({A: 100}), cached=False)
    await stage.driver.shift({A: 50, B: 50}, epoch=3)
    assert weights_on(stage.stored()) == {A: 50, B: 50}
    assert stage.writes == ["POST", "PATCH"]


async def test_a_route_that_was_deleted_is_made_again(stage):
    stage.put(route({A: 100}))
    stage.server.objects.clear()
    await stage.driver.shift({A: 50, B: 50}, epoch=3)
    assert weights_on(stage.stored()) == {A: 50, B: 50}


async def test_the_late_holder_loses_although_its_cache_is_old(stage):
    stage.put(route({A: 80, B: 20}, epoch=3))
    stage.put(route({A: 100, B: 0}, epoch=4), cached=False)
    with pytest.raises(StaleHolderError):
        await stage.driver.shift({A: 50, B: 50}, epoch=3)
    assert weights_on(stage.stored()) == {A: 100, B: 0}


async def test_a_revision_that_carries_traffic_leaves_in_two_steps(stage):
    stage.put(route({A: 80, B: 20}))
    await stage.driver.shift({A: 95, C: 5}, epoch=3)
    assert weights_on(stage.stored()) == {A: 95, C: 5}
    first, second = (body for _, _, body in stage.server.writes)
    assert {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0} in first
    assert second[-1] == {"op": "remove", "path": "/spec/rules/0/backendRefs/1"}


async def test_a_revision_leaves_as_soon_as_the_gateway_answers(stage, server):
    stage.driver._patience = 30
    stage.put(route({A: 80, B: 20}))
    settling = asyncio.create_task(stage.driver.shift({A: 100}, epoch=3))
    await asyncio.sleep(0.2)
    stage.routes.objects.clear()
    stage.driver._patience = 0.1
    async with asyncio.timeout(5):
        await settling


async def test_two_holders_at_once_end_with_the_newer_one(server, cluster):
    old, new = Stage(server, cluster), Stage(server, cluster)
    old.put(route({A: 80, B: 20}, epoch=3))
    new.routes.put(old.stored())

    async def keep_writing() -> None:
        for weight in range(60):
            await old.driver.shift({A: 100 - weight, B: weight}, epoch=3)

    async def take_over() -> None:
        await asyncio.sleep(0.02)
        await new.driver.shift({A: 100, B: 0}, epoch=4)

    outcomes = await asyncio.gather(keep_writing(), take_over(), return_exceptions=True)
    assert isinstance(outcomes[0], StaleHolderError)
    assert (weights_on(old.stored()), epoch_on(old.stored())) == ({A: 100, B: 0}, 4)


async def test_refusals_are_retried_at_once_and_not_forever(stage, server):
    stage.put(route({A: 100}))
    server.fail("PATCH", PATH, 409, times=1)
    await stage.driver.shift({A: 90, B: 10}, epoch=3)
    assert weights_on(stage.stored()) == {A: 90, B: 10}
    server.fail("PATCH", PATH, 422, times=100, message="spec.rules: Invalid value")
    with pytest.raises(InvalidError, match="Invalid value"):
        await stage.driver.shift({A: 80, B: 20}, epoch=3)
    assert sum(fault.times for fault in server.faults) == 98


async def test_a_route_that_never_stands_still_ends_in_an_error(stage, server, monkeypatch):
    stage.put(route({A: 100}))
    server.fail("PATCH", PATH, 422, times=100)
    newest = stage.driver._newest

    async def moving() -> Any:
        server.put(stage.stored())
        return await newest()

    monkeypatch.setattr(stage.driver, "_newest", moving)
    with pytest.raises(InvalidError):
        await stage.driver.shift({A: 80, B: 20}, epoch=3)
    assert sum(fault.times for fault in server.faults) == 100 - ATTEMPTS


async def test_a_namespace_that_is_gone(stage, server):
    server.fail("POST", "httproutes", 404, times=100)
    with pytest.raises(NotFoundError):
        await stage.driver.shift({A: 100}, epoch=1)


async def test_an_api_server_that_is_away_is_told_at_once(stage, server):
    stage.put(route({A: 100}))
    server.fail("PATCH", PATH, 503, times=100)
    with pytest.raises(ClusterUnreachableError):
        await stage.driver.shift({A: 80, B: 20}, epoch=3)
    assert sum(fault.times for fault in server.faults) == 99


async def test_a_route_of_somebody_else_is_left_alone(stage):
    taken = route({A: 100}, uid="other")
    taken["metadata"]["ownerReferences"][0] |= {"kind": "Team", "name": "red"}
    stage.put(taken)
    with pytest.raises(RouteTakenError):
        await stage.driver.shift({A: 50, B: 50}, epoch=3)
    await stage.driver.retire()
    await stage.driver.disown()
    assert stage.writes == []


async def test_an_older_revision_keeps_the_port_of_its_own_service(stage, server):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": A, "namespace": "shop"}}
    server.put(service | {"spec": {"ports": [{"name": "admin", "port": 1}, {"name": "http", "port": 7070}]}})
    await stage.driver.shift({A: 90, B: 10}, epoch=1)
    await stage.driver.shift({A: 90, C: 10}, epoch=1)
    backends = stage.stored()["spec"]["rules"][0]["backendRefs"]
    assert [(each["name"], each["port"]) for each in backends] == [(A, 7070), (C, 8080)]


async def test_what_the_spec_says_of_the_route_is_brought_onto_it(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    assert not stage.driver.observe().outdated
    stage.spec = spec(hostnames=["new.test"])
    assert stage.driver.observe().outdated
    await stage.driver.shift({A: 100}, epoch=1)
    assert not stage.driver.observe().outdated
    assert stage.stored()["spec"]["hostnames"] == ["new.test"]


async def test_a_route_of_before_gets_the_rule_that_keeps_revisions_known(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    stats = {"namespace": "edge", "selector": {"app": "envoy"}, "controlPlane": "envoy-gateway"}
    stage.spec = sample_spec(traffic=traffic().wire(), sources={"gateway": stats})
    assert stage.driver.observe().outdated
    await stage.driver.shift({A: 100}, epoch=1)
    assert not stage.driver.observe().outdated
    assert len(stage.stored()["spec"]["rules"]) == 2


async def test_the_answer_of_the_gateway_is_seen(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    made = stage.stored()
    assert not stage.driver.observe().accepted
    conditions = [
        {"type": kind, "status": "True", "observedGeneration": made["metadata"]["generation"]}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    stage.put(made | {"status": {"parents": [{"parentRef": {"name": "edge"}, "conditions": conditions}]}})
    assert stage.driver.observe().accepted
    await stage.driver.shift({A: 0, B: 100}, epoch=1)
    seen = stage.driver.observe()
    assert (seen.accepted, seen.problem, seen.foreign_writer) == (False, "", "")


async def test_the_route_goes_or_stays_with_its_release(stage):
    await stage.driver.shift({A: 100}, epoch=1)
    await stage.driver.disown()
    assert stage.stored()["metadata"]["ownerReferences"] == []
    await stage.driver.shift({A: 100}, epoch=1)
    stage.routes.put(stage.stored())
    await stage.driver.shift({A: 100}, epoch=1)
    assert stage.stored()["metadata"]["ownerReferences"][0]["uid"] == UID
    await stage.driver.retire()
    assert stage.server.find("HTTPRoute", "checkout") is None
    await stage.driver.retire()
    await stage.driver.disown()


async def test_without_traffic_there_is_nothing_to_shift(stage):
    stage.spec = sample_spec(traffic=None)
    with pytest.raises(InvalidError, match="no traffic to shift"):
        await stage.driver.shift({A: 100}, epoch=1)
    stage.put(route({A: 100}))
    assert not stage.driver.observe().outdated
