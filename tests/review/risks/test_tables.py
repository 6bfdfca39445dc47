"""Every planted danger is found, as what it is; nothing of every day is told above low."""

from __future__ import annotations

import pytest

from review.model.risk import Assessment, Severity, assessment
from review.risks.table import RULES
from tests.review.risks.building import changes_of, found, load, real

DANGERS, PLAIN = load("dangers"), load("plain")


def words(risks):
    return {(risk.id, risk.severity.word) for risk in risks}


def by_what(cases):
    return [pytest.param(case, id=case["what"].replace(" ", "-")) for case in cases]


@pytest.mark.parametrize("case", by_what(DANGERS))
def test_a_planted_danger_is_found_with_its_severity(case):
    risks = found(changes_of(case))
    assert set(case["finds"].items()) <= words(risks)
    worst = max(Severity[word.upper()] for word in case["finds"].values())
    assert max(risk.severity for risk in risks) >= worst


@pytest.mark.parametrize("case", by_what(PLAIN))
def test_what_is_done_every_day_is_at_most_low(case):
    assert [risk for risk in found(changes_of(case)) if risk.severity > Severity.LOW] == []


def test_the_tables_are_as_long_as_they_have_to_be():
    assert len({tuple(case["finds"]) for case in DANGERS}) >= 30
    assert len(PLAIN) >= 20


OTHERWISE = {
    "before-not-told",
    "cannot-be-applied",
    "live-differs",
    "policy-changed",
    "preview-not-trustworthy",
    "provider-changed",
    "taken-back",
    "takes-over-fields",
}
"""Rules about what no manifest says; they are planted in test_previews.py."""


def test_every_rule_has_a_danger_that_it_finds():
    planted = {rule for case in DANGERS for rule in case["finds"]}
    assert planted | OTHERWISE == {rule.id for rule in RULES}


REAL = {
    "change-owners": {Assessment.PLAIN},
    "no-change": {Assessment.PLAIN},
    "update-grayrelease-image": {Assessment.PLAIN},
    "update-configmap-scrape-interval": {Assessment.PLAIN},
    "create-all": {Assessment.REVIEW},
    "create-all-prod": {Assessment.REVIEW},
    "update-rabbitmq-config": {Assessment.REVIEW},
    "update-service-type": {Assessment.REVIEW},
    "secret-change": {Assessment.REVIEW},
    "drift-refresh": {Assessment.REVIEW},
    "enable-control-plane-encryption": {Assessment.REVIEW},
    "import-with-differences": {Assessment.REVIEW},
    "replace-statefulset-storage": {Assessment.DANGEROUS},
    "delete-component": {Assessment.DANGEROUS},
    "rename-component": {Assessment.DANGEROUS},
    "program-error": {Assessment.NOT_TRUSTWORTHY},
    "replace-protected-refused": {Assessment.NOT_TRUSTWORTHY},
    "protected-delete-refused": {Assessment.NOT_TRUSTWORTHY},
}


@pytest.mark.parametrize(("name", "words"), REAL.items())
def test_previews_of_the_real_pulumi_are_told_as_what_they_are(name, words):
    changes = real(name)
    assert assessment(changes, found(changes)) in words


@pytest.mark.parametrize(
    ("name", "finds"),
    [
        ("replace-statefulset-storage", ("data-replaced", "critical", "StatefulSet h5/redis")),
        ("rename-component", ("renamed", "critical", "StatefulSet h5/redis")),
        ("delete-component", ("serving-object-deleted", "high", "StatefulSet h5/prometheus")),
        ("delete-component", ("alerts-removed", "medium", "ConfigMap h5/prometheus-rules")),
        ("drift-refresh", ("live-differs", "medium", "Deployment h5/gateway-envoy")),
        ("protected-delete-refused", ("protected-in-the-way", "high", "StatefulSet other/rabbitmq")),
        ("import-with-differences", ("taken-over", "medium", "ConfigMap other/byhand")),
        ("program-error", ("preview-not-trustworthy", "high", "stack")),
    ],
)
def test_in_real_previews_the_danger_is_named(name, finds):
    assert finds in {(risk.id, risk.severity.word, risk.object) for risk in found(real(name))}


def test_what_goes_with_its_pods_is_no_danger_of_its_own():
    told = {risk.object: risk.severity for risk in found(real("rename-component")) if risk.object.endswith("h5/redis")}
    assert told["NetworkPolicy h5/redis"] is told["Service h5/redis"] is Severity.LOW


def test_each_row_has_a_name_of_its_own_and_one_way_to_find_it():
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    assert [rule.id for rule in RULES if (rule.each is None) is (rule.every is None)] == []
    assert [rule.id for rule in RULES if not (rule.what and rule.why and rule.undo)] == []


@pytest.mark.parametrize(
    "case",
    [case for case in by_what(DANGERS) if case.values[0]["of"] in {"deployment", "statefulset", "release"}],
)
def test_a_field_that_a_finding_names_is_one_of_the_change(case):
    """A report shows the finding beside the edit: the path is the edit's own, or one above or below it."""
    changes = changes_of(case)
    edits = [edit.text for change in changes.changes for edit in change.edits]
    for risk in found(changes):
        if risk.path and edits:
            assert any(risk.path.startswith(text) or text.startswith(risk.path) for text in edits), (risk.path, edits)
