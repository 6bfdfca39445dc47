"""``grayling review risks``: the table of rules, without a stack and without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from terminal.output import as_json, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.output import Wanted


@click.command("risks")
@output_option("text", "json", "markdown")
def risks_command(*, wanted: Sequence[Wanted]) -> None:
    """List the rules by which a change is judged: what each finds, how bad it is, how it is taken back."""
    from review.risks.reference import as_data, as_markdown, as_text

    emit(wanted, {"text": as_text, "json": lambda: as_json(as_data()), "markdown": as_markdown})
