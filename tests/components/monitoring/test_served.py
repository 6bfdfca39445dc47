"""Golden files of what is served, and so never run here: every change of it is read by somebody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from components.deploy.render import as_yaml
from tests.components.conftest import ROOT
from tests.components.kind_examples import declared
from tests.components.monitoring.test_prometheus_operator import OPERATED, stack

GOLDEN = ROOT / "tests" / "components" / "golden" / "served"


def of_grafana():
    found = declared("grafana", "production").manifests()
    return [each for each in found if each["metadata"]["labels"].get("app.kubernetes.io/instance") == "grafana"]


def of_an_operator():
    return [each for each in stack().manifests() if each["kind"] in OPERATED]


@pytest.mark.parametrize(
    ("name", "made"),
    [("grafana", of_grafana), ("prometheus-existing", of_an_operator)],
    ids=lambda each: str(each)[:20],
)
def test_golden(name, made):
    """After a change that is meant: GOLDEN=write, and read the diff."""
    text, path = as_yaml(made()), GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), "run with GOLDEN=write if the change is meant"


WITHOUT_THE_SDK = """
import sys
sys.modules["grafana_foundation_sdk"] = None
import rollout.engine.run, topology.engine.runner, components.stack.catalogue, grayling
"""


def test_the_engine_is_without_the_sdk_and_whoever_renders_stacks_has_it():
    for lock in ("requirements.lock", "requirements-engine.lock"):
        assert "grafana-foundation-sdk" not in (ROOT / lock).read_text()
    assert "grafana-foundation-sdk==" in (ROOT / "requirements-plugin.lock").read_text()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_SDK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
