"""Both forms of every manual hold together: links lead somewhere, tables are whole, headings go down one by one."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from components.manual.document import anchor
from components.manual.manual import manual_of
from components.manual.markdown import markdown
from components.manual.page import page
from tests.components import kind_examples
from tests.components.conftest import ROOT, STACKS
from tests.components.manual.subjects import SHOP, example, ours, project_in, subject_of

RUNBOOKS = ROOT / "docs" / "runbooks"
EXAMPLES = [f"{kind}/{size}" for kind, size in kind_examples.ALL]


class Read(HTMLParser):
    """What a page has: ids, links, headings, tags."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.levels, self.tags, self.open = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.append((tag, said))
        self.ids += [said["id"]] if "id" in said else []
        self.links += [said["href"]] if tag == "a" else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_of(project_in(tmp_path_factory.mktemp("forms") / "project"), "shop", SHOP)


@pytest.fixture(scope="module", params=[*STACKS, *EXAMPLES])
def any_subject(request, tmp_path_factory):
    if request.param in STACKS:
        return ours(request.param)
    return example(project_in(tmp_path_factory.mktemp("any") / "project"), *request.param.split("/"))


def sections_of(path):
    return {anchor(line.removeprefix("## ")) for line in path.read_text().splitlines() if line.startswith("## ")}


def test_every_link_leads_somewhere(any_subject):
    found = Read(page(manual_of(any_subject)))
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        place, _, fragment = link.partition("#")
        if not place:
            assert fragment in found.ids
        elif not link.startswith("https://"):
            file = RUNBOOKS / place.rpartition("/")[2]
            assert place == f"docs/runbooks/{file.name}"
            assert not fragment or fragment in sections_of(file), link


def test_markdown_has_whole_tables_and_its_links_lead_somewhere(any_subject):
    text = markdown(manual_of(any_subject))
    head = {anchor(re.sub(r"^#+ ", "", line)) for line in text.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= head
    width = 0
    for line in text.splitlines():
        cells = line.count("|")
        width = cells if line.startswith("|") and not width else width if line.startswith("|") else 0
        assert not line.startswith("|") or cells == width, line


def test_the_page_is_one_file_without_a_program(subject):
    html = page(manual_of(subject))
    found = Read(html)
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert not re.search(r"url\((?!#)|@import", html)
    assert "default-src 'none'" in html
    assert dict(found.tags)["html"]["lang"] == "en"


def test_it_can_be_read_without_eyes(subject):
    found = Read(page(manual_of(subject)))
    assert found.levels[0] == 1
    assert found.levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(found.levels))
    (picture,) = [said for tag, said in found.tags if tag == "svg"]
    assert set(picture["aria-labelledby"].split()) <= set(found.ids)
    assert all(said.get("scope") == "col" for tag, said in found.tags if tag == "th")
    for _, said in found.tags:
        assert not said.get("aria-labelledby") or set(said["aria-labelledby"].split()) <= set(found.ids)


def test_the_same_twice(subject):
    assert page(manual_of(subject)) == page(manual_of(subject))
    assert markdown(manual_of(subject)) == markdown(manual_of(subject))


def test_nothing_that_a_stack_says_becomes_a_tag(tmp_path):
    wild = "<script>alert(1)</script>|`[x](http://evil.example.com)"
    sections = {**SHOP, "environment": {**SHOP["environment"], "owners": [wild]}}
    subject = subject_of(project_in(tmp_path / "p"), "wild", sections)
    assert "script" not in {tag for tag, _ in Read(page(manual_of(subject))).tags}
    text = markdown(manual_of(subject))
    assert "<script" not in text
    assert "](http://evil" not in text
