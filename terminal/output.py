"""``-o``: in which form, and where to. Forms without a path go to stdout; forms with one go to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Wanted(NamedTuple):
    """One ``-o``."""

    form: str
    path: Path | None = None


def output_option(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``-o``, repeatable; the first form is the default. The command gets a list of :class:`Wanted` as `wanted`."""

    def parse(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> list[Wanted]:
        wanted = [_parsed(each, forms, ctx, param) for each in value]
        if sum(each.path is None for each in wanted) > 1:
            raise click.BadParameter("only one form can go to stdout; give the others a path: -o json=FILE", ctx, param)
        return wanted or [Wanted(forms[0])]

    return click.option(
        "-o",
        "--output",
        "wanted",
        multiple=True,
        callback=parse,
        metavar=f"{'|'.join(forms)}[=PATH]",
        help=f"Form, repeatable; {forms[0]} if not given.",
    )


def _parsed(text: str, forms: Sequence[str], ctx: click.Context, param: click.Parameter) -> Wanted:
    form, _, path = text.partition("=")
    if form not in forms:
        raise click.BadParameter(f"{form!r} is not one of {', '.join(forms)}", ctx, param)
    return Wanted(form, Path(path) if path else None)


def emit(wanted: Sequence[Wanted], writers: Mapping[str, Callable[[], str]]) -> None:
    """Write each wanted form.

    Raises:
        UsageError: a file cannot be written.
    """
    for form, path in wanted:
        text = writers[form]()
        if path is None:
            click.echo(text, nl=not text.endswith("\n"))
            continue
        try:
            path.write_text(click.unstyle(text if text.endswith("\n") else text + "\n"))
        except OSError as error:
            raise UsageError(f"-o {form}={path}: {error.strerror}") from error


def data_writers(data: Callable[[], Any]) -> dict[str, Callable[[], str]]:
    """Writers of plain data as JSON and YAML."""
    return {"json": lambda: as_json(data()), "yaml": lambda: as_yaml(data())}


def as_json(data: Any) -> str:
    """Indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_yaml(data: Any) -> str:
    """Block-style YAML, keys in their own order."""
    import yaml

    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return text
