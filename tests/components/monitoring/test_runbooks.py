"""Every alert of every kind says where it is written what to do, and it is written there."""

from __future__ import annotations

import re

import pytest

from components.monitoring.rules import RUNBOOKS, rules_of
from tests.components import alert_cases
from tests.components.conftest import ROOT, read
from tests.components.model.values import IMAGE
from tests.test_docs import anchors

SIGNALS = [
    {"name": "first", "kind": "errors", "source": "pods"},
    {"name": "second", "kind": "latency", "source": "pods", "threshold": "1s"},
    {"name": "third", "kind": "crashes", "source": "kubernetes"},
    {"name": "fourth", "kind": "events", "source": "pods", "metric": "events_total"},
    {"name": "fifth", "kind": "gauge", "source": "pods", "metric": "full"},
]
STEPS = ("**Means:**", "**Look:**", "**Do:**", "**Over:**")


def every_kind_of_signal():
    return read(services={"shop": {"image": IMAGE, "traffic": {}, "analysis": {"signals": SIGNALS}}})


def rules():
    """Rules of every kind with all its alerts, and of a service with every kind of signal."""
    return [
        (member.kind, rule)
        for platform in (alert_cases.platform(), every_kind_of_signal())
        for member in platform.components
        for rule in rules_of(member)
    ]


@pytest.mark.parametrize(("kind", "rule"), rules(), ids=lambda each: each if isinstance(each, str) else each["alert"])
def test_an_alert_leads_to_its_section(kind, rule):
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == f"{RUNBOOKS}/{kind}.md"
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize("page", sorted((ROOT / RUNBOOKS).glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_says_for_each_alert_what_it_means_where_to_look_what_to_do_and_when_it_is_over(page):
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    headings = [each.partition("\n")[0] for each in sections]
    known = {rule["annotations"]["runbook"].partition("#")[2] for kind, rule in rules() if kind == page.stem}
    assert {"Changing it", "Backup and restore"} <= {*headings}
    for heading, section in zip(headings, sections, strict=True):
        if heading not in {"Changing it", "Backup and restore"}:
            assert heading.lower() in known, heading
            assert [step for step in STEPS if step not in section] == [], heading


def test_pages_may_be_elsewhere_and_alerts_of_a_teams_own_have_theirs():
    own = {"Stands": {"expr": "vector(1)", "summary": "x", "runbook": "https://wiki.example.com/stands"}}
    alone = {"Stands": {"expr": "vector(1)", "summary": "x"}}
    base = "https://books.example.com/"
    annotations = {}
    for alerts in (own, alone):
        found = read(components={"prometheus": {"runbooks": base, "alerts": alerts}})
        (made,) = (each for each in found.manifests() if each["metadata"]["name"] == "prometheus-rules")
        text = made["data"]["prometheus.yml"]
        assert "runbook: https://books.example.com/prometheus.md#prometheusdown" in text
        annotations[len(annotations)] = text.partition("alert: Stands")[2].partition("- name:")[0]
    assert "runbook: https://wiki.example.com/stands" in annotations[0]
    assert "runbook:" not in annotations[1]
