from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rollout.api.status import (
    JournalEntry,
    Outcome,
    Phase,
    Reaction,
    Release,
    Status,
    Version,
    Weight,
)
from rollout.engine import metrics, report
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


def release(**changes) -> Release:
    version = Version(revision="checkout-b", image="shop:v2")
    return Release(id="r7", started_at=5.0, to_version=version).model_copy(update=changes)


def value(name: str, /, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


ENTRY = JournalEntry(at=10.0, what="rolled-back", text="errors: canary fails 50 %", weight=20)


def test_an_entry_is_told_once():
    before = Status(release=release(journal=[ENTRY]))
    later = JournalEntry(at=11.0, what="ended", text="over")
    after = Status(release=release(journal=[ENTRY, later]))
    assert report.new_entries(before, after) == [later]
    assert report.new_entries(after, after) == []


def test_the_last_words_of_a_release_that_just_ended_are_told():
    before = Status(release=release())
    after = Status(last=release(journal=[ENTRY]))
    assert report.new_entries(before, after) == [ENTRY]
    assert report.new_entries(after, after) == []
    assert report.new_entries(Status(), Status()) == []


@pytest.mark.parametrize(("what", "kind"), [("rolled-back", "Warning"), ("weight", "Normal")])
def test_an_event_says_what_the_journal_says(what, kind):
    manifest = gray_release()
    manifest["metadata"]["uid"] = "u-1"
    event = report.event_of(manifest, ENTRY.model_copy(update={"what": what}))
    assert (event["type"], event["message"]) == (kind, ENTRY.text)
    assert event["reason"] == {"rolled-back": "RolledBack", "weight": "Weight"}[what]
    assert event["involvedObject"]["uid"] == "u-1"
    assert event["firstTimestamp"] == "1970-01-01T00:00:10Z"


async def test_an_event_that_cannot_be_posted_stops_nothing(server):
    server.fail("POST", "events", 403, times=1)
    async with server.cluster() as cluster:
        await report.tell(cluster, gray_release(), [ENTRY, ENTRY])
    assert len(server.all("Event")) == 1


def test_metrics_follow_the_status_and_go_with_the_release():
    ended = release(
        outcome=Outcome.ROLLED_BACK,
        excess_failed_requests=12.5,
        reaction=Reaction(evidence_at=10.0, decided_at=10.25, written_at=10.5),
    )
    who = {"namespace": "shop", "name": "measured"}
    analysis = {"signals": [{"signal": "errors", "log_e": 4.5}]}
    before = Status(release=release(), phase=Phase.ROLLING_BACK)
    after = Status(last=ended, phase=Phase.ROLLED_BACK, weight=Weight(desired=0, observed=0.0), analysis=analysis)
    seen = value("grayling_reaction_seconds_count", stage="written") or 0.0
    unseen = value("grayling_reaction_seconds_count", stage="observed") or 0.0
    report.measure("shop", "measured", before, after)
    report.measure("shop", "measured", after, after)
    assert value("grayling_release_phase", **who, phase="RolledBack") == 1
    assert value("grayling_release_phase", **who, phase="Idle") == 0
    assert value("grayling_release_log_evidence", **who, signal="errors") == 4.5
    assert value("grayling_releases_ended_total", **who, outcome="rolled-back") == 1
    assert value("grayling_excess_failed_requests_total", **who) == 12.5
    assert value("grayling_reaction_seconds_count", stage="written") == seen + 1
    assert (value("grayling_reaction_seconds_count", stage="observed") or 0.0) == unseen
    report.forget("shop", "measured")
    assert value("grayling_release_phase", **who, phase="RolledBack") is None
    assert value("grayling_releases_ended_total", **who, outcome="rolled-back") == 1


def test_a_release_without_evidence_has_no_reaction():
    ended = release(outcome=Outcome.PROMOTED)
    before = value("grayling_reaction_seconds_count", stage="decided")
    report.measure("shop", "quiet", Status(release=release()), Status(last=ended))
    assert value("grayling_reaction_seconds_count", stage="decided") == before
