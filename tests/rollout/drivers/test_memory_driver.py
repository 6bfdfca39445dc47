from __future__ import annotations

import pytest

from kube.errors import ConflictError, StaleHolderError
from rollout.drivers.memory import MemoryDriver
from tests.rollout.drivers.routes import A, B


async def test_it_answers_as_a_gateway_would():
    driver = MemoryDriver()
    assert not driver.observe().exists
    await driver.shift({A: 80, B: 20}, epoch=2)
    await driver.shift({A: 80, B: 20}, epoch=2)
    seen = driver.observe()
    assert (seen.exists, seen.weights, seen.accepted) == (True, {A: 80, B: 20}, True)
    assert driver.history == [{A: 80, B: 20}]
    with pytest.raises(StaleHolderError):
        await driver.shift({A: 100}, epoch=1)
    driver.failures.append(ConflictError("once"))
    with pytest.raises(ConflictError):
        await driver.shift({A: 100}, epoch=2)
    await driver.disown()
    assert driver.disowned
    await driver.retire()
    assert not driver.observe().exists
