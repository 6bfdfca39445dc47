"""The four stacks of this repository: rendered the same every time, by Pulumi's program and by ours alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from components.layers import LAYER_ANNOTATION, ORDER, identity, layer_of, rank
from components.render import as_yaml, render
from components.stackfile import find
from kube.errors import GraylingError, UsageError
from tests.components.conftest import ROOT

GOLDEN = Path(__file__).parent / "golden"


def test_the_program_under_pulumi_declares_what_the_components_yield(platform, rendered):
    assert rendered == platform.manifests()


def test_golden(stack, rendered):
    """After a change that is meant: GOLDEN=write make test, and read the diff."""
    text = as_yaml(item for item in rendered if item["kind"] != "CustomResourceDefinition")
    path = GOLDEN / f"{stack.stack}.yaml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), "run with GOLDEN=write if the change is meant"


def test_a_second_render_is_the_same(stack, rendered):
    if stack.stack == "local":
        assert as_yaml(render(stack)) == as_yaml(rendered)


def test_layers_are_written_on_the_objects_and_in_order(rendered):
    assert [rank(item) for item in rendered] == sorted(rank(item) for item in rendered)
    assert all(item["metadata"]["annotations"][LAYER_ANNOTATION] == layer_of(item) for item in rendered)
    assert {layer_of(item) for item in rendered} <= set(ORDER)


def test_no_object_twice(rendered):
    assert len({identity(item) for item in rendered}) == len(rendered)


def test_yaml_reads_back_as_it_was(rendered):
    assert list(yaml.safe_load_all(as_yaml(rendered))) == rendered


def test_mistakes_come_through_the_program(project):
    (project / "stacks" / "Pulumi.bad.yaml").write_text("config:\n  grayling:environment: {tier: x}\n")
    with pytest.raises(UsageError, match=r"stacks/Pulumi\.bad\.yaml: 3 mistakes") as caught:
        render(find("bad", project))
    assert caught.value.exit_code == 2


def test_a_program_that_fails_says_so(project):
    (project / "stacks" / "Pulumi.a.yaml").write_text("config: {}\n")
    (project / "__main__.py").write_text("raise KeyError('oh')\n")
    with pytest.raises(GraylingError, match="the program failed"):
        render(find("a", project))


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "empty; a stack file starts with"), ("a: [", "not YAML"), ("config: [1]", "config must be a map")],
)
def test_files_that_are_no_stack_files(project, content, expected):
    (project / "stacks" / "Pulumi.a.yaml").write_text(content)
    with pytest.raises(UsageError, match=expected):
        find("a", project).config()


def test_a_stack_that_is_not_there(project):
    (project / "stacks" / "Pulumi.prod.yaml").write_text("config: {}")
    with pytest.raises(UsageError, match=r"no stack 'prd' in .*: did you mean 'prod'"):
        find("prd", project)
    with pytest.raises(UsageError, match=r"x\.yaml: no such stack file"):
        find(str(project / "x.yaml"))


def test_no_project(tmp_path):
    with pytest.raises(UsageError, match=r"no Pulumi\.yaml in"):
        find("local", tmp_path)


def test_the_stacks_differ_as_environments_do():
    by_stack = {name: render(find(name, ROOT)) for name in ("local", "prod")}
    kinds = {name: {item["kind"] for item in items} for name, items in by_stack.items()}
    assert "Gateway" in kinds["local"]
    assert "Gateway" not in kinds["prod"]
    assert "Namespace" not in kinds["prod"]
