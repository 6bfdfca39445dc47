from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kube.errors import KubeError
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
from rollout.notify.channels import Counters, Events, News, event_of
from tests.fakes.apiserver import ApiServer, running

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


@pytest.mark.parametrize(("what", "kind"), [("rolled-back", "Warning"), ("weight", "Normal")])
def test_an_event_says_what_the_journal_says(what, kind):
    event = event_of(News("shop", "checkout", "u-1", ENTRY.model_copy(update={"what": what})))
    assert (event["type"], event["message"]) == (kind, ENTRY.text)
    assert event["reason"] == {"rolled-back": "RolledBack", "weight": "Weight"}[what]
    assert event["involvedObject"]["uid"] == "u-1"
    assert event["firstTimestamp"] == "1970-01-01T00:00:10Z"


async def test_an_event_that_may_be_taken_later_is_an_error_and_one_that_never_will_be_is_counted(server):
    def lost() -> float:
        return value("grayling_action_failures_total", action="Tell") or 0.0

    before = lost()
    async with server.cluster() as cluster:
        channel = Events(cluster)
        server.fail("POST", "events", 403, times=1)
        with pytest.raises(KubeError):
            await channel.tell(News("shop", "checkout", "u-1", ENTRY))
        server.fail("POST", "events", 422, times=1)
        await channel.tell(News("shop", "checkout", "u-1", ENTRY))
        assert lost() == before + 1
        await channel.tell(News("shop", "checkout", "u-1", ENTRY))
    assert len(server.all("Event")) == 1


async def test_metrics_follow_the_status_and_go_with_the_release():
    ended = release(
        outcome=Outcome.ROLLED_BACK,
        excess_failed_requests=12.5,
        reaction=Reaction(evidence_at=10.0, decided_at=10.25, written_at=10.5),
    )
    who = {"namespace": "shop", "name": "measured"}
    analysis = {"signals": [{"signal": "errors", "log_e": 4.5}]}
    after = Status(last=ended, phase=Phase.ROLLED_BACK, weight=Weight(desired=0, observed=0.0), analysis=analysis)
    seen = value("grayling_reaction_seconds_count", stage="written") or 0.0
    unseen = value("grayling_reaction_seconds_count", stage="observed") or 0.0
    report.measure("shop", "measured", after)
    last_word = JournalEntry(at=11.0, what="ended", text="over")
    for entry in (ENTRY, last_word):
        await Counters().tell(News("shop", "measured", "u-1", entry, (ended,)))
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


async def test_a_release_without_evidence_has_no_reaction():
    ended = release(outcome=Outcome.PROMOTED)
    before = value("grayling_reaction_seconds_count", stage="decided")
    last_word = JournalEntry(at=11.0, what="ended", text="over")
    await Counters().tell(News("shop", "quiet", "u-1", last_word, (ended,)))
    assert value("grayling_reaction_seconds_count", stage="decided") == before
