"""Pods of a small world that a planned event takes away, and that come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rollout.decide.simulation import Simulation


def evict(made: Simulation, image: str = "v2") -> None:
    made.world.image(image).ready = False
    made.world.image(image).disrupted = True


def bring_back(made: Simulation, image: str = "v2") -> None:
    made.world.image(image).ready = True
    made.world.image(image).disrupted = False
