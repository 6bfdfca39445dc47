"""Following one release through whatever an API server does meanwhile, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from kube.errors import ClusterUnreachableError, ForbiddenError, KubeError, NotFoundError
from rollout.client.watch import LONGEST_PAUSE, follow
from tests.fakes.inprocess import InProcess
from tests.rollout import samples

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime


class Shop:
    """A release on a server, and how its requests end."""

    def __init__(self, *fates: int | str | None, then: int | str | None = None) -> None:
        self.server = InProcess()
        self.server.put(samples.manifest(status=samples.stepping(desired_revision="first")))
        self.fates, self.then = list(fates), then
        self.server.chaos = lambda _method, _path: self.fates.pop(0) if self.fates else self.then
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(seconds)

    def stream(self, **rest: Any) -> Any:
        clock = asyncio.get_running_loop().time
        return aclosing(follow(self.server.cluster(), "shop", "checkout", sleep=self.sleep, monotonic=clock, **rest))

    def becomes(self, image: str) -> None:
        self.server.put(samples.manifest(status=samples.stepping(desired_revision=image)))


async def wanted(shop: Shop, many: int, change: Callable[[int], None] = lambda _: None, **rest: Any) -> list[str]:
    """The desired revisions of the first states; ``change`` is called after each."""
    seen: list[str] = []
    async with shop.stream(**rest) as stream:
        async for manifest in stream:
            seen.append(manifest["status"].get("desiredRevision", ""))
            if len(seen) == many:
                break
            change(len(seen))
    return seen


async def test_each_change_is_seen() -> None:
    shop = Shop()
    assert await wanted(shop, 3, lambda seen: shop.becomes(f"r{seen}")) == ["first", "r1", "r2"]


@pytest.mark.parametrize("fate", [429, 500, 502, 503, "refuse", "torn", "hang"])
async def test_a_bad_moment_of_the_server_is_waited_out(fate: int | str) -> None:
    shop = Shop(fate, fate)
    assert await wanted(shop, 1) == ["first"]
    assert len(shop.pauses) == 2
    if fate == 429:
        assert min(shop.pauses) >= 1.0, "Retry-After is heeded"


@pytest.mark.parametrize("fate", [410, 429, 500, "refuse", "torn"])
async def test_a_watch_that_breaks_is_begun_anew_from_what_is_there(fate: int | str) -> None:
    """The first look succeeds, its watch does not; what changed meanwhile is seen nevertheless."""
    shop = Shop(None, fate)
    assert await wanted(shop, 2, lambda _: shop.becomes("meanwhile")) == ["first", "meanwhile"]


async def test_a_line_that_is_torn_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    known = shop.server._lines
    broken = [b'{"type": "MODIFIED", "obj', b'{"type": "MODIFIED", "object": 3}\n', b"\xff\n", b"[" * 100_000]

    async def lines(*given: Any) -> Any:
        if broken:
            yield broken.pop()
            return
        async for line in known(*given):
            yield line

    monkeypatch.setattr(shop.server, "_lines", lines)
    seen = await wanted(shop, 6, lambda many: shop.becomes("late") if many == 5 else None)
    assert seen == [*["first"] * 5, "late"]
    assert len(shop.pauses) == 4


async def test_pauses_grow_and_patience_ends() -> None:
    shop = Shop(then=500)
    with pytest.raises(KubeError, match="chaos") as caught:
        await wanted(shop, 1, patience_seconds=60.0)
    assert caught.value.status == 500
    assert 60.0 <= asyncio.get_running_loop().time() < 60.0 + 2 * LONGEST_PAUSE
    assert len(shop.pauses) < 40
    assert max(shop.pauses) <= 1.5 * LONGEST_PAUSE


async def test_patience_begins_anew_with_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout.client.watch.random.random", lambda: 0.5)
    shop = Shop(*[500] * 10, None, *[500] * 7)
    assert await wanted(shop, 2, patience_seconds=40.0) == ["first", "first"]


async def test_watches_that_end_at_once_are_not_asked_for_in_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()

    async def none(*_: Any) -> Any:
        return
        yield b""

    monkeypatch.setattr(shop.server, "_lines", none)
    await wanted(shop, 20)
    assert asyncio.get_running_loop().time() > 30.0


@pytest.mark.parametrize(("fate", "error"), [(403, ForbiddenError), (404, NotFoundError), (422, KubeError)])
async def test_what_waiting_cannot_cure_is_told_at_once(fate: int, error: type[KubeError]) -> None:
    with pytest.raises(error):
        await wanted(Shop(fate), 1)


async def test_a_server_that_stays_away_is_unreachable() -> None:
    with pytest.raises(ClusterUnreachableError):
        await wanted(Shop(then="refuse"), 1, patience_seconds=10.0)


async def test_a_release_that_is_deleted_is_not_found() -> None:
    shop = Shop()
    key = shop.server.key("/apis/grayling.dev/v1alpha1", "grayreleases", "shop", "checkout")
    with pytest.raises(NotFoundError, match="GrayRelease shop/checkout was deleted"):
        await wanted(shop, 2, lambda _: shop.server.remove(key))


async def test_others_in_the_namespace_are_not_this_one() -> None:
    shop = Shop()

    def change(_: int) -> None:
        shop.server.put(samples.manifest("billing", status=samples.stepping(desired_revision="other")))
        shop.becomes("mine")

    assert await wanted(shop, 2, change) == ["first", "mine"]
