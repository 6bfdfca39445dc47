"""Two real clusters in waves: a stop in the middle of one, a command that is killed, and what goes on after each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from kube.cluster import Cluster
from kube.kinds import CONFIG_MAP, GRAY_RELEASE, NAMESPACE
from sandbox.box import Sandbox
from sandbox.progress import Silent
from tests.components.conftest import ROOT

pytestmark = pytest.mark.timeout(600)
FIRST = """config:
  grayling:environment: {tier: dev, namespace: wave-first, owners: [platform]}
  grayling:components:
    controller: {image: "sandbox.grayling.dev/grayling:dev", replicas: 1}
  grayling:services:
    web:
      image: sandbox.grayling.dev/python:3.11
      command: [python3, -c, "SERVE"]
      port: null
      replicas: 1
      probes: {liveness: /, readiness: /}
      drainSeconds: 0
      strategy: {bake: 3s}
"""
SERVE = "import http.server as h, signal, sys; signal.signal(15, lambda *_: sys.exit()); "
SERVE += "h.test(h.SimpleHTTPRequestHandler, port=9000, bind='0.0.0.0')"
FIRST = FIRST.replace("SERVE", SERVE)  # it ends when it is asked to, so that nothing is waited for
LATE = FIRST.replace("wave-first", "wave-late")
PROD = FIRST.replace("wave-first", "wave-prod").replace("python:3.11", "python:3.10")
WAVES = """waves:
  world:
    home: {{context: grayling-{one}, namespace: default}}
    waves:
      - targets:
          - {{stack: first, context: grayling-{one}}}
          - {{stack: first, context: grayling-{two}}}
        bake: 20s
      - targets: [{{stack: late, context: grayling-{one}}}]
"""
BEGUN = []


@pytest.fixture(scope="module")
def second(box):
    """Another cluster."""
    made = Sandbox(f"{box.name}-waves")
    made.down(purge=True)
    made.up(Silent())
    yield made
    made.down(purge=True)


@pytest.fixture
def project(tmp_path, box, second):
    (tmp_path / "stacks").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for name, text in (("first", FIRST), ("late", LATE), ("prod", PROD)):
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    (tmp_path / ".grayling").mkdir()
    (tmp_path / ".grayling" / "promotion.yaml").write_text(WAVES.format(one=box.name, two=second.name))
    yield tmp_path
    for process in BEGUN:
        process.kill()
    for stack in ("late", "first"):
        place = ("--context", f"grayling-{box.name}")
        code, _, err = said(begun(tmp_path, "destroy", stack, "--yes", "--missing-ok", *place))
        assert code == 0, err


def begun(project, *arguments):
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"} | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "grayling", "stack", *arguments]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    BEGUN.append(subprocess.Popen(argv, cwd=project, env=environment, text=True, **piped))
    return BEGUN[-1]


def said(process):
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def stages(project):
    _, out, _ = said(begun(project, "waves", "status", "world", "-o", "json"))
    state = json.loads(out)["state"]
    return [target["stage"] for wave in state["waves"] for target in wave["targets"]] if state else []


def until(condition):
    while not condition():
        time.sleep(0.3)


async def there(box, kind, name, namespace=None):
    async with await Cluster.open(kubeconfig=str(box.kubeconfig)) as cluster:
        return await cluster.find(kind, name, namespace)


async def test_a_stop_in_the_middle_of_a_wave_and_a_command_that_is_killed(project, box, second):
    start = begun(project, "waves", "start", "world", "--yes", "--by", "ann")
    until(lambda: stages(project)[:1] == ["applying"])
    code, _, err = said(begun(project, "waves", "stop", "world", "--by", "bob", "--reason", "fire"))
    assert (code, "at it: `stack waves start` by" in err) == (0, True), err
    code, _, err = said(start)
    assert (code, "stopped by bob" in err) == (9, True), err
    assert stages(project) == ["releasing", "pending", "pending"]
    assert await there(box, GRAY_RELEASE, "web", "wave-first"), "the target at hand was finished"
    assert await there(second, NAMESPACE, "wave-first") is None

    resume = begun(project, "waves", "resume", "world", "--yes")
    until(lambda: stages(project)[1:2] == ["releasing"])
    second_command, _, err = said(begun(project, "waves", "resume", "world", "--yes"))
    assert (second_command, "`stack waves resume` by" in err) == (11, True), err
    resume.kill()
    _, _, err = said(resume)
    assert "applying first on grayling-" in err
    assert f"applying first on grayling-{box.name}\n" not in err, "what was applied is not applied again"
    assert await there(box, NAMESPACE, "wave-late") is None

    code, _, err = said(begun(project, "waves", "resume", "world", "--yes"))
    assert (code, "all 2 are over" in err) == (0, True), err
    assert stages(project) == ["baked", "baked", "baked"]
    assert "applying first on" not in err
    kept = await there(box, CONFIG_MAP, "grayling-waves-world", "default")
    baked = json.loads(kept["data"]["state"])["waves"][0]["baked_since"]
    late = await there(box, GRAY_RELEASE, "web", "wave-late")
    assert late["metadata"]["creationTimestamp"][:19] >= baked[:19]

    place = ("--from", "first", "--to", "prod", "--context", f"grayling-{box.name}")
    code, _, err = said(begun(project, "promote", *place))
    assert (code, "promoted, not proven" in err) == (13, True), err
    code, out, err = said(begun(project, "promote", *place, "--allow-unproven", "a first release", "-o", "json"))
    assert code == 0, err
    promoted = json.loads(out)["promotion"]["services"][0]
    assert promoted["image"].startswith("sandbox.grayling.dev/python:3.11")
    assert promoted["image"] in (project / "stacks" / "Pulumi.prod.yaml").read_text()
