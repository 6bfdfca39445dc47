"""A status is read whoever wrote it, and nothing that cannot be read is taken for good."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from rollout.api.bounds import trimmed
from rollout.api.persisted import read_status
from rollout.api.status import Outcome, Phase, Status
from tests.rollout.samples import stepping

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [field.alias or name for name, field in Status.model_fields.items()]


def kept(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(stepping().wire())), **changes}


@given(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
@example({"phase": "Stepping", "canary": None, "release": {}})
@example({"phaseSince": "0001-01-01T00:00:00+23:59"})
@example({"release": {"steps": [{"index": None}], "journal": [None]}, "phase": "Stepping"})
def test_whatever_is_there_is_read_and_can_be_written_again(raw: Any):
    status, notes = read_status(raw)
    json.dumps(status.wire(), allow_nan=False)
    assert read_status(status.wire())[0].phase is status.phase
    assert all(len(note) < 600 for note in notes)


@given(st.sampled_from(FIELDS), JSON)
def test_one_field_that_is_spoilt_spoils_no_other(field: str, value: Any):
    whole = stepping()
    status, _ = read_status(kept(**{field: value}))
    touched = {"phase", "weight", "release", "stable"} if field in {"phase", "canary", "stable"} else set()
    touched |= {"phase", "weight", "written_at", "verified_at"} if field == "release" else set()
    for name, known in Status.model_fields.items():
        if (known.alias or name) != field and name not in touched and field != "stable":
            assert getattr(status, name) == getattr(whole, name), name


BEFORE = {
    "doubt": "no-data",
    "doubtSince": "2026-11-01T10:00:05Z",
    "heldSince": "2026-11-01T10:00:01Z",
    "told": [{"channel": "events", "release": "r1", "entries": 4}],
}
"""Keys of an engine whose parts had other names."""


def test_what_an_older_engine_wrote_is_gone_on_with():
    status, notes = read_status(kept(**BEFORE))
    assert not notes
    assert status.doubt == "no-data"
    assert status.doubt_since == status.held_since + 4.0
    assert [(each.channel, each.entries) for each in status.told] == [("events", 4)]
    wire = status.wire()
    assert BEFORE.keys() <= wire.keys()
    assert read_status(wire)[0] == status


def test_what_a_newer_engine_wrote_is_kept_and_written_back():
    raw = kept(wave=1)
    raw["release"]["region"] = {"of": "the newer"}
    status, notes = read_status(raw)
    assert not notes
    again = status.model_copy(update={"step": 1}).wire()
    assert again["wave"] == 1
    assert again["release"]["region"] == {"of": "the newer"}


def test_a_number_that_became_null_is_named_and_left_out():
    status, notes = read_status(kept(epoch=None))
    assert status.epoch == 0
    assert status.phase is Phase.STEPPING
    assert notes == ("status.epoch: Input should be a valid integer: left out",)


def test_a_phase_that_nobody_knows_takes_the_canary_back_and_refuses_nobody():
    status, notes = read_status(kept(phase="Analysing"))
    assert (status.phase, status.weight.desired) == (Phase.ROLLING_BACK, 0)
    assert status.release is not None
    assert status.release.outcome is Outcome.CANCELLED
    assert "'Analysing'" in notes[0]
    assert read_status({"phase": "Analysing"})[0].phase is Phase.IDLE


def test_a_stable_version_that_cannot_be_read_is_a_pause_and_no_first_version():
    status, notes = read_status(kept(stable={"image": 3}))
    assert status.paused is not None
    assert (status.phase, status.canary) == (Phase.IDLE, None)
    assert any("status.stable cannot be read" in note for note in notes)


def test_what_is_no_number_is_null_on_the_wire():
    made = Status(analysis={"log_e": float("nan"), "signals": [{"log_e": float("inf")}]}).wire()
    assert made["analysis"] == {"log_e": None, "signals": [{"log_e": None}]}


def test_trimmed_is_small_and_loses_nothing_that_is_needed():
    status = stepping()
    assert status.release is not None
    entry = status.release.journal[-1]
    long = status.release.model_copy(update={"journal": [entry] * 150})
    full = status.model_copy(update={"release": long, "judge": "x" * 10**6, "analysis": {"x": "y" * 10**6}})
    less = trimmed(full)
    assert len(json.dumps(less.wire())) < 64 * 1024
    assert less.release is not None
    assert (len(less.release.journal), less.release.journal_dropped) == (20, 130)
    assert (less.phase, less.weight, less.stable, less.canary) == (full.phase, full.weight, full.stable, full.canary)


def test_shifted_moves_the_clocks_that_run_and_no_other():
    status = stepping()
    later = status.shifted(30.0)
    assert later.phase_since == (status.phase_since or 0.0) + 30.0
    assert later.release == status.release
    assert Status().shifted(5.0) == Status()


def test_a_pause_that_cannot_be_read_is_a_pause():
    for spoilt in (3, {"at": None}, {"at": "lunch", "by": "ann"}, [1]):
        assert read_status(kept(paused=spoilt))[0].paused is not None, spoilt


def test_a_refusal_outlives_its_time_and_reason():
    refused = [{"revision": "shop-1", "at": None, "reason": 7}, {"revision": "shop-2", "image": 3}, {"at": 0}]
    status, notes = read_status(kept(refused=refused))
    assert [entry.revision for entry in status.refused] == ["shop-1", "shop-2"]
    assert notes


def test_a_release_that_cannot_be_read_is_taken_back():
    status, notes = read_status(kept(release="gone"))
    assert (status.phase, status.weight.desired) == (Phase.ROLLING_BACK, 0)
    assert status.release is not None
    assert (status.release.to_version, status.release.outcome) == (status.canary, Outcome.CANCELLED)
    assert any("status.release cannot be read" in note for note in notes)
    baking = kept(phase="Baking", release=None, previous={"revision": "checkout-old"}, canary=None)
    back, _ = read_status(baking)
    assert back.stable is not None
    assert back.canary is not None
    assert (back.stable.revision, back.canary.revision, back.previous) == ("checkout-old", "checkout-11111111", None)


def test_a_status_that_is_spoilt_all_over_is_read_in_a_few_rounds():
    raw = kept()
    raw["release"]["journal"] = [{"what": 3}] * 150 + raw["release"]["journal"]
    raw["refused"] = [{"revision": f"shop-{number}", "at": None} for number in range(20)]
    status, notes = read_status(raw)
    assert status.release is not None
    assert len(status.release.journal) == len(stepping().release.journal)
    assert len(status.refused) == 20
    assert len(notes) <= 20
