"""The glossary: every term has one sentence and a place that is there."""

import re
from importlib import import_module
from pathlib import Path

import pytest

GLOSSARY = Path(__file__).parents[1] / "docs" / "reference" / "glossary.md"
ROW = re.compile(r"\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<where>[^|]+) \|")
HEAD = "| term | meaning | where |"
LINES = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("|") and line != HEAD]
ROWS = [line for line in LINES if not line.startswith("| ---")]


def parts(row: str) -> tuple[str, str, str]:
    found = ROW.fullmatch(row)
    assert found, row
    return found["term"], found["meaning"], found["where"]


@pytest.mark.parametrize("row", ROWS)
def test_a_term_has_one_sentence_and_a_place_that_is_there(row):
    _, meaning, where = parts(row)
    assert re.fullmatch(r"[A-Z/].*[^.]\.", meaning), "one sentence"
    assert ". " not in meaning, "one sentence"
    place = re.fullmatch(r"`([a-z_.]+)(?::(\w+))?`", where)
    assert place, where
    module = import_module(place[1])
    assert place[2] is None or hasattr(module, place[2]), where


def test_no_term_stands_twice_and_each_section_is_in_order():
    terms = [parts(row)[0] for row in ROWS]
    assert len(set(terms)) == len(terms) > 50
    for section in GLOSSARY.read_text().split("\n## ")[1:]:
        named = [parts(line)[0].lower() for line in section.splitlines() if line in ROWS]
        assert named == sorted(named)


def test_the_six_words_and_the_kinds_of_signals_are_all_named():
    from rollout.api.spec import SignalKind, SourceName
    from rollout.judge.verdict.verdicts import Verdict

    meanings = {term: meaning for term, meaning, _ in map(parts, ROWS)}
    assert all(str(word) in meanings["verdict"] for word in Verdict)
    assert all(str(kind) in meanings["signal kind"] for kind in SignalKind)
    assert all(str(name) in meanings["source"].lower() for name in SourceName)


def test_a_look_and_a_sample_are_two_things_and_so_are_a_record_and_a_recording():
    places = {term: where for term, _, where in map(parts, ROWS)}
    assert len({places[term] for term in ("look", "signal look", "sample", "record", "recording")}) == 5
    assert not [row for row in ROWS if re.search(r"\b[Ww]orld\b", parts(row)[1])], "an observation, or the mirror"
