"""The tree of errors: one root, one code for one way to end, and nothing raised on purpose beside it."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from pathlib import Path

import pytest

import kube.errors
import sandbox.errors
from kube.errors import GraylingError, StaleHolderError
from terminal.exits import ExitCode

ROOT = Path(kube.errors.__file__).parents[1]
ROOMS = ("components", "kube", "manifests", "review", "rollout", "sandbox", "terminal")
ERROR_CLASS = re.compile(r"^class (\w+Error)\(", re.MULTILINE)


def errors() -> list[type[BaseException]]:
    """Every class of errors that a room defines."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if names := ERROR_CLASS.findall(path.read_text()):
                module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                found += [getattr(module, name) for name in names]
    return found


def test_every_error_of_a_room_is_in_the_tree_with_a_code_of_the_table():
    found = errors()
    assert len(found) > 30
    outside = [each.__qualname__ for each in found if not issubclass(each, GraylingError)]
    assert outside == []
    assert {each.exit_code for each in found if issubclass(each, GraylingError)} <= set(ExitCode)


def test_one_error_says_that_another_process_holds_the_release():
    named = [each for each in errors() if re.search(r"Holder|Lease|Overtaken", each.__name__)]
    assert named == [StaleHolderError]
    assert StaleHolderError.exit_code == ExitCode.LOCKED


@pytest.mark.parametrize("module", [kube.errors, sandbox.errors])
def test_the_drawing_says_what_the_code_says(module):
    drawn = dict(re.findall(r"(\w+Error)\s+(\d+)\b", module.__doc__ or ""))
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    coded = {each.__name__: str(each.exit_code) for each in classes if not hasattr(builtins, each.__name__)}
    assert drawn == coded
