"""The cluster that cluster tests share: a sandbox of the test run's own, or one that you name.

Tests in files named ``*_on_cluster.py`` need one. ``GRAYLING_TEST_CONTEXT`` (with ``KUBECONFIG``) uses a cluster of
yours and starts nothing; ``GRAYLING_TEST_BOX`` names the sandbox; ``GRAYLING_TEST_KEEP=1`` leaves it running for the
next run.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.sandbox.machine import none_compares_traces

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sandbox.box import Sandbox
    from sandbox.builds import Program

SECOND = ("tests/catalogue/", "tests/rollout/test_releases_on_cluster.py")
"""What shares a cluster of its own beside that of all other cluster tests: about half of the time."""

PULUMI = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


class OneForTheCluster(LoadScopeScheduling):
    """Where several processes share the tests, two of them have a cluster each, and tests that need one come first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not _needs_cluster(file):
            return nodeid
        return "second cluster" if file.startswith(SECOND) else "cluster"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneForTheCluster:
    """Hand the tests out."""
    return OneForTheCluster(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of files that end in ``_on_cluster.py``."""
    if _needs_cluster(item.path.name):
        item.add_marker(pytest.mark.cluster)


def _needs_cluster(file: str) -> bool:
    return file.endswith("_on_cluster.py")


def _is_plugin(name: str) -> bool:
    """Whether Pulumi itself has it: installed by `pulumi plugin install`."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return any(home.glob(f"plugins/{name.removeprefix('pulumi-')}-v*/{name}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests without a cluster come first; those for a CLI that is not here say why they do not run."""
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)
    missing = [name for name in PULUMI if not shutil.which(name) and not _is_plugin(name)]
    for item in items:
        if missing and item.get_closest_marker("pulumi"):
            item.add_marker(pytest.mark.skip(reason=f"not on PATH: {', '.join(missing)}"))


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """The sandbox of this test run, or of this process of it."""
    from sandbox.box import Sandbox

    named, kept = os.environ.get("GRAYLING_TEST_BOX", "test"), os.environ.get("GRAYLING_TEST_KEEP")
    process = os.environ.get("PYTEST_XDIST_WORKER")
    made = Sandbox(f"{named}-{process}" if process else named)
    if not kept:
        made.down(purge=True)  # what a run that was cut off has left
    with none_compares_traces():
        made.up()
    yield made
    if not kept:
        with none_compares_traces():
            made.down(purge=True)


@pytest.fixture(autouse=True, scope="module")
def _extras(request: pytest.FixtureRequest) -> None:
    """Bring what the module's mark ``extras`` names into the sandbox: images of systems that others do not need."""
    from sandbox.progress import Lines

    marked = [name for mark in request.node.iter_markers("extras") for name in mark.args]
    if marked and not os.environ.get("GRAYLING_TEST_CONTEXT"):
        request.getfixturevalue("box").add(marked, Lines())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the sandbox said last, where a test that needs it fails."""
    report = yield
    made = getattr(item, "funcargs", {}).get("box")
    if report.failed and made is not None:
        log = made.state.logs / "supervisor.log"
        last = log.read_text(errors="replace").splitlines()[-20:] if log.is_file() else []
        report.sections.append((f"end of {log.name} of the sandbox", "\n".join(last)))
    return report


@pytest.fixture(scope="session")
def cluster_kubeconfig(request: pytest.FixtureRequest) -> str:
    """Path of a kubeconfig for a real cluster."""
    if os.environ.get("GRAYLING_TEST_CONTEXT"):
        return os.environ["KUBECONFIG"]
    return str(request.getfixturevalue("box").kubeconfig)


@pytest.fixture(scope="session")
def helm() -> str:
    """Helm itself, compiled once and kept in the sandbox's cache."""
    from sandbox import builds

    return _compiled(builds.HELM)


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The one on PATH, or one that is compiled as Helm is."""
    from sandbox import builds

    return shutil.which("kubectl") or _compiled(builds.KUBECTL)


def _compiled(program: Program) -> str:
    from sandbox import builds, locks, pypi
    from sandbox.layout import Cache

    cache = Cache.default()
    with locks.held(cache.root / f"{program.name}.lock"):
        return str(builds.build(program, cache, pypi.go(cache), cache.root / f"{program.name}.log"))
