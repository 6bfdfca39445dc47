"""What counts as drift: declared fields that differ and fields added by hand; what controllers write does not."""

from __future__ import annotations

import pytest

from components.model.layers import identity
from review.drift.controllers import is_controller
from review.drift.drift import drift_of
from review.model.change import Op
from review.model.managers import Writer, writers_of

APPLIED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "checkout", "namespace": "shop", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "checkout",
                        "image": "shop:v1",
                        "args": ["--fast"],
                        "env": [{"name": "MODE", "value": "real"}],
                        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}},
                    }
                ]
            }
        },
    },
}
OURS = {
    "manager": "grayling-stack",
    "operation": "Apply",
    "time": "2026-01-01T00:00:00Z",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


def by(manager, fields, *, operation="Update", subresource="", time="2026-02-01T00:00:00Z"):
    return {
        "manager": manager,
        "operation": operation,
        "time": time,
        "subresource": subresource,
        "fieldsV1": fields,
    }


def live(*writers, **changes):
    """The object as the API server has it: defaults filled in, notes kept."""
    container = {
        "name": "checkout",
        "image": "shop:v1",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--fast"],
        "env": [{"name": "MODE", "value": "real"}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "terminationMessagePath": "/dev/termination-log",
        **changes.pop("container", {}),
    }
    pod = {"containers": [container, *changes.pop("more", [])], "restartPolicy": "Always"}
    meta = {
        "name": "checkout",
        "namespace": "shop",
        "labels": {"a": "b"},
        "uid": "u1",
        "generation": 3,
        "managedFields": [OURS, *writers],
        **changes.pop("meta", {}),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 2, "progressDeadlineSeconds": 600, "template": {"spec": pod}, **changes},
        "status": {"replicas": 7},
    }


def found(there, applied=APPLIED, ignored=()):
    return drift_of({identity(applied): applied}, {identity(there): there}, ignored)


def fields(there, **rest):
    return [(edit.text, edit.before, edit.after) for each in found(there, **rest) for edit in each.change.edits]


def test_defaults_status_and_other_spellings_of_amounts_are_no_drift():
    assert found(live()) == []


def test_a_field_changed_by_hand_is_told_with_its_writer():
    there = live(by("kubectl-edit", {"f:spec": {"f:replicas": {}}}), replicas=5)
    assert fields(there) == [("spec.replicas", 5, 2)]
    (one,) = found(there)
    assert one.writers["spec.replicas"] == Writer("kubectl-edit", "Update", "2026-02-01T00:00:00Z", "")
    assert one.change.others == {"spec.replicas": "kubectl-edit"}
    assert one.change.stood == "u1@3"


def test_what_an_autoscaler_writes_is_no_drift():
    scaled = by("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale")
    assert found(live(scaled, replicas=9)) == []


def test_a_person_who_writes_over_an_autoscaler_is_told():
    scaled = by("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, time="2026-01-15T00:00:00Z")
    person = by("kubectl-scale", {"f:spec": {"f:replicas": {}}}, subresource="scale")
    assert fields(live(scaled, person, replicas=9)) == [("spec.replicas", 9, 2)]


def test_without_a_known_writer_it_is_drift_all_the_same():
    (one,) = found(live(replicas=5))
    assert one.change.others == {"spec.replicas": "unknown"}
    assert one.writers == {}


def test_an_item_is_found_by_its_name_and_its_writer_too():
    notes = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"checkout"}': {"f:image": {}}}}}}}
    there = live(by("kubectl-set", notes), container={"image": "shop:hacked"})
    assert fields(there) == [("spec.template.spec.containers[checkout].image", "shop:hacked", "shop:v1")]
    assert found(there)[0].change.others == {"spec.template.spec.containers[checkout].image": "kubectl-set"}


def test_an_atomic_list_belongs_to_who_wrote_the_whole():
    notes = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"checkout"}': {".": {}, "f:args": {}}}}}}}
    there = live(by("k9s", notes), container={"args": ["--slow"]})
    assert fields(there) == [("spec.template.spec.containers[checkout].args", ["--slow"], ["--fast"])]
    assert found(there)[0].change.others["spec.template.spec.containers[checkout].args"] == "k9s"


def test_a_variable_added_by_hand_is_told_once():
    item = {'k:{"name":"DEBUG"}': {".": {}, "f:name": {}, "f:value": {}}}
    notes = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"checkout"}': {"f:env": item}}}}}}
    env = [{"name": "MODE", "value": "real"}, {"name": "DEBUG", "value": "1"}]
    told = fields(live(by("kubectl-edit", notes), container={"env": env}))
    assert [path for path, _, _ in told] == ["spec.template.spec.containers[checkout].env[DEBUG]"]


def test_a_container_added_by_hand_is_told_whole():
    extra = {"name": "debug", "image": "busybox"}
    notes = {
        "f:spec": {
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"debug"}': {".": {}, "f:name": {}, "f:image": {}}}}}
        }
    }
    told = fields(live(by("kubectl-edit", notes), more=[extra]))
    assert told == [("spec.template.spec.containers[debug]", extra, None)]


def test_an_annotation_added_by_hand_is_told_and_a_controllers_is_not():
    meta = {"annotations": {"note": "by hand", "deployment.kubernetes.io/revision": "4"}}
    hand = by("kubectl-annotate", {"f:metadata": {"f:annotations": {"f:note": {}}}})
    own = by("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}})
    assert fields(live(hand, own, meta=meta)) == [("metadata.annotations.note", "by hand", None)]


def test_what_stood_there_before_it_was_applied_is_no_drift():
    notes = {"f:spec": {"f:progressDeadlineSeconds": {}}}
    assert found(live(by("somebody", notes, time="2025-12-31T23:59:59Z"))) == []
    assert len(found(live(by("somebody", notes, time="2026-01-01T00:00:00Z")))) == 1
    assert len(found(live(by("somebody", notes, time="")))) == 1


def test_a_field_taken_away_by_hand_is_told():
    there = live()
    del there["spec"]["replicas"]
    assert fields(there) == [("spec.replicas", None, 2)]


def test_what_is_gone_and_what_was_never_applied():
    gone = drift_of({identity(APPLIED): APPLIED}, {})
    assert [each.change.ops for each in gone] == [(Op.CREATE,)]
    extra = drift_of({}, {identity(APPLIED): live()})
    assert [each.change.ops for each in extra] == [(Op.DELETE,)]


def test_a_manager_that_is_ignored_is_not_told():
    there = live(by("argocd-controller", {"f:spec": {"f:replicas": {}}}), replicas=5)
    assert len(found(there)) == 1
    assert found(there, ignored=["argocd-controller"]) == []


def secret(value, *writers):
    meta = {"name": "payment", "namespace": "shop", "managedFields": [OURS, *writers]}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": value, "type": "Opaque"}


def test_secrets_are_told_without_a_value():
    applied = secret({"token": ""})
    hand = by("kubectl-edit", {"f:data": {"f:token": {}}})
    assert found(secret({"token": "aHVudGVyMjI="}), applied) == []
    told = found(secret({"token": "aHVudGVyMjI="}, hand), applied)
    assert told[0].change.others == {"data.token": "kubectl-edit"}
    added = found(
        secret({"token": "aHVudGVyMjI=", "more": "c2VjcmV0LXZhbHVl"}, by("me", {"f:data": {"f:more": {}}})), applied
    )
    assert [edit.text for edit in added[0].change.edits] == ["data.more"]
    for each in (told, added):
        assert "aHVudGVyMjI=" not in repr(each)
        assert "c2VjcmV0LXZhbHVl" not in repr(each)


@pytest.mark.parametrize(
    ("manager", "subresource", "expected"),
    [
        ("kube-controller-manager", "", True),
        ("grayling-engine", "", True),
        ("somebody", "status", True),
        ("grayling-stack", "", False),
        ("kubectl-edit", "", False),
        ("kubectl", "", False),
        ("Mozilla", "", False),
        ("my-kubelet", "", False),
    ],
)
def test_who_is_a_controller(manager, subresource, expected):
    assert is_controller(Writer(manager, "Update", "", subresource)) is expected


def test_a_nonsense_note_of_the_server_is_nobody():
    assert writers_of({"metadata": {"managedFields": [{"fieldsV1": {"k:{": {}}}]}}, ("spec", "[a]")) == ()
