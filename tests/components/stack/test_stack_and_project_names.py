"""Names of stacks and projects, and the files that bear them: what is none is refused with its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from components.cli import cli
from components.deploy.render import PROGRAM, declared, recorded
from components.deploy.session import inventory_of
from components.stack.project import project_name, stack_folder
from components.stack.stackfile import find
from kube.errors import UsageError
from tests.components.accepted import refusals
from tests.components.stack.stack_files import SERVICES, WHERE, said, stack_of


def test_a_path_from_elsewhere_belongs_to_the_project_at_hand(project, tmp_path_factory, monkeypatch):
    far = tmp_path_factory.mktemp("far") / "Pulumi.far.yaml"
    far.write_text(f"{WHERE}{SERVICES}")
    monkeypatch.chdir(project)
    result = CliRunner().invoke(cli, ["validate", str(far)])
    assert result.exit_code == 0, result.exception
    monkeypatch.chdir(far.parent)
    far.write_text("config: {}")
    result = CliRunner().invoke(cli, ["validate", str(far)])
    assert "no Pulumi.yaml in" in str(result.exception)


@pytest.mark.parametrize("name", ["x" * 300, "a/b", "..", "\n"])
def test_names_of_no_stack(project, name):
    with pytest.raises(UsageError, match="no stack"):
        find(name, project)


@pytest.mark.parametrize(
    "name", ["A", "a b", "a\nb", "a_b", "-a", "a-", "a..b", ".a", "a.-b", "ä", "a" * 101, "a/b".replace("/", "\\")]
)
def test_names_that_a_stack_cannot_have(project, name):
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(f"{WHERE}{SERVICES}")
    for named in (name, str(path)):
        with pytest.raises(UsageError) as caught:
            find(named, project)
        said = str(caught.value)
        assert "\n" not in said
        assert f"yaml{chr(39) if not name.isprintable() else ''}: is no name of a stack (found " in said
        assert said.endswith(
            "; call the file Pulumi.NAME.yaml, with at most 100 of a-z, 0-9, - and ., "
            "a letter or digit at both ends of each part"
        )


def test_the_program_refuses_them_too(project):
    file = replace(stack_of(project, f"{WHERE}{SERVICES}"), stack="A")
    with pytest.raises(UsageError, match=r"is no name of a stack \(found 'A'\); call the file"):
        recorded(file, project / PROGRAM)


@pytest.mark.parametrize("name", ["a", "0", "eu.prod", "a-1", "a" * 100])
def test_names_that_a_stack_can_have(project, name):
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(f"{WHERE}{SERVICES}")
    assert find(name, project).stack == find(str(path), project).stack == name
    parent = inventory_of(find(name, project)).parent([], [])
    assert refusals(parent) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: is no map; a project starts with `name:` and `runtime:`"),
        ("name: a\nname: b\n", ":2: name: is given twice, in lines 1 and 2; keep one"),
        ("name: [a]\n", ":1: name: is no text; write one"),
        ("name: a\nstackConfigDir: 5\n", ":2: stackConfigDir: is no text; write one"),
        (
            "name: a\nconfig:\n  grayling:environment: {}\n",
            ":3: grayling:environment: in the project is read by Pulumi",
        ),
        ("name: 'a\n", ":2: not YAML"),
        ("name: 2026-01-01\n", ":1: name: is a date to YAML"),
    ],
)
def test_a_project_file_that_is_wrong(project, text, expected):
    (project / "Pulumi.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        stack_folder(project)
    assert str(caught.value).startswith(f"{project}/Pulumi.yaml{expected}")


def test_a_project_of_another_name(project):
    (project / "Pulumi.yaml").write_text("name: acme\nruntime: python\nstackConfigDir: stacks\n")
    assert project_name(project) == "acme"
    assert said(project, f"{WHERE}  services: {{}}\n").endswith(
        ":3: services: means acme:services, because the project is called acme, and nothing reads it; "
        "write grayling:services"
    )
    assert declared(stack_of(project, f"{WHERE}{SERVICES}  size: 5\n  acme:region: x\n"))
