"""What is told once, what is told again, and what is left out when too much is told; what an earlier release served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.revision import IMAGE_ANNOTATION
from rollout.api.spec import COMMAND_ANNOTATION
from rollout.api.status import (
    Phase,
    Status,
    Version,
    Weight,
)
from rollout.decide.context import Context
from rollout.decide.observation import Observation, RevisionFacts, ShareFacts
from rollout.drivers.httproute.route import backend
from rollout.engine import beside as beside_module
from rollout.engine import metrics
from rollout.engine.beside import MOST_BESIDE, beside
from rollout.engine.take_over import served_before
from rollout.engine.telling import Teller
from tests.fakes.apiserver import ApiServer, running
from tests.rollout import samples
from tests.rollout.decide.world import EPOCH, spec_of
from tests.rollout.engine.plant import Callers, Plant, gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUIET = Observation("checkout-a", "v1", 1)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


@pytest.fixture
async def teller(server: ApiServer) -> AsyncIterator[Teller]:
    async with server.cluster() as cluster:
        made = Teller(Plant(server, Callers(server)).controller(cluster)._parts, gray_release(), Status())
        yield made
        await made.stop()


async def told(server: ApiServer, teller: Teller) -> list[tuple[str, str]]:
    """Reason and message of the events so far, the newest that were posted last."""
    for courier in teller._couriers.values():
        await asyncio.gather(*courier._running)
    return [(event["reason"], event["message"]) for event in server.all("Event")]


def at_rest(seen: Observation, status: Status | None = None) -> Context:
    known = Status(stable=Version(revision="checkout-a", image="v1"), phase_since=EPOCH)
    return Context(spec_of(), status or known, seen, EPOCH + 5)


async def test_a_note_is_told_once_for_as_long_as_it_stands_and_again_when_it_is_back(server, teller):
    noted = at_rest(replace(QUIET, notes=("one", "", "two")))
    for ctx in (noted, noted, at_rest(replace(QUIET, notes=("two", "three"))), at_rest(QUIET), noted):
        teller.besides(gray_release(), ctx)
        await told(server, teller)
    texts = [text for _, text in await told(server, teller)]
    assert texts == ["one", "two", "three", "one", "two"]
    assert {reason for reason, _ in await told(server, teller)} == {"Note"}


async def test_a_command_that_cannot_be_read_is_told(server, teller):
    spoilt = gray_release()
    spoilt["metadata"]["annotations"][COMMAND_ANNOTATION] = "{"
    teller.besides(spoilt, at_rest(QUIET))
    teller.besides(spoilt, at_rest(QUIET))
    ((reason, text),) = await told(server, teller)
    assert reason == "Command"
    assert "cannot be read" in text


async def test_hands_on_the_route_and_on_revisions_are_told_here_only_while_no_journal_tells_them(server, teller):
    share = ShareFacts(exists=True, weights={"checkout-a": 90, "x": 10}, foreign_writer="kubectl")
    facts = {"checkout-a": RevisionFacts(1, 1, altered="image")}
    seen = replace(QUIET, share=share, revisions=facts)
    busy = samples.stepping().model_copy(update={"written_at": EPOCH})
    teller.besides(gray_release(), at_rest(seen, busy))
    assert await told(server, teller) == []
    teller.besides(gray_release(), at_rest(seen))
    assert await told(server, teller) == [
        ("Drift", "kubectl set the route to checkout-a 90 %, x 10 %"),
        ("Altered", "checkout-a is no longer what it was made as: image"),
    ]


async def test_news_are_events_and_change_the_metrics(server, teller):
    def weight() -> float | None:
        labels = {"namespace": "shop", "name": "checkout", "kind": "desired"}
        return metrics.REGISTRY.get_sample_value("grayling_release_weight_percent", labels)

    after = samples.stepping()
    teller.news(after)
    texts = [text for _, text in await told(server, teller)]
    assert texts == [entry.text for entry in after.release.journal]
    assert weight() == 20
    later = after.model_copy(update={"weight": Weight(desired=50)})
    teller.news(later)
    assert weight() == 50
    assert len(await told(server, teller)) == len(texts), "nothing new"
    ended = Status(phase=Phase.IDLE, last=after.release)
    teller.news(ended)
    assert weight() == 0
    assert len(await told(server, teller)) == len(texts), "nothing new"


async def test_when_too_much_is_told_the_newest_is_left_out_and_counted():
    def dropped() -> float:
        return metrics.REGISTRY.get_sample_value("grayling_action_failures_total", {"action": "Beside"}) or 0.0

    done, go, before = [], asyncio.Event(), dropped()

    async def work(number: int) -> None:
        await go.wait()
        done.append(number)

    for number in range(MOST_BESIDE + 3):
        beside(work(number))
    go.set()
    await asyncio.gather(*beside_module._BESIDE)
    assert done == list(range(MOST_BESIDE))
    assert dropped() == before + 3
    beside(work(-1))
    await asyncio.gather(*beside_module._BESIDE)
    assert done[-1] == -1, "there is room again"


# ------------------------------------------------------------------ what an earlier GrayRelease served

A, B = "checkout-aaaaaaaa", "checkout-bbbbbbbb"


@dataclass
class Mirror:
    """The route and the Deployments of a release, as a mirror shows them."""

    shares: dict[str, int]
    running: tuple[str, ...] = (A, B)
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)

    def routes(self, namespace: str) -> Mirror:
        assert namespace == "shop"
        meta = {"name": "checkout", "namespace": "shop", "labels": {}, "annotations": {}}
        refs = [backend(name, 80, share) for name, share in self.shares.items()]
        route = {"metadata": meta, "spec": {"rules": [{"backendRefs": refs}]}}
        self.objects = {("shop", "checkout"): route} if self.shares else {}
        return self

    def deployments(self, _key: tuple[str, str]) -> dict[str, Any]:
        notes = {A: {IMAGE_ANNOTATION: "shop:v1"}, B: None}
        return {name: {"metadata": {"name": name, "annotations": notes[name]}} for name in self.running}


@pytest.mark.parametrize(
    ("mirror", "served"),
    [
        (Mirror({A: 100}), Version(revision=A, image="shop:v1", since=EPOCH)),
        (Mirror({B: 100, A: 0}), Version(revision=B, image="", since=EPOCH)),
        (Mirror({A: 80, B: 20}), None),
        (Mirror({A: 100}, running=(B,)), None),
        (Mirror({}), None),
    ],
)
def test_only_what_had_all_traffic_and_still_runs_is_taken_for_stable(mirror: Mirror, served: Version | None):
    assert served_before(mirror, ("shop", "checkout"), EPOCH) == served
