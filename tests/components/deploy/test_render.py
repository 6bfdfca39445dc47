"""The four stacks of this repository: rendered the same every time, by Pulumi's program and by ours alike."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from components.deploy.render import (
    PROGRAM,
    as_yaml,
    declared,
    is_ours,
    normal,
    recorded,
    render,
)
from components.model.layers import (
    LAYER_ANNOTATION,
    ORDER,
    identity,
    layer_of,
    ordered,
    rank,
)
from components.stack.stackfile import find
from kube.errors import GraylingError, UsageError
from tests.components.conftest import ROOT

MORE = """
from components.deploy.register import KubernetesObject
meta = {"name": "of-the-shop", "namespace": platform.environment.namespace}
KubernetesObject("more", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}, pulumi.ResourceOptions())
"""
GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_program_under_pulumi_declares_what_the_components_yield(stack):
    under_pulumi = ordered(normal(recorded(stack, ROOT / PROGRAM)))
    assert as_yaml(normal(declared(stack))) == as_yaml(under_pulumi)


EVERYTHING = """config:
  grayling:environment: {tier: staging, namespace: shop, owners: [a], storageClass: fast}
  grayling:components:
    controller: {image: 'r.example.com/grayling:1.0.0'}
    gateway: {}
    redis: {mode: replication, tls: {}, extraConfig: {maxclients: 100}}
    rabbitmq: {tls: {}}
    prometheus: {scrape: {erp: {targets: ['erp.example.com:9100']}}, scrapeInterval: 0.5s}
  grayling:services:
    a:
      image: r.example.com/a:1.0.0
      uses: [b, redis]
      ports: [{name: grpc, port: 9443}]
      autoscaling: {min: 2, max: 4, cpu: 70}
    b:
      image: r.example.com/b:1.0.0
      uses: [a, rabbitmq]
      traffic: {}
      egress: [{cidr: 10.0.0.0/8, ports: [5432], why: the ERP}]
"""


def test_both_agree_on_what_no_stack_of_this_repository_has(project):
    (project / "stacks" / "Pulumi.all.yaml").write_text(EVERYTHING)
    file = find("all", project)
    under_pulumi = ordered(normal(recorded(file, project / PROGRAM)))
    assert as_yaml(ordered(normal(declared(file)))) == as_yaml(under_pulumi)


def test_our_own_program_is_known_whatever_its_comments(project):
    assert is_ours(ROOT / PROGRAM)
    program = project / PROGRAM
    program.write_text(f'"""Of the shop team."""\n# our platform\n{program.read_text().split(chr(10), 1)[1]}')
    assert is_ours(program)


def test_a_program_that_declares_more_is_run(project):
    shutil.copy(ROOT / "stacks" / "Pulumi.local.yaml", project / "stacks")
    program = project / PROGRAM
    program.write_text(program.read_text() + MORE)
    assert not is_ours(program)
    names = {item["metadata"]["name"] for item in render(find("local", project))}
    assert names == {item["metadata"]["name"] for item in render(find("local", ROOT))} | {"of-the-shop"}


def test_a_project_without_a_program(project):
    (project / PROGRAM).unlink()
    shutil.copy(ROOT / "stacks" / "Pulumi.local.yaml", project / "stacks")
    with pytest.raises(UsageError, match=r"__main__\.py: No such file.*beside Pulumi\.yaml"):
        render(find("local", project))


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
    with pytest.raises(UsageError, match=r"stacks/Pulumi\.bad\.yaml: 3 mistakes"):
        recorded(find("bad", project), project / PROGRAM)


def test_a_program_that_fails_says_so(project):
    (project / "stacks" / "Pulumi.a.yaml").write_text("config: {}\n")
    (project / "__main__.py").write_text("raise KeyError('oh')\n")
    with pytest.raises(GraylingError, match="the program failed"):
        render(find("a", project))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "empty; a stack file starts with"),
        ("a: [", "not YAML"),
        ("config: [1]", r"Pulumi\.a\.yaml:1: config: must be a map"),
    ],
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
