"""A report as one HTML file: no script, no font, no picture and no style from elsewhere; light, dark and on paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from review.reports import timeline, words
from review.reports.diffs import diff_of
from terminal.markdown import quoted

if TYPE_CHECKING:
    from review.reports.document import Review, Touched

_OPEN = {
    "-": Markup('<span class="gone">'),
    "+": Markup('<span class="new">'),
    "!": Markup('<span class="forced">'),
    "@": Markup('<span class="hunk">'),
}
_CLOSE = Markup("</span>")


def page(review: Review) -> str:
    """The file."""
    return _template().render(review=review)


@cache
def _template() -> jinja2.Template:
    pages = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("review.reports"), jinja2.PackageLoader("terminal", "pages")]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals |= {"words": words, "timeline": timeline}
    pages.filters |= {"prose": _prose, "diff": _diff}
    return pages.get_template("report.html.j2")


def _prose(text: str) -> Markup:
    """A sentence of ours; what stands in backticks is code."""
    return Markup().join(
        Markup("<code>{}</code>").format(part) if is_code else escape(part) for is_code, part in quoted(text)
    )


def _diff(change: Touched) -> Markup:
    """Lines of a difference, each with its sign, so that no colour is needed to read them."""
    return Markup("\n").join(_line(line) for line in diff_of(change))


def _line(line: str) -> Markup:
    start = _OPEN.get(line[:1])
    return escape(line) if start is None else start + escape(line) + _CLOSE
