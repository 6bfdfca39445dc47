"""The comment on a change, as the hosts of repositories have it: found by its mark, edited in place.

A try is whole: look for the comment, then write it. So one whose answer was lost may be made again and makes no second
comment. Only comments of our own account count: anybody may write our mark into theirs.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import aiohttp
from yarl import URL

from review.ci.errors import HostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

_Kind = TypeVar("_Kind", dict[str, Any], list[Any])

TRIES = 6
LONGEST_PAUSE_S = 60.0
ANSWER_S = 30.0
MOST_SAID = 200
"""Characters of a host's answer that an error repeats."""
ACTIONS_ACCOUNT = "github-actions[bot]"
"""Whose comments the token of a GitHub job writes; such a token may not ask who it is."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of the change: its id, whose it is, and what it says."""

    number: int
    author: str
    body: str


class Forge(Protocol):
    """What a host can do with the comments of one change."""

    async def account(self) -> str:
        """Who the token is."""
        ...

    def comments(self) -> AsyncIterator[Comment]:
        """All of them, oldest first."""
        ...

    async def create(self, body: str) -> None:
        """Write a new one."""
        ...

    async def edit(self, number: int, body: str) -> None:
        """Write over one."""
        ...

    async def delete(self, number: int) -> None:
        """Take one away."""
        ...


class BusyError(HostError):
    """The host cannot just now.

    Attributes:
        pause_seconds: how long it asks to be left alone; None where it does not say.
    """

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


@dataclass(slots=True)
class Api:
    """Requests to a host's REST API, and what it means when one fails.

    Attributes:
        session: which sends them.
        base: address of the API.
        headers: with the token.
        may: what a token has to be allowed, as a message says it.
    """

    session: aiohttp.ClientSession
    base: str
    headers: Mapping[str, str]
    may: str

    async def call(self, method: str, path: str, body: Any = None) -> None:
        """A request that changes something.

        Raises:
            BusyError: try again.
            HostError: that would not help.
        """
        await self._answered(method, self.base + path, body)

    async def get(self, path: str) -> dict[str, Any]:
        """One object.

        Raises:
            BusyError: try again.
            HostError: that would not help.
        """
        answer, _ = await self._answered("GET", self.base + path)
        return _of_kind(dict, answer, path)

    async def pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The objects of a list, over all its pages.

        Raises:
            BusyError: try again.
            HostError: that would not help.
        """
        following = self.base + path
        while following:
            if URL(following).origin() != URL(self.base).origin():
                raise HostError(f"GET {path}: the next page is said to be at {following}: the token is not sent there")
            answer, following = await self._answered("GET", following)
            for each in _of_kind(list, answer, path):
                yield each

    async def _answered(self, method: str, url: str, body: Any = None) -> tuple[Any, str]:
        """The answer, and the address of the next page; empty where there is none."""
        ask = self.session.request(method, url, json=body, headers=self.headers, allow_redirects=False)
        try:
            async with ask as answer:
                if answer.status in {200, 201}:
                    following = answer.links.get("next")
                    return await answer.json(), str(following["url"]) if following else ""
                if answer.status != 204:  # noqa: PLR2004 - no content
                    raise self._error(answer, f"{method} {answer.url.path}", await answer.text())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise BusyError(f"{method} {url}: {str(error) or type(error).__name__}") from error
        return None, ""

    def _error(self, answer: aiohttp.ClientResponse, what: str, text: str) -> Exception:
        said = f"{what}: HTTP {answer.status}: {' '.join(text.split())[:MOST_SAID] or 'no word why'}"
        if answer.status == 429 or answer.status >= 500 or _is_limited(answer, said):  # noqa: PLR2004 - HTTP
            return BusyError(said, _pause(answer))
        if answer.status in {401, 403, 404}:
            return HostError(f"{said}; {self.may}", answer.status)
        return HostError(said, answer.status)


def _of_kind(kind: type[_Kind], answer: Any, path: str) -> _Kind:
    if not isinstance(answer, kind):
        raise HostError(f"GET {path}: the answer is no {kind.__name__}: is the address that of the host's API?")
    return answer


def _is_limited(answer: aiohttp.ClientResponse, said: str) -> bool:
    """GitHub says 403 of its limits too."""
    spent = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    return answer.status == 403 and (spent or "secondary rate limit" in said.lower())  # noqa: PLR2004 - HTTP


def _pause(answer: aiohttp.ClientResponse) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else None


@asynccontextmanager
async def connected() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as pipelines need it: proxies of the environment, and an end to every wait."""
    async with aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session:
        yield session


async def keep(forge: Forge, mark: str, body: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> str:
    """Let the change have exactly one comment of ours with this mark, and let it say ``body``; what was done.

    Raises:
        HostError: the host says no, or stays busy.
    """
    for tried in range(TRIES):
        try:
            return await _kept(forge, mark, body)
        except BusyError as error:
            if tried == TRIES - 1:
                raise HostError(f"{error}; tried {TRIES} times: run the job again later") from error
            await sleep(2.0**tried if error.pause_seconds is None else error.pause_seconds)
    raise AssertionError


async def _kept(forge: Forge, mark: str, body: str) -> str:
    account = await forge.account()
    ours = [each async for each in forge.comments() if each.author == account and mark in each.body.splitlines()[:1]]
    if not ours:
        await forge.create(body)
        return "created"
    for further in ours[1:]:
        await forge.delete(further.number)
    if ours[0].body == body:
        return "unchanged"
    await forge.edit(ours[0].number, body)
    return "edited"
