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

ENGINE = "tests/rollout/engine/"
PLANT = "it"
"""Fixture of the tests that drive an engine."""

AT_MOST = "GRAYLING_MUTANT_SECONDS"
"""For so long tests are asked about a mutant, by what they take without it; all of them where it is not set."""

LEAST_SECONDS, TIMES = 20.0, 10.0
"""A test is ended after ten times what it took without a mutant, and never sooner than this."""


def mutant() -> str:
    """Full name of the mutant that is tried; empty where none is."""
    name = os.environ.get("MUTANT_UNDER_TEST", "")
    return name if "__mutmut_" in name else ""


def is_asked(name: str, test: str) -> bool:
    """Whether a test is asked about a mutant."""
    return name.startswith("rollout.engine.") or not test.startswith(ENGINE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are not asked, order those of a mutant, and let the engine's take no time."""
    asked = items[:]
    if (name := mutant()) and STATS.exists():
        took: dict[str, float] = json.loads(STATS.read_text())["duration_by_test"]
        asked = sorted(
            (item for item in asked if is_asked(name, item.nodeid)), key=lambda item: took.get(item.nodeid, 0.0)
        )
        sums = accumulate(took.get(item.nodeid, 0.0) for item in asked)
        most = float(os.environ.get(AT_MOST, "inf"))
        asked = [item for item, seconds in zip(asked, sums, strict=True) if seconds <= most]
        for item in asked:
            limit = max(LEAST_SECONDS, TIMES * took.get(item.nodeid, 0.0))
            item.add_marker(pytest.mark.timeout(limit), append=False)
    config.hook.pytest_deselected(items=[item for item in items if item not in asked])
    items[:] = asked
    for item in filter(_drives_an_engine, asked):
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
