"""Values that Pulumi reads and the stack file does not have: key path, value and fix, and no line of a wrong file."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from components.model.mistakes import StackError
from components.stack.origins import origin_of
from components.stack.platform import Platform
from tests.components.conftest import ROOT

OWN = """environment: [shared]
config:
  grayling:environment: {tier: dev, namespace: shop, owners: [a]}
  grayling:components:
    redis: {image: 'r.example.com/redis:7.0'}
"""
HANDED = {
    "environment": {"tier": "dev", "namespace": "shop", "owners": ["a"]},
    "components": {"redis": {"image": "r.example.com/redis:7.0"}},
}
FROM_ESC = "configuration of stack dev, from its Pulumi ESC environment (stacks/Pulumi.dev.yaml:1)"


@pytest.fixture
def told(project, monkeypatch):
    """What a person reads where Pulumi hands ``sections`` over, and the stack file says ``text``."""

    def say(sections, text=OWN):
        (project / "stacks" / "Pulumi.dev.yaml").write_text(text)
        monkeypatch.chdir(project)
        origin = origin_of("dev", {f"grayling:{key}": json.dumps(value) for key, value in sections.items()})
        with pytest.raises(StackError) as raised, origin.placing():
            Platform.read(origin.sections, stack=origin.stack, source=origin.source).manifests()
        return str(raised.value)

    return say


def changed(**components):
    return {**HANDED, "components": {**HANDED["components"], **components}}


def test_a_value_of_the_file_has_its_line(told):
    said = told(changed(redis={"image": "latest"}), OWN.replace("r.example.com/redis:7.0", "latest"))
    assert said.startswith("stacks/Pulumi.dev.yaml:5: grayling:components.redis.image: ")


def test_a_value_of_esc_has_none(told):
    said = told(changed(redis={"image": "r.example.com/redis:7.0", "storge": "1Gi"}))
    assert said == (f"{FROM_ESC}: grayling:components.redis.storge: no such key (found '1Gi'); did you mean 'storage'?")


def test_without_esc_it_is_only_not_the_file(told):
    said = told(changed(redis={"image": "r.example.com/redis:7.0", "storge": "1Gi"}), OWN.partition("\n")[2])
    assert said.startswith(
        "configuration of stack dev, not in stacks/Pulumi.dev.yaml: grayling:components.redis.storge: "
    )


def test_a_whole_section_of_esc(told):
    said = told({**HANDED, "services": {"web": {"replicas": 1}}})
    assert said == f"{FROM_ESC}: grayling:services.web.image: is required; add it"


def test_both_at_once(told):
    handed = changed(redis={"image": "latest"}, rabbitmq={"storge": "1Gi"})
    said = told(handed, OWN.replace("r.example.com/redis:7.0", "latest")).splitlines()
    assert said[0] == "stacks/Pulumi.dev.yaml: 2 mistakes"
    assert said[1].startswith(f"  {FROM_ESC}: grayling:components.rabbitmq.storge: no such key")
    assert said[2].startswith("  stacks/Pulumi.dev.yaml:5: grayling:components.redis.image: ")


def test_a_value_over_one_of_the_same_path(told):
    """Without ESC nothing of the file may be another value: Pulumi reads another file."""
    said = told(changed(redis={"image": "latest"}))
    assert said.startswith(
        "configuration of stack dev, which is not stacks/Pulumi.dev.yaml: grayling:components.redis.image: "
    )


def test_another_file_of_the_same_keys(told):
    other = {**HANDED, "environment": {"tier": "prod", "namespace": "shop", "owners": []}}
    said = told(other)
    assert said.startswith(
        "configuration of stack dev, which is not stacks/Pulumi.dev.yaml: grayling:environment.owners: "
    )


def test_no_file_at_all(project, monkeypatch):
    monkeypatch.chdir(project)
    origin = origin_of("gone", {"grayling:environment": '{"tier": "dev"}'})
    with pytest.raises(StackError) as raised, origin.placing():
        Platform.read(origin.sections, stack="gone", source=origin.source)
    assert "  configuration of stack gone: grayling:environment.namespace: is required; add it" in str(raised.value)


def test_characters_that_no_file_could_hold(told):
    said = told(changed(redis={"image": "r.example.com/redis:7.0", "a\x7f\ufffe😀": 1}))
    assert "no such key (found 1)" in said


def test_the_program_says_so_too(project):
    (project / "stacks" / "Pulumi.dev.yaml").write_text(OWN)
    config = {f"grayling:{key}": value for key, value in changed(rabbitmq={"storge": "1Gi"}).items()}
    request = {"program": str(project / "__main__.py"), "stack": "dev", "config": config, "secret_keys": []}
    done = subprocess.run(
        [sys.executable, "-m", "components.deploy.offline_run"], input=json.dumps(request), capture_output=True,
        text=True, cwd=project, check=True, env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    [mistake] = json.loads(done.stdout)["mistakes"]
    assert mistake[0] == "grayling:components.rabbitmq.storge"
    assert mistake[-2:] == [0, FROM_ESC]
