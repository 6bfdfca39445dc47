"""What the tests of the declaring half share: the smallest stack, and the rendered stacks of this repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from components.deploy.render import render
from components.stack.platform import Platform
from components.stack.stackfile import StackFile, find
from sandbox.debian import rootfs_key
from sandbox.layers import LayerStore
from sandbox.layout import Cache
from tests.components.person import Behind, Person
from tests.fakes.kubeconfig import kubeconfig_for

pytest.register_assert_rewrite("tests.components.on_prometheus", "tests.components.inside")

ROOT = Path(__file__).parents[2]
STACKS = ("local", "dev", "staging", "prod")


def small(**sections):
    """The shortest configuration that is right, with sections put over it."""
    return {"environment": {"tier": "local", "namespace": "shop", "owners": ["platform"]}, **sections}


def read(**sections) -> Platform:
    return Platform.read(small(**sections), stack="test", source="stacks/Pulumi.test.yaml")


@pytest.fixture(scope="session", params=STACKS)
def stack(request) -> StackFile:
    return find(request.param, ROOT)


@pytest.fixture(scope="session")
def rendered(stack):
    return render(stack)


@pytest.fixture(scope="session")
def platform(stack) -> Platform:
    config, _ = stack.config()
    sections = {key.removeprefix("grayling:"): value for key, value in config.items() if key.startswith("grayling:")}
    return Platform.read(sections, stack=stack.stack, source=stack.source)


@pytest.fixture
def project(tmp_path) -> Path:
    """An empty project folder with the program of this repository."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: grayling\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    return tmp_path


@pytest.fixture
def person(project, tmp_path, capsys):
    """Somebody with a project, and a cluster that keeps who wrote which field."""
    with Behind() as (server, loop):
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(kubeconfig_for(server.port))
        yield Person(project, server, loop, str(kubeconfig), capsys)


def program(name, folder):
    """From PATH, or out of the image that the sandbox runs."""
    if found := shutil.which(name):
        return found
    layer = LayerStore(Cache.default().blobs).get("debian", rootfs_key())
    assert layer, f"no {name} on PATH, and no layer of the sandbox has one: bring a sandbox up, or install Prometheus"
    subprocess.run(["tar", "-xf", layer.path, "-C", folder, f"./usr/bin/{name}"], check=True)
    return str(folder / "usr/bin" / name)


@pytest.fixture(scope="session")
def promtool(tmp_path_factory):
    return program("promtool", tmp_path_factory.mktemp("promtool"))
