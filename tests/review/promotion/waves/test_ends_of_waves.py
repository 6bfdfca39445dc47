"""Single moments of waves: what ends badly before the next target, what turns later, what is known after a death."""

from __future__ import annotations

import pytest

from kube.errors import ClusterUnreachableError
from review.promotion.waves.ledger import Book, Writing, entry_of, press
from review.promotion.waves.runner import HaltError
from review.promotion.waves.state import Seen, fresh, read_state
from review.promotion.waves.targets import _looked_at
from tests.fakes.apiserver import Fault, running
from tests.review.promotion.waves.pretended import (
    BACK,
    DONE,
    Fate,
    Killed,
    Place,
    command,
    in_virtual_time,
    plan_of,
)

BOOK = Book("world", "home")


def ran(plan, **fates):
    place = Place({f"s on {name}": fate for name, fate in fates.items()})
    return in_virtual_time(command(place, plan)), place


def test_a_release_that_ended_badly_keeps_the_rest_of_its_own_wave_from_beginning():
    code, place = ran(plan_of((["a", "b"], 0)), a=Fate(0.0, BACK), b=Fate())
    assert (code, list(place.applied)) == (7, ["s on a"])


@pytest.mark.parametrize(("later", "code"), [(BACK, 7), (None, 13)], ids=["taken back", "another one under way"])
def test_what_turns_while_the_wave_bakes_keeps_the_next_wave_from_beginning(later, code):
    plan = plan_of((["a"], 30), (["b"], 0))
    found, place = ran(plan, a=Fate(5.0, DONE, (10.0, later)), b=Fate())
    assert (found, list(place.applied)) == (code, ["s on a"])
    assert read_state(place.kept, "").halted.code == code


def test_once_an_apply_is_over_no_death_makes_another_one():
    async def lives(death):
        place = Place({"s on a": Fate()}, kill_at=death)
        with pytest.raises(Killed):
            await command(place, plan_of((["a"], 3)))
        over = '"stage":"releasing"' in place.kept or '"stage":"baked"' in place.kept
        place.kill_at = -1
        assert await command(place, plan_of((["a"], 3))) == 0
        return over, len(place.begun)

    seen = [in_virtual_time(lives(death)) for death in range(1, 18)]
    assert all(count == 1 for over, count in seen if over)
    assert [over for over, _ in seen] == sorted(over for over, _ in seen)
    assert {over for over, _ in seen} == {True, False}
    assert seen[8] == (True, 1), "what waits for a release was kept before"


def test_a_world_that_fails_halts_with_its_own_code_and_may_be_gone_on_with():
    place = Place({"s on a": Fate()})
    apply, place.apply = place.apply, None

    async def away(target):
        raise ClusterUnreachableError("no answer")

    place.apply = away
    with pytest.raises(ClusterUnreachableError):
        in_virtual_time(command(place, plan_of((["a"], 0))))
    assert (read_state(place.kept, "").halted.code, read_state(place.kept, "").halted.text) == (12, "no answer")
    place.apply = apply
    assert in_virtual_time(command(place, plan_of((["a"], 0)))) == 0


# ---------------------------------------------------------------------- the book


def a_state():
    return fresh(plan_of((["a"], 0)), {"s": "sha256:1"}, run="r", by="", reason="", now=1.0)


async def test_a_stop_is_never_overtaken_by_an_intent():
    async with running() as server, server.cluster() as cluster:
        server.put(BOOK.parent((), ()))
        ledger, state = Writing(cluster, BOOK), a_state()
        await ledger.intend(state)
        await press(cluster, BOOK, by="bob", reason="fire", at="noon")
        other = state.model_copy(update={"id": "other"})
        with pytest.raises(HaltError, match="stopped by bob at noon: fire"):
            await ledger.intend(other)
        entry = entry_of(BOOK, await BOOK.find(cluster))
        assert (entry.state, entry.stopped) == (state, "stopped by bob at noon: fire")
        await ledger.keep(other)
        assert entry_of(BOOK, await BOOK.find(cluster)).state == other, "what has happened is kept, stopped or not"


async def test_a_stop_that_nobody_has_seen_is_not_lifted():
    async with running() as server, server.cluster() as cluster:
        server.put(BOOK.parent((), ()))
        await press(cluster, BOOK, by="bob", reason="", at="noon")
        seen = entry_of(BOOK, await BOOK.find(cluster)).stop
        await press(cluster, BOOK, by="cat", reason="", at="one")
        with pytest.raises(HaltError, match="stopped by cat at one"):
            await Writing(cluster, BOOK).release(seen)
        await Writing(cluster, BOOK).release(entry_of(BOOK, await BOOK.find(cluster)).stop)
        assert entry_of(BOOK, await BOOK.find(cluster)).stopped == ""


async def test_a_switch_that_cannot_be_read_is_on_and_a_home_that_is_away_holds_what_is_new():
    async with running() as server, server.cluster() as cluster:
        server.put({**BOOK.parent((), ()), "data": {"state": "", "stop": "{"}})
        ledger = Writing(cluster, BOOK)
        assert await ledger.stopped() == "stopped by somebody ({)"
        server.faults = [Fault("GET", BOOK.name, 503, 1), Fault("PATCH", BOOK.name, 503, 1)]
        assert await ledger.stopped() == ""
        with pytest.raises(ClusterUnreachableError):
            await ledger.intend(a_state())


async def test_a_status_that_cannot_be_read_whole_is_no_success():
    seen = Seen(namespace="shop", name="checkout", uid="u", revision="checkout-1", generation=1)
    good = {"observedGeneration": 1, "phase": "Idle", "stable": {"revision": "checkout-1"}}
    meta = {"name": "checkout", "namespace": "shop", "uid": "u"}
    async with running() as server, server.cluster() as cluster:
        for status, code in ((good, 0), ({**good, "paused": 7}, None), ({}, None)):
            made = {"apiVersion": "grayling.dev/v1alpha1", "kind": "GrayRelease", "metadata": meta, "spec": {}}
            server.put({**made, "status": status})
            found = await _looked_at(cluster, seen)
            assert (found and int(found.code)) == code
