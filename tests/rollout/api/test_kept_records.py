"""Records that were kept as files keep out what they took back; one that cannot be read keeps everything out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rollout.api.kept_records import forgive, memory_in_records, read_record, records_of
from rollout.api.status import Outcome
from rollout.api.taken_back import pair_in
from tests.rollout import samples
from tests.rollout.taken_back import FORGIVEN, kept

if TYPE_CHECKING:
    from pathlib import Path

BAD = samples.manifest()
PAIR = pair_in(BAD)


def test_what_a_record_says_was_taken_back(tmp_path: Path) -> None:
    assert PAIR is not None
    kept(tmp_path / ".grayling/records/a.json", BAD)
    memory = memory_in_records(records_of(tmp_path))
    found = memory.against(PAIR)
    assert found is not None
    assert (found.release, found.evidence, memory.unreadable) == ("0a1b-77", "errors", ())


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.PROMOTED, "evidence": ""},
        {"outcome": Outcome.ABORTED, "evidence": ""},
        {"evidence": ""},
    ],
)
def test_what_was_not_found_bad_is_not_kept_out(tmp_path: Path, changes: dict[str, object]) -> None:
    assert memory_in_records([kept(tmp_path / "a.json", BAD, **changes)]).entries == ()


def test_a_record_of_an_older_engine_keeps_its_image_out(tmp_path: Path) -> None:
    assert PAIR is not None
    memory = memory_in_records([kept(tmp_path / "a.json", BAD, drop=("pair", "evidence", "forgiven"))])
    found = memory.against(PAIR)
    assert found is not None
    assert "does not say with which configuration" in found.told()
    template = {"spec": {"containers": [{"name": "a", "image": "x:9"}]}}
    ports = [{"name": "http", "port": 80}]
    other = samples.manifest(the_spec=samples.spec(workload={"template": template, "ports": ports}))
    pair = pair_in(other)
    assert pair is not None
    assert memory.against(pair) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"schema": "grayling.record/9"}', "schema"),
        ('{"schema": "grayling.record/1"}', "id: Field required"),
        ("[" * 100_000, "Invalid JSON"),
        ("\udcff", "JSON"),
    ],
)
def test_a_file_that_is_no_record_is_told_with_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "torn.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    [found] = memory_in_records([path]).unreadable
    assert str(path) in found
    assert said in found
    assert "write it again with `grayling release record NAME ID -o json=FILE`, or take it away" in found


def test_a_folder_in_the_place_of_a_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    [found] = memory_in_records([tmp_path / "a.json"]).unreadable
    assert "no record that can be read" in found


def test_a_persons_word_stands_in_the_file_and_nothing_else_is_changed(tmp_path: Path) -> None:
    assert PAIR is not None
    path = kept(tmp_path / "a.json", BAD)
    before = json.loads(path.read_text())
    forgive(path, FORGIVEN)
    after = json.loads(path.read_text())
    assert after.pop("forgiven")["reason"] == "the database was down"
    before.pop("forgiven")
    assert after == before
    assert memory_in_records([path]).against(PAIR) is None
    assert read_record(path).forgiven == FORGIVEN


def test_there_is_nothing_to_forgive_of_a_good_release(tmp_path: Path) -> None:
    path = kept(tmp_path / "a.json", BAD, outcome=Outcome.PROMOTED, evidence="")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="nothing to forgive"):
        forgive(path, FORGIVEN)
    assert path.read_bytes() == before
