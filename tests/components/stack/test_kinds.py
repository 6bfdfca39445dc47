"""What `grayling stack kinds` says of each kind is so: examples, tests that are there, a table that says the same."""

from __future__ import annotations

import ast
import json

import pytest
from click.testing import CliRunner

from components.cli import cli
from components.model.standing import Standing
from components.stack.kinds import as_data, as_markdown, every_kind
from tests.components import kind_examples
from tests.components.accepted import refusals
from tests.components.conftest import ROOT

PAGE = ROOT / "docs" / "reference" / "kinds.md"


def names_in(file):
    """Functions of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions)}


@pytest.mark.parametrize("kind", every_kind())
def test_a_kind_names_tests_that_are_there(kind):
    for mode in every_kind()[kind].modes:
        assert mode.shown_by, mode
        for test in mode.shown_by:
            file, _, name = test.partition("::")
            assert name in names_in(ROOT / file), test
        if mode.standing is Standing.REAL:
            assert any("_on_cluster.py::" in test for test in mode.shown_by), mode


def test_the_page_is_what_the_command_prints():
    assert PAGE.read_text() == as_markdown()


def test_the_command_tells_machines_each_kind_once():
    told = json.loads(CliRunner().invoke(cli, ["kinds", "-o", "json"]).output)
    assert [entry["kind"] for entry in told] == sorted(every_kind())
    assert told == as_data()
    for entry in told:
        assert entry["standing"] in {"real", "served", "external"}
        assert entry["modes"] == [mode["mode"] for mode in entry["by_mode"]]
        assert set(entry["tests"]) == {test for mode in entry["by_mode"] for test in mode["tests"]}


def test_the_command_tells_people_a_line_for_each_mode():
    told = CliRunner().invoke(cli, ["kinds"]).output.splitlines()
    assert len(told) == sum(len(kind.modes) for kind in every_kind().values())
    assert "redis" in "".join(told)


def test_no_example_is_of_no_kind():
    assert {path.name for path in kind_examples.EXAMPLES.iterdir() if path.is_dir()} == every_kind().keys()


@pytest.mark.parametrize(("kind", "size"), kind_examples.ALL)
def test_an_example_declares_its_kind_and_is_as_kubernetes_wants_it(kind, size):
    platform = kind_examples.declared(kind, size)
    assert kind in {component.kind for component in platform.components}
    for manifest in platform.manifests():
        assert refusals(manifest) == []


@pytest.mark.parametrize("kind", every_kind())
def test_a_production_example_can_be_had_in_every_tier(kind):
    for tier in ("local", "dev", "staging", "prod"):
        assert kind_examples.declared(kind, "production", tier=tier).manifests()
