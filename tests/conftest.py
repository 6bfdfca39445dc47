"""The cluster that cluster tests share: a sandbox of the test run's own, or one that you name.

``GRAYLING_TEST_CONTEXT`` (with ``KUBECONFIG``) uses a cluster of yours and starts nothing; ``GRAYLING_TEST_BOX`` names
the sandbox; ``GRAYLING_TEST_KEEP=1`` leaves it running for the next run.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.box import Sandbox

PULUMI = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Where several processes share the tests, one of them gets all that need a cluster.

    There is one cluster, and the tests of the traces that a box leaves must not see another sandbox come up.
    """
    if item.get_closest_marker("cluster"):
        item.add_marker(pytest.mark.xdist_group("cluster"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests without a cluster come first; those for a CLI that is not here say why they do not run."""
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)
    missing = [name for name in PULUMI if not shutil.which(name)]
    for item in items:
        if missing and item.get_closest_marker("pulumi"):
            item.add_marker(pytest.mark.skip(reason=f"not on PATH: {', '.join(missing)}"))


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """The sandbox of this test run."""
    from sandbox.box import Sandbox

    made = Sandbox(os.environ.get("GRAYLING_TEST_BOX", "test"))
    made.up()
    yield made
    if not os.environ.get("GRAYLING_TEST_KEEP"):
        made.down(purge=True)


@pytest.fixture(scope="session")
def cluster_kubeconfig(request: pytest.FixtureRequest) -> str:
    """Path of a kubeconfig for a real cluster."""
    if os.environ.get("GRAYLING_TEST_CONTEXT"):
        return os.environ["KUBECONFIG"]
    return str(request.getfixturevalue("box").kubeconfig)
