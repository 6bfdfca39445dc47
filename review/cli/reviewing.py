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


def prices_here() -> Prices | None:
    """The project's table of prices; None where there is none."""
    return None
