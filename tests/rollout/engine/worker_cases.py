"""What tests of a worker begin with, and what they read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.engine import metrics

if TYPE_CHECKING:
    from tests.rollout.engine.plant import Plant


async def first(it: Plant) -> None:
    it.declare("shop:v1")
    await it.served("shop:v1")


def looks() -> float:
    return metrics.REGISTRY.get_sample_value("grayling_look_seconds_count") or 0.0
