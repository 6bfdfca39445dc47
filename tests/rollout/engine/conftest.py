"""What tests of the engine share: a plant of its own for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rollout.engine.plant import Plant, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        yield made
