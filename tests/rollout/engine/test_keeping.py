"""What outlives a holder: the status before what it promises, and records and recordings that are found again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kube.errors import KubeError, StaleHolderError
from rollout.api.bounds import trimmed
from rollout.api.status import Outcome, Status, Waiting
from rollout.engine.judge_session import JudgeSession
from rollout.engine.keeping import RECORD_EVERY, SAVE_EVERY, TOLD_EVERY, Keeper
from rollout.engine.store import StatusStore
from rollout.records.record import config_map_name
from rollout.records.recorder import RECORDING_LABEL, Recorder, lines_in
from rollout.records.recorder import config_map_name as recording_name
from tests.fakes.apiserver import ApiServer, running
from tests.rollout import samples
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.cluster import Cluster

NOW = 1_800_000_000.0


class Desk(NamedTuple):
    server: ApiServer
    cluster: Cluster
    store: StatusStore
    keeper: Keeper

    def statuses(self) -> list[Status]:
        written = [body for _, path, body in self.server.writes if path.endswith("/status")]
        return [Status.model_validate(body["status"]) for body in written]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with running() as server:
        server.put(gray_release("shop:v1"))
        async with server.cluster() as cluster:
            store = StatusStore(cluster, "shop", "checkout")
            await store.load()
            yield Desk(server, cluster, store, Keeper(cluster, store, "shop", "checkout"))


# ------------------------------------------------------------------ the status


def waits(status: Status, reason: str) -> Status:
    return status.model_copy(update={"waiting": Waiting(reason=reason, since=NOW)})


async def test_what_is_promised_is_written_at_once_and_what_is_only_told_once_a_second(desk: Desk):
    session, status = JudgeSession(), samples.stepping()
    assert await desk.keeper.keep(status, session, NOW) == status
    assert desk.statuses() == [status]
    told = waits(status, "one")
    assert await desk.keeper.keep(told, session, NOW + TOLD_EVERY - 0.01) == told
    assert desk.statuses() == [status], "that may wait"
    await desk.keeper.keep(told, session, NOW + TOLD_EVERY)
    assert desk.statuses() == [status, told]
    await desk.keeper.keep(told, session, NOW + 10 * TOLD_EVERY)
    assert desk.statuses() == [status, told], "nothing is new"
    looked = told.model_copy(update={"looked_at": NOW + 5})
    await desk.keeper.keep(looked, session, NOW + 20 * TOLD_EVERY)
    assert desk.statuses() == [status, told], "that somebody looked is written along, never alone"


async def test_telling_may_fail_and_promising_may_not(desk: Desk):
    session, status = JudgeSession(), samples.stepping()
    await desk.keeper.keep(status, session, NOW)
    desk.server.fail("PUT", "/status", 500, times=10**6)
    told = waits(status, "one")
    assert await desk.keeper.keep(told, session, NOW + 5) == told
    assert desk.store.persisted == status
    with pytest.raises(KubeError):
        await desk.keeper.keep(status.model_copy(update={"step": 2}), session, NOW + 6)


async def test_what_could_not_be_told_is_told_later(desk: Desk):
    session, status = JudgeSession(), samples.stepping()
    await desk.keeper.keep(status, session, NOW)
    desk.server.fail("PUT", "/status", 500)
    told = waits(status, "one")
    await desk.keeper.keep(told, session, NOW + 5)
    await desk.keeper.keep(told, session, NOW + 5 + TOLD_EVERY / 2)
    assert desk.store.persisted == status
    await desk.keeper.keep(told, session, NOW + 5 + TOLD_EVERY)
    assert desk.store.persisted == told


class Judged(JudgeSession):
    """A session that was updated, and says how often it was saved."""

    def __init__(self) -> None:
        super().__init__()
        self.assessment = samples_assessment()
        self.saved = 0

    def checkpoint(self, status: Status) -> Status:
        self.saved += 1
        return status.model_copy(update={"judge": f"sums {self.saved}"})


def samples_assessment():
    from rollout.judge.verdict.verdicts import Assessment, Verdict

    return Assessment(Verdict.GOOD, 0.0, (), 0.0, None, "fine")


async def test_the_judges_sums_are_written_every_few_seconds_though_nothing_else_is_new(desk: Desk):
    session, status = Judged(), samples.stepping()
    await desk.keeper.keep(status, session, NOW)
    assert [each.judge for each in desk.statuses()] == ["sums 1"]
    kept = desk.store.persisted
    await desk.keeper.keep(kept, session, NOW + SAVE_EVERY - 0.01)
    assert session.saved == 1
    await desk.keeper.keep(kept, session, NOW + SAVE_EVERY)
    assert [each.judge for each in desk.statuses()] == ["sums 1", "sums 2"]
    await desk.keeper.keep(desk.store.persisted, session, NOW + 2 * SAVE_EVERY - 0.01)
    assert session.saved == 2, "counted from the newest time"


async def test_sums_are_saved_when_a_phase_ends(desk: Desk):
    session, status = Judged(), samples.stepping()
    await desk.keeper.keep(status, session, NOW)
    baking = status.model_copy(update={"phase": "Baking"})
    await desk.keeper.keep(Status.model_validate(baking.wire()), session, NOW + 0.5)
    assert desk.store.persisted.judge == "sums 2"


# ------------------------------------------------------------------ the store


async def test_a_status_that_the_server_finds_too_large_is_written_shorter(desk: Desk):
    status = samples.stepping()
    for code, words in ((413, "no"), (500, "etcdserver: request is too large")):
        desk.server.fail("PUT", "/status", code, message=words)
        written = await desk.store.save(status)
        assert written == trimmed(status)
        assert written.analysis == {}
        assert desk.store.persisted == written
    desk.server.fail("PUT", "/status", 500, message="another reason")
    with pytest.raises(KubeError, match="another reason"):
        await desk.store.save(status)


async def test_an_edit_of_the_spec_meanwhile_costs_one_more_try_and_a_higher_epoch_ends_it(desk: Desk):
    status = samples.stepping().model_copy(update={"epoch": 3})
    await desk.store.save(status)
    edited = gray_release("shop:v2")
    edited["status"] = status.wire()
    desk.server.put(edited)
    assert await desk.store.save(status.model_copy(update={"step": 2}))
    assert (
        desk.server.find("GrayRelease", "checkout")["spec"]["workload"]["template"]["spec"]["containers"][0]["image"]
        == "shop:v2"
    ), "the edit stays"
    other = gray_release("shop:v2")
    other["status"] = status.model_copy(update={"epoch": 4}).wire()
    desk.server.put(other)
    with pytest.raises(StaleHolderError, match="epoch 4 is at work, this one is 3"):
        await desk.store.save(status)


# ------------------------------------------------------------------ records and recordings


async def test_a_recording_is_due_when_a_phase_ends_and_once_a_minute(desk: Desk):
    assert desk.keeper.is_due(NOW, turned=False), "the first"
    assert not desk.keeper.is_due(NOW + RECORD_EVERY - 1, turned=False)
    assert desk.keeper.is_due(NOW + RECORD_EVERY, turned=False)
    assert desk.keeper.is_due(NOW + RECORD_EVERY + 1, turned=True)
    assert not desk.keeper.is_due(NOW + 2 * RECORD_EVERY, turned=False), "counted from the newest"
    assert desk.keeper.is_due(NOW + 2 * RECORD_EVERY + 1, turned=False)


async def test_a_recording_goes_with_its_release_and_is_found_again(desk: Desk):
    recorder = Recorder(samples.spec())
    recorder.step(NOW, 2, 0.2)
    await desk.keeper.record(recorder, "b-1", "uid-checkout")
    made = desk.server.find("ConfigMap", recording_name("checkout", "b-1"))
    assert made["metadata"]["labels"][RECORDING_LABEL] == "checkout"
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("GrayRelease", "checkout", "uid-checkout")
    found = await desk.keeper.recording_of("b-1")
    assert found == lines_in(made)
    assert '"step"' in found
    assert await desk.keeper.recording_of("another") == ""


async def test_a_recording_is_taken_back_from_whoever_wrote_into_it(desk: Desk):
    await desk.keeper.record(Recorder(samples.spec()), "b-1", "uid-checkout")
    applied = [query for query in desk.server.writes if "configmaps" in query[1]]
    assert len(applied) == 1
    await asyncio.gather(*(desk.keeper.record(Recorder(samples.spec()), "b-1", "uid-checkout") for _ in range(3)))
    assert len([query for query in desk.server.writes if "configmaps" in query[1]]) == 4


async def test_a_recording_that_cannot_be_written_or_read_is_no_error(desk: Desk):
    desk.server.fail("PATCH", "configmaps", 403)
    await desk.keeper.record(Recorder(samples.spec()), "b-1", "uid-checkout")
    assert await desk.keeper.recording_of("b-1") == ""
    await desk.keeper.record(Recorder(samples.spec()), "b-1", "uid-checkout")
    desk.server.fail("GET", "configmaps", 500)
    assert await desk.keeper.recording_of("b-1") == ""
    damaged = desk.server.find("ConfigMap", recording_name("checkout", "b-1"))
    desk.server.put({**damaged, "binaryData": {"recording.jsonl.gz": "AAAA"}})
    assert await desk.keeper.recording_of("b-1") == ""


async def test_a_record_counts_as_kept_only_where_it_is_there(desk: Desk):
    last = samples.ended(Outcome.PROMOTED)
    status = Status(last=last)
    assert await desk.keeper.last_record(Status()) == ""
    assert await desk.keeper.last_record(status) == ""
    meta = {"name": config_map_name("checkout", last.id), "namespace": "shop"}
    desk.server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}})
    assert await desk.keeper.last_record(status) == last.id
    desk.server.fail("GET", "configmaps", 500)
    assert await desk.keeper.last_record(status) == "", "nobody can say, so it is written again"
