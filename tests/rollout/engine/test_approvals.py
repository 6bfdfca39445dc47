"""What the engine sees of approvals, and that it believes none where it cannot see all of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.approval import digest_of
from rollout.api.approval_policy import NAME, binding, policy
from rollout.api.spec import Spec
from rollout.engine.approvals import Approvals
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.engine.plant import Plant, gray_release, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = ("shop", "checkout")
STEPS = [{"weight": 20, "hold": "400ms"}, {"weight": 50, "hold": "400ms", "gate": "approval"}]
STRATEGY = {"steps": STEPS, "bake": "500ms", "drain": "200ms", "readyDeadline": "3s", "verifyDeadline": "3s"}
GATED = Spec.model_validate(gray_release(strategy=STRATEGY)["spec"])
OPEN = Spec.model_validate(gray_release()["spec"])
POLICIES = "/apis/admissionregistration.k8s.io/v1"


def approval(name: str = "one", approver: str = "ann", **spec: Any) -> dict[str, Any]:
    said = {
        "release": "checkout",
        "attempt": "1",
        "revision": "checkout-1",
        "digest": digest_of(GATED),
        "step": 2,
        "approver": approver,
        **spec,
    }
    meta = {"name": name, "namespace": "shop", "creationTimestamp": "2026-02-01T00:00:00Z"}
    return {"apiVersion": "grayling.dev/v1alpha1", "kind": "Approval", "metadata": meta, "spec": said}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


@asynccontextmanager
async def looking(server: ApiServer, *namespaces: str | None) -> AsyncIterator[tuple[Approvals, list[Any]]]:
    changed: list[Any] = []
    async with server.cluster() as cluster:
        approvals = Approvals(cluster, namespaces or ("shop",), changed.append)
        task = asyncio.create_task(approvals.run())
        try:
            yield approvals, changed
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def stand(server: ApiServer) -> None:
    server.put(policy())
    server.put(binding())


async def test_who_approved_is_seen_and_wakes_the_release(server):
    stand(server)
    async with looking(server) as (approvals, changed):
        assert "approvals cannot be read" in approvals.look(KEY, GATED).problem, "not yet"
        await until(lambda: not approvals.look(KEY, GATED).problem)
        changed.clear()
        server.put(approval())
        server.put(approval("two", release="billing"))
        await until(lambda: KEY in changed)
        facts = approvals.look(KEY, GATED)
        assert [each.says.approver for each in facts.given] == ["ann"]
        changed.clear()
        server.remove(server.key("/apis/grayling.dev/v1alpha1", "approvals", "shop", "one"))
        await until(lambda: KEY in changed)
        assert approvals.look(KEY, GATED).given == ()


async def test_one_that_is_being_deleted_is_taken_back_already(server):
    stand(server)
    held = approval()
    held["metadata"]["finalizers"] = ["somebody/holds-it"]
    server.put(held)
    async with looking(server) as (approvals, _):
        await until(lambda: approvals.look(KEY, GATED).given)
        held["metadata"]["deletionTimestamp"] = "2026-02-02T00:00:00Z"
        server.put(held)
        await until(lambda: not approvals.look(KEY, GATED).given)


@pytest.mark.parametrize("spec", [{"step": 0}, {"more": "keys"}, {"approver": 7}], ids=str)
async def test_what_cannot_be_read_is_counted_and_is_no_approval(server, spec):
    stand(server)
    server.put(approval(**spec))
    async with looking(server) as (approvals, _):
        await until(lambda: approvals.look(KEY, GATED).unreadable)
        assert approvals.look(KEY, GATED).given == ()


async def test_one_that_was_edited_is_no_approval(server):
    stand(server)
    server.put(approval())
    async with looking(server) as (approvals, _):
        await until(lambda: approvals.look(KEY, GATED).given)
        server.put(approval(approver="eve"))
        await until(lambda: approvals.look(KEY, GATED).unreadable)
        assert approvals.look(KEY, GATED).given == ()


@pytest.mark.parametrize("plural", ["validatingadmissionpolicies", "validatingadmissionpolicybindings"])
async def test_without_its_policy_none_is_believed_and_the_release_is_woken(server, plural):
    stand(server)
    server.put(approval())
    async with looking(server) as (approvals, changed):
        await until(lambda: approvals.look(KEY, GATED).given)
        changed.clear()
        server.remove(server.key(POLICIES, plural, "", NAME))
        await until(lambda: KEY in changed)
        facts = approvals.look(KEY, GATED)
        assert (facts.given, "is not on the cluster" in facts.problem) == ((), True)


async def test_a_policy_made_anew_vouches_for_no_older_approval(server):
    stand(server)
    server.put(approval())
    async with looking(server) as (approvals, _):
        await until(lambda: approvals.look(KEY, GATED).given)
        server.remove(server.key(POLICIES, "validatingadmissionpolicies", "", NAME))
        await until(lambda: approvals.look(KEY, GATED).problem)
        fresh = policy()
        fresh["metadata"]["creationTimestamp"] = "2026-03-01T00:00:00Z"
        server.put(fresh)
        await until(lambda: not approvals.look(KEY, GATED).problem)
        facts = approvals.look(KEY, GATED)
        assert all(each.made_at < facts.trusted_since for each in facts.given)


async def test_a_policy_of_an_unknown_age_is_not_believed(server):
    made = policy()
    made["metadata"]["creationTimestamp"] = "long ago"
    server.put(made)
    server.put(binding())
    server.put(approval())
    async with looking(server) as (approvals, _):
        await until(lambda: "since when" in approvals.look(KEY, GATED).problem)
        assert approvals.look(KEY, GATED).given == ()


@pytest.mark.parametrize("path", ["/approvals", "validatingadmissionpolicies", "validatingadmissionpolicybindings"])
async def test_what_may_not_be_read_is_told_and_never_believed(server, path):
    stand(server)
    server.put(approval())
    server.fail("GET", path, 403, times=10_000, message="cannot list resource")
    async with looking(server) as (approvals, _):
        assert approvals.look(KEY, GATED).problem
        await asyncio.sleep(0.3)
        facts = approvals.look(KEY, GATED)
        assert facts.given == ()
        assert "the engine needs to get, list and watch approvals" in facts.problem
        assert NAME in facts.problem


async def test_an_engine_whose_releases_wait_for_none_asks_for_none(server):
    server.fail("GET", "approvals|admission", 403, times=10_000)
    async with looking(server) as (approvals, _):
        assert approvals.look(KEY, OPEN).given == ()
        await asyncio.sleep(0.1)
        assert [fault.times for fault in server.faults] == [10_000]


async def test_another_namespace_is_not_this_one(server):
    stand(server)
    async with looking(server, "other") as (approvals, _):
        await asyncio.sleep(0.1)
        assert approvals.look(KEY, GATED).problem


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        yield made


@pytest.mark.parametrize("only", [None, KEY], ids=["controller", "foreground"])
async def test_a_real_engine_holds_and_goes_on_when_it_is_approved(it: Plant, only: tuple[str, str] | None):
    stand(it.server)
    async with it.engine(only=only):
        it.declare("shop:v1", strategy=STRATEGY)
        await it.served("shop:v1")
        asked = it.release()
        asked["metadata"]["annotations"] = {"grayling.dev/requested-by": "bob"}
        it.server.put(asked)
        it.declare("shop:v2", strategy=STRATEGY)
        await it.until(lambda: it.status.waiting is not None and it.status.waiting.gate == "approval", "held")
        told = {each.type: each.reason for each in it.status.conditions}
        assert told["Waiting"] == "Approval"
        release, canary = it.status.release, it.status.canary
        assert release is not None
        assert canary is not None
        binds = {"attempt": release.id, "revision": canary.revision, "digest": it.status.spec_digest}
        it.server.put(approval("forbidden", "bob", **binds))
        await it.until(lambda: "1 is by who asked for the version" in it.status.waiting.reason, "told")
        it.server.put(approval("allowed", "ann", **binds))
        await it.served("shop:v2")
        assert [each.approver for each in it.status.last.approvals] == ["ann"]
