"""What a preview is told about as a whole, and what only its source knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from review.model.change import Change, ChangeSet, Doubt, Edit, ObjectRef, Op
from review.model.risk import Assessment, assessment
from review.reading.plan import UNTOLD
from review.reading.pulumi import read_pulumi
from review.reading.source import Document
from tests.review.risks.building import BASES, changes_of, found, put

CONFIG = changes_of({"of": "config", "to": {"metadata labels": {"a": "b"}}}).changes[0]


def told(*changes, **more):
    changes = ChangeSet("render", changes=changes, **more)
    return {(risk.id, risk.severity.word, risk.object) for risk in found(changes)}


def test_each_fatal_doubt_is_a_risk_and_one_that_is_not_fatal_is_none():
    doubts = (Doubt("truncated", "it was\ncut"), Doubt("failed", "it failed"), Doubt("not-probed", "hm", fatal=False))
    changes = ChangeSet("pulumi-preview", doubts=doubts)
    risks = found(changes)
    assert sorted(risk.text for risk in risks) == ["failed: it failed", "truncated: it was cut"]
    assert {(risk.id, risk.object) for risk in risks} == {("preview-not-trustworthy", "stack")}
    assert assessment(changes, risks) is Assessment.NOT_TRUSTWORTHY


def test_a_conflict_and_a_field_of_another_manager_are_told():
    changed = replace(CONFIG, problem="conflict with helm", others={"data.a": "kubectl-edit"})
    assert told(changed) >= {
        ("cannot-be-applied", "high", "ConfigMap shop/redis-config"),
        ("takes-over-fields", "medium", "ConfigMap shop/redis-config"),
    }


def test_drift_is_told_with_the_object_though_nothing_changes_it():
    ref = ObjectRef("apps/v1", "Deployment", "shop", "gateway")
    scaled = Change(ref, (Op.UPDATE,), {}, {}, (Edit(("spec", "replicas"), 2, 9),))
    gone = Change(ref._replace(name="web"), (Op.DELETE,), {})
    kept = Change(ref._replace(name="kept"), (Op.UPDATE,), {}, {}, (Edit(("metadata", "finalizers"), None, ["a/b"]),))
    assert told(drift=(scaled, gone, kept)) == {
        ("live-differs", "medium", "Deployment shop/gateway"),
        ("live-differs", "medium", "Deployment shop/web"),
    }


@pytest.mark.parametrize(("field", "severity"), [("kubeconfig", "high"), ("version", "low")])
def test_another_provider_is_told_and_its_version_alone_is_nothing(field, severity):
    steps = [
        {
            "op": "update",
            "urn": "urn:pulumi:h5::grayling::pulumi:providers:kubernetes::default",
            "oldState": {"type": "pulumi:providers:kubernetes", "custom": True, "inputs": {field: "1.0.0"}},
            "newState": {"type": "pulumi:providers:kubernetes", "custom": True, "inputs": {field: "2.0.0"}},
        }
    ]
    made = {"config": {}, "steps": steps, "diagnostics": [], "changeSummary": {"update": 1}}
    changes = read_pulumi(Document("preview.json", made, lines=False, sha256=""))
    assert [(risk.id, risk.severity.word) for risk in found(changes)] == [("provider-changed", severity)]


def test_a_plan_says_that_it_does_not_say_what_stood_there():
    after = put(BASES["statefulset"], {"spec replicas": 5})
    ref = ObjectRef("apps/v1", "StatefulSet", "shop", "redis")
    edit = Edit(("spec",), UNTOLD, after["spec"])
    changed = Change(ref, (Op.UPDATE,), {**after, "spec": UNTOLD}, after, (edit,))
    assert ("before-not-told", "medium", "StatefulSet shop/redis") in told(changed)
    assert ("will-be-refused", "high", "StatefulSet shop/redis") not in told(changed)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("aws:rds/instance:Instance", "critical"),
        ("aws:s3/bucketV2:BucketV2", "critical"),
        ("azure-native:sql:Database", "critical"),
        ("random:index/randomPet:RandomPet", "medium"),
    ],
)
def test_what_lies_outside_the_cluster_and_holds_data_is_known_by_its_type(kind, severity):
    outside = Change(ObjectRef("", kind, "", "main"), (Op.DELETE,), {"size": 1})
    assert {each[1] for each in told(outside, project="grayling")} == {severity}


@pytest.mark.parametrize("kind", ["grayling:middleware:Redis", "pulumi:pulumi:Stack", "shop:data:Database"])
def test_a_component_of_pulumi_is_no_object(kind):
    assert told(Change(ObjectRef("", kind, "", "redis"), (Op.DELETE,), {}), project="shop") == set()


def test_a_policy_goes_with_its_pods_unless_others_that_it_is_for_stay():
    gone = {"of": "policy", "op": "delete", "beside": [{"of": "deployment", "op": "delete"}]}
    assert {risk.severity.word for risk in found(changes_of(gone)) if risk.id == "network-policy-deleted"} == {"low"}
    gone["beside"].append({"of": "statefulset", "to": {"spec replicas": 4}})
    assert {risk.severity.word for risk in found(changes_of(gone)) if risk.id == "network-policy-deleted"} == {"high"}


def test_what_was_taken_back_and_what_weakens_the_rules_are_told_as_they_were_found():
    found_out = {"GrayRelease shop/checkout": "was taken back"}
    assert told(stays_out=found_out, weakened=("tiers.prod.approvals: 0 instead of 1",)) == {
        ("taken-back", "high", "GrayRelease shop/checkout"),
        ("policy-changed", "high", "stack"),
    }
