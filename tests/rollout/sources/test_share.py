from __future__ import annotations

import pytest

from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.sources.share import ShareMeter
from tests.rollout.sources.builders import T, signal


def look(at: float, stable: int, canary: int, *, name="errors", status=SourceStatus.OK) -> SignalLook:
    pods = {
        "s1": PodLook(Arm.STABLE, 1, 1, requests=stable),
        "s2": PodLook(Arm.STABLE, 1, 1, requests=stable),
        "c": PodLook(Arm.CANARY, 1, 1, requests=canary),
    }
    return SignalLook(name, T + at, status, pods)


def fed(*looks: SignalLook) -> ShareMeter:
    meter = ShareMeter()
    for each in looks:
        meter.take(each)
    return meter


def test_the_share_of_the_requests_since_a_moment():
    meter = fed(look(1, 50, 0), look(2, 50, 0), look(3, 40, 20), look(4, 40, 20))
    assert meter.share_since(T + 1.5) == (40 / 200, 200)
    assert meter.share_since(T) == (40 / 300, 300)


def test_of_many_requests_the_newest_tell():
    meter = ShareMeter()
    for second in range(60):
        late = second >= 20
        meter.take(look(second, stable=25 if late else 40, canary=50 if late else 20))
    assert meter.share_since(T) == (pytest.approx(0.4, abs=0.01), 5900)
    assert meter.share_since(T, newest=1000) == (0.5, 1000)
    assert meter.share_since(T + 55, newest=1000) == (0.5, 400)
    assert meter.share_since(T, newest=10**6) == (pytest.approx(0.4, abs=0.01), 5900)
    assert meter.share_since(T, newest=1) == (0.5, 100)


def test_nothing_counted_is_no_share():
    assert ShareMeter().share_since(T) == (None, 0)
    meter = fed(look(1, 50, 50))
    assert meter.share_since(T) == (None, 0)
    assert meter.share_since(T + 2) == (None, 0)


def test_one_signal_is_counted_the_gateways_first():
    meter = ShareMeter()
    meter.begin([signal(name="p"), signal(source="gateway", name="g"), signal("latency", name="l")])
    for each in (look(1, 1, 1, name="p"), look(1, 0, 0, name="g"), look(2, 5, 5, name="p"), look(2, 3, 2, name="g")):
        meter.take(each)
    assert meter.share_since(T) == (2 / 8, 8)


def test_without_a_choice_the_first_with_requests_is_counted():
    meter = fed(look(1, 0, 0, name="crashes"), look(2, 1, 1), look(3, 9, 9, name="other"), look(3, 1, 2))
    assert meter.share_since(T) == (0.5, 4)


def test_how_long_the_canary_has_been_quiet():
    meter = ShareMeter()
    assert meter.quiet_seconds(T) is None
    meter.take(look(1, 5, 0))
    assert meter.quiet_seconds(T + 2) == 1
    meter.take(look(2, 5, 1))
    meter.take(look(3, 5, 0))
    assert meter.quiet_seconds(T + 3.5) == 1.5
    assert meter.quiet_seconds(T) == 0


def test_while_the_source_is_down_nobody_can_say():
    meter = fed(look(1, 5, 1), look(2, 0, 0, status=SourceStatus.SOURCE_DOWN))
    assert meter.quiet_seconds(T + 3) is None
    meter.take(look(3, 0, 0))
    assert meter.quiet_seconds(T + 3) == 2


def test_late_looks_are_left_out():
    meter = fed(look(1, 1, 1), look(3, 1, 1), look(2, 100, 100))
    assert meter.share_since(T) == (1 / 3, 3)


def test_a_new_release_starts_afresh():
    meter = fed(look(1, 1, 1), look(2, 1, 1))
    meter.begin([])
    assert meter.share_since(T) == (None, 0)
    assert meter.quiet_seconds(T) is None


def test_a_long_release_stays_small_and_keeps_its_sums():
    meter = fed(*(look(at, 2, 1) for at in range(5000)))
    assert len(meter._points) <= 1024
    assert meter.share_since(T - 1) == (pytest.approx(0.2), 5 * 4999)
    assert meter.share_since(T + 4990) == (0.2, 45)


def test_endpoints_are_heard_from_whoever_tells_them():
    meter = fed(look(1, 1, 1))
    assert meter.endpoints is None
    pods = {
        "a": PodLook(Arm.STABLE, 1, 0, gauges={"endpoints": 2}),
        "b": PodLook(Arm.CANARY, 1, 0, gauges={"endpoints": 1}),
    }
    meter.take(SignalLook("gateway-errors", T + 2, SourceStatus.OK, pods))
    assert meter.endpoints == 1
    del pods["b"]
    meter.take(SignalLook("gateway-errors", T + 3, SourceStatus.NO_DATA, pods))
    assert meter.endpoints == 0
    meter.begin([])
    assert meter.endpoints is None


def flowing(at: float, stable: tuple[int, int, int], canary: tuple[int, int, int], *, abandoned: int = 0) -> SignalLook:
    """Each arm's requests begun and answered since the look before, and those that wait."""
    pods = {
        str(arm): PodLook(arm, 1, 1, requests=answered, begun=begun, waiting=waiting)
        for arm, (begun, answered, waiting) in {Arm.STABLE: stable, Arm.CANARY: canary}.items()
    }
    if abandoned:
        given_up = PodLook(Arm.CANARY, 1, 1, requests=abandoned, errors={"abandoned": abandoned}, begun=0, waiting=0)
        pods["given up"] = given_up
    return SignalLook("errors", T + at, SourceStatus.OK, pods)


def test_requests_count_when_they_begin():
    meter = fed(flowing(0, (50, 1, 49), (0, 0, 0)), flowing(1, (8, 57, 0), (2, 0, 2)))
    assert meter.share_since(T) == (0.2, 10)
    assert meter.open_requests == 2


def test_what_pods_count_never_says_that_requests_still_come():
    meter = ShareMeter()
    meter.begin([signal(name="p"), signal("crashes", "kubernetes", name="c")])
    meter.take(look(1, 5, 1, name="p"))
    meter.take(look(2, 5, 1, name="p"))
    assert not meter.by_gateway
    assert meter.share_since(T) == (pytest.approx(1 / 11), 11)
    assert meter.quiet_seconds(T + 2.9) is None, "it may have been a probe"
    assert meter.quiet_seconds(T + 3) == 1
    assert meter.missing(T + 9) == (0, 0)
    meter.begin([signal(source="gateway", name="g")])
    assert meter.by_gateway


def test_a_canary_that_never_answers_owes_answers():
    meter = fed(*(flowing(at, (80, 80, 1), (20, 0, 20 * at)) for at in range(11)))
    missing, seconds = meter.missing(T + 10)
    assert missing == pytest.approx(20 * 5)
    assert seconds == 10
    assert meter.open_requests == 200


def test_one_whose_clients_give_up_owes_them_still():
    meter = fed(*(flowing(at, (80, 80, 1), (20, 0, 20), abandoned=20) for at in range(11)))
    assert meter.missing(T + 10)[0] == pytest.approx(20 * 5)


def test_an_answer_pays_for_all():
    meter = fed(*(flowing(at, (80, 80, 1), (20, 0, 20 * at)) for at in range(11)))
    meter.take(flowing(11, (80, 80, 1), (20, 1, 200)))
    assert meter.missing(T + 11) == (0, 0)
    meter.take(flowing(12, (80, 80, 1), (20, 0, 220)))
    assert meter.missing(T + 12) == (0, 0), "two seconds at least are given"


def test_a_service_that_answers_slowly_is_given_its_time():
    slow = [flowing(at, (8, 8, 200), (2, 0, 2 * at)) for at in range(61)]  # 25 s in service
    meter = fed(*slow)
    assert meter.missing(T + 60) == (0, 0)


def test_what_stable_does_not_answer_either_is_not_owed():
    meter = fed(*(flowing(at, (80, 0, 80 * at), (20, 0, 20 * at)) for at in range(11)))
    assert meter.missing(T + 10) == (0, 0)
    half = fed(*(flowing(at, (80, 40, 10), (20, 0, 20 * at)) for at in range(11)))
    assert half.missing(T + 10)[0] == pytest.approx(50)


def test_without_requests_or_without_a_source_nothing_is_owed():
    assert ShareMeter().missing(T) == (0, 0)
    meter = fed(*(flowing(at, (80, 80, 1), (0, 0, 0)) for at in range(11)))
    assert meter.missing(T + 10) == (0, 0)
    meter = fed(*(flowing(at, (80, 80, 1), (20, 0, 20 * at)) for at in range(11)))
    meter.take(SignalLook("errors", T + 11, SourceStatus.SOURCE_DOWN, {}))
    assert meter.missing(T + 11) == (0, 0)
    assert meter.open_requests is None
