"""Pulumi, which reads a stack file itself, is told what it would drop or leave open, with the lines."""

from __future__ import annotations

import json
import subprocess
import sys

from components.deploy.render import PROGRAM
from tests.components.stack.stack_files import SEALED, WHERE, stack_of


def under_pulumi(project, text: str, config: dict[str, str]) -> str:
    """What the program says where Pulumi has read the file itself, and handed over what it took for configuration."""
    stack_of(project, text)
    request = {"program": str(project / PROGRAM), "stack": "t", "config": config, "secret_keys": []}
    done = subprocess.run(
        [sys.executable, "-m", "components.deploy.offline_run"],
        input=json.dumps(request),
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.dumps(json.loads(done.stdout))


ENVIRONMENT = {"grayling:environment": '{"tier": "dev", "namespace": "shop", "owners": ["platform"]}'}


def test_pulumi_is_told_what_it_would_drop(project):
    answer = under_pulumi(project, f"{WHERE}grayling:services: {{}}\n", ENVIRONMENT)
    assert "stands outside config, where nothing reads it" in answer
    answer = under_pulumi(project, f"{WHERE}  graylin:services: {{}}\n", {**ENVIRONMENT, "graylin:services": "{}"})
    assert "nothing reads the namespace 'graylin'" in answer


def test_pulumi_is_told_of_plain_text(project):
    opened = {**ENVIRONMENT, "grayling:services": '{"a": {"image": "hunter2"}}'}
    answer = under_pulumi(project, f"{WHERE}  services: {{a: {{image: {SEALED}}}}}\n", opened)
    assert "a sealed value outside grayling:secrets" in answer
    assert "hunter2" not in answer


def test_pulumi_is_told_the_lines(project):
    answer = under_pulumi(
        project, f"{WHERE}  services: {{a: {{}}}}\n", {**ENVIRONMENT, "grayling:services": '{"a": {}}'}
    )
    assert '["grayling:services.a.image", "", "is required", "add it", 3, ""]' in answer


def test_another_file_than_the_one_pulumi_read_says_nothing(project):
    answer = under_pulumi(project, f"{WHERE}  graylin:services: {{}}\n", ENVIRONMENT)
    assert "manifests" in answer
