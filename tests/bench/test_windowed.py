"""The windowed z-test knows its window and its limit."""

import numpy as np
import pytest

from bench.judge.windowed import WINDOWS, Windowed, first_above, rows, told
from bench.judge.world import Look


def look(at, canary, stable, requests=1000.0):
    failed = np.array([[stable, canary]], dtype=float)
    sizes = np.full((1, 2), requests)
    nothing, here = np.zeros((1, 2)), np.array([True])
    return Look(at, np.full(1, 15.0), sizes, failed, nothing[:, :, None], nothing, nothing[0], here)


def test_a_window_forgets_what_is_before_it():
    rule = Windowed(1)
    assert rule.look(look(15.0, 40, 10))[:, 0] == pytest.approx(np.full(len(WINDOWS), 4.2967), abs=1e-3)
    for number in range(WINDOWS[0]):
        found = rule.look(look(30.0 + 15 * number, 10, 10))
    assert found[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert found[1, 0] > 1


def test_the_first_look_above_the_limit_counts():
    times = first_above(np.array([15.0, 30.0, 45.0]), np.array([[0, 0], [3, 1], [4, 2]]), 2.5)
    assert times.tolist() == [30.0, np.inf]
    assert told(times, 100.0) == "50%; 65 s, mean 65 s"


def test_a_row_has_the_judge_and_each_window():
    (row,) = rows(8, [("clump10", "F-clump10")])
    assert row.startswith("| F-clump10: failures in tens, errors x 10 | ")
    assert row.count(" s, mean ") == 1 + len(WINDOWS)
