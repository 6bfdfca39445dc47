"""The words of a journal: the code writes those that are published, and shows those of other engines."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from rollout.api.crd import definition
from rollout.api.journal import JournalKind
from rollout.api.persisted import read_status
from rollout.api.status import Outcome
from rollout.notify.channels import News, event_of
from rollout.records.record import record_of, schema
from rollout.view.changes import changes
from tests.rollout import samples

ROLLOUT = Path(__file__).parents[3] / "rollout"


def calls_of(name: str) -> list[ast.Call]:
    """Every call of a function in the engine."""
    trees = [ast.parse(path.read_text()) for path in sorted(ROLLOUT.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in nodes if isinstance(node.func, ast.Name) and node.func.id == name]


def members(enum: str, nodes: list[ast.AST]) -> set[str]:
    """Names of the members of an enum that stand in code."""
    inside = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Attribute)]
    return {each.attr for each in inside if isinstance(each.value, ast.Name) and each.value.id == enum}


def emitted() -> set[JournalKind]:
    """What the code writes: the kinds that it names, and the outcomes that it turns round with."""
    named = members("JournalKind", [call.args[2] for call in calls_of("write_journal")])
    outcomes = members("Outcome", [call.args[1] for call in calls_of("roll_back")])
    return {JournalKind[name] for name in named} | {JournalKind(Outcome[name].value) for name in outcomes}


def test_what_is_written_is_what_is_published_and_nothing_else():
    assert emitted() == set(JournalKind)
    assert schema()["$defs"]["JournalKind"]["enum"] == [kind.value for kind in JournalKind]
    version = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    release = version["properties"]["status"]["properties"]["release"]
    what = release["properties"]["journal"]["items"]["properties"]["what"]
    listed = what["description"].removeprefix("for machines: ").partition(";")[0].split(", ")
    assert listed == [kind.value for kind in JournalKind]
    assert "enum" not in what, "the word of a newer engine must outlive an older definition"


@pytest.mark.parametrize("word", ["weight-written", "paused-by-gate"])
def test_a_word_of_another_engine_is_kept_shown_recorded_and_told(word: str):
    status = samples.stepping()
    wire = json.loads(json.dumps(status.wire()))
    wire["release"]["journal"].append(
        {"at": "2027-01-15T08:00:00.000000Z", "what": word, "text": "something of its own"}
    )
    read, notes = read_status(wire)
    assert notes == ()
    assert read.wire()["release"]["journal"] == wire["release"]["journal"]
    assert read.release is not None
    entry = read.release.journal[-1]
    assert record_of("checkout", "shop", samples.spec(), read.release).wire()["journal"][-1]["what"] == word
    assert any("something of its own" in line for line in changes(status, read, samples.T))
    reason = "".join(part.capitalize() for part in word.split("-"))
    assert event_of(News("shop", "checkout", "u-1", entry))["reason"] == reason
