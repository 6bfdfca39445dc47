"""A pytest plugin for `make mutants`: the tests that are quick come first, and one that hangs is ended.

A mutant is killed by the first test that fails, so the order is most of what it costs. Tests that drive an engine in
real time (their fixture is `it`) are left out: a busy machine fails them too. The same engine's lives in virtual time
stand for them. `GRAYLING_REAL_TIME=1` asks them as well. What decides is asked of its own tests alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

STATS = Path("mutmut-stats.json")
"""Where mutmut notes how long each test took; it runs pytest in the folder of that file."""

ENGINE = "tests/rollout/engine/"
IN_REAL_TIME = "it"
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
    """Leave out the tests that are not asked, and order those of a mutant."""
    asked = [item for item in items if os.environ.get("GRAYLING_REAL_TIME") or IN_REAL_TIME not in _fixtures(item)]
    if (name := mutant()) and STATS.exists():
        took: dict[str, float] = json.loads(STATS.read_text())["duration_by_test"]
        asked = sorted(
            (item for item in asked if is_asked(name, item.nodeid)), key=lambda item: took.get(item.nodeid, 0.0)
        )
        for item in asked:
            limit = max(LEAST_SECONDS, TIMES * took.get(item.nodeid, 0.0))
            item.add_marker(pytest.mark.timeout(limit), append=False)
    config.hook.pytest_deselected(items=[item for item in items if item not in asked])
    items[:] = asked


def _fixtures(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))
