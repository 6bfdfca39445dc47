"""The environment that releases in a cluster are tried in: the local stack, once for all files that want it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.rollout.on_cluster import grayling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.box import Sandbox


@pytest.fixture(scope="session")
def shop(box: Sandbox) -> Iterator[Sandbox]:
    """A box with the local stack."""
    grayling(box, "stack", "apply", "local", "--yes", seconds=400)
    yield box
    if not os.environ.get("GRAYLING_TEST_KEEP"):
        grayling(box, "stack", "destroy", "local", "--yes", seconds=300)
