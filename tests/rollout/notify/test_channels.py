"""Everything in a journal is told on every channel at least once and in order, whatever channels and engines do."""

from __future__ import annotations

import asyncio
import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rollout.api.status import (
    Cursor,
    JournalEntry,
    Phase,
    Release,
    Status,
    Version,
)
from rollout.engine.parts import Parts
from rollout.notify import courier, metrics
from rollout.notify.courier import AT_ONCE, Courier
from rollout.notify.places import Place, end_of, entries_after, place_of
from tests.rollout import samples
from tests.rollout.engine.plant import Plant, gray_release, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollout.notify.channels import News

ROOT = Path(__file__).parents[3]
WHO = ("shop", "checkout", "u-1")
SLOW = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 50, "hold": "60s"}], "bake": "60s"}


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(courier, "LONGEST_PAUSE", 0.05)


class Pager:
    """A channel that nobody in the engine knows."""

    name = "pager"

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.works = True
        self.hangs = False

    async def tell(self, entry: News) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if not self.works:
            raise OSError("nobody picks up")
        self.heard.append(entry.entry.text)


def release(identity: str, texts: str, dropped: int = 0) -> Release:
    journal = [JournalEntry(at=float(at), what="weight", text=text) for at, text in enumerate(texts)]
    version = Version(revision="checkout-b")
    return Release(id=identity, started_at=0.0, to_version=version, journal=journal, journal_dropped=dropped)


def texts_after(status: Status, place: Place) -> str:
    return "".join(entry.text for _, entry, _ in entries_after(status, place))


def journal_of(it: Plant) -> list[str]:
    release = it.status.release or it.status.last
    assert release is not None
    return [entry.text for entry in release.journal]


# ------------------------------------------------------------------ places in journals


@pytest.mark.parametrize(
    ("place", "rest"),
    [
        (Place(), "abcxyz"),
        (Place("r0", 7), "abcxyz"),
        (Place("r1", 0), "abcxyz"),
        (Place("r1", 2), "cxyz"),
        (Place("r1", 3), "xyz"),
        (Place("r2", 1), "yz"),
        (Place("r2", 3), ""),
    ],
)
def test_what_is_left_to_tell_is_found_by_its_place(place: Place, rest: str):
    assert texts_after(Status(last=release("r1", "abc"), release=release("r2", "xyz")), place) == rest


def test_a_place_stays_what_it_is_when_entries_are_dropped_and_when_a_release_ends():
    whole = Status(release=release("r1", "abcdef"))
    assert end_of(whole) == Place("r1", 6)
    less = Status(last=release("r1", "aef", dropped=3))
    assert end_of(less) == Place("r1", 6)
    for told, rest in ((6, ""), (5, "f"), (4, "ef"), (2, "ef"), (1, "ef"), (0, "aef")):
        assert texts_after(less, Place("r1", told)) == rest, told


def test_who_has_never_told_anything_begins_at_the_end_and_who_has_where_it_was():
    status = Status(release=release("r1", "abc"), told=[Cursor(channel="events", release="r1", entries=1)])
    assert place_of(status, "events") == Place("r1", 1)
    assert place_of(status, "pager") == Place("r1", 3)
    assert place_of(Status(), "pager") == Place()


# ------------------------------------------------------------------ one courier


async def settled(made: Courier) -> None:
    async with asyncio.timeout(5):
        while made._running:
            await asyncio.sleep(0.005)


def failed() -> float:
    return metrics.REGISTRY.get_sample_value("grayling_action_failures_total", {"action": "Tell"}) or 0.0


async def test_a_channel_that_fails_is_told_again_and_nothing_out_of_order():
    pager = Pager()
    pager.works = False
    made = Courier(pager, asyncio.Semaphore(AT_ONCE), WHO, Place())
    made.feed(Status(release=release("r1", "ab")))
    made.say(JournalEntry(at=0.0, what="note", text="!"))
    made.feed(Status(release=release("r1", "abc")))
    before = failed()
    await asyncio.sleep(0.1)
    assert (pager.heard, made.told) == ([], Place())
    assert failed() > before
    pager.works = True
    await settled(made)
    assert pager.heard == ["a", "b", "!", "c"]
    assert made.told == Place("r1", 3)
    made.feed(Status(release=release("r1", "abc")))
    assert not made._running, "nothing is told twice that was told"


async def test_news_in_the_moment_in_which_all_was_told_is_told_too():
    pager = Pager()
    made = Courier(pager, asyncio.Semaphore(AT_ONCE), WHO, Place())
    made.say(JournalEntry(at=1.0, what="note", text="a"))
    (telling,) = made._running
    while not telling.done():
        await asyncio.sleep(0)
    assert made._running, "it has ended, and nobody has noticed yet"
    made.say(JournalEntry(at=2.0, what="note", text="b"))
    await asyncio.sleep(0.05)
    assert pager.heard == ["a", "b"]
    await made.stop()


async def test_two_releases_come_and_go_while_a_channel_is_silent_and_both_are_told():
    pager = Pager()
    pager.works = False
    made = Courier(pager, asyncio.Semaphore(AT_ONCE), WHO, Place())
    for status in (
        Status(release=release("r1", "ab")),
        Status(last=release("r1", "abc")),
        Status(last=release("r1", "abc"), release=release("r2", "d")),
        Status(last=release("r2", "de")),
        Status(last=release("r2", "de"), release=release("r3", "f")),
    ):
        made.feed(status)
    pager.works = True
    await settled(made)
    assert "".join(pager.heard) == "abcdef"


async def test_a_channel_that_hangs_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(courier, "SECONDS", 0.05)
    pager = Pager()
    pager.hangs = True
    made = Courier(pager, asyncio.Semaphore(AT_ONCE), WHO, Place())
    made.feed(Status(release=release("r1", "a")))
    await asyncio.sleep(0.2)
    pager.hangs = False
    await settled(made)
    assert pager.heard == ["a"]


async def test_a_silent_channel_holds_few_connections_and_little_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(courier, "MOST_QUEUED", 3)
    asked, let_go = 0, asyncio.Event()

    class Silent(Pager):
        async def tell(self, entry: News) -> None:
            nonlocal asked
            asked += 1
            await let_go.wait()
            await super().tell(entry)

    pager, turns = Silent(), asyncio.Semaphore(2)
    many = [Courier(pager, turns, ("shop", str(number), "u"), Place()) for number in range(5)]
    for made in many:
        made.feed(Status(release=release("r1", "abcdef")))
    await asyncio.sleep(0.05)
    assert asked == 2
    assert [len(made._queue) for made in many] == [3] * 5
    before = failed()
    many[0].say(JournalEntry(at=0.0, what="note", text="!"))
    assert failed() == before + 1, "what no journal keeps is counted when it is left out"
    let_go.set()
    for made in many:
        await settled(made)
        made.feed(Status(release=release("r1", "abcdef")))
        await settled(made)
        assert made.told == Place("r1", 6)
    assert sorted(pager.heard) == sorted("abcdef" * 5)


async def test_what_left_the_journal_before_it_could_be_told_is_counted():
    pager = Pager()
    made = Courier(pager, asyncio.Semaphore(1), WHO, Place("r1", 2))
    before = failed()
    made.feed(Status(release=release("r1", "ahi", dropped=6)))
    await settled(made)
    assert "".join(pager.heard) == "hi"
    assert failed() == before + 5, "entries 3 to 7 of 9"


# ------------------------------------------------------------------ a whole engine


async def test_a_channel_from_outside_hears_the_whole_story_and_nothing_else_changes(it: Plant):
    pager = Pager()
    it.channels = (pager,)
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
        it.declare("shop:v2")
        await it.served("shop:v2")
        await it.until(lambda: pager.heard[-1:] == journal_of(it)[-1:], "told to the end")
        assert pager.heard[-len(journal_of(it)) :] == journal_of(it)
        assert any("as the first version" in text for text in pager.heard)
        events = [event["message"] for event in it.server.all("Event")]
        assert [text for text in events if text in pager.heard] == [text for text in pager.heard if text in events]


async def test_an_old_name_in_the_spec_is_told_once_and_does_what_it_did(it: Plant):
    def old() -> list[str]:
        events = [event["message"] for event in it.server.all("Event")]
        return [text for text in events if "spec.record is the old name of spec.recording" in text]

    async with it.engine():
        it.declare("shop:v1", record=True)
        await it.served("shop:v1")
        it.declare("shop:v2", record=True)
        await it.served("shop:v2")
        await it.until(lambda: len(old()) == 1, "told")
        kept = [item["metadata"]["name"] for item in it.server.all("ConfigMap")]
        assert any("recording" in name for name in kept), kept
        assert len(old()) == 1


@pytest.mark.parametrize("fate", [403, "hang"])
async def test_a_rollback_is_as_fast_without_events_and_they_are_told_later(
    it: Plant, fate: int | str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier, "SECONDS", 0.3)
    async with it.engine():
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
        it.server.fail("POST", "/events", fate, 10**6)
        it.declare("shop:v2", strategy=SLOW)
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        it.callers.faults["v2"] = 1.0
        await it.phase(Phase.ROLLED_BACK)
        story = journal_of(it)
        posted = {event["message"] for event in it.server.all("Event")}
        assert not posted & set(story)
        reaction = it.status.last.reaction if it.status.last else None
        assert reaction is not None
        assert reaction.decided_at is not None
        assert reaction.written_at is not None
        assert reaction.written_at - reaction.decided_at < courier.SECONDS, "weight 0 waited for no event"
        it.server.faults.clear()
        await it.until(lambda: told_of(it, story) == story, "told in order")


def told_of(it: Plant, story: list[str]) -> list[str]:
    """Texts of a story that are events, each where it was posted first."""
    posted = [event["message"] for event in it.server.all("Event") if event["message"] in story]
    return list(dict.fromkeys(posted))


async def test_what_an_engine_could_not_tell_before_it_was_killed_its_successor_tells(it: Plant):
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
        it.server.fail("POST", "/events", 500, 10**6)
        it.declare("shop:v2", strategy=SLOW)
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        story = journal_of(it)
        assert told_of(it, story) == []
    it.server.faults.clear()
    async with it.engine("two"):
        await it.until(lambda: told_of(it, story) == story, "told by the successor, in order")


async def test_the_very_first_entry_outlives_an_engine_that_told_nothing(it: Plant):
    it.server.fail("POST", "/events", 500, 10**6)
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.until(lambda: it.status.release is not None, "begun")
        story = journal_of(it)
    it.server.faults.clear()
    async with it.engine("two"):
        await it.until(lambda: told_of(it, story) == story, "told by the successor")


async def test_an_engine_that_finds_an_old_status_does_not_tell_the_past_again(it: Plant):
    async with it.engine("one"):
        it.declare("shop:v1", strategy=SLOW)
        await it.served("shop:v1")
    old = deepcopy(it.release())
    assert old["status"].pop("told")
    it.server.put(old)
    story, posted = journal_of(it), len(it.server.all("Event"))
    pager = Pager()
    it.channels = (pager,)
    async with it.engine("two"):
        await it.until(lambda: bool(it.status.told), "cursors written")
        it.declare("shop:v2", strategy=SLOW)
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        await it.until(lambda: pager.heard[-1:] == journal_of(it)[-1:], "told")
        assert not set(pager.heard) & set(story)
        fresh = [event["message"] for event in it.server.all("Event")[posted:]]
        assert not set(fresh) & set(story)


def test_the_guide_to_channels_says_what_the_code_says():
    guide = (ROOT / "docs" / "how-to" / "adding-a-channel.md").read_text()
    knowing = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "rollout").rglob("*.py"))
        if re.search(r"\b(Log|Counters|Events)\(", path.read_text())
    ]
    assert knowing == ["rollout/notify/channels.py"], "the one file beside its own that a channel changes"
    assert f"one line in `{knowing[0]}`" in guide
    assert f"{AT_ONCE} of one channel at a time" in guide.replace("\n", " ")
    assert f"takes more than {courier.SECONDS:g} s" in guide
    assert f"{courier.MOST_QUEUED} entries wait in memory" in guide


def test_two_channels_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two channels are called 'pager'"):
        Parts(None, None, "one", None, None, more_channels=(Pager(), Pager()))  # type: ignore[arg-type]


def test_cursors_of_channels_that_this_engine_lacks_are_kept():
    other = Cursor(channel="chat", release="r0", entries=4)
    status = samples.stepping().model_copy(update={"told": [other]})
    assert Status.model_validate(status.wire()).told == [other]
