"""``grayling stack manual``: what a stack declares, as a manual for the people who work with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.cli.options import OVERLAY, STACK, find_stack, say
from kube.errors import UsageError
from terminal.output import Wanted, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from components.manual.subject import Subject

ENDINGS = {"markdown": "md", "html": "html", "svg": "svg"}


@click.command("manual")
@STACK
@OVERLAY
@output_option(*ENDINGS)
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE|FOLDER", help="Instead of stdout.")
@click.option(
    "--beside", multiple=True, metavar="STACK", help="Another stack, whose settings stand beside. Repeatable."
)
def manual_command(*, stack: str, wanted: Sequence[Wanted], to: Path | None, beside: Sequence[str]) -> None:
    """Write the integration manual of STACK, from what it declares; `-o svg` is its picture alone."""
    from components.manual.manual import manual_of
    from components.manual.markdown import markdown
    from components.manual.page import page
    from components.manual.subject import Subject
    from components.stack.stackfile import find

    file = find_stack(stack)
    others = [find(each) for each in beside]
    for form in _placed(wanted, to, file.stack):
        folder = form.path.absolute().parent if form.path else Path.cwd()
        subject = Subject.of(file, folder)
        made = manual_of(subject, [Subject.of(each, folder) for each in others])
        writers: dict[str, Callable[[], str]] = {
            "markdown": partial(markdown, made),
            "html": partial(page, made),
            "svg": partial(_alone, subject),
        }
        _written(form, writers, to)


def _alone(subject: Subject) -> str:
    from components.manual.drawing import drawing
    from components.manual.flow import flow_of

    return drawing(flow_of(subject), alone=True) + "\n"


def _written(form: Wanted, writers: Mapping[str, Callable[[], str]], to: Path | None) -> None:
    """One form, to its place.

    Raises:
        UsageError: it cannot be written there.
    """
    if to is None:
        emit([form], writers)
        return
    try:
        (form.path or to).write_text(writers[form.form](), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--to {to}: {form.path}: {error.strerror or error}; name a place that can be written"
        ) from error
    say(f"wrote {form.path}")


def _placed(wanted: Sequence[Wanted], to: Path | None, stack: str) -> list[Wanted]:
    """Where each form goes.

    Raises:
        UsageError: ``--to`` names a place beside one that `-o` names.
    """
    if to is None:
        return list(wanted)
    if any(each.path for each in wanted):
        raise UsageError("--to: -o names a place of its own; give one of the two")
    (form,) = (each.form for each in wanted)  # two forms need places of their own, which `-o` says
    return [Wanted(form, to / f"manual-{stack}.{ENDINGS[form]}" if to.is_dir() else to)]
