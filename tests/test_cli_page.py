"""The page of the command line names every command, and its table of exit codes is the program's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import grayling
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "reference" / "cli.md").read_text()
DOCUMENTS = "\n".join(path.read_text() for path in DOCS.rglob("*.md"))


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, str]]:
    """Each command with the group that it is in."""
    context = click.Context(group)
    for each in group.list_commands(context):
        found = group.get_command(context, each)
        assert found is not None
        if found.hidden:
            continue
        if isinstance(found, click.Group):
            yield from commands(found, f"{name} {each}".strip())
        else:
            yield name, each


COMMANDS = sorted(commands(grayling.cli))


def section(group: str) -> str:
    """What the page says below the headings that name a group."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    wanted = f"`grayling {group.partition(' ')[0]}" if group else ""
    return "\n".join(part for part in parts if wanted in part.partition("\n")[0])


def test_there_are_commands_of_every_group():
    assert {group.partition(" ")[0] for group, _ in COMMANDS} >= {"release", "review", "stack", "ci", "sandbox"}


@pytest.mark.parametrize(("group", "command"), COMMANDS, ids=[" ".join(each) for each in COMMANDS])
def test_the_page_names_every_command(group, command):
    assert re.search(rf"`[^`]*\b{re.escape(command)}\b", section(group)), f"grayling {group} {command}"


EVERYWHERE = {"--output", "--watch", "--all-namespaces", "--prune"}
"""Told by their short form, or by the form that differs from the default."""


@pytest.mark.parametrize(("group", "command"), COMMANDS, ids=[" ".join(each) for each in COMMANDS])
def test_the_documents_name_every_flag(group, command):
    found: click.Command = grayling.cli
    for word in f"{group} {command}".split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word) or found
    flags = {flag for option in found.params if isinstance(option, click.Option) for flag in option.opts}
    long = {flag for flag in flags if flag.startswith("--")} - EVERYWHERE
    assert not {flag for flag in long if not re.search(rf"{flag}\b", DOCUMENTS)}


def test_the_table_of_exit_codes_is_the_programs():
    told = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert {(int(code), name) for code, name in told} == {(int(each), each.name) for each in ExitCode}
