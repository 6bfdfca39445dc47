"""Shapes of previews beyond the recorded ones: how Pulumi writes replacements, imports, events and odd files."""

from __future__ import annotations

import gzip
import io
import json
import sys

import pytest

from kube.errors import UsageError
from review.reading.pulumi import read_pulumi
from review.reading.source import read_document
from tests.review.previews import fatal, manifest, ops, preview, read, state, step, urn

REDIS = manifest("StatefulSet", "redis", version="apps/v1", spec={"replicas": 1, "serviceName": "redis"})
MOVED = manifest("StatefulSet", "redis", version="apps/v1", spec={"replicas": 1, "serviceName": "redis-2"})
CONFIG = manifest("ConfigMap", "settings", data={"level": "info"})


def test_the_steps_of_one_replacement_count_once(tmp_path):
    reasons = {"replaceReasons": ["spec.serviceName"]}
    made = preview(
        step("create-replacement", REDIS, MOVED, **reasons),
        step("replace", REDIS, MOVED, **reasons),
        step("delete-replaced", REDIS),
        changeSummary={"replace": 1, "create-replacement": 1, "delete-replaced": 1, "same": 3},
    )
    changes = read(tmp_path, made)
    assert ops(changes) == {"replace": 1, "unchanged": 3}
    (change,) = changes.changes
    assert change.forced_by == ("spec.serviceName",)
    assert [(edit.text, edit.replaces) for edit in change.edits] == [("spec.serviceName", True)]
    assert fatal(changes) == []


def test_a_deletion_that_keeps_the_object_is_retained(tmp_path):
    changes = read(tmp_path, preview(step("delete", REDIS, old={"retainOnDelete": True}), step("delete", CONFIG)))
    assert ops(changes) == {"delete": 1, "retain": 1}
    assert [str(each.ref) for each in changes.changes] == ["ConfigMap shop/settings", "StatefulSet shop/redis"]


def test_an_object_that_a_refresh_did_not_find_is_drift_and_made_again(tmp_path):
    gone = step("refresh", CONFIG)
    changes = read(tmp_path, preview(gone, step("create", None, CONFIG)))
    assert ops(changes) == {"create": 1}
    assert [(str(each.ref), each.ops) for each in changes.drift] == [("ConfigMap shop/settings", ("delete",))]


def test_what_a_refresh_names_and_does_not_show_is_drift_all_the_same(tmp_path):
    seen = step("refresh", CONFIG, CONFIG, detailedDiff={"data.level": {"kind": "update"}})
    (drift,) = read(tmp_path, preview(seen)).drift
    assert [(edit.text, edit.after) for edit in drift.edits] == [("data.level", "(the preview does not say)")]


def test_an_import_and_an_import_that_replaces(tmp_path):
    changes = read(tmp_path, preview(step("import", None, CONFIG), step("import-replacement", REDIS, MOVED)))
    assert ops(changes) == {"replace": 1, "import": 2}


@pytest.mark.parametrize("word", ["04da6b54-80e4-46f7-96ec-b56ff0331ba9", "output<string>", "[unknown]"])
def test_values_that_nobody_knows_before_are_told(tmp_path, word):
    after = manifest("ConfigMap", "settings", data={"level": "info", "address": word})
    changes = read(tmp_path, preview(step("update", CONFIG, after)))
    assert fatal(changes) == ["unknown-values"]
    assert "ConfigMap shop/settings: data.address is known only" in changes.doubts[0].text


@pytest.mark.parametrize("summary", [None, {"update": 2}, {"update": 1, "delete": 1}, {}])
def test_a_preview_that_was_cut_is_not_believed(tmp_path, summary):
    made = preview(step("update", CONFIG, manifest("ConfigMap", "settings", data={"level": "debug"})))
    made["changeSummary"] = summary
    assert "truncated" in fatal(read(tmp_path, made))


def test_steps_of_two_stacks_are_not_believed(tmp_path):
    other = step("create", None, CONFIG) | {"urn": urn("kubernetes:core/v1:ConfigMap", "x", stack="dev")}
    assert fatal(read(tmp_path, preview(step("create", None, REDIS), other))) == ["mixed-stacks"]


def events(*extra: dict) -> list[dict]:
    after = manifest("ConfigMap", "settings", data={"level": "debug"})
    meta = {"op": "update", "urn": urn("kubernetes:core/v1:ConfigMap", "shop/settings")}
    meta |= {"old": state(CONFIG), "new": state(after), "detailedDiff": {"data.level": {"kind": "update"}}}
    return [
        {"sequence": 0, "preludeEvent": {"config": {"shop:replicas": "2"}}},
        {"sequence": 1, "resourcePreEvent": {"metadata": meta}},
        *extra,
        {"sequence": 9, "summaryEvent": {"resourceChanges": {"update": 1, "same": 4}}},
    ]


def test_events_a_line_each(tmp_path):
    changes = read(tmp_path, "\n".join(map(json.dumps, events())) + "\n\n")
    assert (changes.source, ops(changes), fatal(changes)) == ("pulumi-events", {"update": 1, "unchanged": 4}, [])
    assert changes.config == {"shop:replicas": "2"}
    assert [edit.text for edit in changes.changes[0].edits] == ["data.level"]


def test_events_that_end_before_the_summary_are_not_believed(tmp_path):
    assert fatal(read(tmp_path, "\n".join(map(json.dumps, events()[:-1])))) == ["truncated"]


def test_an_operation_that_failed_among_the_events_is_told(tmp_path):
    failed = {"resOpFailedEvent": {"metadata": {"op": "update", "urn": urn("x", "y")}}}
    assert fatal(read(tmp_path, "\n".join(map(json.dumps, events(failed))))) == ["failed"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_that_shells_write(tmp_path, encoding):
    path = tmp_path / "preview.json"
    path.write_bytes(json.dumps(preview(step("create", None, CONFIG))).encode(encoding))
    assert ops(read_pulumi(read_document(str(path)))) == {"create": 1}


def test_a_gzipped_preview_from_standard_input(monkeypatch):
    packed = gzip.compress(json.dumps(preview(step("create", None, CONFIG))).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    document = read_document("-")
    assert (document.name, ops(read_pulumi(document))) == ("standard input", {"create": 1})


def test_a_gzipped_preview_that_ends_in_the_middle(tmp_path):
    path = tmp_path / "preview.json.gz"
    path.write_bytes(gzip.compress(json.dumps(preview(step("create", None, CONFIG))).encode())[:-20])
    with pytest.raises(UsageError, match=r"preview\.json\.gz: .*make it again"):
        read_document(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: was `pulumi preview --json` stopped"),
        ("Previewing update (prod)\n{}", "pass standard output alone"),
        ('{"steps": [', "ends in the middle"),
        ("[" * 100_000, "nested too deeply"),
        ('{"steps": [{"op": 1}]}', r"steps\.0\.op"),
        ('{"steps": NaN}', "NaN is no number"),
        ('{"hello": 1}', r"no output of `pulumi preview --json`: it has no steps \(found: hello\)"),
        ("[]", "found: list"),
    ],
)
def test_files_that_are_no_preview(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        read(tmp_path, text)
