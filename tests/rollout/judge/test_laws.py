"""The laws every e-process of the judge obeys, by enumeration and as properties."""

import math
import sys
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from rollout.judge.baseline.pod_effects import pod_effects
from rollout.judge.evidence.combination import RunUp, combined, e_bh
from rollout.judge.evidence.confidence_sequence import RatioSequences
from rollout.judge.evidence.fault_sizes import STEPS
from rollout.judge.evidence.noninferiority_likelihoods import below_added, below_ratio, below_target
from rollout.judge.evidence.prior_weights import EDGE_WEIGHTS, log_weights
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import EXACT_SUPPORT, Counts, Tilts
from rollout.judge.model.onset_prior import OnsetPrior, log_add, log_sum

FROM_START = OnsetPrior(1800.0, at_start=1.0)
ONE = np.ones(1)


def counts(x, n, y, n_stable, *, whole=True):
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in (x, n, y, n_stable)]
    return Counts(np.stack(np.broadcast_arrays(*arrays)), np.full(arrays[0].shape, whole))


def plain_test(prior=FROM_START, steps=STEPS):
    """No pod effect, no tempering: the ratio e-process itself."""
    return RatioTest(1, prior, steps=steps, step_weights=np.ones(steps.size), nodes=1)


def evidence(*looks, prior=FROM_START, whole=True, tolerance=1.0, steps=STEPS, seconds=1.0, young=False):
    test = plain_test(prior, steps)
    for look in looks:
        test.bet(counts(*look, whole=whole), ONE * tolerance, ONE * seconds, np.array([young]))
    return float(test.log_e()[0])


def test_golden_ratio_e_process():
    grid = np.linspace(math.log(1.4), math.log(10), 12)
    looks = [(3, 150, 14, 1350), (5, 150, 12, 1350), (4, 150, 13, 1350)]
    assert evidence(*looks, steps=grid, whole=False) == pytest.approx(2.9526619660, abs=1e-9)


@given(
    n=st.integers(1, 12),
    n_stable=st.integers(1, 30),
    m=st.integers(0, 14),
    at_start=st.floats(0.1, 1.0),
)
@settings(deadline=None)
def test_expectation_is_at_most_one_under_exchangeability(n, n_stable, m, at_start):
    m = min(m, n + n_stable)
    prior = OnsetPrior(1800.0, at_start)
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)
    mean = sum(
        hypergeom.pmf(x, n + n_stable, m, n) * math.exp(evidence((x, n, m - x, n_stable), prior=prior)) for x in support
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


@given(m=st.integers(0, 12), rho=st.floats(0.02, 2.0), ratio=st.floats(0.1, 1.0), tolerance=st.floats(1.0, 3.0))
@settings(deadline=None)
def test_expectation_is_at_most_one_for_poisson_counts_within_tolerance(m, rho, ratio, tolerance):
    theta = ratio * tolerance * rho / (1 + ratio * tolerance * rho)
    mean = sum(
        math.comb(m, x)
        * theta**x
        * (1 - theta) ** (m - x)
        * math.exp(evidence((x, rho, m - x, 1.0), whole=False, tolerance=tolerance))
        for x in range(m + 1)
    )
    assert mean <= 1 + 1e-9


@given(n=st.integers(1, 12), n_stable=st.integers(1, 30), m=st.integers(0, 14), ratio=st.floats(0.2, 3.0))
@settings(deadline=None)
def test_a_young_canary_within_its_tolerance_gains_nothing_and_teaches_nothing(n, n_stable, m, ratio):
    m = min(m, n + n_stable)
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)
    weight = hypergeom.pmf(support, n + n_stable, m, n) * ratio**support
    looks = [((int(x), n, m - int(x), n_stable), w / weight.sum()) for x, w in zip(support, weight, strict=True)]
    mean = sum(w * math.exp(evidence(look, tolerance=max(ratio, 1.0), young=True)) for look, w in looks)
    assert mean <= 1 + 1e-9
    test = RatioTest(1, FROM_START)
    nodes, mass = pod_effects(np.array([0.2]), np.array([5.0]))
    test.expect(np.array([0]), nodes, mass, ONE * 0.1, ONE * 2.0)
    test.bet(counts(3, 20, 1, 80), ONE, ONE, np.array([True]))
    alike = test.sums[0, :, 0] * np.exp(test.logs[0, :, :1])
    assert alike.sum(axis=0) == pytest.approx(mass[0], abs=1e-12)
    assert np.all(alike[1] > 0.1 * mass[0])


@given(
    n=st.integers(1, 8),
    n_stable=st.integers(1, 30),
    m=st.integers(0, 8),
    chance=st.floats(0.0, 0.5),
    size=st.floats(0.0, 3.0),
    looks=st.integers(1, 2),
    young=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_expectation_is_one_when_whole_blocks_are_hit_by_chance(n, n_stable, m, chance, size, looks, young):
    """Two looks of one block share its fate; the third look is of another block."""
    m = min(m, n + n_stable)
    support = np.arange(max(0, m - n_stable), min(m, n) + 1)
    calm = hypergeom.pmf(support, n + n_stable, m, n)
    hit = calm * np.exp(size * support)
    fates = ((1 - chance, calm), (chance, hit / hit.sum()))
    seconds = BLOCK_SECONDS / looks

    def e_value(seen):
        test = plain_test()
        test.expect(np.array([0]), np.zeros((1, 1)), np.ones((1, 1)), ONE * chance, ONE * size)
        for x in seen:
            test.bet(counts(x, n, m - x, n_stable), ONE, ONE * seconds, np.array([young]))
        return math.exp(test.log_e()[0])

    blocks = [
        (sum(c * math.prod(law[support == x][0] for x in seen) for c, law in fates), seen)
        for seen in product(support, repeat=looks)
    ]
    once = sum(weight * e_value(seen) for weight, seen in blocks)
    assert once == pytest.approx(1.0, abs=1e-9)
    twice = sum(weight * w * e_value((*seen, *more[:1])) for weight, seen in blocks for w, more in blocks)
    assert twice == pytest.approx(1.0, abs=1e-9)


def test_a_burst_that_is_expected_convicts_nobody_and_a_fault_still_goes():
    def log_e(*failed):
        test = plain_test()
        test.expect(np.array([0]), np.zeros((1, 1)), np.ones((1, 1)), ONE * 0.03, ONE * math.log(10))
        for x in failed:
            test.bet(counts(x, 300, 5, 2700), ONE, ONE * 15, np.array([False]))
        return float(test.log_e()[0])

    assert log_e(6) + 2 < evidence((6, 300, 5, 2700))
    assert log_e(0, 0, 0, 6, 0, 0) < -2
    assert log_e(6, 5, 7) > math.log(100)


@given(
    n=st.integers(1, 3 * EXACT_SUPPORT),
    n_stable=st.integers(1, 400),
    m=st.integers(1, 3 * EXACT_SUPPORT),
    s=st.floats(0.0, 3.0),
    tolerance=st.sampled_from([0.9, 1.0, 1.05, 3.0]),
)
@settings(deadline=None)
def test_normaliser_is_exact_for_small_support_and_conservative_beyond(n, n_stable, m, s, tolerance):
    m = min(m, n + n_stable)
    j = np.arange(max(0, m - n_stable), min(m, n) + 1)
    law = hypergeom.logpmf(j, n + n_stable, m, n) + math.log(tolerance) * j
    true = float(np.logaddexp.reduce(law + s * j) - np.logaddexp.reduce(law))
    log_ratios = Tilts(np.zeros((1, 1)), np.array([[s]])).log_likelihood_ratios(
        counts(0, n, m, n_stable), ONE * tolerance
    )
    ours = -float(log_ratios[0, 0, 0])
    assert ours >= true - 1e-7
    if min(n, m) <= EXACT_SUPPORT:
        assert ours == pytest.approx(true, abs=1e-7)


@pytest.mark.parametrize("tolerance", [1.0, 1.01, 1.05])
def test_what_is_frequent_counts_beside_a_tolerance_as_well(tolerance):
    """The law of rare events gives most of the evidence away where a third of the requests are slow."""
    looks = [(130, 300, 900, 2700)] * 3
    assert evidence(*looks, tolerance=tolerance) > evidence(*looks, tolerance=tolerance, whole=False) + 3


@given(x=st.integers(0, 9), m=st.integers(0, 40), rho=st.floats(0.05, 1.0), split=st.floats(0.1, 0.9))
def test_merging_intervals_of_equal_weight_changes_nothing(x, m, rho, split):
    a, b = min(x, m) // 2, min(x, m) - min(x, m) // 2
    rest = m - min(x, m)
    whole = evidence((a + b, rho, rest, 1.0), whole=False)
    first, second = rest // 3, rest - rest // 3
    parts = evidence((a, rho * split, first, split), (b, rho * (1 - split), second, 1 - split), whole=False)
    assert parts == pytest.approx(whole, abs=1e-9)


@given(
    st.permutations([(3, 150, 14, 1350), (0, 20, 2, 180), (7, 400, 3, 400), (1, 5, 0, 45)]),
)
def test_order_changes_nothing_without_onsets(looks):
    straight = evidence((3, 150, 14, 1350), (0, 20, 2, 180), (7, 400, 3, 400), (1, 5, 0, 45))
    assert evidence(*looks) == pytest.approx(straight, abs=1e-9)


@pytest.mark.parametrize("look", [(0, 0, 3, 100), (2, 10, 0, 0), (0, 10, 0, 100), (0, 0, 0, 0)])
@pytest.mark.parametrize("whole", [True, False])
def test_nothing_to_compare_is_no_bet(look, whole):
    assert evidence(look, whole=whole) == pytest.approx(0.0, abs=1e-9)


@given(n=st.integers(1, 200), n_stable=st.integers(1, 900), m=st.integers(1, 60))
@settings(deadline=None)
def test_more_canary_failures_are_more_evidence(n, n_stable, m):
    m = min(m, n, n_stable)
    values = [evidence((x, n, m - x, n_stable)) for x in range(m + 1)]
    assert all(later > earlier for earlier, later in pairwise(values))


@given(scale=st.floats(0.01, 1000.0))
def test_units_of_exposure_do_not_matter(scale):
    base = evidence((3, 60.0, 2, 540.0), whole=False)
    assert evidence((3, 60.0 * scale, 2, 540.0 * scale), whole=False) == pytest.approx(base, abs=1e-9)


def test_looking_more_often_costs_nothing():
    prior = OnsetPrior(1800.0)
    quiet = [(0, 5, 0, 45)]
    seldom = evidence(*quiet * 10, (6, 5, 0, 45), prior=prior, seconds=10.0)
    often = [(0, 5, 0, 45), *[(0, 0, 0, 0)] * 9] * 10
    assert evidence(*often, (6, 5, 0, 45), prior=prior, seconds=1.0) == pytest.approx(seldom, abs=0.02)


LOGS = st.one_of(st.floats(-2000, 700), st.just(-math.inf))


@given(pairs=st.lists(st.tuples(LOGS, LOGS), min_size=1, max_size=5))
def test_logarithms_are_added_as_numpy_adds_them(pairs):
    one, other = np.array(pairs).T
    np.testing.assert_allclose(log_add(one, other), np.logaddexp(one, other), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(log_sum(np.array(pairs)), np.logaddexp(one, other), rtol=1e-14, atol=1e-14)


@given(log_e=st.floats(-50, 300), count=st.integers(1, EDGE_WEIGHTS.size))
def test_edges_that_agree_say_together_what_each_says(log_e, count):
    assert np.logaddexp.reduce(log_e + log_weights(count)) == pytest.approx(log_e, abs=1e-9)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_onset_mass_is_spent_once(elapsed, seconds):
    prior = OnsetPrior(1800.0, 0.25)
    start, elapsed_, span = np.float64(0.0), np.float64(elapsed), np.float64(seconds)
    assert float(prior.unspent(start)) == pytest.approx(0.75)
    assert 0 < float(prior.unspent(elapsed_ + span)) <= float(prior.unspent(elapsed_)) + 1e-12 <= 0.75 + 2e-12


def test_pod_effects_are_a_law_that_widens_with_fewer_pods():
    (few, many), mass = pod_effects(np.array([0.3, 0.3]), np.array([3.0, 30.0]))
    assert few[-1] > many[-1] > 0 > many[0] > few[0]
    assert mass.sum(axis=1) == pytest.approx([1.0, 1.0])
    worse = np.maximum(many, 0.0)  # of those that are better only the share counts
    assert math.sqrt(2 * mass[1] @ worse**2) == pytest.approx(0.3 * math.sqrt(31 / 30 * 29 / 27), rel=0.05)
    assert mass[1] @ worse == pytest.approx(0.3 / math.sqrt(2 * math.pi), rel=0.05)


def test_slow_requests_of_releases_under_way_keep_their_nodes_for_outliers():
    (near, far), mass = pod_effects(np.array([0.3, 0.3]), np.array([6.5, 6.5]), np.array([False, True]))
    assert far[-1] > 1.5 * near[-1]
    assert mass.sum(axis=1) == pytest.approx([1.0, 1.0])


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9000), st.booleans()), min_size=1, max_size=4))
@settings(deadline=None)
def test_what_another_channel_knows_of_bursts_changes_nothing(looks):
    def log_e_of(bursts):
        rows = np.arange(len(bursts))
        found = RatioTest(rows.size, OnsetPrior(1800.0))
        effects = pod_effects(np.full(rows.size, 0.5), np.full(rows.size, 5.0))
        found.expect(rows, *effects, np.array(bursts) * 0.03, np.array(bursts) * math.log(10))
        for x, y, young in looks:
            each = np.ones(rows.size)
            seen = Counts(np.outer([x, 10000, y, 90000], each), rows >= 0)
            found.bet(seen, each, 15 * each, (rows == 0) & young)
        return found.log_e()

    alone, beside = log_e_of([0.0]), log_e_of([0.0, 1.0])
    assert np.isfinite(beside).all()
    assert beside[0] == pytest.approx(alone[0], abs=1e-9)


def test_pods_that_have_nothing_in_common_leave_a_judge_that_counts():
    test = RatioTest(1, FROM_START)
    test.expect(np.array([0]), *pod_effects(ONE * 50.0, ONE * 2), ONE * 0.03, ONE * math.log(10))
    for x in (0, 20, 300):
        test.bet(counts(x, 300, 1, 2700), ONE, ONE * 15, ONE < 1)
        assert np.isfinite(test.log_e()).all()


def test_what_is_forgotten_is_what_no_longer_counts():
    """A look of so many requests that a single number could not hold the likelihoods of all pod effects."""

    def log_e(parts):
        test = RatioTest(1, FROM_START)
        test.expect(np.array([0]), *pod_effects(ONE * 0.02, ONE * 9), ONE * 0.0, ONE * 0.0)
        for _ in range(parts):
            test.bet(counts(6_000 / parts, 60_000 / parts, 27_000 / parts, 540_000 / parts), ONE, ONE * 15, ONE < 1)
        return float(test.log_e()[0])

    assert log_e(1) > math.log(sys.float_info.max)
    assert log_e(1) == pytest.approx(log_e(20), rel=0.02)


@pytest.mark.parametrize("at_start", [0.65, 1.0])
@pytest.mark.parametrize("seconds", [0.0, 15.0])
def test_a_fault_that_is_beyond_all_belief_is_still_a_number(at_start, seconds):
    """Each fault is e^-745 times and less as likely as the null, and then comes a look in which no time has passed."""
    test = RatioTest(1, OnsetPrior(1800.0, at_start))
    test.bet(counts(0, 1_000_000, 60_000, 1_000_000), ONE, ONE * seconds, ONE < 1)
    assert -1e6 < test.log_e()[0] < 0
    test.bet(counts(0, 0, 0, 0), ONE, ONE * 0.0, ONE < 1)
    assert np.isfinite(test.log_e()).all()
    for _ in range(3):
        test.bet(counts(90_000, 1_000_000, 10_000, 1_000_000), ONE, ONE * 15, ONE < 1)
    assert np.isfinite(test.log_e()).all()


def binomial(n, p):
    return [math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(n + 1)]


def below(failed, size, target, *, whole=True):
    per_failure, per_unit = below_target(np.array([target]), np.array([whole]))
    return (failed * per_failure + size * per_unit)[0]


@given(failed=st.integers(0, 7))
def test_promotion_evidence_falls_with_failures(failed):
    one, more = (np.array([[x, 8.0, 9.0 - x, 32.0]]) for x in (failed, failed + 1))
    margin, stable = np.array([2.0]), np.array([0.2])
    assert (below(failed, 8, 0.3) > below(failed + 1, 8, 0.3)).all()
    assert (below(failed, 8, 0.3, whole=False) > below(failed + 1, 8, 0.3, whole=False)).all()
    assert (below_ratio(one, margin) > below_ratio(more, margin)).all()
    assert (below_added(one, stable, margin / 20) > below_added(more, stable, margin / 20)).all()


def test_promotion_evidence_has_expectation_one_at_the_margin():
    shares = sum(p * np.exp(below(x, 8, 0.3)) for x, p in enumerate(binomial(8, 0.3)))
    assert shares == pytest.approx(np.ones(4))
    theta = 2 * 8 / (2 * 8 + 32)
    ratios = sum(
        p * np.exp(below_ratio(np.array([[x, 8.0, 9.0 - x, 32.0]]), np.array([2.0])))
        for x, p in enumerate(binomial(9, theta))
    )
    assert ratios == pytest.approx(np.ones((1, 2)))
    assert below(0, 100, 0.05, whole=False) == pytest.approx(100 * (0.05 - 0.05 * np.array([0.03, 0.1, 0.25, 0.5])))
    assert below_ratio(np.array([[0.0, 8.0, 0.0, 0.0]]), np.array([2.0])) == pytest.approx(np.zeros((1, 2)))


def test_combination_is_an_average_and_names_culprits():
    assert combined([0.0, 0.0], [0.5, 0.5]) == pytest.approx(0.0)
    assert combined([10.0, -50.0], [0.5, 0.5]) == pytest.approx(10.0 + math.log(0.5))
    assert e_bh([math.log(350), 0.0, math.log(160)], 0.01) == [0, 2]
    assert e_bh([math.log(250), 0.0, 0.0], 0.01) == []


def test_run_up_begins_where_the_evidence_begins_to_rise():
    run = RunUp()
    for at, log_e in enumerate([-0.1, -0.2, 0.4, -0.1, -0.3, 0.5, 1.5, 1.2, 4.0, 9.0]):
        run.see(float(at), log_e)
    assert run.began_at == 5.0


def test_confidence_sequence_covers_the_truth_and_narrows():
    sequences = RatioSequences(1)
    wide = sequences.bounds(np.array([0]), 0.01, ONE)[0]
    for _ in range(50):
        sequences.add(counts(10, 100, 45, 900))
    low, high = sequences.bounds(np.array([0]), 0.01, ONE)[0]
    assert wide == (0.0, None)
    assert 1.0 < low < 2.0 < high < 3.5
    sequences.score[:] = 1e9
    assert sequences.bounds(np.array([0]), 0.01, ONE)[0][1] is None
