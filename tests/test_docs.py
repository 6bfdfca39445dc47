"""The documents: every link within the repository leads to a file and a heading that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("*.md", "docs/**/*.md", "bench/**/*.md", "examples/**/*.md")
DOCUMENTS = sorted({path for pattern in OURS for path in ROOT.glob(pattern)})
LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")


def anchors(path: Path) -> set[str]:
    """Headings as a forge names them: lower case, without punctuation, blanks as hyphens."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in LINK.finditer(path.read_text()):
        to, _, heading = link["to"].partition("#")
        if re.match(r"[a-z]+:", to):
            continue
        target = path.parent / to if to else path
        assert target.exists(), link["to"]
        assert not heading or heading in anchors(target), link["to"]


def test_there_are_documents_of_every_kind_and_the_index_has_all_of_them():
    pages = {path for path in DOCUMENTS if ROOT / "docs" in path.parents}
    assert {"tutorial", "how-to", "reference", "explanation", "adr"} <= {path.parent.name for path in pages}
    index = ROOT / "docs" / "README.md"
    listed = [index.parent / link["to"] for link in LINK.finditer(index.read_text())]
    assert sorted(path for path in listed if path.suffix == ".md") == sorted(pages - {index})
