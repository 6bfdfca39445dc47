"""Waivers: accepted for one object until a day, told all the same; nothing sweeping, nothing for ever."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from review.model.risk import Assessment, Severity, assessment
from review.risks.waivers import WaiverEntry, expired
from tests.review.risks.building import TODAY, changes_of, found, real

GOOD = {
    "rule": "storage-grown",
    "object": "PersistentVolumeClaim shop/files",
    "reason": "the volume was full, and has to grow",
    "until": "2026-12-31",
    "by": "kim",
}
GROWN = {"of": "claim", "to": {"spec resources requests storage": "30Gi"}}
GONE = {"of": "claim", "op": "delete"}


def entry(**changes):
    return WaiverEntry.model_validate({**GOOD, **changes}, context={"today": TODAY})


def test_a_waived_risk_is_told_and_counts_as_low():
    changes = changes_of(GROWN)
    assert assessment(changes, found(changes)) is Assessment.REVIEW
    [risk] = found(changes, waivers=[entry()])
    assert (risk.severity, risk.counted) == (Severity.MEDIUM, Severity.LOW)
    assert (risk.waiver.reason, risk.waiver.until, risk.waiver.by) == (GOOD["reason"], "2026-12-31", "kim")
    assert assessment(changes, [risk]) is Assessment.PLAIN


@pytest.mark.parametrize("more", [{"object": "PersistentVolumeClaim shop/other"}, {"rule": "storage-shrunk"}])
def test_it_is_for_its_rule_and_its_object_alone(more):
    assert [risk.waiver for risk in found(changes_of(GROWN), waivers=[entry(**more)])] == [None]


def test_a_pattern_may_stand_for_a_part_of_the_name():
    [risk] = found(changes_of(GROWN), waivers=[entry(object="PersistentVolumeClaim shop/*")])
    assert risk.waiver is not None


def test_the_last_day_counts_and_the_day_after_it_is_told_as_expired():
    last, late = entry(until=TODAY), entry(until=TODAY - dt.timedelta(days=1))
    assert found(changes_of(GROWN), waivers=[last])[0].waiver is not None
    [risk] = found(changes_of(GROWN), waivers=[late])
    assert risk.waiver is None
    assert risk.text.endswith("(its waiver expired on 2026-11-27)")
    assert risk.counted is Severity.MEDIUM
    assert expired([last, late], TODAY) == (late,)


def test_a_critical_risk_is_waived_by_the_name_of_its_object_alone():
    named = entry(rule="data-deleted", object="PersistentVolumeClaim shop/files")
    assert found(changes_of(GONE), waivers=[named])[0].waiver is not None
    with pytest.raises(ValidationError, match=r"data-deleted is critical, '.*\*' is a pattern; name the one"):
        entry(rule="data-deleted", object="PersistentVolumeClaim shop/*")


def test_what_turns_out_critical_is_not_waived_by_a_pattern():
    """A rule that is high in its row may find something critical."""
    case = {"of": "definition", "to": {"spec versions 0 name": "v2"}}
    sweeping = entry(rule="definition-version-gone", object="CustomResourceDefinition *")
    [risk] = [each for each in found(changes_of(case), waivers=[sweeping]) if each.severity is Severity.CRITICAL]
    assert risk.waiver is None


def test_what_cannot_be_believed_is_never_waived():
    changes = real("program-error")
    risks = found(changes, waivers=[entry(rule="preview-not-trustworthy", object="stack")])
    assert [risk.waiver for risk in risks] == [None]
    assert assessment(changes, risks) is Assessment.NOT_TRUSTWORTHY


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule": "no-such-rule"}, r"'no-such-rule' is no rule; `grayling review risks` lists them"),
        ({"object": "*"}, r"'\*' waives it for every object; name one"),
        ({"object": "* */?*"}, r"waives it for every object"),
        ({"object": ""}, r"'' waives it for every object"),
        ({"reason": " "}, r"' ' is no reason; say in a sentence why"),
        ({"reason": "ok"}, r"'ok' is no reason"),
        ({"until": "2028-01-01"}, r"2028-01-01 is more than a year ahead; 2027-11-29 is the last day"),
        ({"until": "soon"}, r"'soon' is no day; write it like 2026-12-31"),
        ({"until": 20261231}, r"20261231 is no day"),
        ({"until": dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)}, r"is no day"),
        ({"by": ""}, r"at least 1 character"),
        ({"severity": "low"}, r"Extra inputs are not permitted"),
    ],
)
def test_what_is_sweeping_or_says_nothing_is_refused(changes, says):
    with pytest.raises(ValidationError, match=says):
        entry(**changes)


@pytest.mark.parametrize("key", sorted(GOOD))
def test_nothing_may_be_left_out(key):
    with pytest.raises(ValidationError, match="Field required"):
        WaiverEntry.model_validate({name: value for name, value in GOOD.items() if name != key})


def test_without_a_day_given_a_year_counts_from_today():
    far = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=400)
    with pytest.raises(ValidationError, match="more than a year ahead"):
        WaiverEntry.model_validate({**GOOD, "until": far})
