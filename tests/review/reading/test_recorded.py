"""Previews of the real Pulumi CLI over this project's stacks are read as what they are."""

from __future__ import annotations

import pytest

from review.reading.pulumi import read_pulumi
from review.reading.source import read_document
from tests.review.previews import RECORDED, fatal, ops, reviewed

COUNTS = {
    "change-owners": {"update": 3, "unchanged": 71},
    "create-all-prod": {"create": 50},
    "create-all": {"create": 69},
    "delete-component": {"update": 9, "delete": 12, "unchanged": 48},
    "drift-refresh": {"update": 2, "unchanged": 67},
    "enable-control-plane-encryption": {"create": 5, "update": 2, "unchanged": 67},
    "import-with-differences": {"replace": 1, "import": 1, "unchanged": 1},
    "no-change": {"unchanged": 69},
    "program-error": {"create": 1},
    "protected-delete-refused": {"update": 2, "delete": 1, "unchanged": 23},
    "rename-component": {"create": 9, "update": 7, "delete": 9, "unchanged": 53},
    "replace-protected-refused": {"replace": 1, "unchanged": 52},
    "replace-statefulset-storage": {"replace": 1, "unchanged": 68},
    "save-plan-update.plan": {"update": 2, "unchanged": 68},
    "secret-change": {"update": 1, "unchanged": 68},
    "unreachable-cluster": {"update": 2, "unchanged": 32},
    "update-configmap-scrape-interval": {"update": 2, "unchanged": 67},
    "update-grayrelease-image": {"update": 1, "unchanged": 68},
    "update-rabbitmq-config": {"update": 2, "unchanged": 67},
    "update-service-type": {"update": 1, "unchanged": 73},
}
REFUSED = {"program-error", "protected-delete-refused", "replace-protected-refused"}


def recorded(name: str):
    return read_pulumi(read_document(str(RECORDED / f"{name}.json.gz")))


@pytest.mark.parametrize("name", COUNTS)
def test_it_counts_what_the_cli_counted(name):
    changes = recorded(name)
    assert ops(changes) == COUNTS[name]
    assert reviewed(changes).wire()["counts"] == changes.counts()


@pytest.mark.parametrize("name", COUNTS)
def test_only_refused_previews_are_known_to_be_wrong_and_none_is_proven(name):
    changes = recorded(name)
    assert bool(fatal(changes)) == (name in REFUSED)
    assert "not-probed" in {doubt.id for doubt in changes.doubts}


def test_a_replacement_names_the_field_that_forces_it():
    (change,) = recorded("replace-statefulset-storage").changes
    assert change.forced_by == ("spec.volumeClaimTemplates[0].spec.resources.requests.storage",)
    assert [(edit.text, edit.before, edit.after, edit.replaces) for edit in change.edits] == [
        ("spec.volumeClaimTemplates[0].spec.resources.requests.storage", "256Mi", "512Mi", True)
    ]


def test_a_changed_secret_is_told_without_its_value():
    (change,) = recorded("secret-change").changes
    assert [(edit.text, edit.after, edit.hidden) for edit in change.edits] == [("data.token", "(hidden) changed", True)]


def test_what_others_changed_is_drift_with_what_is_live():
    drift = recorded("drift-refresh").drift
    told = {str(each.ref): [(edit.text, edit.before, edit.after) for edit in each.edits] for each in drift}
    assert told == {
        "Deployment h5/gateway-envoy": [("spec.replicas", 1, 2)],
        "GrayRelease h5/checkout": [("spec.workload.replicas", 3, 2)],
    }
