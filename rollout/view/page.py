"""A record as a Markdown page, for pull requests, tickets and people."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from rollout.api.durations import duration_of
from rollout.api.status import timestamp
from rollout.view.words import measured, number, or_absent, rate

if TYPE_CHECKING:
    from rollout.records.record import Record


def markdown(record: Record) -> str:
    """The page."""
    return _page().render(record=record)


@cache
def _page() -> jinja2.Template:
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("rollout.view"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown; `cell` guards the tables
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "cell": _cell,
        "time": _time,
        "duration": duration_of,
        "share": rate,
        "measured": measured,
        "number": number,
    }
    return pages.get_template("record.md.j2")


def _cell(text: Any) -> str:
    """Text that cannot break out of a table or begin a tag."""
    return " ".join(or_absent(text).replace("|", r"\|").replace("<", "&lt;").split())


def _time(at: float | None) -> str:
    return or_absent(None if at is None else timestamp(at))
