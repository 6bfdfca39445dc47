"""How a run of the command line ends: one table of exit codes, and the one place that turns exceptions into them.

stdout is data; everything said here goes to stderr, in one line.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import traceback
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import click

from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """The table; `docs/reference/cli.md` shows it, a test compares."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    CHANGES = 3
    APPROVAL_MISSING = 4
    DIGEST_STALE = 5
    POLICY = 6
    ROLLED_BACK = 7
    ROLLBACK_INCOMPLETE = 8
    ABORTED = 9
    TIMEOUT = 10
    LOCKED = 11
    UNREACHABLE = 12
    REFUSED = 13
    INTERRUPTED = 130


@dataclass(slots=True)
class Session:
    """What one run of the command line carries along.

    Attributes:
        debug: show tracebacks instead of saving them.
        stack: the declaring half, where it is installed: see :class:`rollout.cli.start.StackEditor`.
        gate: what stands before an apply, where it is installed: see :class:`components.cli.cluster.Gate`.
    """

    debug: bool = False
    stack: Any = None
    gate: Any = None


def run(command: click.Command, arguments: Sequence[str] | None, *, prog_name: str, session: Session) -> int:
    """Run a command line and answer its exit code; nothing is raised."""
    session.debug = session.debug or bool(os.environ.get("GRAYLING_DEBUG"))
    settings: dict[str, Any] = {"color": False} if os.environ.get("NO_COLOR") else {}
    try:
        answer = command.main(
            args=None if arguments is None else list(arguments),
            prog_name=prog_name,
            standalone_mode=False,
            complete_var=completion_variable(prog_name),
            obj=session,
            **settings,
        )
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence
        return _tell(error, session)
    return answer if isinstance(answer, int) else ExitCode.DONE


def completion_variable(prog_name: str) -> str:
    """The environment variable that makes a program complete; `kubectl grayling` has a blank that no variable can."""
    return f"_{re.sub(r'[^A-Za-z0-9]+', '_', prog_name).upper()}_COMPLETE"


def _tell(error: BaseException, session: Session) -> int:
    if session.debug and not isinstance(error, click.exceptions.ClickException | click.Abort):
        traceback.print_exception(error)
    error = _only(error)
    if isinstance(error, click.exceptions.ClickException):
        error.show(sys.stderr)
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return _quietly()
    code = getattr(error, "exit_code", None)
    if isinstance(error, GraylingError) or isinstance(code, int):
        click.echo(f"Error: {error}", err=True)
        return int(code or ExitCode.ERROR)
    if not session.debug:
        click.echo(f"Error: unexpected {type(error).__name__}: {error} ({_saved(error)})", err=True)
    return ExitCode.ERROR


def _only(error: BaseException) -> BaseException:
    """The one exception in a group of one, however deep."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _saved(error: BaseException) -> str:
    try:
        handle, path = tempfile.mkstemp(prefix="grayling-", suffix=".txt")
        with os.fdopen(handle, "w") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return "run it with --debug for the traceback"
    return f"traceback in {path}, or run it with --debug"


def _quietly() -> int:
    """The reader went away: that is no error of ours, and Python must not complain at its end either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.ERROR
