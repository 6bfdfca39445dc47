"""When a share agrees with a weight, and how often chance alone says it does not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.decide.verify import share_agrees, tells_enough


@pytest.mark.parametrize(
    ("share", "wanted", "requests", "agrees"),
    [
        (0.05, 0.05, 100, True),
        (0.20, 0.05, 100, False),
        (0.09, 0.05, 10_000, False),
        (0.07, 0.05, 10_000, True),
        (0.06, 0.01, 10_000, False),
        (0.24, 0.20, 10_000, True),
        (0.11, 0.05, 10_000, False),
        (1.00, 1.00, 25, True),
        (0.90, 1.00, 25, False),
        (0.96, 1.00, 25, True),
        (0.00, 0.50, 64, False),
        (0.00, 0.20, 28, False),
        (0.00, 0.50, 10, False),
        (0.00, 0.01, 1, False),
        (1.00, 0.80, 3, False),
        (0.02, 0.05, 10_000, False),
        (0.03, 0.05, 10_000, True),
        (0.05, 0.05, 0, False),
    ],
)
def test_agreement(share: float, wanted: float, requests: int, *, agrees: bool):
    assert share_agrees(share, wanted, requests) is agrees


@settings(derandomize=True, deadline=None)
@given(part=st.floats(0, 1), wanted=st.integers(1, 99), requests=st.integers(1, 10**6))
def test_symmetric_in_the_two_arms(part: float, wanted: int, requests: int):
    hits = round(part * requests)
    here = share_agrees(hits / requests, wanted / 100, requests)
    assert here == share_agrees((requests - hits) / requests, (100 - wanted) / 100, requests)
    gap = abs(hits / requests - wanted / 100)
    assert here or gap > 0.05 or hits in {0, requests} or gap >= min(wanted, 100 - wanted) / 200
    assert not here or gap <= max(0.05, 4 * (0.25 / requests) ** 0.5)


@settings(derandomize=True, deadline=None)
@given(share=st.floats(0, 1), wanted=st.integers(1, 100), requests=st.integers(1, 10**6))
def test_bounds_of_what_agrees(share: float, wanted: int, requests: int):
    here = share_agrees(share, wanted / 100, requests)
    gap = abs(share - wanted / 100)
    assert here or gap > 0.05 or gap >= min(wanted / 100, 1 - wanted / 100) / 2
    assert not here or gap <= max(0.05, 4 * (0.25 / requests) ** 0.5)


def test_chance_alone_hardly_ever_disagrees():
    dice = random.Random(7)  # noqa: S311
    for wanted in (0.05, 0.2, 0.5):
        requests = int(5 / wanted)
        wrong = 0
        for _ in range(3000):
            hits = max(1, sum(dice.random() < wanted for _ in range(requests)))
            wrong += not share_agrees(hits / requests, wanted, requests)
        assert wrong <= 6, wanted


def test_enough_is_five_requests_at_the_canary():
    assert tells_enough(0.05, 100)
    assert not tells_enough(0.05, 99)
    assert tells_enough(1.0, 5)
