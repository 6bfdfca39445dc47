"""More shapes: what is not of Kubernetes, what is hidden or shown, what is very deep or very long."""

from __future__ import annotations

import json

from tests.review.previews import fatal, manifest, ops, preview, read, reviewed, state, step, urn

CONFIG = manifest("ConfigMap", "settings", data={"level": "info"})


def other(op: str, kind: str, name: str, *, old: dict | None = None, new: dict | None = None, **more) -> dict:
    made = {"op": op, "urn": urn(kind, name), **more}
    made |= {"oldState": state(old)} if old is not None else {}
    return made | ({"newState": state(new)} if new is not None else {})


def test_resources_that_are_not_of_kubernetes_are_named_by_pulumi(tmp_path):
    changes = read(
        tmp_path,
        preview(
            other("create", "random:index/randomPassword:RandomPassword", "admin", new={"length": 20}),
            other("replace", "aws:s3/bucket:Bucket", "media", old={"acl": "private"}, new={"acl": "public-read"}),
        ),
    )
    assert [str(each.ref) for each in changes.changes] == [
        "aws:s3/bucket:Bucket media",
        "random:index/randomPassword:RandomPassword admin",
    ]
    assert fatal(changes) == []


def test_charts_show_that_their_objects_are_not_shown(tmp_path):
    release = {"chart": "ingress-nginx", "version": "4.11.0", "namespace": "edge"}
    newer = release | {"version": "4.12.0"}
    changes = read(
        tmp_path,
        preview(
            other("update", "kubernetes:helm.sh/v3:Release", "edge", old=release, new=newer),
            other("create", "kubernetes:helm.sh/v4:Chart", "ops", new={"chart": "ops"}),
            other("create", "kubernetes:yaml/v2:ConfigGroup", "files", new={"files": ["a.yaml"]}),
        ),
    )
    assert ops(changes) == {"update": 1, "create": 2}
    assert [(edit.text, edit.after) for edit in changes.changes[0].edits] == [("version", "4.12.0")]
    assert [note.partition(": ")[0] for note in reviewed(changes).capacity.notes] == [
        "kubernetes:helm.sh/v3:Release edge",
        "kubernetes:helm.sh/v4:Chart ops",
        "kubernetes:yaml/v2:ConfigGroup files",
    ]


def test_a_provider_that_is_replaced_replaces_what_it_made(tmp_path):
    kind = "pulumi:providers:kubernetes"
    changes = read(
        tmp_path,
        preview(
            other("replace", kind, "cluster", old={"context": "a"}, new={"context": "b"}, replaceReasons=["context"]),
            step("replace", CONFIG, CONFIG, replaceReasons=["provider"]),
        ),
    )
    assert ops(changes) == {"replace": 2}
    assert {change.forced_by for change in changes.changes} == {("context",), ("provider",)}


def test_a_resource_under_another_name_is_the_same(tmp_path):
    aliased = step("same", CONFIG, CONFIG) | {"urn": urn("kubernetes:core/v1:ConfigMap", "shop/renamed")}
    changes = read(tmp_path, preview(aliased, changeSummary={"same": 5}))
    assert (ops(changes), changes.changes) == ({"unchanged": 5}, ())


def test_sames_that_are_listed_are_counted_once(tmp_path):
    changes = read(tmp_path, preview(step("same", CONFIG, CONFIG), changeSummary={"same": 1}))
    assert ops(changes) == {"unchanged": 1}


def test_a_deletion_that_an_earlier_update_left_over(tmp_path):
    changes = read(tmp_path, preview(step("delete", CONFIG, old={"delete": True}), step("create", None, CONFIG)))
    assert ops(changes) == {"create": 1, "delete": 1}


def test_what_a_policy_pack_forbids_fails_the_preview(tmp_path):
    said = {"severity": "error", "message": "error: [mandatory] no-latest v1.0 (settings): images need a digest"}
    changes = read(tmp_path, preview(step("create", None, CONFIG), diagnostics=[said]))
    assert fatal(changes) == ["failed"]
    assert "images need a digest" in changes.doubts[0].text


def test_an_empty_stack(tmp_path):
    changes = read(tmp_path, preview())
    assert (ops(changes), fatal(changes), changes.stack) == ({}, [], "")


def test_secrets_that_are_shown_are_hidden(tmp_path):
    before = manifest("Secret", "db", stringData={"password": "correct-horse-battery"})
    after = manifest("Secret", "db", stringData={"password": "staple-staple-staple"})
    changes = read(tmp_path, preview(step("update", before, after)))
    text = json.dumps(reviewed(changes).wire())
    assert "correct-horse" not in text
    assert "staple" not in text
    assert [(edit.text, edit.hidden) for edit in changes.changes[0].edits] == [("stringData.password", True)]


def test_objects_nested_very_deeply(tmp_path):
    deep: dict = {"level": 1}
    for _ in range(150):
        deep = {"x": deep}
    after = json.loads(json.dumps(deep).replace("1}", "2}"))
    before_object, after_object = (manifest("Thing", "deep", version="x.io/v1", spec=each) for each in (deep, after))
    (change,) = read(tmp_path, preview(step("update", before_object, after_object))).changes
    assert [(edit.before, edit.after) for edit in change.edits] == [(1, 2)]


def test_a_huge_text_is_compared_and_shown_in_part(tmp_path):
    lines = [f"line {number}" for number in range(200_000)]
    before = manifest("ConfigMap", "big", data={"file": "\n".join(lines)})
    lines[150_000] = "another line"
    after = manifest("ConfigMap", "big", data={"file": "\n".join(lines)})
    changes = read(tmp_path, preview(step("update", before, after)))
    from review.reports.diffs import diff_of

    shown = diff_of(reviewed(changes).changes[0])
    assert "-   line 150000" in shown
    assert "+   another line" in shown
    assert len(shown) < 20


def test_numbers_as_pulumi_writes_them_are_no_change(tmp_path):
    before = manifest("Deployment", "web", version="apps/v1", spec={"replicas": 2})
    after = manifest("Deployment", "web", version="apps/v1", spec={"replicas": 2.0, "paused": True})
    (change,) = read(tmp_path, preview(step("update", before, after))).changes
    assert [edit.text for edit in change.edits] == ["spec.paused"]
