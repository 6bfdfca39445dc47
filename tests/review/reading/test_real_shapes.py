"""Previews that the real Pulumi CLI wrote of one small program, in each of its forms: they all say the same.

The program retains, drops, replaces, renames and creates ConfigMaps, rotates a Secret, and has a value that is known
only once it is carried out (CLI 3.260, Kubernetes provider 4.34.2, rendering to a folder).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from review.model.change import Op
from review.reading.pulumi import read_pulumi
from review.reading.source import read_document

DATA = Path(__file__).parents[2] / "data" / "previews"
MIXED = {"create": 3, "update": 0, "replace": 3, "delete": 1, "import": 0, "retain": 1, "unchanged": 3}
FORMS = ["mixed", "mixed-replacement-steps", "mixed-events", "mixed-sames"]


def read(name):
    return read_pulumi(read_document(str(DATA / f"{name}.json.gz")))


@pytest.mark.parametrize("name", FORMS)
def test_each_form_counts_the_same(name):
    assert read(name).counts() == MIXED


@pytest.mark.parametrize("name", FORMS)
def test_each_form_tells_the_same_edits(name):
    told = {
        str(each.ref): [(edit.text, edit.before, edit.after, edit.replaces) for edit in each.edits]
        for each in read(name).changes
    }
    assert told["ConfigMap ns/imm"] == [("data.a", "1", "2", True)]
    assert told["ConfigMap ns/ren2"] == [("metadata.name", "ren1", "ren2", True)]
    assert told["Secret ns/s"] == [("data.pw", "(hidden)", "(hidden) changed", True)]


@pytest.mark.parametrize("name", FORMS)
def test_what_is_kept_and_what_goes(name):
    changes = read(name).changes
    assert [str(each.ref) for each in changes if each.ops == (Op.RETAIN,)] == ["ConfigMap ns/keep"]
    assert [str(each.ref) for each in changes if each.ops == (Op.DELETE,)] == ["ConfigMap ns/drop"]


@pytest.mark.parametrize("name", FORMS)
def test_a_value_that_nobody_knows_yet_is_no_ground_for_trust(name):
    doubts = [doubt for doubt in read(name).doubts if doubt.fatal]
    assert [doubt.id for doubt in doubts] == ["unknown-values"]
    assert "ConfigMap ns/unk2: data.uid" in doubts[0].text


def test_another_provider_replaces_everything_it_made():
    made = read("provider-replaced")
    assert made.counts()["replace"] == 5
    assert {each.forced_by for each in made.changes if Op.REPLACE in each.ops} == {
        ("provider",),
        ("renderYamlToDirectory",),
    }
    assert [doubt.id for doubt in made.doubts if doubt.fatal] == ["failed"]


def test_a_program_that_raises_is_told_by_its_last_line():
    (doubt,) = [doubt for doubt in read("program-raised").doubts if doubt.fatal]
    assert "half way" in doubt.text
    assert "\n" not in doubt.text
