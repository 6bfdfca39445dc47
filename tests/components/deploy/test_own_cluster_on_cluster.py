"""The README's "on your own cluster", word by word, on a cluster that has nothing but what the README asks for.

What a reader fills in is filled in: the context, two images, and the mirror. Callers are ours.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from sandbox.api import Api
from sandbox.box import Sandbox
from sandbox.errors import ApiError
from tests.components.conftest import ROOT
from tests.page import run, steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)
PREFIX = os.environ.get("GRAYLING_TEST_BOX", "test")
TITLE = "Use it on your own cluster"
INSTALLS = "python3 -m venv .venv && .venv/bin/pip install . && "
MIRROR = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())["images"]
IMAGE = "sandbox.grayling.dev/grayling:dev"
SERVICE = "sandbox.grayling.dev/shop"
APPLY = "grayling stack apply mine"
ONCE = ["pulumi stack init mine"]
"""What docs/how-to/stacks.md says to do once for a stack; login and passphrase are in the environment."""


def commands(way: str) -> list[str]:
    """The commands of the README's section, by one of its two ways to apply a stack."""
    section = (ROOT / "README.md").read_text().partition(f"\n## {TITLE}\n")[2].partition("\n## ")[0]
    told = [step.command for step in steps(section)]
    pulumi = [each for each in told if each.startswith("pulumi ")]
    [apply] = [each for each in told if each.startswith(APPLY)]
    left = [each for each in told if each not in pulumi]
    at = left.index(apply)
    return left if way == "apply" else [*left[:at], *ONCE, *pulumi, *left[at + 1 :]]


def filled_in(command: str, box: Sandbox) -> str:
    """The command as a reader types it who has this cluster and these images."""
    mine = {
        "export CONTEXT=my-cluster": f"export CONTEXT=grayling-{box.name}",
        "export ENGINE=registry.example.com/platform/grayling:0.1.0": f"export ENGINE={IMAGE}",
        "export SERVICE=registry.example.com/shop/checkout": f"export SERVICE={SERVICE}",
    }
    bare = re.sub(r" +#.*", "", command)
    if bare in mine:
        return mine[bare]
    images = json.dumps({key: value for key, value in MIRROR.items() if "example.com" not in key})
    return command.removeprefix(INSTALLS).replace("images: {} ", f"images: {images} ")


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    """A second cluster, as it comes."""
    made = Sandbox(f"{PREFIX}-elsewhere")
    made.down(purge=True)
    try:
        made.up()
        yield made
    finally:
        made.down(purge=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of a clone is used once `pip install .` is done; that the wheel is whole, tests/packaging shows."""
    made = tmp_path / "clone"
    shutil.copytree(ROOT / "stacks", made / "stacks")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, made)
    (made / ".venv").symlink_to(ROOT / ".venv")
    return made


def api_of(box: Sandbox) -> Api:
    return Api(box.address, 6443, box.state.pki, timeout_s=5)


@contextmanager
def callers(box: Sandbox, out: Path) -> Iterator[None]:
    """People who use the service, from the moment at which there is a gateway to reach it by."""
    wait = (
        "import sys, time; from tests.components.deploy.test_own_cluster_on_cluster import address; "
        "import load.__main__ as load; at = address(sys.argv[1]); "
        "sys.argv[1:] = ['--url', f'http://{at}:80/', '--host', 'checkout.mine.example.com', '--rate', '50', "
        "'--seconds', '240', '--allow', f'{at}/32', '--out', sys.argv[2]]; sys.exit(load.main())"
    )
    argv = box.enter_net_argv([sys.executable, "-c", wait, box.name, str(out)])
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'examples'}"}
    running = subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=30)


def address(box: str) -> str:
    """Of the gateway, once it is there."""
    api, deadline = api_of(Sandbox(box)), time.monotonic() + 240
    while True:
        try:
            return str(api.get("/api/v1/namespaces/mine/services/gateway-envoy")["spec"]["clusterIP"])
        except ApiError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.parametrize("way", ["apply", pytest.param("pulumi", marks=pytest.mark.pulumi)])
def test_the_readme_is_all_one_needs(elsewhere: Sandbox, clone: Path, tmp_path: Path, helm: str, way: str) -> None:
    told = commands(way)
    assert told[0].startswith(INSTALLS)
    text = "\n".join(["set -e", *(filled_in(each, elsewhere) for each in told), "echo; echo all done"])
    variables = {
        "KUBECONFIG": str(elsewhere.kubeconfig),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "correct horse",
    }
    with callers(elsewhere, tmp_path / "answers.jsonl"):
        printed = run(text, clone, seconds=400, **variables)
    assert printed.endswith("\nall done\n"), printed[-3000:]

    service = "/apis/grayling.dev/v1alpha1/namespaces/mine/grayreleases/checkout"
    status = api_of(elsewhere).get(service)["status"]
    assert status["stable"]["image"] == f"{SERVICE}:v2"
    assert status["last"]["outcome"].startswith("promoted")
    assert f"{SERVICE}:v2" in (clone / "stacks" / "Pulumi.mine.yaml").read_text()
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {"v1", "v2"} <= {answer.get("version") for answer in answers}
    an_engine_comes_up_from_the_chart(elsewhere, helm)


def an_engine_comes_up_from_the_chart(box: Sandbox, helm: str) -> None:
    """Beside the stack's, which keeps the definitions."""
    where = ["--kubeconfig", str(box.kubeconfig), "--namespace", "engine"]
    values = ["--set", f"image={IMAGE},replicas=1,installDefinitions=false"]
    install = [helm, "install", "main", str(ROOT / "charts" / "grayling"), *where, "--create-namespace", *values]
    done = subprocess.run([*install, "--wait", "--timeout", "90s"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = api_of(box).get("/apis/apps/v1/namespaces/engine/deployments/controller")
    assert found["status"]["readyReplicas"] == 1
    subprocess.run([helm, "uninstall", "main", *where], check=True, capture_output=True)
