"""A pytest plugin that tries many mutants in one run: the tests are collected once, and each mutant is a fork of that.

    cd mutants; GRAYLING_MUTANTS=names.txt python -m pytest -p tests.mutants.fastest_first -p tests.mutants.forked …

mutmut collects the tests anew for each mutant, which costs more than most of them. What was found is written where
mutmut keeps it, after each mutant, so that a run that is stopped goes on.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test

from tests.mutants.fastest_first import STATS, asked_about

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = "GRAYLING_MUTANTS"
"""File with the names of the mutants, one a line."""

AT_ONCE = int(os.environ.get("GRAYLING_MUTANTS_AT_ONCE", "3"))
KILLED, SURVIVED, NO_TESTS, TIMED_OUT = 1, 0, 33, 36
SECONDS_FOR_ALL = 600
"""A mutant that has not been decided after so long counts as killed by time."""


class Stats(NamedTuple):
    """What mutmut knows of the tests without a mutant."""

    tests_of: dict[str, list[str]]
    took: dict[str, float]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Try the mutants instead of running the tests."""
    known = json.loads(STATS.read_text())
    stats = Stats(known["tests_by_mangled_function_name"], known["duration_by_test"])
    by_name = {item.nodeid: item for item in session.items}
    gc.freeze()
    running: dict[int, str] = {}
    for name in Path(os.environ[NAMES]).read_text().split():
        asked = [by_name[test] for test in asked_about(name, stats.tests_of, stats.took) if test in by_name]
        if not asked:
            _note(name, NO_TESTS)
            continue
        while len(running) >= AT_ONCE:
            _wait(running)
        if (child := os.fork()) == 0:
            _try(session, name, asked)
        running[child] = name
    while running:
        _wait(running)
    return True


def _wait(running: dict[int, str]) -> None:
    child, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    name = running.pop(child)
    _note(name, TIMED_OUT if code == -signal.SIGALRM else code if code in {KILLED, SURVIVED} else KILLED)


def _try(session: pytest.Session, name: str, asked: list[pytest.Item]) -> NoReturn:
    """In a fork: run the tests until one fails."""
    session.config.pluginmanager.unregister(name="terminalreporter")
    signal.alarm(SECONDS_FOR_ALL)
    set_mutant_under_test(name)
    end = KILLED
    try:
        for item, after in _pairs(asked):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                break
        else:
            end = SURVIVED
    finally:  # a mutant may raise anything, anywhere
        os._exit(end)


def _pairs(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def _note(name: str, code: int) -> None:
    """Write a result where mutmut keeps it."""
    path = Path(f"{name.rpartition('.')[0].replace('.', '/')}.py.meta")
    known = json.loads(path.read_text())
    known["exit_code_by_key"][name] = code
    path.write_text(json.dumps(known, indent=4))
    print(code, name, file=sys.__stdout__, flush=True)
