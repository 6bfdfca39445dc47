"""One holder's time in charge: what is persisted first, what is kept, what is found again."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from rollout.api.revision import EPOCH_ANNOTATION
from rollout.api.status import JournalEntry, Phase, Status
from rollout.api.taken_back import LABEL
from rollout.engine import metrics
from rollout.engine.judge_session import JudgeSession
from rollout.engine.keeping import SAVE_EVERY
from rollout.engine.rhythm import Rhythm
from rollout.engine.take_over import GAP_SECONDS, caught_up, with_journal_of
from rollout.signals.looks import SourceStatus
from tests.rollout.engine.plant import Plant, gray_release
from tests.rollout.samples import stepping

SLOW = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 50, "hold": "60s"}], "bake": "60s"}


async def canary(it: Plant, **changes: Any) -> None:
    it.declare("shop:v1", strategy=SLOW, **changes)
    await it.served("shop:v1")
    it.declare("shop:v2", strategy=SLOW, **changes)
    await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")


def kinds_of(writes: list[tuple[str, str, Any]]) -> list[str]:
    return ["status" if path.endswith("/status") else path.split("/")[-2] for _, path, _ in writes]


async def test_what_is_promised_is_persisted_before_it_is_done(it: Plant) -> None:
    async with it.engine():
        await canary(it)
    weights = [
        (index, {ref["value"] for ref in body if ref["path"].endswith("/weight")})
        for index, (_, path, body) in enumerate(it.server.writes)
        if "httproutes" in path and isinstance(body, list)
    ]
    raised = next(index for index, values in weights if 50 in values)
    promised = next(
        index
        for index, (_, path, body) in enumerate(it.server.writes)
        if path.endswith("/status") and body["status"]["weight"]["desired"] == 50
    )
    assert promised < raised
    started = next(index for index, (_, path, _) in enumerate(it.server.writes) if "/deployments/" in path)
    said = next(
        index
        for index, (_, path, body) in enumerate(it.server.writes)
        if path.endswith("/status") and body["status"]["phase"] == "Preparing"
    )
    assert said < started


async def test_a_status_that_cannot_be_written_raises_no_weight(it: Plant) -> None:
    async with it.engine():
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
        it.server.fail("PUT", "grayreleases/checkout/status", 500, 10**6)
        it.declare("shop:v2", strategy=SLOW)
        await asyncio.sleep(1.5)
        assert list(it.weights.values()) == [100]
        assert len(it.server.all("Deployment")) == 1, "nothing was begun that nobody promised"
        it.server.faults.clear()
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")


async def test_the_judges_sums_are_kept_within_a_step(it: Plant) -> None:
    async with it.engine():
        await canary(it)
        known = it.status.judge
        await it.until(lambda: it.status.judge not in {"", known}, "kept again", SAVE_EVERY + 4)


def requests_of(it: Plant, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every request from now on, but for what was taken back."""
    asked: list[tuple[str, str]] = []
    answer = it.server._fault

    def noted(request: Any) -> Any:
        if request.query.get("labelSelector") != LABEL:  # the memory is read beside all that
            asked.append((request.method, request.path))
        return answer(request)

    monkeypatch.setattr(it.server, "_fault", noted)
    return asked


async def test_a_rollback_is_carried_on_before_anything_is_read(it: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async with it.engine("one"):
        await canary(it)
    turned = deepcopy(it.release())
    turned["status"] |= {"phase": "RollingBack", "weight": {"desired": 0}, "writtenAt": None, "verifiedAt": None}
    it.server.put(turned)
    it.server.fail("GET", "configmaps", 500, 10**6)
    it.server.writes.clear()
    asked = requests_of(it, monkeypatch)
    async with it.engine("two"):
        await it.until(lambda: sorted(it.weights.values())[:1] == [0] or len(it.weights) == 1, "taken back", 20)
        done = [kind for kind in kinds_of(it.server.writes) if kind != "leases"]
    assert done[0] == "httproutes"
    before = asked[: next(at for at, (how, path) in enumerate(asked) if how == "PATCH" and "httproutes" in path)]
    left = [path for _, path in before if path.endswith(("/services", "/configmaps", "/poddisruptionbudgets"))]
    assert left == [], "what an earlier holder left is looked for after weight 0 was written"


async def test_another_holders_status_ends_the_term(it: Plant) -> None:
    async with it.engine("one"):
        await canary(it)
        other = deepcopy(it.release())
        other["status"] |= {"epoch": 99, "holder": "two"}
        it.server.put(other)
        it.callers.faults["v2"] = 1.0
        await it.until(lambda: it.status.epoch > 99, "taken over again, with a higher epoch", 30)
        await it.phase(Phase.ROLLED_BACK)


async def test_epochs_go_on_from_the_route_where_the_lease_and_the_status_are_gone(it: Plant) -> None:
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
    route = deepcopy(it.server.find("HTTPRoute", "checkout"))
    assert route is not None
    route["metadata"]["annotations"][EPOCH_ANNOTATION] = "61"
    it.server.put(route)
    for key in [key for key in it.server.objects if key[1] == "leases"]:
        it.server.remove(key)
    async with it.engine("two"):
        await it.until(lambda: it.status.epoch == 62, "above the route's")


async def test_a_judge_that_breaks_is_no_good_word(it: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {**SLOW, "steps": [{"weight": 20, "hold": "300ms"}]}
    holds = {**gray_release()["spec"]["analysis"], "noData": {"action": "hold", "deadline": "1h"}}

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a sum that nobody thought of")

    async with it.engine():
        it.declare("shop:v1", strategy=short, analysis=holds)
        await it.served("shop:v1")
        monkeypatch.setattr(JudgeSession, "update", broken)
        it.declare("shop:v2", strategy=short, analysis=holds)
        await it.until(lambda: it.status.doubt == "no-data" or it.status.weight.desired == 20, "at 20 %")
        await asyncio.sleep(1.5)
        assert it.status.phase is Phase.STEPPING
        it.say("abort")
        await it.phase(Phase.ROLLED_BACK)


async def test_an_answer_that_was_lost_is_found_again(it: Plant) -> None:
    async with it.engine() as engine:
        await canary(it)
        worker = engine.worker(("shop", "checkout"))
        assert worker is not None
        written = deepcopy(it.release())
        entry = {"at": "2026-01-01T00:00:00Z", "what": "note", "text": "written, and never answered"}
        written["status"]["release"]["journal"].append(entry)
        it.server.put(written)
        it.callers.status = SourceStatus.SOURCE_DOWN
        it.say("pause")
        await it.until(lambda: it.status.paused is not None, "paused")
        assert it.status.release is not None
        assert "written, and never answered" in [each.text for each in it.status.release.journal]


async def test_what_an_earlier_grayrelease_served_is_taken_for_stable(it: Plant) -> None:
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
    restored = deepcopy(it.release())
    restored["metadata"]["uid"] = "uid-restored"
    restored["status"] = {}
    it.server.put(restored)
    it.declare("shop:v2", strategy=SLOW)
    async with it.engine("two"):
        await it.until(lambda: it.status.phase is Phase.STEPPING, "a share, and not all", 20)
        assert it.status.stable is not None
        assert it.status.stable.image == "shop:v1"
        owners = {item["metadata"]["ownerReferences"][0]["uid"] for item in it.server.all("Deployment")}
        assert owners == {"uid-restored"}
        await it.until(lambda: bool(_told(it, "serves already, and is taken for stable")), "told")


def _told(it: Plant, text: str) -> list[str]:
    return [event["message"] for event in it.server.all("Event") if text in event["message"]]


# ---------------------------------------------------------------------- time between two engines


@pytest.mark.parametrize(("away", "counted"), [(0.0, 0.0), (30.0, 30.0), (7200.0, GAP_SECONDS), (-50.0, 0.0)])
def test_of_the_time_between_two_engines_a_minute_counts(away: float, counted: float):
    status = stepping().model_copy(update={"looked_at": 1_800_000_000.0, "held_since": 1_799_999_990.0})
    now = 1_800_000_000.0 + away
    after = caught_up(status, now)
    assert after.held_since is not None
    assert now - after.held_since == pytest.approx(10.0 + counted)


def test_a_status_of_before_there_was_a_last_look_stays_as_it_is():
    assert caught_up(stepping(), 2e9) == stepping()
    assert caught_up(Status(), 2e9) == Status()


def test_journals_are_put_together_by_time_and_never_of_another_release():
    mine = stepping()
    assert mine.release is not None
    shared, end = mine.release.journal, mine.release.journal[-1].at
    entry = JournalEntry(at=end + 0.5, what="note", text="theirs")
    turned = JournalEntry(at=end + 0.7, what="rolled-back", text="mine")
    theirs = mine.model_copy(update={"release": mine.release.model_copy(update={"journal": [*shared, entry]})})
    ahead = mine.model_copy(update={"release": mine.release.model_copy(update={"journal": [*shared, turned]})})
    both = with_journal_of(ahead, theirs)
    assert both.release is not None
    assert both.release.journal == [*shared, entry, turned]
    early = entry.model_copy(update={"at": shared[0].at - 3600})
    behind = mine.model_copy(update={"release": mine.release.model_copy(update={"journal": [*shared, early]})})
    merged = with_journal_of(ahead, behind)
    assert merged.release is not None
    assert merged.release.journal == [*shared, early, turned], "what was told already keeps its place"
    other = theirs.model_copy(update={"release": mine.release.model_copy(update={"id": "x", "journal": [entry]})})
    assert with_journal_of(mine, other) == mine
    assert with_journal_of(mine, Status()) == mine
    assert with_journal_of(Status(), mine) == Status()


# ---------------------------------------------------------------------- looks that come late, or break


async def test_time_that_nobody_looked_is_counted_once(it: Plant) -> None:
    async with it.server.cluster() as cluster:
        parts = it.controller(cluster)._parts
        parts.clock, late = (lambda: 1000.0), []
        rhythm = Rhythm(parts, ("shop", "checkout"), asyncio.Event())
        for now in (1002.0, 1012.0, 1022.0, 1024.5):
            parts.clock = lambda at=now: at
            found = rhythm.on_time()
            assert found[0] == now
            late.append(found[1])
    assert late == [0.0, 10.0, 10.0, 0.0], "each look is late by the time since the one before, and a little is none"


async def test_a_mirror_with_a_gap_has_been_watching_only_since(it: Plant) -> None:
    async with it.server.cluster() as cluster:
        parts = it.controller(cluster)._parts
        parts.clock = lambda: 1000.0
        rhythm = Rhythm(parts, ("shop", "checkout"), asyncio.Event())
        parts.clock = lambda: 1001.0
        assert not parts.mirror.healthy_in("shop")
        rhythm.on_time()
        assert rhythm.watching_since == 1001.0


async def test_looks_that_break_end_the_term_and_not_the_release(it: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended() -> float:
        return metrics.REGISTRY.get_sample_value("grayling_action_failures_total", {"action": "Term"}) or 0.0

    async with it.engine():
        await canary(it)
        epoch, before = it.status.epoch, ended()
        with monkeypatch.context() as patched:
            patched.setattr("rollout.engine.term.decide", lambda *_: 1 / 0)
            await it.until(lambda: ended() > before, "ended")
        await it.until(lambda: it.status.epoch > epoch, "begun anew", 20)
        it.callers.faults["v2"] = 1.0
        await it.phase(Phase.ROLLED_BACK)
