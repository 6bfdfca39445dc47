"""The environment that releases in a cluster are tried in: the local stack, once for all files that want it."""

from __future__ import annotations

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
    return box  # it goes with the box; how a stack is destroyed is tried in test_stack_on_cluster.py
