"""One more workload driver, registered from outside: one class and two rows, and everything that asks knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from kube.errors import StaleHolderError, UsageError
from rollout.api.spec import Spec
from rollout.api.status import Outcome, Phase, Status
from rollout.api.strategy import BUILT, DriverName
from rollout.cli.desire import insist_on_plan
from rollout.decide import capabilities
from rollout.decide.actions import (
    EnsureRevision,
    Guard,
    Retire,
    Scale,
)
from rollout.decide.capabilities import (
    DEPLOYMENT,
    WORKLOADS,
    Capabilities,
    Kind,
    capabilities_of,
    plan_problems,
)
from rollout.drivers import workloads
from rollout.drivers.memory import MemoryDriver, MemoryWorkload
from rollout.drivers.workloads import MAKERS, workload_of
from rollout.engine.act import Actor
from rollout.engine.spec_in_force import SpecReader
from rollout.forecast.next_step import outlook
from rollout.forecast.plan import plan_of
from tests.fakes.apiserver import running
from tests.rollout.decide.simulation import serving
from tests.rollout.decide.world import NAME, spec_of
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from rollout.api.spec import Spec

SINGLE = Kind("a single pod", Capabilities(divisible=False, keeps_old=False, counts_requests=False))
ALL_AT_ONCE = {"driver": "ordinal", "steps": [{"weight": 100}]}


class SinglePods(MemoryWorkload):
    """Pods of which there is one version at a time."""

    kind: ClassVar[Kind] = SINGLE


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> SinglePods:
    pods = SinglePods()
    monkeypatch.setitem(capabilities.WORKLOADS, DriverName.ORDINAL, SINGLE)
    monkeypatch.setitem(workloads.MAKERS, DriverName.ORDINAL, lambda *_, **__: pods)
    return pods


def single_spec(**changes) -> Spec:
    return spec_of("v2", **{"traffic": None, "strategy": ALL_AT_ONCE, **changes})


def test_both_tables_have_the_same_rows():
    assert MAKERS.keys() == WORKLOADS.keys() == BUILT


@pytest.mark.usefixtures("single")
def test_a_share_it_cannot_give_is_refused_with_words():
    parts = single_spec(strategy={"driver": "ordinal", "steps": [{"weight": 5}, {"weight": 100}]})
    [problem] = plan_problems(parts)
    assert problem == (
        "strategy.steps: 5 % cannot be given: driver ordinal runs a single pod, which is not divisible; "
        "write one step with weight: 100"
    )
    assert problem in plan_of(NAME, parts).refusals
    assert plan_problems(single_spec()) == []


@pytest.mark.usefixtures("single")
def test_a_route_before_it_is_refused_with_words():
    wire = {"parents": [{"name": "gateway"}]}
    [problem] = plan_problems(spec_of("v2", traffic=wire, strategy=ALL_AT_ONCE))
    assert problem.startswith("traffic: driver ordinal runs a single pod, which does not keep the version before")
    assert problem.endswith("take traffic out of the spec")


@pytest.mark.usefixtures("single")
def test_that_the_way_back_is_slow_is_told_before_it_begins():
    told = [each for each in plan_of(NAME, single_spec(), Status()).warnings if "a rollback is slow" in each]
    assert told == [
        "the version before gives up its pods: a rollback is slow, it takes as long as they need to start (up to 60 s)"
    ]
    assert not any("slow" in each for each in plan_of(NAME, spec_of("v2"), Status()).warnings)


@pytest.mark.usefixtures("single")
def test_the_decision_brings_it_in_without_a_share_and_takes_it_back_by_its_old_pods():
    made = serving(traffic=None)
    made.world.want("v2", traffic=None, strategy=ALL_AT_ONCE)
    made.until(Phase.BAKING)
    assert made.weights[-1] == 0
    assert made.status.release.steps == []
    old = made.status.previous.revision
    made.reach(lambda: not made.world.deployments[old].born)
    assert outlook(made.world.spec, made.status, made.world.now).text.startswith("the old version stays, without pods,")
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    assert (
        "waits until the pods of the version before are ready"
        in outlook(made.world.spec, made.status, made.world.now).text
    )
    made.until(Phase.ROLLED_BACK)
    assert len(made.world.deployments[old].born) == 4
    assert made.status.last.outcome is Outcome.ROLLED_BACK


async def test_the_engines_hands_use_it(single: SinglePods):
    spec = single_spec()
    async with running() as server, server.cluster() as cluster:
        actor = Actor(cluster, MemoryDriver(), namespace="shop", name=NAME, uid="u-1")
        assert not await actor.perform(Scale("shop-1", 3), spec, epoch=2), "there is nothing yet"
        assert await actor.perform(EnsureRevision("shop-1", 2), spec, epoch=2)
        assert await actor.perform(Scale("shop-1", 3, 1), spec, epoch=2)
        assert await actor.perform(Guard("shop-1", keeps_last=True), spec, epoch=2)
        assert (single.pods, single.guarded) == ({"shop-1": 3}, {"shop-1"})
        with pytest.raises(StaleHolderError):
            await actor.perform(Scale("shop-1", 0), spec, epoch=1)
        await actor.note_spec("shop-1", spec, epoch=2)
        assert single.specs == {"shop-1": spec}
        await actor.perform(Retire("shop-1"), spec, epoch=2)
        assert single.pods == {}
        assert server.all("Deployment") == [], "nothing of it went to the cluster"


# ------------------------------------------------------------------ a driver that is not built

NOT_BUILT = "strategy.driver: ordinal is not built in this version; write gateway"


def test_what_is_not_built_is_refused_where_it_is_planned_and_started():
    spec = single_spec()
    assert plan_problems(spec) == [NOT_BUILT]
    assert NOT_BUILT in plan_of(NAME, spec).refusals
    assert not capabilities_of(spec).divisible, "what nobody can do is not taken for done"
    manifest = gray_release(strategy={"driver": "ordinal"})
    with pytest.raises(UsageError, match=f"GrayRelease shop/checkout: spec.{NOT_BUILT}"):
        insist_on_plan(manifest)
    insist_on_plan(gray_release())
    insist_on_plan(gray_release(strategy={"steps": "none"}))


def test_the_engine_tells_it_and_goes_on_by_the_last_spec_that_it_can_carry_out():
    reader = SpecReader("checkout")

    def read(generation: int, **changes) -> bool:
        manifest = gray_release(**changes)
        manifest["metadata"]["generation"] = generation
        return reader.read(manifest, Status(), {})

    assert not read(1, strategy={"driver": "ordinal"})
    assert reader.in_force is None
    assert reader.mistake == f"spec.{NOT_BUILT}; there is no valid spec yet, and nothing begins before one"
    assert read(2)
    assert not read(3, strategy={"driver": "nodes"})
    assert reader.mistake.endswith("; the last valid spec stays in force")
    assert (reader.in_force.generation, reader.in_force.spec.strategy.driver) == (2, DriverName.GATEWAY)
    assert read(4)
    assert reader.mistake == ""


async def test_hands_that_do_not_know_a_driver_say_so():
    async with running() as server, server.cluster() as cluster:
        with pytest.raises(UsageError, match=f"GrayRelease shop/checkout: spec.{NOT_BUILT}"):
            workload_of(single_spec(), cluster, namespace="shop", name="checkout", uid="u-1")
        made = workload_of(spec_of("v2"), cluster, namespace="shop", name="checkout", uid="u-1")
    assert made.kind is DEPLOYMENT
