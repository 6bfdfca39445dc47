"""Prices of the project's review file: money in the report, and mistakes with file, key, value and fix."""

from __future__ import annotations

import json

import pytest

from tests.review.cli.test_preview import told
from tests.review.previews import manifest, preview, step, written

ASKED = {"resources": {"requests": {"cpu": "2", "memory": "4Gi"}}, "name": "web"}
HEAD = "schema: grayling.policy/1\ntiers: {staging: {approvals: 0}, prod: {approvals: 0}}\n"
WEB = manifest("Deployment", "web", version="apps/v1", spec={"template": {"spec": {"containers": [ASKED]}}})


def costs(capsys, project, monkeypatch, text: str):
    monkeypatch.chdir(project / "stacks")
    (project / ".grayling").mkdir()
    (project / ".grayling" / "review.yaml").write_text(HEAD + text)
    path = written(project, preview(step("create", None, WEB)))
    return told(capsys, "--from", str(path), "-o", "json")


def test_money_is_told_where_there_are_prices(capsys, project, monkeypatch):
    code, said = costs(capsys, project, monkeypatch, "prices: {currency: CHF, cpu: 10, memory: 2.5}\n")
    assert code == 0, said.err
    capacity = json.loads(said.out)["capacity"]
    assert (capacity["cost"], capacity["currency"]) == (30.0, "CHF")


def test_no_prices_no_money(capsys, project, monkeypatch):
    code, said = costs(capsys, project, monkeypatch, "groups: {reviewers: [ann@example.com]}\n")
    assert (code, json.loads(said.out)["capacity"]["cost"]) == (0, None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("prices: {cpu: dear}\n", ("prices.cpu", "'dear'")),
        ("prices: 12\n", ("prices", "is no map")),
        ("- x\n", ()),
        ("prices: {core: 1}\n", ("prices.core", "no such key")),
        ("prices: {cpu: [\n", ()),
    ],
)
def test_mistakes_name_file_key_and_fix(capsys, project, monkeypatch, text, parts):
    code, said = costs(capsys, project, monkeypatch, text)
    assert code == 2
    assert ".grayling/review.yaml" in said.err
    assert all(part in said.err for part in parts), said.err
    assert said.out == ""
