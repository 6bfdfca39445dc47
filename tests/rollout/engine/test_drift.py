"""Errors without a release: each day against the days before it, as a Prometheus has them."""

from __future__ import annotations

import asyncio
import re
import time

import numpy as np
import pytest

from kube.errors import ThrottledError
from rollout.engine import metrics
from rollout.engine.drift import DAY, DAYS, DRIFTED, UNKNOWN, WELL, AtRest, DriftWatch, at_rest
from rollout.sources.days import SLOT_SECONDS
from rollout.sources.fetch import FetchError
from tests.rollout.engine.plant import gray_release

NAME = ("shop", "checkout")
TODAY = 20_000
SIGNALS = [{"name": "errors", "kind": "errors", "source": "pods"}]
DECLARED = {"analysis": {"signals": SIGNALS}, "sources": {"prometheus": "http://prometheus.shop.svc:9090"}}


def declared(**more):
    manifest = gray_release("shop:v1", **{**DECLARED, **more})
    manifest["metadata"]["uid"] = "1"
    return manifest


class Kept:
    """A Prometheus that has what a service answered: 100 requests a second, of which 0.1 % fail."""

    def __init__(self, first, worse_from=None, share=0.005):
        rng = np.random.default_rng(4)
        self.slots = range(first, (TODAY + 2) * DAY)
        self.requests = rng.poisson(30_000, len(self.slots))
        worse = np.array([worse_from is not None and slot >= worse_from for slot in self.slots])
        self.errors = rng.binomial(self.requests, np.where(worse, share, 0.001))
        self.asked, self.away = [], False

    async def __call__(self, query, seconds, at=None):
        if self.away:
            raise FetchError("nobody answers")
        self.asked.append(query)
        span, step = map(int, re.search(r"\[(\d+)s:(\d+)s\]$", query).groups())
        assert (step, at % step, seconds > 0) == (SLOT_SECONDS, 0, True)
        asked = range(int((at - span) // step) + 1, int(at // step) + 1)
        here = [(slot, slot - self.slots[0]) for slot in asked if slot in self.slots]
        result = [
            {"metric": {"code": code}, "values": [[slot * step, str(counts[index])] for slot, index in here]}
            for code, counts in (("200", self.requests - self.errors), ("503", self.errors))
        ]
        return {"status": "success", "data": {"resultType": "matrix", "result": result if here else []}}


class Told:
    name = "told"

    def __init__(self, error=None):
        self.news, self.error = [], error

    async def tell(self, entry):
        self.news.append(entry)
        if self.error:
            raise self.error


class Watched:
    """A watch, its Prometheus, and a clock that is set by hand."""

    def __init__(self, kept, **more):
        self.kept, self.told, self.slot = kept, more.get("told", Told()), 0
        manifest = declared(**more.get("declared", {}))
        if "status" in more:
            manifest["status"] = more["status"]
        self.rests = [each for each in [at_rest(manifest)] if each]
        ask = lambda _url: kept  # noqa: E731 - as a Toolbox gives it
        clock = lambda: (self.slot + 1.5) * SLOT_SECONDS  # noqa: E731 - set by hand
        self.watch = DriftWatch(lambda: self.rests, ask, [self.told], clock, more.get("rests", 0.0))

    async def at(self, slot):
        """The metric after a look then; None where there is none."""
        self.slot = slot
        await self.watch.look()
        labels = {"namespace": NAME[0], "name": NAME[1], "signal": "errors"}
        return metrics.REGISTRY.get_sample_value("grayling_errors_drift", labels)


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    metrics.DRIFT.clear()


BEGAN = (TODAY - DAYS - 1) * DAY
NOON = TODAY * DAY + DAY // 2


async def test_a_day_like_those_before_is_well_and_one_that_fails_more_is_told_once():
    it = Watched(Kept(BEGAN, worse_from=NOON))
    assert await it.at(NOON - 1) == WELL
    assert it.told.news == []
    assert await it.at(NOON + 3) == DRIFTED
    assert await it.at(NOON + 4) == DRIFTED
    (news,) = it.told.news
    assert (news.namespace, news.name, news.entry.what) == (*NAME, "note")
    assert "no release is under way, and errors drift" in news.text
    assert len(it.kept.asked) == 9 + 2  # eight days and a half, then what came
    assert it.kept.asked[-1].endswith("[1s:300s]")


async def test_who_begins_in_the_middle_of_a_day_says_what_one_who_was_there_says():
    it = Watched(Kept(BEGAN, worse_from=NOON))
    assert await it.at(NOON + 3) == DRIFTED


async def test_a_new_day_begins_anew():
    kept, midnight = Kept(BEGAN, worse_from=NOON), (TODAY + 1) * DAY
    kept.errors[midnight - BEGAN :] = kept.requests[midnight - BEGAN :] // 1000
    it = Watched(kept)
    assert await it.at(NOON + 3) == DRIFTED
    asked = len(it.kept.asked)
    assert await it.at(midnight + 12) == WELL
    assert len(it.kept.asked) == asked + 1  # the days before are known


@pytest.mark.looptime
async def test_others_have_the_thread_much_longer_than_a_watch_that_begins():
    began = time.thread_time()
    assert await Watched(Kept(BEGAN), rests=4.0).at(NOON) == WELL
    others, all_of_it = asyncio.get_running_loop().time(), time.thread_time() - began
    assert all_of_it < others < 4 * all_of_it  # virtual: nobody waited here
    learned = others
    assert await Watched(Kept(BEGAN)).at(NOON) == WELL
    assert asyncio.get_running_loop().time() == learned


async def test_nobody_waits_for_eight_days_to_be_read_at_once():
    it = Watched(Kept(BEGAN))
    assert await it.at(NOON) == WELL
    spans = [int(re.search(r"\[(\d+)s:", query).group(1)) for query in it.kept.asked]
    assert max(spans) < DAY * SLOT_SECONDS


async def test_a_prometheus_that_is_silent_is_not_waited_for_by_each_and_who_waited_longest_is_first():
    it = Watched(Kept(BEGAN))
    (one,) = it.rests
    services = [one._replace(key=("shop", f"service{number}")) for number in range(7)]
    it.rests[:] = services
    asked, good = [], it.kept
    it.watch._ask = lambda _url: silent

    async def silent(query, seconds, at=None):
        asked.append(re.search(r"service\d", query).group())
        if asked[-1] == "service6":
            return await good(query, seconds, at)
        raise FetchError("nobody answers")

    def known():
        values = [metrics.DRIFT.labels(*each.key, "errors") for each in services]
        return [each._value.get() for each in values]

    await it.at(NOON)
    assert asked == ["service0", "service1", "service2"]
    assert known() == [UNKNOWN] * 7
    await it.watch.look()
    assert asked[3:] == ["service3", "service4", "service5"]
    await it.watch.look()
    assert {*asked[6:]} == {"service6", "service0", "service1", "service2"}
    assert known() == [UNKNOWN] * 6 + [WELL]


@pytest.mark.parametrize("days", [0, 1])
async def test_without_days_before_nothing_is_known(days):
    it = Watched(Kept((TODAY - days) * DAY, worse_from=NOON))
    assert await it.at(NOON + 20) == UNKNOWN
    assert it.told.news == []


async def test_where_prometheus_is_silent_nothing_is_known_and_it_is_asked_again():
    it = Watched(Kept(BEGAN))
    assert await it.at(NOON) == WELL
    it.kept.away = True
    assert await it.at(NOON + 2) == UNKNOWN
    it.kept.away = False
    assert await it.at(NOON + 3) == WELL


async def test_where_no_request_comes_any_more_it_is_not_known_to_be_well():
    kept = Kept(BEGAN)
    kept.slots = range(BEGAN, NOON + 1)
    it = Watched(kept)
    assert await it.at(NOON) == WELL
    assert await it.at(NOON + 2) == UNKNOWN


async def test_a_day_that_drifted_stays_so_where_no_request_comes_any_more():
    kept = Kept(BEGAN, worse_from=NOON)
    kept.slots = range(BEGAN, NOON + 4)
    it = Watched(kept)
    assert await it.at(NOON + 3) == DRIFTED
    assert await it.at(NOON + 6) == DRIFTED


async def test_what_was_before_a_release_ended_is_not_judged():
    status = {"phase": "Idle", "phaseSince": (NOON + 12) * SLOT_SECONDS}
    worse_until = Kept(BEGAN, worse_from=NOON)
    worse_until.errors[NOON + 12 - BEGAN :] = worse_until.requests[NOON + 12 - BEGAN :] // 1000
    it = Watched(worse_until, status=status)
    assert await it.at(NOON + 30) == WELL
    assert await Watched(worse_until).at(NOON + 30) == DRIFTED


async def test_a_release_under_way_has_its_own_judge_and_the_metric_goes():
    it = Watched(Kept(BEGAN))
    assert await it.at(NOON) == WELL
    it.rests.clear()
    assert await it.at(NOON + 1) is None


@pytest.mark.parametrize(
    "said",
    [
        {"sources": {}},
        {"analysis": {"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]}},
    ],
)
async def test_what_nobody_counts_is_not_watched(said):
    it = Watched(Kept(BEGAN), declared=said)
    assert await it.at(NOON) is None
    assert it.kept.asked == []


async def test_a_channel_that_fails_does_not_end_the_watch():
    it = Watched(Kept(BEGAN, worse_from=NOON), told=Told(ThrottledError("no")))
    assert await it.at(NOON + 3) == DRIFTED
    assert len(it.told.news) == 1


@pytest.mark.parametrize("phase", ["Preparing", "Stepping", "Promoting", "Baking", "RollingBack"])
def test_a_release_under_way_is_not_at_rest(phase):
    manifest = declared()
    assert isinstance(at_rest(manifest), AtRest)
    assert at_rest({**manifest, "spec": {"nothing": 1}}) is None
    release = {"id": "x", "startedAt": 1.0, "image": "shop:v1", "revision": "checkout-1"}
    found = at_rest({**manifest, "status": {"phase": phase, "release": release}})
    assert found is None
