"""Lives of a service in virtual time; `GRAYLING_LIVES=2000` lives more of them, and a failing seed prints its trace."""

from __future__ import annotations

import os

import pytest

from tests.rollout.engine.simulated import run

PARTS = 10
LIVES = int(os.environ.get("GRAYLING_LIVES", "120"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_laws_hold_in_every_life(part: int):
    for seed in range(part, LIVES, PARTS):
        run(seed)


def test_the_same_seed_is_the_same_life():
    assert run(3).trace == run(3).trace
