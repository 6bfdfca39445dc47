"""What people see: enough contrast on every paper, nothing by colour alone, a picture that words tell too."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from review.reports.page import page
from tests.review.previews import reviewed
from tests.review.reading.test_recorded import recorded

CSS = (Path(__file__).parents[3] / "terminal" / "pages" / "page.css").read_text()
LEAST = 4.5
"""WCAG 2.2, level AA, for text of usual size."""
WORDS = ("ink", "soft", "link", "critical", "high", "medium", "low", "fine")
PAIRS = [(word, paper) for word in WORDS for paper in ("paper", "panel")] + [
    ("gone", "gone-paper"),
    ("new", "new-paper"),
]


def colours() -> dict[str, dict[str, str]]:
    light, dark, paper = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    )
    return {"light": light, "dark": dark, "paper": light | paper}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("screen", ["light", "dark", "paper"])
@pytest.mark.parametrize(("word", "ground"), PAIRS)
def test_words_stand_out(screen, word, ground):
    found = colours()[screen]
    dark, light = sorted((luminance(found[word]), luminance(found[ground])))
    assert (light + 0.05) / (dark + 0.05) >= LEAST


def test_the_picture_of_a_release_is_told_in_words_too():
    html = page(reviewed(recorded("update-grayrelease-image")))
    said = re.search(r'role="img" aria-label="([^"]+)"', html)
    assert said
    assert said[1].endswith(
        "step 1 20 % for 15s from 0s on; step 2 50 % for 15s from 15s on; bake 100 % for 30s from 30s on"
    )


def test_headings_go_down_one_by_one():
    html = page(reviewed(recorded("update-grayrelease-image")))
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_a_phone_and_paper_are_thought_of():
    html = page(reviewed(recorded("update-service-type")))
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "details::details-content" in html
    assert re.search(r"@media \(max-width", html)
