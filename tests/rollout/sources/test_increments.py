from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.sources.increments import ImpossibleError, Increments, Reading

T = 1_000_000.0


def reading(at: float, incarnation: float = 0.0, **counts: int) -> Reading[str]:
    return Reading(at, counts, incarnation)


def test_the_first_reading_is_where_counting_starts():
    ledger: Increments[str] = Increments()
    assert ledger.take("a", reading(T, x=100), born=T - 50) is None
    seen = ledger.take("a", reading(T + 1, x=103, y=2), born=T - 50)
    assert seen is not None
    assert (seen.seconds, seen.counts) == (1, {"x": 3, "y": 2})


def test_a_subject_born_since_counts_from_zero():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=100), born=T - 50)
    seen = ledger.take("b", reading(T + 10, x=7), born=T + 4)
    assert seen is not None
    assert (seen.seconds, seen.counts) == (6, {"x": 7})


def test_a_subject_that_was_forgotten_is_not_taken_for_a_new_one():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=1), born=T - 50)
    assert ledger.take("b", reading(T + 1, x=1), born=T + 0.5)
    ledger.forget(T + 1000)
    assert ledger.take("b", reading(T + 1000, x=50), born=T + 0.5) is None


def test_a_subject_out_of_the_list_for_a_moment_goes_on_where_it_was():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=1), born=T - 5)
    ledger.forget(T + 30)
    seen = ledger.take("a", reading(T + 30, x=4), born=T - 5)
    assert seen is not None
    assert seen.counts == {"x": 3}


def test_introduced_subjects_lose_nothing():
    ledger: Increments[str] = Increments()
    ledger.introduce("a", reading(T, x=5), born=T - 5)
    ledger.introduce("young", reading(T + 2, x=5), born=T + 1)
    ledger.introduce("a", reading(T + 2, x=9), born=T - 5)
    first, young = (ledger.take(who, reading(T + 3, x=10), born=T + 1) for who in ("a", "young"))
    assert first is not None
    assert young is not None
    assert (first.counts, young.counts) == ({"x": 5}, {"x": 10})


def test_a_counter_that_falls_began_anew_by_itself():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=100, y=10_000), born=0)
    seen = ledger.take("a", reading(T + 1, x=3, y=10_002), born=0)
    assert seen is not None
    assert seen.counts == {"x": 3, "y": 2}


def test_a_series_that_is_gone_takes_nothing_back_and_goes_on_where_it_was():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=100, y=10), born=0)
    counts = [
        ledger.take("a", page, born=0).counts  # type: ignore[union-attr]
        for page in (reading(T + 1, y=12), reading(T + 2, x=105, y=12), reading(T + 3, x=2))
    ]
    assert counts == [{"y": 2}, {"x": 5}, {"x": 2}]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"x": -1}, "a counter is at -1"),
        ({"x": 2**53 + 1}, r"a counter is at 9.01e\+15"),
        ({"x": 3 * 10**9}, r"grew by 3e\+09 in 1 s"),
        ({f"s{number}": 5 * 10**8 for number in range(3)}, r"grew by 1.5e\+09 in 1 s"),
    ],
)
def test_what_nobody_can_have_counted_is_refused_and_changes_nothing(counts, says):
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=5), born=0)
    with pytest.raises(ImpossibleError, match=says):
        ledger.take("a", reading(T + 1, **counts), born=0)
    seen = ledger.take("a", reading(T + 2, x=7), born=0)
    assert seen is not None
    assert (seen.seconds, seen.counts) == (2, {"x": 2})


def test_series_that_come_and_go_without_end_are_not_all_remembered():
    ledger: Increments[str] = Increments()
    pages = [Reading(T + at, {f"{at} {number}": 1 for number in range(5_000)}) for at in range(6)]
    for page in pages[:4]:
        ledger.take("a", page, born=0)
    with pytest.raises(ImpossibleError, match="25,000 series have come and gone"):
        ledger.take("a", pages[4], born=0)
    seen = ledger.take("a", pages[5], born=0)
    assert seen is not None
    assert len(seen.counts) == 5_000


def test_a_new_life_shows_where_no_counter_fell():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, 10.0, x=1), born=0)
    seen = ledger.take("a", reading(T + 1, 20.0, x=5), born=0)
    assert seen is not None
    assert seen.counts == {"x": 5}


def test_pages_of_an_earlier_life_and_late_pages_are_dropped():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, 20.0, x=1), born=0)
    assert ledger.take("a", reading(T + 1, 10.0, x=500), born=0) is None
    assert ledger.take("a", reading(T, 20.0, x=2), born=0) is None
    assert ledger.take("a", reading(T - 1, 20.0, x=0), born=0) is None
    seen = ledger.take("a", reading(T + 2, x=3), born=0)
    assert seen is not None
    assert seen.counts == {"x": 2}


def test_a_series_that_vanishes_for_a_while_is_not_counted_twice():
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, x=5, y=7), born=0)
    ledger.take("a", reading(T + 1, x=6), born=0)
    seen = ledger.take("a", reading(T + 2, x=6, y=8), born=0)
    assert seen is not None
    assert seen.counts == {"y": 1}


lives = st.lists(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=1, max_size=8), min_size=1, max_size=5
)


@st.composite
def scrapes(draw):
    """A process that restarts: true totals, and its pages in the order in which they were read.

    Every life's last page is its true end, because what dies unread nobody can know.
    """
    at, pages, totals = T, [], {"x": 0, "y": 0}
    for incarnation, life in enumerate(draw(lives), start=1):
        x = y = 0
        for more_x, more_y in life:
            x, y, at = x + more_x, y + more_y, at + 1
            pages.append(reading(at, float(incarnation), x=x, y=y))
        totals["x"] += x
        totals["y"] += y
    return pages, totals


@given(scrapes(), st.data())
def test_whatever_is_lost_repeated_or_late_the_total_is_the_true_one(made, data):
    pages, totals = made
    last_of_life = {page.incarnation: page for page in pages}
    kept = [page for page in pages if page is last_of_life[page.incarnation] or data.draw(st.booleans(), label="kept")]
    arrivals = []
    for page in kept:
        arrivals.append(page)
        arrivals += data.draw(st.lists(st.sampled_from(arrivals), max_size=2), label="again")
    ledger: Increments[str] = Increments()
    ledger.take("a", reading(T, 0.5), born=T - 1)
    counted = {"x": 0, "y": 0}
    seconds = 0.0
    for page in arrivals:
        if seen := ledger.take("a", page, born=T - 1):
            seconds += seen.seconds
            for key, count in seen.counts.items():
                counted[key] += count
    assert counted == totals
    assert seconds == kept[-1].at - T


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_increments_are_never_negative_nor_more_than_the_counter(values):
    ledger: Increments[str] = Increments()
    for at, value in enumerate(values):
        seen = ledger.take("a", reading(T + at, x=value), born=0)
        assert seen is None or all(0 < count <= value for count in seen.counts.values())
