"""Twenty low risks are read in a minute: short, folded, and each still there with its rule."""

from __future__ import annotations

import re

import click
import pytest

from review.model.change import ChangeSet
from review.model.risk import Risk, Severity, Waiver
from review.reports.forms import writers
from tests.review.previews import reviewed

WAIVER = Waiver("known", "2027-01-01", "ann")
LOW = [Risk("image-by-tag", Severity.LOW, f"Deployment shop/web-{number}", f"tag {number}") for number in range(19)]
LOW.append(Risk("network-narrowed", Severity.LOW, "NetworkPolicy shop/redis", "closes", waiver=WAIVER))
HIGH = Risk("store-deleted", Severity.HIGH, "StatefulSet shop/redis", "goes")


def form(name: str, *risks: Risk) -> str:
    made = writers(reviewed(ChangeSet("render"), list(risks)), limit=64_000, width=80, rules={})[name]()
    return click.unstyle(made)


def test_on_a_terminal_they_are_a_few_lines_each_rule_once():
    text = form("text", *LOW)
    part = text.partition("Risks\n")[2].partition("\n\n")[0]
    assert len(part.splitlines()) <= 9
    assert part.count("image-by-tag") == 1
    assert "and 14 more" in part.replace("\n ", "")
    assert "closes" in part
    assert not re.search(" $", text, re.MULTILINE)
    assert "accepted by ann until 2027-01-01: known" in part


def test_in_a_comment_they_are_folded_below_the_others():
    text = form("markdown", HIGH, *LOW)
    table, _, folded = text.partition("#### Low risks: 20")
    assert "(store-deleted)" in table
    assert "(image-by-tag)" not in table
    assert "<summary>■□□□ image-by-tag (19), network-narrowed (1)</summary>" in folded
    assert folded.count("(image-by-tag)\n") == 19
    assert "accepted by ann" in folded


def test_on_the_page_they_are_folded_too():
    text = form("html", HIGH, *LOW)
    before, _, after = text.partition("<summary>■□□□ low: image-by-tag (19), network-narrowed (1)</summary>")
    assert "store-deleted</span>" in before
    assert "image-by-tag</span>" not in before
    assert after.count("image-by-tag</span>") == 19


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_where_no_risk_is_louder_that_is_said(name):
    assert "No risk is above low." in form(name, *LOW)
    assert "No risk is above low." not in form(name, HIGH, *LOW)
    assert re.search(r"No rule found a risk\.", form(name))
