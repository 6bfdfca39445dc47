"""HTML, SARIF, JUnit, the terminal and the documented schema: each whole, each parseable, all of one document."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import click
import jsonschema
import pytest

from review.model.change import Change, ChangeSet, Doubt, Edit, ObjectRef, Op
from review.model.report import Report
from review.model.risk import Risk, Severity, Waiver
from review.reports.document import Review, json_schema
from review.reports.forms import FORMS, writers
from review.reports.making import document_of
from tests.review.previews import CREATED, reviewed

DOCUMENTED = Path(__file__).parents[3] / "docs" / "reference" / "review.schema.json"
HOSTILE = "<script>alert('x')</script>\x1b[31m\u202e]]>\ud800&"
VOID = {"meta", "rect", "path", "line", "br"}


def changes(name: str = "settings") -> ChangeSet:
    edits = (Edit(("data", name), "a", "b"), Edit(("spec", "x"), 1, 2, replaces=True))
    made = (
        Change(ObjectRef("v1", "ConfigMap", "shop", name), (Op.REPLACE,), edits=edits, forced_by=("spec.x",)),
        Change(ObjectRef("v1", "Service", "shop", "web"), (Op.UPDATE,), edits=edits[:1], problem=name),
        Change(ObjectRef("v1", "Secret", "shop", "old"), (Op.RETAIN,)),
        Change(ObjectRef("v1", "Secret", "shop", "new"), (Op.CREATE,)),
    )
    return ChangeSet(
        "pulumi-preview", "shop", "prod", made, 5, (Doubt("cut", "it was cut"), Doubt("x", "y", fatal=False))
    )


def risks(text: str = "it goes") -> list[Risk]:
    return [
        Risk("tag", Severity.LOW, "Service shop/web", text),
        Risk("gone", Severity.CRITICAL, "ConfigMap shop/settings", text, "restore `backup`", path="spec.x"),
        Risk("open", Severity.HIGH, "Service shop/web", text, waiver=Waiver("moving", "2026-12-31", "ann")),
    ]


def forms(review: Review, width: int = 80) -> dict[str, str]:
    return {form: write() for form, write in writers(review, limit=64_000, width=width).items()}


class Page(HTMLParser):
    """Tags that are opened and closed, and every address that is named."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in {"href", "src", "style", "onclick"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("text", ["plain", HOSTILE])
def test_a_page_is_whole_and_asks_for_nothing(text):
    page = Page()
    html = forms(reviewed(changes(text), risks(text)))["html"]
    page.feed(html)
    assert page.open == []
    assert page.addresses == []
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import|https?://", html)
    assert [tag for tag in page.tags if tag == "h1"] == ["h1"]
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_a_page_tells_risks_before_all_else():
    html = forms(reviewed(changes(), risks()))["html"]
    order = ['class="word"', 'id="risks"', 'id="trust"', 'id="gone"', 'id="people"', 'id="changes"']
    places = [html.index(part) for part in order]
    assert places == sorted(places)
    assert html.index("critical</span>") < html.index("high, accepted</span>")
    assert "Taking it back: restore <code>backup</code>" in html
    assert "accepted by ann until 2026-12-31: moving" in html


def test_severity_is_told_without_colours():
    html = forms(reviewed(changes(), risks()))["html"]
    assert "■■■■</span> critical" in html
    assert '<span class="gone">- data.settings: a</span>' in html


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_written_or_seen_is_shown_instead(form):
    text = forms(reviewed(changes(HOSTILE), risks(HOSTILE)))[form]
    text.encode()
    assert not re.search("[\u202e\ud800]", text)
    assert "\x1b" not in click.unstyle(text)
    assert "U+202E" in text


def test_sarif_names_rules_levels_and_places():
    run = json.loads(forms(reviewed(changes(), risks()))["sarif"])["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted(set(rules)) == ["gone", "open", "tag", "trust/cut", "trust/x"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [each["ruleId"] for each in run["results"]]
    assert {each["ruleId"]: each["level"] for each in run["results"]} == {
        "gone": "error",
        "open": "error",
        "tag": "note",
        "trust/cut": "error",
        "trust/x": "note",
    }
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "stacks/Pulumi.prod.yaml"}
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "ConfigMap shop/settings"
    suppressed = [each["ruleId"] for each in run["results"] if "suppressions" in each]
    assert suppressed == ["open"]


def test_fingerprints_stay_when_words_change():
    def prints(text: str) -> list:
        run = json.loads(forms(reviewed(changes(), risks(text)))["sarif"])["runs"][0]
        return sorted(each["partialFingerprints"]["grayling/v1"] for each in run["results"])

    assert prints("one way") == prints("another way")
    assert len(set(prints("one way"))) == 5


def test_junit_fails_what_is_high_and_not_accepted():
    suite = ET.fromstring(forms(reviewed(changes(), risks()))["junit"]).find("testsuite")  # noqa: S314 - our own
    cases = {(case.get("classname"), case.get("name")): case for case in suite}
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {
        ("grayling.review.gone", "ConfigMap shop/settings spec.x"),
        ("grayling.review.trust", "cut"),
    }
    assert (suite.get("tests"), suite.get("failures")) == ("7", "2")
    assert ("grayling.review.change", "Secret shop/new") in cases


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_terminal_is_not_wider_than_asked(width):
    text = click.unstyle(forms(reviewed(changes(), risks("x" * 300)), width)["text"])
    assert max(map(len, text.splitlines())) <= width
    assert text.index("critical") < text.index("What will be gone") < text.index("What changes")


def test_the_document_reads_back_and_is_the_same_each_time():
    one, other = (reviewed(changes(), each) for each in (risks(), list(reversed(risks()))))
    assert one == other
    assert Review.model_validate_json(forms(one)["json"]) == one


def test_the_promised_keys_are_there():
    data = reviewed(changes(), risks()).wire()
    assert data["schema"] == "grayling.review/1"
    assert data["counts"] == {
        "create": 1, "update": 1, "replace": 1, "delete": 0, "import": 0, "retain": 1, "unchanged": 5
    }  # fmt: skip
    assert data["assessment"] == "not-trustworthy"
    assert data["trust"] == ["it was cut", "y"]
    assert [risk["severity"] for risk in data["risks"]] == ["critical", "high", "low"]
    assert {"id", "severity", "object", "text"} <= data["risks"][0].keys()


def test_documents_keep_the_schema():
    for each in (reviewed(changes(), risks()), reviewed(ChangeSet("render"))):
        jsonschema.validate(each.wire(), json_schema())


def test_the_schema_is_the_documented_one():
    assert json.loads(DOCUMENTED.read_text()) == json_schema()


def test_what_was_bound_is_told():
    report = Report(changes(), (), CREATED, "c0ffee", "ba5e", "sha256:1", {"program": "sha256:2"}, approval="One more.")
    data = document_of(report).wire()
    assert (data["digest"], data["parts"], data["approval"]) == ("sha256:1", {"program": "sha256:2"}, "One more.")
    assert (data["commit"], data["base"], data["created"]) == ("c0ffee", "ba5e", CREATED)
