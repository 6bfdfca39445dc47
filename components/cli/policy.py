"""``grayling stack policy``: a stack held against the rules of the house."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from components.cli.options import OVERLAY, STACK, find_stack
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.policy.evaluate import Verdict
    from components.policy.rule import Found
    from terminal.output import Wanted

FORM = "grayling.house/1"


@click.command("policy")
@STACK
@OVERLAY
@output_option("text", "json", "yaml")
def policy_command(*, stack: str, wanted: Sequence[Wanted]) -> None:
    """Hold STACK against the rules of the house. Exits with 6 where one refuses it."""
    from components.deploy.session import rendered
    from components.policy.project import look_at

    file = find_stack(stack)
    verdict = look_at(file, rendered(file))
    data = {"schema": FORM, "stack": file.stack, **_data(verdict)}
    emit(wanted, {"text": lambda: _text(data), **data_writers(lambda: data)})
    verdict.insist(file.source)


def _data(verdict: Verdict) -> dict[str, Any]:
    return {
        "refused": [_row(each) for each in verdict.refused],
        "advised": [_row(each) for each in verdict.advised],
        "waived": [
            {**_row(each), "reason": excuse.reason, "until": excuse.until.isoformat(), "by": excuse.by}
            for each, excuse in verdict.waived
        ],
        "expired": [
            {"rule": each.rule, "object": each.object, "until": each.until.isoformat(), "by": each.by}
            for each in verdict.expired
        ],
    }


def _row(found: Found) -> dict[str, str]:
    return {"rule": found.rule.id, "object": found.object, "text": found.text, "fix": found.rule.fix}


def _text(data: dict[str, Any]) -> str:
    lines = [
        f"{word}  {each['object']}: {each['text']} ({each['rule']})"
        for word in ("refused", "advised")
        for each in data[word]
    ]
    for each in data["waived"]:
        until = f"until {each['until']} by {each['by']}: {each['reason']}"
        lines.append(f"waived  {each['object']}: {each['text']} ({each['rule']}) {until}")
    return "\n".join(lines) or "no rule of the house is broken"
