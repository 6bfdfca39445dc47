"""A latency distribution judged by all its buckets at once: scores, their law, and what they are good for."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.judge import Judge, JudgePolicy, Verdict
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.data.batch import Batch
from rollout.judge.model.rank_sum import (
    GRID,
    ScoreTilts,
    Spread,
    log_likelihood_ratios,
)
from rollout.judge.model.ridits import BINS, bins_of, choose_ridits, moments, tilt_of
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.judge.traffic import EDGES, EPOCH, LATENCY, histogram

FIRST = np.array([0])


def scored(shares):
    """Scores of a histogram with these shares, its edges 1, 2, 3, … seconds."""
    slow = np.append(np.cumsum(shares[::-1])[::-1], 0.0)[1:-1]
    return choose_ridits(tuple(float(at) for at in range(1, len(shares))), slow * 1000, 1000)


# ---------------------------------------------------------------------- scores


@given(
    st.lists(st.integers(1, 1000), min_size=3, max_size=BINS),
    st.lists(st.floats(0.2, 2.0), min_size=1, max_size=4),
)
def test_a_tilt_moves_the_mean_score_as_far_as_it_is_asked_to(counts, relative):
    scores, filled = np.zeros((2, 1, BINS))
    scores[0, : len(counts)], filled[0, : len(counts)] = np.linspace(-0.9, 0.9, len(counts)), counts
    mean, variance = moments(scores, filled)
    wanted = mean + (np.array(relative) - 1) * variance
    tilts = tilt_of(np.array([relative]), scores, filled)[0]
    tilted = filled * np.exp(tilts[:, None] * scores)
    inside = np.abs(wanted) < 0.8
    assert ((tilted * scores).sum(axis=1) / tilted.sum(axis=1))[inside] == pytest.approx(wanted[inside], abs=1e-3)


def test_a_mean_that_cannot_be_reached_has_a_finite_tilt_and_no_requests_have_none():
    scores = np.zeros((2, BINS))
    scores[:, :3] = [-0.8, 0.0, 0.8]
    counts = np.zeros((2, BINS))
    counts[0, :3] = 10
    tilts = tilt_of(np.full((2, 1), 50.0), scores, counts)
    assert np.isfinite(tilts).all()
    assert tilts[0, 0] > 2
    assert tilts[1, 0] == 0


@pytest.mark.parametrize("counts", [[1, 0, 0, 10_000], [9_999, 1, 0, 0], [0, 10**9, 1, 0], [1, 1, 10**6, 1]])
@pytest.mark.parametrize("relative", [0.05, 20.0, 1000.0])
def test_a_look_almost_all_in_one_bucket_has_a_tilt_of_which_there_are_odds(counts, relative):
    scores, filled = np.zeros((2, 1, BINS))
    scores[0, :4], filled[0, :4] = [-0.9, -0.3, 0.3, 0.9], counts
    assert abs(tilt_of(np.array([[relative]]), scores, filled)[0, 0]) < 20


@given(st.lists(st.floats(0.3, 1.0), min_size=3, max_size=20))
def test_scores_are_mean_ranks_around_nothing(parts):
    shares = np.array(parts) / sum(parts)
    scores = scored(shares).scores[: shares.size]
    assert shares @ scores == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(scores) > 0).all()
    assert -1 < scores[0] < scores[-1] < 1
    beyond = 1 - np.cumsum(shares)
    assert scores == pytest.approx(1 - 2 * beyond - shares, abs=1e-9)


def test_a_distribution_in_one_bucket_has_no_ridits():
    assert scored(np.array([0.001, 0.998, 0.001])) is None
    assert scored(np.array([0.1, 0.8, 0.1])) is not None


def test_many_buckets_are_put_together_where_requests_are_few():
    edges = tuple(0.001 * 1.08**at for at in range(160))
    ridits = choose_ridits(edges, np.linspace(1.0, 0.0, 160) ** 2 * 1e4, 1e4)
    assert ridits is not None
    assert 20 < len(ridits.edges) < BINS
    inside = bins_of(ridits.edges, edges)
    assert inside.shape == (BINS, 161)
    assert (inside.sum(axis=0) == 1).all(), "each bucket belongs to one"
    share = inside @ np.diff(np.append(1 - np.linspace(1.0, 0.0, 160) ** 2, 1.0), prepend=0.0)
    assert share.max() < 0.1


def test_an_edge_that_the_source_lost_puts_two_buckets_together():
    inside = bins_of((1.0, 2.0, 4.0), (1.0, 4.0))
    assert inside[:4].tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]


# ---------------------------------------------------------------------- the law of their sum


def laws(pool, n, tilt, scores):
    """All ways in which n of the pool's requests can be the canary's, and how likely each is; their score sums."""
    ways = [k for k in product(*(range(m + 1) for m in pool)) if sum(k) == n]
    weight = [math.prod(map(math.comb, pool, k)) * math.exp(tilt * float(np.dot(scores, k))) for k in ways]
    return np.array(weight) / sum(weight), np.array([float(np.dot(scores, k)) for k in ways])


def log_ratios(scores, score, n, pooled, tilts, *, tolerance=1.0, faults=True):
    """Log likelihood ratios of one column, one for each tilt."""
    spread = Spread(scores[None], np.array([float(score)]), np.array([float(n)]), pooled)
    return log_likelihood_ratios(spread, tilts[None], np.full(tilts.size, faults), np.array([tolerance]))[0]


def log_ratios_between(scores, score, n, pooled, tilts, *, tolerance=1.0):
    """The same of faults, by way of GRID tilts."""
    spread = Spread(scores[None], np.array([float(score)]), np.array([float(n)]), pooled)
    tilted = ScoreTilts(np.zeros((1, 1)), tilts[None], np.ones(tilts.size, dtype=bool))
    return tilted.log_likelihood_ratios(FIRST, spread, np.array([tolerance]))[0, :, 0]


@given(
    pool=st.lists(st.integers(0, 4), min_size=2, max_size=5).filter(lambda pool: sum(pool) > 1),
    share=st.floats(0.05, 0.95),
    s=st.floats(0.0, 3.0),
    tolerance=st.sampled_from([0.6, 1.0, 1.05, 1.5, 3.0]),
    data=st.data(),
)
@settings(deadline=None)
def test_a_bet_on_scores_is_worth_one_at_most(pool, share, s, tolerance, data):
    n = max(1, min(sum(pool) - 1, round(share * sum(pool))))
    scores = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=len(pool), max_size=len(pool))))
    law, sums = laws(pool, n, math.log(tolerance), scores)
    pooled, among = np.array([pool], dtype=float), np.linspace(0.0, s, 3 * GRID)
    gains = [log_ratios(scores, x, n, pooled, np.array([s]), tolerance=tolerance) for x in sums]
    between = [log_ratios_between(scores, x, n, pooled, among, tolerance=tolerance) for x in sums]
    assert (law @ np.exp(gains) <= 1 + 1e-6).all()
    assert (law @ np.exp(between) <= 1 + 1e-3).all()


@given(
    pool=st.lists(st.integers(0, 4), min_size=2, max_size=5).filter(lambda pool: sum(pool) > 1),
    share=st.floats(0.05, 0.95),
    s=st.floats(-2.0, 2.0),
    data=st.data(),
)
@settings(deadline=None)
def test_the_null_is_no_worse_than_it_is(pool, share, s, data):
    n = max(1, min(sum(pool) - 1, round(share * sum(pool))))
    scores = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=len(pool), max_size=len(pool))))
    law, sums = laws(pool, n, 0.0, scores)
    seen = log_ratios(scores, 0.0, n, np.array([pool], dtype=float), np.array([s]), faults=False)
    assert seen[0] >= -math.log(law @ np.exp(s * sums)) - 1e-4


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("requests", [300, 30000])
def test_between_two_tilts_the_law_is_bounded_by_its_neighbours(requests, share):
    pooled = np.array([histogram(np.random.default_rng(2), requests)], dtype=float)
    scores, n, s = np.linspace(-0.95, 0.9, pooled.size), share * requests, np.linspace(-0.5, 2.5, 50)
    score = 0.1 * n
    plain, between = log_ratios(scores, score, n, pooled, s), log_ratios_between(scores, score, n, pooled, s)
    assert (between <= plain + 1e-4 * n).all(), "of a bound the larger neighbour's is taken"
    spread = Spread(scores[None], np.array([score]), np.array([n]), pooled)
    nulls = ScoreTilts(np.zeros((1, 1)), s[None], np.zeros(s.size, dtype=bool)).log_likelihood_ratios(
        FIRST, spread, np.ones(1)
    )[0, :, 0]
    assert nulls == pytest.approx(log_ratios(scores, score, n, pooled, s, faults=False), abs=1e-4 * n)


def test_columns_are_kept_apart_whatever_is_asked_of_them():
    rng = np.random.default_rng(8)
    pooled, scores = rng.integers(1, 90, (3, 6)).astype(float), np.sort(rng.uniform(-1, 1, (3, 6)), axis=1)
    spread = Spread(scores, rng.normal(size=3), np.array([20.0, 30, 40]), pooled)
    a, b, faults = rng.normal(size=(3, 2)), rng.uniform(0, 2, (3, 4)), np.arange(4) > 0
    tilted = ScoreTilts(a, b, faults)
    every = tilted.log_likelihood_ratios(np.arange(3), spread, np.ones(3))
    assert every.shape == (3, 4, 2)
    for row in (0, 1, 2):
        assert tilted.log_likelihood_ratios(np.array([row]), spread.take(np.array([row])), np.ones(1))[
            0
        ] == pytest.approx(every[row])
    straight = log_likelihood_ratios(
        spread, (b[:, :, None] + a[:, None, :]).reshape(3, 8), np.repeat(faults, 2), np.ones(3)
    )
    assert every[:, 0].ravel() == pytest.approx(straight.reshape(3, 4, 2)[:, 0].ravel(), abs=1e-3)


def test_much_traffic_is_bounded_almost_exactly():
    pool, scores, n = np.array([40, 50, 60, 30, 20]), np.linspace(-0.9, 0.9, 5), 60
    for s in (0.25, 1.0, 3.0):
        ways = {(0, 0): 0.0}  # (drawn, twice the score in tenths) to log of their number
        for many, score in zip(pool, np.rint(scores * 20).astype(int), strict=True):
            after: dict[tuple[int, int], list[float]] = {}
            for (drawn, total), log in ways.items():
                for more in range(min(int(many), n - drawn) + 1):
                    key = drawn + more, total + more * int(score)
                    after.setdefault(key, []).append(log + math.log(math.comb(int(many), more)))
            ways = {key: float(np.logaddexp.reduce(logs)) for key, logs in after.items()}
        ends = [(total, log) for (drawn, total), log in ways.items() if drawn == n]
        exact = np.logaddexp.reduce([log + s * total / 20 for total, log in ends]) - math.log(math.comb(200, n))
        assert -log_ratios(scores, 0.0, n, pool[None].astype(float), np.array([s]))[0] == pytest.approx(exact, abs=0.02)


def test_alone_the_canary_proves_nothing_and_beside_few_it_still_proves_much():
    scores, canary = np.linspace(-1, 1, 5), np.array([10.0, 40, 100, 80, 70])

    def gain(stable):
        return log_ratios(scores, canary @ scores, canary.sum(), (canary + stable)[None], np.array([0.5]))[0]

    quick = np.array([60.0, 90, 100, 40, 10])
    assert gain(np.zeros(5)) == 0
    assert gain(quick) > gain(quick / 10) > 4, "drawn as 300 of 330 it would be worth a tenth of that"
    assert gain(canary) < 0


@given(moved=st.floats(-2, 2))
def test_where_scores_begin_changes_nothing(moved):
    pooled, scores, canary = np.array([[30.0, 50, 20]]), np.array([-0.7, 0.1, 0.8]), np.array([2.0, 5, 4])

    def gain(added):
        return log_ratios(scores + added, canary @ (scores + added), 11.0, pooled, np.array([0.6]), tolerance=1.2)[0]

    assert gain(moved) == pytest.approx(gain(0.0), abs=1e-6)


# ---------------------------------------------------------------------- pods


def variation_of(rng, shifts, blocks=120, drift=0.0):
    """What is learned of pods whose median is shifted so (log), while that of all drifts."""
    first = np.array(histogram(rng, 20000))
    ridits = choose_ridits(EDGES, np.cumsum(first[::-1])[::-1][1:].astype(float), float(first.sum()))
    scores = np.zeros((1, BINS))
    scores[0] = ridits.scores
    variation = PodVariation(np.array([True]), np.array([True]), scores)
    for block in range(blocks):
        batch = Batch.empty(1)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        for pod, shift in enumerate(shifts):
            counts = np.array(histogram(rng, 300, median=0.02 * math.exp(shift + drift * block / blocks)), dtype=float)
            batch.bucket_counts[2, 0, : counts.size] += counts
            batch.pods[:, 0, pod] = counts @ scores[0, : counts.size], counts.sum()
        variation.add(batch)
    return variation


def test_scores_tell_how_much_pods_differ():
    rng = np.random.default_rng(3)
    alike, apart = variation_of(rng, np.zeros(9)), variation_of(rng, np.linspace(-0.15, 0.15, 9))
    assert float(alike.spreads(FIRST)[0][0]) < 0.03
    assert float(apart.spreads(FIRST)[0][0]) == pytest.approx(np.linspace(-0.15, 0.15, 9).std() / 0.6 * 1.5, rel=0.4)
    assert float(alike.tempers(FIRST)[0]) > 0.7


@pytest.mark.parametrize("drift", [-1.5, 1.5])
def test_a_service_that_changes_as_a_whole_teaches_no_difference(drift):
    drifted = variation_of(np.random.default_rng(4), np.zeros(9), drift=drift)
    assert float(drifted.spreads(FIRST)[0][0]) < 0.03
    assert float(drifted.tempers(FIRST)[0]) > 0.7


def test_a_pod_faster_than_any_score_says_is_no_accident():
    found = variation_of(np.random.default_rng(5), np.array([*np.zeros(8), -2.5]))
    assert np.isfinite(found.spreads(FIRST)[0]).all()
    assert np.isfinite(found.tempers(FIRST)).all()
    assert float(found.spreads(FIRST)[0][0]) > 0.3


# ---------------------------------------------------------------------- the judge


def look(rng, at, factor, *, age=9000.0, pods=9, requests=300):
    seen = {f"s{pod}": PodLook(Arm.STABLE, 9000.0, 15.0, requests, {}, histogram(rng, requests)) for pod in range(pods)}
    if factor:
        seen["c"] = PodLook(Arm.CANARY, age, 15.0, requests, {}, histogram(rng, requests, median=0.02 * factor))
    return SignalLook("latency", EPOCH + at, SourceStatus.OK, seen, EDGES)


def first_bad(seed, factor, looks):
    """Number of the look that convicted; None if none did."""
    rng, judge = np.random.default_rng(seed), Judge(JudgePolicy(signals=(LATENCY,)))
    judge.learn([look(rng, 15.0 * number, 0.0) for number in range(1, 121)])
    judge.begin_step()
    for number in range(1, looks + 1):
        at = 15.0 * (120 + number)
        if judge.look(EPOCH + at, [look(rng, at, factor)]).verdict is Verdict.BAD:
            return number
    return None


@pytest.mark.parametrize("seed", range(4))
def test_a_canary_slightly_slower_all_along_goes_sooner_than_any_edge_shows_it(seed):
    assert first_bad(seed, 1.15, 3) is not None


@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_one_that_is_not_slower_stays(factor):
    assert first_bad(7, factor, 60) is None


def test_a_judge_saved_in_between_goes_on_with_the_same_scores():
    rng, policy = np.random.default_rng(11), JudgePolicy(signals=(LATENCY,))
    judge = Judge(policy)
    judge.learn([look(rng, 15.0 * number, 0.0) for number in range(1, 61)])
    judge.begin_step()
    resumed = Judge.restore(policy, judge.save())
    for number in range(61, 75):
        news = [look(rng, 15.0 * number, 1.1)]
        assert judge.look(EPOCH + 15.0 * number, news) == resumed.look(EPOCH + 15.0 * number, news)
        resumed = Judge.restore(policy, resumed.save())
