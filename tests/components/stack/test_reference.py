"""The reference in the docs is what the models say."""

from __future__ import annotations

from components.stack.catalogue import KINDS
from components.stack.reference import reference
from tests.components.conftest import ROOT


def test_the_docs_show_the_settings_as_they_are():
    text = (ROOT / "docs" / "reference" / "components.md").read_text()
    assert text.endswith(reference()), (
        "python -m components.stack.reference, and put it at the end of docs/reference/components.md"
    )


def test_every_deviation_shows_with_its_reason():
    text = reference()
    for kind in KINDS.values():
        for deviation in kind.deviations:
            assert deviation.reason in text
