"""Markdown for a pull request: whole with anything in it, cut between objects, and never cut without saying so."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from review.model.change import Change, ChangeSet, Doubt, Edit, ObjectRef, Op
from review.model.report import Report
from review.model.risk import Risk, Severity, Waiver
from review.reports.making import document_of
from review.reports.markdown import LIMIT, MARKER, markdown
from terminal.markdown import fenced
from tests.review.previews import CREATED, reviewed

OUR_TAGS = re.compile(r"</?(details|summary|code)>|<!-- .* -->")
HOSTILE = [
    "a | b",
    "``` x",
    "`````",
    "</details><script>alert(1)</script>",
    "<!-- --> -->",
    "@everyone look",
    "[click](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "fixes #1",
    "https://evil.example",
    "\\| \\` \\",
    "# head",
    "a\n| b | c |\n- [x] done",
    "*bold* _em_ ~~gone~~ $x$",
    "&lt;b&gt; &#64;you",
]


def change(name: str, *edits: Edit, ops=(Op.UPDATE,), kind: str = "ConfigMap") -> Change:
    return Change(ObjectRef("v1", kind, "shop", name), ops, edits=edits)


def with_text(text: str) -> ChangeSet:
    edit = Edit(("data", text), text, text + "\nmore")
    return ChangeSet(
        "pulumi-preview",
        text,
        text,
        (
            change(text, edit),
            change(text, ops=(Op.CREATE,)),
            Change(ObjectRef("v1", "Thing", "", text), (Op.REPLACE,), forced_by=(text,), owners=(text,), problem=text),
        ),
        doubts=(Doubt("x", text),),
    )


def hostile(text: str):
    risk = Risk("rule", Severity.HIGH, text, text, text, Waiver(text, "2026-12-31", text), text)
    report = Report(with_text(text), (risk,), CREATED, text, text, text, {"program": text}, approval=text)
    return document_of(report)


def tokens(text: str) -> list:
    found = []
    for block in MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(text):
        found.append(block)
        found += block.children or []
    return found


@given(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=[]), min_size=1, max_size=30))
def test_nothing_comes_of_what_objects_hold(text):
    found = tokens(markdown(hostile(text)))
    kinds = {token.type for token in found}
    assert not kinds & {"link_open", "image", "s_open"}
    tags = "\n".join(token.content for token in found if token.type in {"html_inline", "html_block"})
    for line in tags.splitlines():
        assert not re.search(r"<(?!/?(details|summary|code)>|!-- )", line), line


@given(st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=30))
def test_tables_keep_their_columns(text):
    rows, cells = [], 0
    for token in tokens(markdown(hostile(text))):
        cells = 0 if token.type == "tr_open" else cells + (token.type in {"td_open", "th_open"})
        rows += [cells] if token.type == "tr_close" else []
    assert rows
    assert set(rows) == {4}


@pytest.mark.parametrize("text", HOSTILE)
def test_fences_hold_what_is_in_them(text):
    fences = [token.content for token in tokens(markdown(hostile(text))) if token.type == "fence"]
    assert any("more" in content and content.count("\n") >= 2 for content in fences)


@pytest.mark.parametrize("text", ["```", "~~~~", "a\n`````\nb", "```diff\n```\n````", "x"])
def test_a_fence_is_longer_than_every_one_in_it(text):
    (block,) = [token for token in tokens(fenced(text, "diff")) if token.type == "fence"]
    assert (block.info, block.content) == ("diff", f"{text}\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_people_are_not_called_and_issues_not_linked(text):
    outside = re.sub(r"(?s)```+.*?```+|<code>.*?</code>|<!--.*?-->", "", markdown(hostile(text)))
    assert not re.search(r"@\w|#\d|https?://", html.unescape(outside))


@given(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=[]), max_size=40))
def test_the_header_is_one_comment_that_machines_read(text):
    first, _, rest = markdown(hostile(text or "x")).partition("\n")
    assert first.startswith(MARKER)
    assert first.endswith(" -->")
    assert "--" not in first.removeprefix("<!--").removesuffix("-->")
    data = json.loads(first.removeprefix(MARKER).removesuffix("-->"))
    assert (data["schema"], data["truncated"]) == ("grayling.review/1", False)
    assert rest.startswith("\n## ")


def test_what_turns_or_hides_is_shown():
    text = markdown(hostile("a\u202eb\u200bc\x1b[31m"))
    assert "⟨U+202E⟩" in text
    assert "⟨U+001B⟩" in text
    assert not re.search("[\u202e\u200b\x1b]", text)


def long_changes(count: int, size: int = 400) -> ChangeSet:
    edit = Edit(("data", "x"), "a" * size, "\n".join(["b" * 60] * (size // 60)))
    made = [change(f"object-{number}", edit) for number in range(count)]
    made += [change(f"new-{number}", ops=(Op.CREATE,)) for number in range(count)]
    return ChangeSet("pulumi-preview", "p", "prod", tuple(made), 7)


@pytest.mark.parametrize("limit", [4000, 10_000, LIMIT])
@pytest.mark.parametrize("size", [100, 20_000])
def test_a_long_report_is_cut_between_objects_and_says_so(limit, size):
    risks = [Risk(f"r{number}", Severity.HIGH, f"ConfigMap shop/object-{number}", "x" * 90) for number in range(900)]
    whole = reviewed(long_changes(500, size), risks)
    text = markdown(whole, limit)
    assert len(text) <= limit
    header = json.loads(text.split("\n", 1)[0].removeprefix(MARKER).removesuffix("-->"))
    assert header["truncated"] is True
    assert "A truncated report cannot be approved" in text
    assert "p/prod: dangerous · 500 updated · 500 created · 7 unchanged" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    assert "left out.*" in text
    parsed = tokens(text)
    assert sum(token.type == "table_open" for token in parsed) == 1


def test_a_short_report_is_whole():
    text = markdown(reviewed(long_changes(3)))
    assert "truncated report" not in text
    assert text.count("<summary>ConfigMap shop/object-") == 3
    assert [text.count(f"- <code>ConfigMap shop/new-{number}<") for number in range(3)] == [1, 1, 1]


def test_the_verdict_stands_above_risks_and_risks_above_differences():
    text = markdown(hostile("x"))
    places = [text.index(part) for part in ("## x/x", "### Can it be believed", "### Risks", "What will be gone")]
    assert places == sorted(places)
    assert text.index("What will be gone") < text.index("### What changes")


def test_a_waiver_is_told_with_its_reason():
    risk = Risk("r", Severity.HIGH, "stack", "opens it", waiver=Waiver("migration", "2026-12-31", "ann"))
    text = markdown(reviewed(long_changes(1), [risk]))
    assert "accepted by ann until 2026-12-31: migration" in text
    assert OUR_TAGS.search(text)
