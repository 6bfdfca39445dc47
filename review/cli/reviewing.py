"""From a change set to a report: its risks, its place in the repository, and what the project's own files say."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kube.errors import UsageError
from review.model.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from review.model.change import ChangeSet
    from review.model.risk import Risk
    from review.reports.prices import Prices

REVIEW_FILE = ".grayling/review.yaml"


def report_of(changes: ChangeSet, base: str = "") -> Report:
    """The report of a change set, as of now and of this folder.

    Args:
        changes: what would happen.
        base: the commit that it is compared with; empty for none.

    Raises:
        UsageError: there is no such commit.
    """
    from review.reading.at_commit import commit_of

    here, now = Path.cwd(), datetime.now(UTC)
    commit = ""
    with suppress(UsageError):  # no repository: nothing can be said of a commit
        commit = commit_of("HEAD", here)
    return Report(
        changes,
        risks_found(changes, now),
        created=now.isoformat(timespec="seconds"),
        commit=commit,
        base=commit_of(base, here) if base else "",
    )


def risks_found(changes: ChangeSet, now: datetime) -> tuple[Risk, ...]:
    """What the table of rules finds."""
    from review.risks.find import risks_of

    return risks_of(changes, waivers=(), today=now.date())


def rule_texts() -> Mapping[str, str]:
    """What each rule is for, by its id."""
    from review.risks.table import RULES

    return {rule.id: rule.what for rule in RULES}


def prices_here(start: Path | None = None) -> Prices | None:
    """The table of prices of the project here; None where there is none.

    Raises:
        StackError: the project's review file is no map, or its prices are wrong.
    """
    from components.model.mistakes import Mistake, StackError
    from components.stack.nodes import Map, plain
    from components.stack.project import is_there, project_above
    from components.stack.reading import read
    from review.reports.prices import prices_of

    project = project_above((start or Path.cwd()).resolve())
    if project is None or not is_there(project / REVIEW_FILE):
        return None
    document = read(project / REVIEW_FILE, REVIEW_FILE)
    if not isinstance(document.root, Map):
        raise StackError(REVIEW_FILE, [Mistake("", "", "is no map", "write keys, for example `prices: {cpu: 20}`", 1)])
    section = plain(document.root).get("prices")
    if section is not None and not isinstance(section, dict):
        raise StackError(REVIEW_FILE, [Mistake("prices", str(section), "is no map", "write it like {cpu: 20}")])
    return prices_of(section or {}, REVIEW_FILE)
