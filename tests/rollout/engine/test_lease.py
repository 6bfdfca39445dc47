from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kube.errors import StaleHolderError
from rollout.engine.lease import BLIND_SECONDS, IDLE_SECONDS, IN_FLIGHT_SECONDS, ReleaseLease
from tests.fakes.apiserver import ApiServer, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Watch:
    """A monotonic clock that a test sets."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def lease(server: ApiServer, watch: Watch) -> AsyncIterator:
    async with server.cluster() as cluster:

        def make(identity: str) -> ReleaseLease:
            return ReleaseLease(cluster, "shop", "checkout", identity, monotonic=watch)

        yield make


def holder(server: ApiServer) -> str | None:
    found = server.find("Lease", "grayling-checkout")
    assert found is not None
    return found["spec"].get("holderIdentity")


async def test_one_holds_and_the_other_waits_until_nothing_was_renewed_for_the_whole_time(server, lease, watch):
    one, two = lease("one"), lease("two")
    assert await one.acquire()
    assert one.epoch == 1
    assert not await two.acquire()
    watch.at += IN_FLIGHT_SECONDS
    assert not await two.acquire()
    watch.at += 0.1
    assert await two.acquire()
    assert two.epoch == 2
    assert holder(server) == "two"


async def test_expiry_counts_from_the_renewal_last_seen(lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    assert not await two.acquire()
    watch.at += IN_FLIGHT_SECONDS - 1
    await one.check(in_flight=True)
    watch.at += 2
    assert not await two.acquire()


async def test_the_same_identity_takes_its_own_lease_back_with_a_new_epoch(lease):
    await lease("one").acquire()
    again = lease("one")
    assert await again.acquire()
    assert again.epoch == 2


async def test_it_is_renewed_after_a_third_and_not_before(server, lease, watch):
    one = lease("one")
    await one.acquire()
    await one.check(in_flight=True)
    assert len(server.writes) == 1
    watch.at += IN_FLIGHT_SECONDS / 3 + 0.01
    await one.check(in_flight=True)
    assert len(server.writes) == 2
    assert one.epoch == 1


async def test_a_release_that_takes_off_shortens_it_at_once(server, lease, watch):
    one = lease("one")
    await one.acquire()
    watch.at += IDLE_SECONDS / 3
    await one.check(in_flight=False)
    assert server.find("Lease", "grayling-checkout")["spec"]["leaseDurationSeconds"] == IDLE_SECONDS
    await one.check(in_flight=True)
    assert server.find("Lease", "grayling-checkout")["spec"]["leaseDurationSeconds"] == IN_FLIGHT_SECONDS


async def test_renewing_what_another_took_says_who_has_it(lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    await two.acquire()
    watch.at += IN_FLIGHT_SECONDS + 0.1
    assert await two.acquire()
    with pytest.raises(StaleHolderError, match="two holds grayling-checkout now"):
        await one.check(in_flight=True)
    assert not one.held


async def test_a_lease_deleted_by_hand_is_made_again(server, lease, watch):
    one = lease("one")
    await one.acquire()
    server.objects.clear()
    watch.at += IN_FLIGHT_SECONDS
    await one.check(in_flight=True)
    assert holder(server) == "one"


async def test_two_that_create_it_at_once_end_with_one(server, lease):
    server.fail("POST", "leases", 409)
    assert not await lease("one").acquire()


async def test_two_that_take_it_at_once_end_with_one(server, lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    await one.release()
    server.fail("PATCH", "leases", 409)
    assert not await two.acquire()
    assert await two.acquire()


async def test_somebody_who_only_writes_on_it_takes_nothing_away(server, lease, watch):
    one = lease("one")
    await one.acquire()
    noted = deepcopy(server.find("Lease", "grayling-checkout"))
    noted["metadata"]["annotations"] = {"seen": "by me"}
    server.put(noted)
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    assert one.held
    assert server.find("Lease", "grayling-checkout")["metadata"]["annotations"] == {"seen": "by me"}


async def test_deleted_and_taken_meanwhile_it_is_lost(server, lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    server.objects.clear()
    assert await two.acquire()
    watch.at += IN_FLIGHT_SECONDS / 2
    with pytest.raises(StaleHolderError, match="two holds grayling-checkout now"):
        await one.check(in_flight=True)


async def test_a_renewal_is_one_request(server, lease, watch):
    one = lease("one")
    await one.acquire()
    asked: list[str] = []
    answer = server._answer

    async def counted(request, found, body):
        asked.append(request.method)
        return await answer(request, found, body)

    server._answer = counted
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    assert asked == ["PATCH"]


async def test_who_waits_asks_nothing_and_wakes_when_it_is_free(server, lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    two.mirrored = lambda: server.find("Lease", "grayling-checkout")
    assert not await two.acquire()
    seen = len(server.writes)
    waiting = asyncio.create_task(two.freed())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await one.release()
    two.changed.set()
    async with asyncio.timeout(1):
        await waiting
    assert await two.acquire()
    assert len(server.writes) == seen + 2, "let go, and taken"


async def test_let_go_it_is_free_at_once(server, lease):
    one, two = lease("one"), lease("two")
    await one.acquire()
    await one.release()
    assert holder(server) is None
    assert await two.acquire()


async def test_who_never_held_it_lets_nothing_go(server, lease):
    one, two = lease("one"), lease("two")
    await one.acquire()
    await two.release()
    assert holder(server) == "one"


async def test_who_lost_it_leaves_the_successor_alone(server, lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    await two.acquire()
    watch.at += IN_FLIGHT_SECONDS + 0.1
    await two.acquire()
    await one.release()
    assert holder(server) == "two"


async def test_an_api_server_that_fails_takes_nothing_away_before_the_lease_is_over(server, lease, watch):
    one = lease("one")
    await one.acquire()
    server.fail("PATCH", "leases", 500, times=50)
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    assert one.held
    watch.at += IN_FLIGHT_SECONDS / 2
    with pytest.raises(StaleHolderError, match="could not be renewed in time"):
        await one.check(in_flight=True)
    assert not one.held


async def test_a_holder_that_rests_keeps_it_for_as_long_as_it_said(lease, watch):
    one, two = lease("one"), lease("two")
    await one.acquire()
    watch.at += IDLE_SECONDS / 3
    await one.check(in_flight=False)
    assert not await two.acquire()
    watch.at += IDLE_SECONDS - 0.01
    assert not await two.acquire()
    watch.at += 0.1
    assert await two.acquire()


async def test_who_cannot_watch_tries_again_after_a_while_that_is_its_own(lease, monkeypatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("rollout.engine.lease.asyncio.sleep", sleep)
    one = lease("one")
    for _ in range(20):
        await one.freed()
    assert all(BLIND_SECONDS / 2 <= each <= BLIND_SECONDS * 3 / 2 for each in slept)
    assert len(set(slept)) == 20, "no two at the same time"


async def test_a_lease_says_who_holds_it_for_how_long_and_how_often_it_changed_hands(server, lease):
    one = lease("one")
    one.clock = lambda: 1_800_000_000.0
    await one.acquire()
    made = server.find("Lease", "grayling-checkout")
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "grayling"}
    assert made["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": IN_FLIGHT_SECONDS,
        "renewTime": "2027-01-15T08:00:00.000000Z",
        "acquireTime": "2027-01-15T08:00:00.000000Z",
        "leaseTransitions": 1,
    }


async def test_a_renewal_leaves_the_time_at_which_the_lease_was_acquired(server, lease, watch):
    one = lease("one")
    one.clock = lambda: 1_800_000_000.0
    await one.acquire()
    one.clock = lambda: 1_800_000_060.0
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    renewed = dict(server.find("Lease", "grayling-checkout")["spec"])
    assert renewed["acquireTime"] == "2027-01-15T08:00:00.000000Z"
    assert renewed["renewTime"] == "2027-01-15T08:01:00.000000Z"
    server.remove(("/apis/coordination.k8s.io/v1", "leases", "shop", "grayling-checkout"))
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    assert server.find("Lease", "grayling-checkout")["spec"]["acquireTime"] == renewed["acquireTime"], "made anew"
    await one.release()
    await one.acquire()
    assert server.find("Lease", "grayling-checkout")["spec"]["acquireTime"] == renewed["renewTime"], "another term"


async def test_a_lease_written_twice_meanwhile_is_an_error_of_this_look_alone(server, lease, watch):
    one = lease("one")
    await one.acquire()
    noted = deepcopy(server.find("Lease", "grayling-checkout"))
    noted["metadata"]["annotations"] = {"seen": "by me"}
    server.put(noted)
    server.fail("PATCH", "leases", 409, times=2)
    watch.at += IN_FLIGHT_SECONDS / 2
    await one.check(in_flight=True)
    assert one.held
    await one.check(in_flight=True)
    assert server.find("Lease", "grayling-checkout")["spec"]["leaseTransitions"] == one.epoch == 1
