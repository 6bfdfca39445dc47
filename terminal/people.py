"""Who asks, and why: what commands that leave a trace have in common."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = ["GRAYLING_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"]


def person_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--by`` and ``--reason``."""
    by = click.option("--by", envvar=PEOPLE, default=whoami, help="Who asks; your login name if not given.")
    return by(click.option("--reason", default="", help="Why; kept in the record.")(function))


def whoami() -> str:
    """The login name, or nothing where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
