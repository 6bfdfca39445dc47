"""A pytest plugin for `make mutants`: the tests that are quick come first, and one that hangs is ended.

A mutant is killed by the first test that fails, so the order is most of what it costs. A busy machine must not fail a
test, so those that drive an engine (their fixture is `it`) do it in virtual time, on a server that is called and not
connected to. What decides is asked of its own tests alone.
"""

from __future__ import annotations

import json
import os
import time
from itertools import accumulate
from pathlib import Path

import pytest
import structlog

STATS = Path("mutmut-stats.json")
"""Where mutmut notes how long each test took; it runs pytest in the folder of that file."""

ENGINE = ("tests/rollout/engine/", "tests/rollout/notify/")
SHELL = ("rollout.engine.", "rollout.notify.")
PLANT = "it"
"""Fixture of the tests that drive an engine."""

AT_MOST = "GRAYLING_MUTANT_SECONDS"
"""For so long tests are asked about a mutant, by what they take without it; all of them where it is not set."""

LEAST_SECONDS, TIMES = 60.0, 10.0
"""A test is ended after ten times what it took without a mutant, and never sooner than this."""


def mutant() -> str:
    """Full name of the mutant that is tried; empty where none is."""
    name = os.environ.get("MUTANT_UNDER_TEST", "")
    return name if "__mutmut_" in name else ""


def is_asked(name: str, test: str) -> bool:
    """Whether a test is asked about a mutant."""
    return name.startswith(SHELL) or not test.startswith(ENGINE)


def asked_about(name: str, tests_of: dict[str, list[str]], took: dict[str, float]) -> list[str]:
    """The tests that reach the function of a mutant and are asked about it, the quickest first."""
    reaching = tests_of.get(name.partition("__mutmut_")[0], [])
    asked = sorted((test for test in reaching if is_asked(name, test)), key=lambda test: (took.get(test, 0.0), test))
    most = float(os.environ.get(AT_MOST, "inf"))
    sums = accumulate(took.get(test, 0.0) for test in asked)
    return [test for test, seconds in zip(asked, sums, strict=True) if seconds <= most]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests of a mutant, end the ones that hang, and let the engine's take no time."""
    known = json.loads(STATS.read_text()) if STATS.exists() else {"duration_by_test": {}}
    took: dict[str, float] = known["duration_by_test"]
    if name := mutant():
        order = {test: at for at, test in enumerate(asked_about(name, known["tests_by_mangled_function_name"], took))}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
        items[:] = sorted((each for each in items if each.nodeid in order), key=lambda item: order[item.nodeid])
    for item in items:
        item.add_marker(pytest.mark.timeout(max(LEAST_SECONDS, TIMES * took.get(item.nodeid, 0.0))), append=False)
        if _drives_an_engine(item):
            item.add_marker(pytest.mark.looptime(start=time.monotonic))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tracebacks in colours take longer than what they are about."""
    if _drives_an_engine(item):
        plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_runtest_teardown() -> None:
    """Speak again."""
    structlog.reset_defaults()


def _drives_an_engine(item: pytest.Item) -> bool:
    return PLANT in getattr(item, "fixturenames", ())
