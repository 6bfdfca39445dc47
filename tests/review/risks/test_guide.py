"""The pages about risks say what the code says; the guide's rule is found as the table's own are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import grayling
from review.model.risk import Severity
from review.risks.reference import SCHEMA, as_markdown
from review.risks.table import BY_ID, RULES
from review.risks.waivers import WaiverEntry
from terminal.exits import Session, run
from tests.review.risks.building import TODAY, changes_of, found

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "how-to" / "adding-a-risk-rule.md").read_text()
PAGE = ROOT / "docs" / "reference" / "risks.md"


def guides_rule():
    space = {}
    exec(compile(re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)[1], "guide", "exec"), space)  # noqa: S102
    return space["RULE"]


def risks(capsys, *more):
    with pytest.raises(SystemExit) as end:
        raise SystemExit(run(grayling.cli, ["review", "risks", *more], prog_name="grayling", session=Session()))
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


def test_the_guides_rule_is_found_like_every_other():
    rule = guides_rule()
    assert rule.id not in BY_ID
    shorter = {"of": "job", "from": {"spec activeDeadlineSeconds": 600}, "to": {"spec activeDeadlineSeconds": 60}}
    longer = {"of": "job", "from": {"spec activeDeadlineSeconds": 60}, "to": {"spec activeDeadlineSeconds": 600}}
    told = found(changes_of(shorter), rules=(*RULES, rule))
    assert [(risk.severity, risk.object, risk.text) for risk in told if risk.id == rule.id] == [
        (Severity.MEDIUM, "Job shop/migrate", "is stopped after 60 s instead of 600 s")
    ]
    assert [risk for risk in found(changes_of(longer), rules=(*RULES, rule)) if risk.id == rule.id] == []


def test_a_rule_stands_in_one_file():
    """What the guide says: nothing but the module of its topic knows a rule by name."""
    for rule in RULES:
        knowing = [path for path in (ROOT / "review").rglob("*.py") if f'"{rule.id}"' in path.read_text()]
        assert len(knowing) == 1, (rule.id, knowing)
        assert knowing[0].parent.name == "risks"


def test_the_reference_is_what_the_table_says():
    assert PAGE.read_text() == as_markdown(), "make generate"


def test_the_waiver_of_the_reference_is_one():
    shown = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    [waiver] = shown["waivers"]
    assert WaiverEntry.model_validate(waiver, context={"today": TODAY}).rule == "storage-grown"


def test_the_command_lists_every_rule_in_each_form(capsys):
    code, text, _ = risks(capsys)
    assert code == 0
    assert {rule.id for rule in RULES} <= set(text.split())
    code, made, _ = risks(capsys, "-o", "json")
    data = json.loads(made)
    assert (code, data["schema"]) == (0, SCHEMA)
    assert [each["id"] for each in data["rules"]] == [rule.id for rule in RULES]
    assert {each["severity"] for each in data["rules"]} == {severity.word for severity in Severity}
    code, page, _ = risks(capsys, "-o", "markdown")
    assert (code, page) == (0, PAGE.read_text())


def test_a_form_that_is_none_is_told(capsys):
    code, _, said = risks(capsys, "-o", "xml")
    assert code == 2
    assert "'xml' is not one of text, json, markdown" in said
