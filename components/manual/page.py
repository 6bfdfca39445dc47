"""A manual as one HTML file: no script, nothing from elsewhere; with light, dark, a phone and paper in mind."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup, escape

from components.manual.document import Code, Link
from components.manual.drawing import drawing
from terminal.visible import visible

if TYPE_CHECKING:
    from components.manual.document import Manual, Words
    from components.manual.flow import Flow

_OPENED = {"", "http", "https"}
"""Schemes that a link may have; a manual starts no program."""


def page(manual: Manual) -> str:
    """The file."""
    return _template().render(manual=manual) + "\n"


@cache
def _template() -> jinja2.Template:
    pages = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("components.manual"), jinja2.PackageLoader("terminal", "pages")]
        ),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"words": _words, "picture": _picture, "form": lambda block: type(block).__name__}
    return pages.get_template("manual.html.j2")


def _words(words: Words) -> Markup:
    return Markup().join(_part(each) for each in words)


def _part(part: str | Code | Link) -> Markup:
    if isinstance(part, Code):
        return Markup("<code>{}</code>").format(visible(part.text))
    if isinstance(part, Link) and urlsplit(part.target).scheme in _OPENED:
        return Markup('<a href="{}">{}</a>').format(visible(part.target), visible(part.text))
    return escape(visible(part.text if isinstance(part, Link) else part))


def _picture(flow: Flow) -> Markup:
    """Every text in it is escaped where it is drawn."""
    return Markup(drawing(flow, alone=False))  # noqa: S704
