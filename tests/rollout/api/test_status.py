"""The engine's memory: what is written is what is read, to the microsecond."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.api.bounds import JOURNAL_LIMIT
from rollout.api.status import (
    JournalEntry,
    Phase,
    Release,
    Status,
    Version,
    timestamp,
)
from rollout.decide.context import (
    REFUSED_LIMIT,
    begin_step,
    change_release,
    refuse,
    write_journal,
)

AT = 1_800_000_000.0


def read_back(status: Status) -> Status:
    return Status.model_validate(json.loads(json.dumps(status.wire())))


def in_flight() -> Status:
    return Status(release=Release(id="r", started_at=AT, to_version=Version(revision="v2")))


def test_timestamps_are_rfc_3339_in_utc():
    assert timestamp(AT + 0.25) == "2027-01-15T08:00:00.250000Z"
    assert JournalEntry(at="2027-01-15T09:00:00.25+01:00", what="x", text="").at == AT + 0.25


@settings(derandomize=True, deadline=None)
@given(at=st.floats(0, 4e9, allow_nan=False), weight=st.integers(0, 100), phase=st.sampled_from(Phase))
def test_what_is_written_is_what_is_read(at: float, weight: int, phase: Phase):
    written = in_flight().model_copy(update={"phase": phase, "phase_since": at})
    written = begin_step(written, at, 0, weight, 1.5)
    read = read_back(written)
    assert read.phase_since == pytest.approx(at, abs=1e-6)
    assert read_back(read) == read
    assert read.wire() == written.wire()


@pytest.mark.parametrize("phase", Phase)
def test_in_flight(phase: Phase):
    assert Status(phase=phase).in_flight is (phase not in {Phase.IDLE, Phase.ROLLED_BACK})


def test_the_journal_is_bounded_and_keeps_the_newest():
    status = in_flight()
    for number in range(JOURNAL_LIMIT + 5):
        status = write_journal(status, AT, "x", str(number))
    assert len(status.release.journal) == JOURNAL_LIMIT
    assert status.release.journal[-1].text == str(JOURNAL_LIMIT + 4)


def test_without_a_release_there_is_nothing_to_write_in():
    assert write_journal(Status(), AT, "x", "y") == Status()
    assert change_release(Status(), proven=False) == Status()
    assert begin_step(Status(), AT, 0, 5, 1) == Status()


def test_refusals_are_bounded_and_one_for_a_revision():
    status = Status()
    for number in range(REFUSED_LIMIT + 3):
        status = refuse(status, AT, Version(revision=f"v{number}"), "bad")
    assert len(status.refused) == REFUSED_LIMIT
    again = refuse(status, AT, Version(revision="v20"), "worse")
    assert len(again.refused) == REFUSED_LIMIT
    assert again.refused[-1].reason == "worse"
