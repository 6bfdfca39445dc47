"""``grayling review verify``: whether what would happen is what people approved; CI runs it before ``pulumi up``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from review.cli.looking import Asked, looked, of_a_change, run
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.output import Wanted


@click.command("verify")
@of_a_change
@output_option("text", "json", "yaml")
def verify_command(*, wanted: Sequence[Wanted], **asked: Any) -> None:
    """Succeed only where STACK may be applied as it is now: 4 approval missing, 5 stale, 6 against the policy."""
    from review.approval.rules import rules_of

    ask = Asked(**asked)
    file = ask.file()
    subject, further = run(looked(ask, file, rules_of(file.project, ask.base)))
    verdict, bound = subject.verdict(further), subject.case.bound
    emit(wanted, {"text": lambda: f"{bound.digest}\n{verdict.sentence(bound)}", **_data(verdict, bound)})
    verdict.insist(f"verify stack {file.stack}", bound)


def _data(verdict: Any, bound: Any) -> Any:
    return data_writers(lambda: verdict.wire(bound))
