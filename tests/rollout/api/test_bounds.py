"""No status is too large to be written, whatever people, pods and servers say, and however long they say it."""

from __future__ import annotations

import json

from rollout.api.bounds import (
    JOURNAL_BYTES,
    JOURNAL_LIMIT,
    newest,
    shortened,
    trimmed,
)
from rollout.api.persisted import read_status
from rollout.api.status import (
    Command,
    JournalEntry,
    Outcome,
    Phase,
    Status,
    Version,
)
from rollout.decide.context import (
    Context,
    begin,
    begin_step,
    finish,
    refuse,
    roll_back,
    write_journal,
)
from rollout.decide.decide import decide
from rollout.decide.observation import (
    Failure,
    Observation,
    RevisionFacts,
    ShareFacts,
)
from tests.rollout.decide.world import EPOCH, spec_of
from tests.rollout.samples import stepping

LONG = "😀 страница " * 200_000
"""Two megabytes of letters that take up to four bytes each."""


def size(status: Status) -> int:
    return len(json.dumps(status.wire(), ensure_ascii=False).encode())


def worst() -> Status:
    """Everything that others say is long, and everything that can happen often has happened often."""
    seen = Observation(
        "shop-b",
        "v" * 1000,
        1,
        revisions={"shop-a": RevisionFacts(4, 4), "shop-b": RevisionFacts(1, 0, problem=LONG)},
        share=ShareFacts(exists=True, weights={"shop-a": 100}, problem=LONG, foreign_backends={LONG: 5}),
        failures={"EnsureRevision": Failure(LONG, EPOCH)},
        requested_by=LONG,
        reason=LONG,
    )
    status = Status(stable=Version(revision="shop-a", image="v" * 1000))
    for number in range(20):
        status = refuse(status, EPOCH, Version(revision=f"shop-{number}", image="v" * 1000), LONG)
    for _ in range(2):
        status = begin(Context(spec_of(), status, seen, EPOCH))
        for number in range(120):
            command = Command(id=f"{number}{LONG}", verb="pause" if number % 2 else "resume", by=LONG, reason=LONG)
            said = Observation(**{**vars_of(seen), "command": command})
            status, _ = decide(spec_of(), begin_step(status, EPOCH, 0, 5, 1.0), said, EPOCH + number)
            status = write_journal(status, EPOCH + number, "note", LONG)
        last = roll_back(Context(spec_of(), status, seen, EPOCH), Outcome.ROLLED_BACK, LONG)
        status = finish(last, EPOCH, Phase.IDLE, Outcome.ROLLED_BACK, LONG)
    return status.model_copy(update={"release": status.last})


def vars_of(seen: Observation) -> dict:
    return {name: getattr(seen, name) for name in Observation.__dataclass_fields__}


def test_whatever_is_said_a_status_stays_below_half_a_megabyte_and_trimmed_below_64_kib():
    status = worst()
    assert size(status) < 512 * 1024
    assert size(trimmed(status)) < 64 * 1024


def test_a_journal_keeps_its_first_entry_and_counts_what_it_drops():
    status = stepping()
    for number in range(3 * JOURNAL_LIMIT):
        status = write_journal(status, EPOCH + number, "note", f"entry {number}")
    release = status.release
    assert release.journal[0].what == "started"
    assert release.journal[-1].text == f"entry {3 * JOURNAL_LIMIT - 1}"
    assert len(release.journal) == JOURNAL_LIMIT
    assert release.journal_dropped == 3 + 3 * JOURNAL_LIMIT - JOURNAL_LIMIT


def test_a_journal_of_long_entries_is_bounded_in_bytes():
    status = stepping()
    for number in range(JOURNAL_LIMIT):
        status = write_journal(status, EPOCH + number, "note", LONG)
    told = sum(len(entry.text.encode()) for entry in status.release.journal)
    assert told <= JOURNAL_BYTES
    assert len(status.release.journal) + status.release.journal_dropped == 3 + JOURNAL_LIMIT


def test_what_a_newer_engine_wrote_goes_only_where_it_is_too_much():
    little = read_status({**stepping().wire(), "wave": 1})[0]
    much = read_status({**stepping().wire(), "wave": "w" * 100_000})[0]
    assert trimmed(little).wire()["wave"] == 1
    assert "wave" not in trimmed(much).wire()
    assert trimmed(much).phase is much.phase


def test_trimmed_keeps_how_it_began():
    entry = JournalEntry(at=EPOCH, what="note", text="x")
    status = stepping()
    full = status.release.model_copy(update={"journal": [*status.release.journal, *[entry] * 100]})
    less = trimmed(status.model_copy(update={"release": full})).release
    assert less.journal[0].what == "started"
    assert less.journal_dropped == len(full.journal) - len(less.journal)


def test_trimmed_keeps_what_is_decided_by_and_drops_what_is_only_told():
    steps = [each for each in stepping().release.steps for _ in range(20)]
    release = stepping().release.model_copy(update={"verdict_at_end": {"said": "much"}, "steps": steps})
    status = stepping().model_copy(update={"release": release, "last": release, "judge": "sums"})
    for number in range(20):
        status = refuse(status, EPOCH, Version(revision=f"r{number}"), "errors")
    less = trimmed(status)
    assert (less.analysis, less.judge, less.conditions) == ({}, "", [])
    assert [each.revision for each in less.refused] == [f"r{number}" for number in range(15, 20)]
    for part in (less.release, less.last):
        assert part.verdict_at_end == {}
        assert part.steps == steps[-12:]
    kept = ("phase", "step", "stable", "canary", "weight", "phase_since", "written_at", "verified_at", "holder")
    assert all(getattr(less, name) == getattr(status, name) for name in kept)


def test_a_journal_that_is_full_keeps_the_newest_to_the_last_byte():
    entries = [JournalEntry(at=EPOCH + at, what="note", text="x" * 80) for at in range(10)]
    for most, room in ((10, 200 * 10), (5, 10**6), (10, 200 * 4), (10, 200 * 4 - 1), (10, 0), (2, 10**6)):
        kept, dropped = shortened(entries, most, room)
        assert kept[0] == entries[0]
        assert kept[1:] == entries[len(entries) - len(kept) + 1 :]
        assert len(kept) + dropped == 10
        assert len(kept) == max(1, min(most, room // 200)), "an entry takes 120 bytes beside its text"
    assert shortened([]) == ([], 0)


def test_a_journal_of_one_entry_keeps_the_first_alone():
    journal = [JournalEntry(at=EPOCH + number, what="note", text=str(number)) for number in range(9)]
    assert [newest(journal, most) for most in (1, 2, 9, 20)] == [0, 1, 8, 8]
    assert shortened(journal, 1) == (journal[:1], 8)
