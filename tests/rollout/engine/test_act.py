"""The hands of a holder: ours by uid, as it was read, and never after somebody else took over."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from kube.errors import ConflictError, InvalidError, KubeError, StaleHolderError
from rollout.api.revision import (
    DECLARED_ANNOTATION,
    EPOCH_ANNOTATION,
    RELEASE_LABEL,
    REPLICAS_ANNOTATION,
    SPEC_ANNOTATION,
    manifests_of,
    policy_of,
    revision_of,
)
from rollout.api.spec import Spec
from rollout.decide.actions import (
    EnsureRevision,
    Finalize,
    Guard,
    Retire,
    Scale,
)
from rollout.drivers.memory import MemoryDriver
from rollout.engine.act import Actor
from rollout.engine.pod_problems import revision_facts
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SPEC = Spec.model_validate(gray_release("shop:v1")["spec"])
REVISION = revision_of("checkout", SPEC)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        made.put(gray_release("shop:v1"))
        yield made


@pytest.fixture
async def actor(server: ApiServer) -> AsyncIterator[Actor]:
    async with server.cluster() as cluster:
        yield Actor(cluster, MemoryDriver(), namespace="shop", name="checkout", uid="uid-checkout")


async def made(actor: Actor, epoch: int = 3) -> None:
    await actor.perform(EnsureRevision(REVISION, 2), SPEC, epoch=epoch)


def notes(server: ApiServer) -> dict[str, str]:
    return deployment(server)["metadata"]["annotations"]


def deployment(server: ApiServer) -> dict[str, Any]:
    found = server.find("Deployment", REVISION)
    assert found is not None
    return deepcopy(found)


def objects(server: ApiServer) -> set[str]:
    kinds = ("Deployment", "Service", "ConfigMap", "PodDisruptionBudget")
    return {kind for kind in kinds if server.find(kind, REVISION)}


async def test_what_was_skipped_is_not_said_to_be_done(server, actor):
    other = "checkout-another"
    for action in (EnsureRevision(other, 2), Scale(other, 2), Guard(other, keeps_last=True)):
        assert await actor.perform(action, SPEC, epoch=3) is False, action
    assert objects(server) == set()
    for action in (EnsureRevision(REVISION, 2), Scale(REVISION, 3), Guard(REVISION, keeps_last=True)):
        assert await actor.perform(action, SPEC, epoch=3) is True, action


async def test_a_revision_notes_what_it_was_made_as(server, actor):
    await made(actor)
    assert notes(server)[REPLICAS_ANNOTATION] == "2"
    assert notes(server)[DECLARED_ANNOTATION] == str(SPEC.workload.replicas)
    assert notes(server)[EPOCH_ANNOTATION] == "3"
    known = policy_of(deployment(server))
    assert known is not None
    assert (known.analysis, known.strategy, known.traffic) == (SPEC.analysis, SPEC.strategy, SPEC.traffic)


@pytest.mark.parametrize("change", ["named", "none"])
def test_a_note_is_read_whatever_the_ports_were(change):
    spec = deepcopy(gray_release()["spec"])
    if change == "named":
        spec["workload"]["ports"][0]["targetPort"] = "web"
        spec["workload"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
    else:
        del spec["workload"]["ports"], spec["traffic"]
    wanted = Spec.model_validate(spec)
    found = policy_of(manifests_of("checkout", "shop", "u", wanted, replicas=1)[-1])
    assert found is not None
    assert (found.workload.ports, found.analysis) == (wanted.workload.ports, wanted.analysis)


@pytest.mark.parametrize(
    "spoilt",
    [
        '{"workload": {"ports": ["x"]}}',
        '{"workload": {"ports": 3}}',
        "",
        "{",
        "[]",
        '{"workload": 3}',
        '{"strategy": {"steps": []}}',
    ],
)
async def test_a_note_that_cannot_be_read_is_none(server, actor, spoilt):
    await made(actor)
    found = deployment(server)
    found["metadata"]["annotations"][SPEC_ANNOTATION] = spoilt
    assert policy_of(found) is None


async def test_a_scale_is_noted_with_the_epoch_that_asked_for_it(server, actor):
    await made(actor)
    await actor.perform(Scale(REVISION, 5), SPEC, epoch=4)
    assert deployment(server)["spec"]["replicas"] == 5
    assert (notes(server)[REPLICAS_ANNOTATION], notes(server)[EPOCH_ANNOTATION]) == ("5", "4")


async def test_a_budget_keeps_the_last_pod_and_lets_it_go_again(server, actor):
    await made(actor)

    def budget() -> dict[str, Any]:
        spec = server.find("PodDisruptionBudget", REVISION)["spec"]
        return {key: each for key, each in spec.items() if key != "selector"}

    usual = {"maxUnavailable": SPEC.workload.max_unavailable, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    assert budget() == usual
    await actor.perform(Guard(REVISION, keeps_last=True), SPEC, epoch=4)
    assert budget() == {"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    assert revision_facts(deployment(server), []).keeps_last
    assert notes(server)[EPOCH_ANNOTATION] == "4"
    await actor.perform(Guard(REVISION, keeps_last=False), SPEC, epoch=4)
    assert budget() == usual
    assert not revision_facts(deployment(server), []).keeps_last
    await actor.perform(Guard(REVISION, keeps_last=True), SPEC, epoch=4)
    await made(actor, epoch=5)
    assert budget() == usual
    assert not revision_facts(deployment(server), []).keeps_last, "what is made anew is made as usual"


async def test_a_budget_that_could_not_be_noted_is_written_again(server, actor):
    await made(actor)
    server.fail("PATCH", "/deployments/", 500)
    with pytest.raises(KubeError):
        await actor.perform(Guard(REVISION, keeps_last=True), SPEC, epoch=4)
    assert not revision_facts(deployment(server), []).keeps_last


async def test_a_spare_pod_is_noted_as_one(server, actor):
    await made(actor)
    await actor.perform(Scale(REVISION, 3, spare=1), SPEC, epoch=4)
    assert revision_facts(deployment(server), []).spare == 1
    await actor.perform(Scale(REVISION, 3), SPEC, epoch=4)
    assert revision_facts(deployment(server), []).spare == 0


STALE = [Scale(REVISION, 0), Retire(REVISION), EnsureRevision(REVISION, 9), Guard(REVISION, keeps_last=True)]


@pytest.mark.parametrize("action", STALE)
async def test_a_holder_whose_time_is_over_changes_nothing(server, actor, action):
    await made(actor, epoch=7)
    before = (deployment(server), objects(server))
    with pytest.raises(StaleHolderError, match="carries epoch 7, ours is 6"):
        await actor.perform(action, SPEC, epoch=6)
    assert (deployment(server), objects(server)) == before


async def test_retiring_removes_everything_of_a_revision_and_the_deployment_last(server, actor):
    await made(actor)
    server.writes.clear()
    await actor.perform(Retire(REVISION), SPEC, epoch=3)
    assert objects(server) == set()
    deleted = [path for method, path, _ in server.writes if method == "DELETE"]
    assert deleted[-1].endswith(f"/deployments/{REVISION}")
    for method, _, body in server.writes:
        if method == "DELETE":
            assert set(body["preconditions"]) == {"uid", "resourceVersion"}


async def test_a_removal_that_lands_late_removes_nothing_that_was_written_since(server, actor):
    await made(actor)
    read = deployment(server)
    await made(actor, epoch=4)
    with pytest.raises(ConflictError, match="Precondition failed"):
        await actor._delete(next(iter([k for k in actor_kinds() if k.kind == "Deployment"])), read)
    assert server.find("Deployment", REVISION) is not None


def actor_kinds() -> tuple[Any, ...]:
    from rollout.engine.act import OWNED

    return OWNED


@pytest.mark.parametrize("action", [Scale("", 0), Retire(""), Guard("", keeps_last=True)])
async def test_a_revision_without_a_name_is_none(server, actor, action):
    await made(actor)
    server.writes.clear()
    with pytest.raises(InvalidError):
        await actor.perform(action, SPEC, epoch=3)
    assert server.writes == []


async def test_what_is_somebody_elses_is_left_as_it_is(server, actor):
    await made(actor)
    for kind in ("Deployment", "Service"):
        found = deepcopy(server.find(kind, REVISION))
        found["metadata"]["ownerReferences"][0] |= {"uid": "other", "kind": "Team", "name": "red"}
        server.put(found)
    with pytest.raises(ConflictError, match=r"Deployment shop/.* exists and belongs to Team red"):
        await actor.perform(Scale(REVISION, 0), SPEC, epoch=3)
    await actor.perform(Retire(REVISION), SPEC, epoch=3)
    assert objects(server) == {"Deployment", "Service"}


async def test_what_an_earlier_one_of_its_name_left_is_taken_over_and_told(server, actor):
    await made(actor)
    for kind in ("Deployment", "Service", "ConfigMap"):
        found = deepcopy(server.find(kind, REVISION))
        found["metadata"]["ownerReferences"][0]["uid"] = "uid-of-before"
        server.put(found)
    told = await actor.adopt()
    assert len(told) == 3
    assert f"Deployment {REVISION} was GrayRelease checkout's and is taken over" in told
    assert deployment(server)["metadata"]["ownerReferences"][0]["uid"] == "uid-checkout"
    assert await actor.adopt() == []


async def test_letting_go_lets_go_of_its_own_alone(server, actor):
    await made(actor)
    stranger = {"name": "legacy", "namespace": "shop", "labels": {RELEASE_LABEL: "checkout"}}
    stranger["ownerReferences"] = [{"kind": "Team", "name": "red", "uid": "t", "controller": True}]
    server.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": stranger, "spec": {}})
    await actor.perform(Finalize(orphan=True), SPEC, epoch=3)
    assert not deployment(server)["metadata"].get("ownerReferences")
    assert server.find("Deployment", "legacy")["metadata"]["ownerReferences"][0]["uid"] == "t"


async def test_a_grayrelease_made_anew_keeps_its_finalizer_from_the_engine_of_the_old_one(server, actor):
    found = deepcopy(server.find("GrayRelease", "checkout"))
    found["metadata"] |= {"uid": "another", "finalizers": ["grayling.dev/release"]}
    server.put(found)
    await actor.perform(Finalize(orphan=False), SPEC, epoch=3)
    assert server.find("GrayRelease", "checkout")["metadata"]["finalizers"] == ["grayling.dev/release"]


async def test_records_of_somebody_else_are_not_thrown_away(server, actor):
    from rollout.api.status import Outcome
    from rollout.decide.actions import KeepRecord
    from rollout.records.record import RECORD_LABEL
    from tests.rollout import samples

    meta = {"name": "mine", "namespace": "shop", "labels": {RECORD_LABEL: "checkout"}}
    server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    one = SPEC.model_copy(update={"history": 1})
    for identity in ("a", "b"):
        ended = samples.ended(Outcome.PROMOTED).model_copy(update={"id": identity})
        await actor.perform(KeepRecord(ended), one, epoch=3)
    kept = {item["metadata"]["name"] for item in server.all("ConfigMap")}
    assert kept == {"mine", "checkout-release-b"}


async def test_letting_go_keeps_other_owners_and_what_is_anothers(server, actor):
    await made(actor)
    found = deployment(server)
    team = {"apiVersion": "v1", "kind": "Team", "name": "red", "uid": "t"}
    found["metadata"]["ownerReferences"].append(team)
    server.put(found)
    await actor.perform(Finalize(orphan=True), SPEC, epoch=3)
    assert deployment(server)["metadata"]["ownerReferences"] == [team]


async def test_nothing_is_asked_of_other_namespaces(server, actor):
    await made(actor)
    server.fail("GET", r"^/apis?(/[^/]+)?/v1/[a-z]+$", 403, times=10**6)
    assert await actor.adopt() == []
    await actor.perform(Finalize(orphan=True), SPEC, epoch=3)
    assert not deployment(server)["metadata"].get("ownerReferences")


async def test_a_spec_is_noted_on_its_revision_once_and_by_no_holder_of_before(server, actor):
    await made(actor)
    found = deployment(server)
    del found["metadata"]["annotations"][SPEC_ANNOTATION]
    server.put(found)
    server.writes.clear()
    with pytest.raises(StaleHolderError):
        await actor.note_spec(REVISION, SPEC, epoch=2)
    assert server.writes == []
    for _ in range(2):
        await actor.note_spec(REVISION, SPEC, epoch=3)
    assert len(server.writes) == 1
    assert policy_of(deployment(server)).analysis == SPEC.analysis
    await actor.note_spec("checkout-00000000", SPEC, epoch=3)
    assert len(server.writes) == 1, "what does not exist has no notes"
