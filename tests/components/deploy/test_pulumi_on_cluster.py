"""The same stack through the real Pulumi: up, up again without a change, and gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.components.conftest import ROOT

pytestmark = pytest.mark.pulumi
STACK = "pulumi-test"


@pytest.fixture(scope="module")
def pulumi(tmp_path_factory, cluster_kubeconfig):
    project, state = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("state")
    (project / "stacks").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / name).write_text((ROOT / name).read_text().replace("virtualenv: .venv", f"virtualenv: {sys.prefix}"))
    (project / "stacks" / f"Pulumi.{STACK}.yaml").write_text(
        f"""config:
  grayling:environment: {{tier: local, namespace: {STACK}, owners: [platform]}}
  grayling:components:
    redis: {{image: "sandbox.grayling.dev/redis:7.0", exporterImage: "sandbox.grayling.dev/redis-exporter:1.45"}}
"""
    )
    environment = {
        **os.environ,
        "KUBECONFIG": cluster_kubeconfig,
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("stack", "init", STACK)
    yield run
    run("destroy", "--yes", "--stack", STACK)


def test_up_and_then_nothing_to_do(pulumi):
    assert "redis" in pulumi("up", "--yes", "--stack", STACK)
    pulumi("preview", "--expect-no-changes", "--stack", STACK)
    assert "unchanged" in pulumi("up", "--yes", "--stack", STACK)
