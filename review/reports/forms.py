"""The forms of a report by the names that ``-o`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terminal.output import as_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from review.reports.document import Review

FORMS = ("text", "json", "yaml", "markdown", "html", "sarif", "junit")


def writers(
    review: Review, *, limit: int, width: int, rules: Mapping[str, str] | None = None
) -> dict[str, Callable[[], str]]:
    """A writer for each form.

    Args:
        review: what to tell.
        limit: characters of Markdown at most.
        width: columns of the terminal.
        rules: what each risk rule is for, by its id.
    """
    from review.reports import machines, markdown, page, terminal

    return {
        "json": lambda: review.model_dump_json(by_alias=True, indent=2),
        "yaml": lambda: as_yaml(review.wire()),
        "text": lambda: terminal.text(review, width),
        "markdown": lambda: markdown.markdown(review, limit),
        "html": lambda: page.page(review),
        "sarif": lambda: machines.sarif(review, rules),
        "junit": lambda: machines.junit(review),
    }
