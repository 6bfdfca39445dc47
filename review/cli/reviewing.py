"""From a change set to a report: its risks, what an approval of it binds, and what the project's own files say."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kube.errors import UsageError
from review.approval.rules import Rules, rules_of
from review.approval.statement import now
from review.approval.subject import subject_of
from review.gate import risks_in
from review.model.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.stack.stackfile import StackFile
    from review.model.change import ChangeSet
    from review.model.prices import Prices

NO_FILE = "there is no stack file of it here: run this in the project, where its configuration is bound too"


def report_of(changes: ChangeSet, stack: str = "", base: str = "") -> tuple[Report, Prices | None]:
    """The report of a change set, as of now and of this project, and the project's prices.

    Args:
        changes: what would happen.
        stack: its name or file, as the command line says it; empty for the one that the change set names.
        base: the commit that it is compared with; empty for the one that is found.

    Raises:
        UsageError: there is no such commit, or a file of the project is wrong.
    """
    file, project = _file(stack or changes.stack), _project()
    rules, why = _rules(file.project if file else project, base)
    risks = risks_in(changes, rules, file)
    made = Report(changes, risks, now().isoformat(timespec="seconds"), commit=rules.head, base=rules.base)
    prices = rules.policy.prices if rules.policy else None
    if file is None or why:
        return replace(made, unbound=why or NO_FILE), prices
    return subject_of(file, changes, risks, rules, now()).on(made), prices


def rule_texts() -> Mapping[str, str]:
    """What each rule is for, by its id."""
    from review.risks.table import RULES

    return {rule.id: rule.what for rule in RULES}


def _file(stack: str) -> StackFile | None:
    from components.stack.stackfile import find

    with suppress(UsageError):  # a preview can be read anywhere
        return find(stack).as_it_is() if stack else None
    return None


def _project() -> Path | None:
    from components.stack.project import project_above

    return project_above(Path.cwd().resolve())


def _rules(project: Path | None, base: str) -> tuple[Rules, str]:
    """The rules that stand, and why nothing can be bound where none can be told.

    Raises:
        UsageError: there is no such commit, or the project's review file is wrong.
    """
    from components.model.mistakes import StackError

    if project is None:
        return Rules(), ""
    try:
        return rules_of(project, base), ""
    except StackError:
        raise
    except UsageError as error:
        if base:
            raise
        return Rules(), str(error)
