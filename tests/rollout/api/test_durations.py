"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.api.durations import duration_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), (" 2d ", 172800), (7, 7), (0.5, 0.5)],
)
def test_reading(text: object, seconds: float):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "-1s", "1w", "1s!", True, None])
def test_what_is_no_duration(text: object):
    with pytest.raises(ValueError, match="is no duration; write it like 250ms, 30s, 5m or 1h30m"):
        seconds_of(text)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**10))
def test_writing_and_reading_back(milliseconds: int):
    assert seconds_of(duration_of(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-6)


def test_nothing_is_written_too():
    assert duration_of(0.0) == "0s"


@pytest.mark.parametrize("value", [0.0625, "0.0625s", "1.2345s", 1.0005])
def test_what_is_read_is_what_is_written(value: object):
    """To the millisecond: a spec that was written and read again is the same spec."""
    seconds = seconds_of(value)
    assert seconds_of(duration_of(seconds)) == seconds


@pytest.mark.parametrize("value", [0.0001, "0.1ms"])
def test_less_than_any_clock_counts(value: object):
    with pytest.raises(ValueError, match="is less than a millisecond; write 1ms or more, or 0s"):
        seconds_of(value)
