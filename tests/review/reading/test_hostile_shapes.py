"""Shapes by which a danger could be missed or a secret shown: no kind, clouds, charts, lists, policies, odd lines."""

import datetime as dt
import json

import pytest

from kube.errors import UsageError
from review.risks.find import risks_of
from tests.review.previews import fatal, manifest, preview, read, reviewed, state, step, urn

VALUE = "c3VwZXJzZWNyZXR2YWx1ZQ=="
PLAIN = "supersecretvalue"
SUMMARY = {"sequence": 2, "summaryEvent": {"resourceChanges": {"same": 3}}}
LAST = "kubectl.kubernetes.io/last-applied-configuration"


def other(op: str, kind: str, inputs: dict, *, after: bool = False) -> dict:
    made = {"op": op, "urn": urn(kind, "thing"), "oldState": state(inputs)}
    return {**made, "newState": state(inputs)} if after else made


def worst(folder, data):
    return max(risks_of(read(folder, data), waivers=(), today=dt.date(2026, 11, 28)), key=lambda each: each.severity)


def lines(*events: dict) -> str:
    return "\n".join(map(json.dumps, events))


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("azure-native:documentdb:DatabaseAccount", {"kind": "GlobalDocumentDB"}),
        ("azure-native:storage:StorageAccount", {"kind": "StorageV2"}),
        ("gcp:spanner/instance:Instance", {}),
        ("aws:secretsmanager/secret:Secret", {}),
        ("aws:eks/cluster:Cluster", {}),
        ("kubernetes:core/v1:Namespace", {}),
        ("kubernetes:core/v1:PersistentVolumeClaim", {"metadata": {"name": "data"}}),
        ("kubernetes:postgresql.cnpg.io/v1:Cluster", {"metadata": {"name": "data"}}),
    ],
)
@pytest.mark.parametrize("op", ["delete", "replace"])
def test_what_holds_data_is_known_by_its_type_whatever_it_says_of_itself(tmp_path, kind, inputs, op):
    found = worst(tmp_path, preview(other(op, kind, inputs, after=op == "replace")))
    assert (found.id, found.severity.word) == (f"data-{op}d", "critical")


@pytest.mark.parametrize(
    "kind",
    [
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "docker:index/registryImage:RegistryImage",
        "gcp:storage/bucketIAMMember:BucketIAMMember",
    ],
)
def test_what_is_only_about_data_holds_none(tmp_path, kind):
    assert worst(tmp_path, preview(other("delete", kind, {}))).severity.word == "medium"


@pytest.mark.parametrize("left_first", [True, False])
def test_what_an_earlier_update_left_over_is_not_what_stands_now(tmp_path, left_first):
    left, before, after = (manifest("ConfigMap", "a", data={"a": word}) for word in ("left", "old", "new"))
    steps = [step("delete", left, old={"delete": True}), step("update", before, after)]
    (change,) = read(tmp_path, preview(*(steps if left_first else steps[::-1]))).changes
    assert [(edit.before, edit.after) for edit in change.edits] == [("old", "new")]


@pytest.mark.parametrize("kind", ["kubernetes:helm.sh/v3:Release", "kubernetes:apps/v1:StatefulSet"])
def test_a_chart_and_a_workload_without_a_word_are_no_small_things(tmp_path, kind):
    assert worst(tmp_path, preview(other("delete", kind, {}))).severity.word == "high"


@pytest.mark.parametrize(("pods", "lost"), [(1, True), (2, True), (3, False), (4, False)])
def test_claims_that_go_when_a_set_shrinks_are_lost_data(tmp_path, pods, lost):
    spec = {
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
    }
    before, after = (
        manifest("StatefulSet", "redis", version="apps/v1", spec={**spec, "replicas": count}) for count in (3, pods)
    )
    changed = {**after, "metadata": {**after["metadata"], "labels": {"a": "b"}}}
    found = risks_of(read(tmp_path, preview(step("update", before, changed))), waivers=(), today=dt.date(2026, 11, 28))
    assert ("data-deleted" in {each.id for each in found}) is lost


@pytest.mark.parametrize(
    ("level", "wrong"), [("mandatory", True), ("", True), ("advisory", False), ("remediate", False)]
)
def test_a_policy_that_stops_the_preview_is_seen_among_events(tmp_path, level, wrong):
    event = {"policyEvent": {"message": "no digest", "policyName": "images", "enforcementLevel": level}}
    changes = read(tmp_path, lines(event, SUMMARY))
    assert ("failed" in fatal(changes)) is wrong
    assert any("no digest" in text for _, text in changes.messages)


def test_an_error_event_fails_the_preview(tmp_path):
    assert fatal(read(tmp_path, lines({"errorEvent": {"error": "the engine fell"}}, SUMMARY))) == ["failed"]


@pytest.mark.parametrize("line", [preview(other("delete", "kubernetes:core/v1:Namespace", {})), {}, {"sequence": 1}])
def test_a_line_that_is_no_event_is_refused(tmp_path, line):
    with pytest.raises(UsageError, match=r"preview\.json: line 1: is no event of Pulumi"):
        read(tmp_path, lines(line, SUMMARY))


@pytest.mark.parametrize("word", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5000, r'"\ud800x"', r'"\uDCFF"'])
def test_numbers_and_letters_that_are_none_are_named(tmp_path, word):
    text = json.dumps(preview(step("create", None, manifest("ConfigMap", "a", data={"a": 7})))).replace("7", word)
    with pytest.raises(UsageError, match=r"preview\.json: is no JSON"):
        read(tmp_path, text)


def secrets():
    secret = manifest("Secret", "a", data={"config": VALUE})
    applied = {**secret, "metadata": {**secret["metadata"], "annotations": {LAST: json.dumps(secret)}}}
    nameless = {"metadata": {"name": "a"}, "data": {"foo": VALUE}}
    chart = {"chart": "x", "values": {"extra": [{"kind": "Secret", "stringData": {"foo": PLAIN}}]}}
    kind = "kubernetes:core/v1:Secret"
    yield step(
        "create", None, manifest("SecretList", "a", items=[{"data": {"config": VALUE}, "stringData": {"a": PLAIN}}])
    )
    yield step("create", None, manifest("List", "a", items=[{"kind": "Secret", "data": {"config": VALUE}}]))
    yield step(
        "update",
        manifest("SecretList", "a", items=[{"data": {"config": VALUE}}]),
        manifest("SecretList", "a", items=[{"data": {"config": "b3RoZXI="}}]),
    )
    yield {"op": "create", "urn": urn(kind, "a"), "newState": state(nameless)}
    yield {"op": "delete", "urn": urn(kind, "a"), "oldState": state(nameless)}
    yield step("update", secret, applied)
    yield {
        "op": "refresh",
        "urn": urn(kind, "a"),
        "oldState": state(secret),
        "newState": state(secret, outputs=applied),
    }
    yield other("delete", "kubernetes:helm.sh/v3:Release", chart)
    yield other("update", "kubernetes:helm.sh/v3:Release", chart, after=True) | {
        "newState": state({**chart, "values": {"extra": [{"kind": "Secret", "stringData": {"foo": "another-value"}}]}})
    }


@pytest.mark.parametrize("shape", secrets())
def test_a_secret_in_any_shape_is_hidden(tmp_path, shape):
    told = read(tmp_path, preview(shape))
    assert told.changes or told.drift
    for text in (repr(told), repr(reviewed(told))):
        assert VALUE not in text
        assert PLAIN not in text


@pytest.mark.parametrize(
    "text",
    [
        f"mysql -h db -p{PLAIN} shop",
        f"curl -s -u admin:{PLAIN} host",
        f"curl --user=admin:{PLAIN} host",
        f"auth:\n  secret: {PLAIN}\n",
        f"SECRET={PLAIN} run",
        f"<db.password>{PLAIN}</db.password>",
    ],
)
def test_a_password_as_commands_and_files_write_it_is_hidden(tmp_path, text):
    before, after = (manifest("ConfigMap", "a", data={"a": word}) for word in ("old", text))
    assert PLAIN not in repr(read(tmp_path, preview(step("update", before, after))))


@pytest.mark.parametrize(
    ("words", "hidden"),
    [
        (["curl", "-u", f"admin:{PLAIN}"], True),
        (["run", "--user", "1000:1000"], False),
        (["run", "--user", "app:/home/app"], False),
        (["mkdir", "-p", "/data"], False),
    ],
)
def test_a_name_and_a_password_of_a_flag(tmp_path, words, hidden):
    pod = {"containers": [{"name": "a", "image": "a/a:1", "command": words}]}
    told = read(tmp_path, preview(step("create", None, manifest("Pod", "a", spec=pod)))).changes[0].after
    assert (told["spec"]["containers"][0]["command"] != words) is hidden


@pytest.mark.parametrize(
    "text", ["mkdir -p /data", "secret:\n  secretName: tls", "curl -fsS host:8080", "mysql -P 3306"]
)
def test_what_is_no_password_is_shown(tmp_path, text):
    before, after = (manifest("ConfigMap", "a", data={"a": word}) for word in ("old", text))
    (change,) = read(tmp_path, preview(step("update", before, after))).changes
    assert change.edits[0].after == text
