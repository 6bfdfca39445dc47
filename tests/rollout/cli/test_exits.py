"""One table of exit codes, and every exception in one line."""

import os
import re
from pathlib import Path

import click
import pytest

from kube.errors import ConflictError, ForbiddenError, UsageError
from terminal.exits import ExitCode, Session, run

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def failing(error):
    @click.command()
    def command():
        raise error

    return command


class ForeignError(Exception):
    exit_code = 5


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("a flag is wrong"), 2, "Error: a flag is wrong\n"),
        (ConflictError("somebody holds the lock"), 11, "Error: somebody holds the lock\n"),
        (ForbiddenError("no"), 1, "Error: no\n"),
        (ForeignError("stale"), 5, "Error: stale\n"),
        (click.ClickException("odd"), 1, "Error: odd\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
        (click.Abort(), 130, "Interrupted.\n"),
        (ExceptionGroup("tasks", [ExceptionGroup("tasks", [UsageError("deep")])]), 2, "Error: deep\n"),
    ],
)
def test_each_exception_is_one_line(error, code, told, capsys):
    assert run(failing(error), [], prog_name="x", session=Session()) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", told)


def test_the_unexpected_keeps_its_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(failing(ValueError("boom")), [], prog_name="x", session=Session()) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: unexpected ValueError: boom (traceback in ")
    saved = re.search(r"traceback in (\S+),", said)
    assert "ValueError: boom" in Path(saved[1]).read_text()


def test_a_traceback_that_cannot_be_kept(capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    run(failing(ValueError("boom")), [], prog_name="x", session=Session())
    assert capsys.readouterr().err == "Error: unexpected ValueError: boom (run it with --debug for the traceback)\n"


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_debug_shows_it(capsys, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("GRAYLING_DEBUG", "1")
    assert run(failing(ValueError("boom")), [], prog_name="x", session=Session(debug=way == "flag")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_debug_of_a_known_error_still_has_its_code(capsys):
    assert run(failing(UsageError("bad")), [], prog_name="x", session=Session(debug=True)) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("Error: bad\n")


def test_a_reader_that_went_away():
    ours, theirs = os.pipe()
    keep = os.dup(1)
    os.dup2(theirs, 1)
    os.close(ours)
    try:
        assert run(failing(BrokenPipeError()), [], prog_name="x", session=Session()) == 1
    finally:
        os.dup2(keep, 1)
        os.close(keep)
        os.close(theirs)


def test_what_a_command_answers_is_the_code():
    @click.command()
    def seven():
        return ExitCode.ROLLED_BACK

    @click.command()
    @click.pass_context
    def leaves(ctx):
        ctx.exit(3)

    @click.command()
    def says_nothing():
        return None

    assert run(seven, [], prog_name="x", session=Session()) == 7
    assert run(leaves, [], prog_name="x", session=Session()) == 3
    assert run(says_nothing, [], prog_name="x", session=Session()) == 0


def test_the_documented_table_is_the_table():
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert rows == {str(code.value): code.name for code in ExitCode}
