"""Stand-ins for the hosts of repositories: servers that answer as GitHub's and GitLab's REST APIs do for comments.

Pages of two, `Link` headers, who the token is, permissions, and faults that a test asks for.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "planted-token-of-the-host"
PAGE = 2
Fault = "Callable[[web.Request], web.StreamResponse | None]"


@dataclass
class StandIn:
    """One repository with one change, number 7.

    Attributes:
        me: account of the token.
        asks_who: whether the token may ask that; that of a GitHub job may not.
        comments: what stands there, oldest first.
        faults: taken one by one, before anything is done; None lets a request through.
        lost: what is done, and its answer lost, as often.
        seen: method and path of each request.
    """

    me: str = "github-actions[bot]"
    asks_who: bool = False
    comments: list[dict[str, Any]] = field(default_factory=list)
    faults: list[web.Response | None] = field(default_factory=list)
    lost: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def add(self, author: str, body: str) -> None:
        """Somebody writes a comment."""
        number = 100 + len(self.comments)
        self.comments.append({"id": number, "user": {"login": author}, "author": {"username": author}, "body": body})

    async def user(self, _: web.Request) -> web.Response:
        if not self.asks_who:
            return web.json_response({"message": "Resource not accessible by integration"}, status=403)
        return web.json_response({"login": self.me, "username": self.me})

    async def listed(self, request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        rest = self.comments[page * PAGE :]
        headers = {"Link": f'<{request.url.update_query(page=page + 1)}>; rel="next"'} if rest else {}
        return web.json_response(self.comments[(page - 1) * PAGE : page * PAGE], headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        self.add(self.me, (await request.json())["body"])
        return web.json_response(self.comments[-1], status=201)

    async def edit(self, request: web.Request) -> web.Response:
        (found,) = [each for each in self.comments if str(each["id"]) == request.match_info["id"]]
        found["body"] = (await request.json())["body"]
        return web.json_response(found)

    async def delete(self, request: web.Request) -> web.Response:
        self.comments = [each for each in self.comments if str(each["id"]) != request.match_info["id"]]
        return web.Response(status=204)

    def middleware(self) -> Any:
        """Token, faults, and answers that get lost."""

        @web.middleware
        async def look(request: web.Request, handler: Any) -> web.StreamResponse:
            self.seen.append((request.method, request.path))
            given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers.get(
                "PRIVATE-TOKEN"
            )
            if given != TOKEN:
                return web.json_response({"message": "Bad credentials"}, status=401)
            fault = self.faults.pop(0) if self.faults else None
            if fault is not None:
                return fault
            answer = await handler(request)
            if request.method == "POST" and self.lost:
                self.lost -= 1
                return web.Response(status=502, text="bad gateway")
            return answer

        return look


@asynccontextmanager
async def github(stand_in: StandIn) -> AsyncIterator[dict[str, str]]:
    """A stand-in for GitHub; the variables that it would give a job."""
    paths = ("/repos/acme/shop/issues/7/comments", "/repos/acme/shop/issues/comments/{id}")
    async with _serving(stand_in, *paths, web.patch) as url:
        yield {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": url,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_REF": "refs/pull/7/merge",
        }


@asynccontextmanager
async def gitlab(stand_in: StandIn) -> AsyncIterator[dict[str, str]]:
    """A stand-in for GitLab; the variables that it would give a job."""
    stand_in.me, stand_in.asks_who = "project_1_bot", True
    every = "/api/v4/projects/1/merge_requests/7/notes"
    async with _serving(stand_in, every, every + "/{id}", web.put, "/api/v4") as url:
        yield {
            "GITLAB_TOKEN": TOKEN,
            "CI_API_V4_URL": f"{url}/api/v4",
            "CI_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_IID": "7",
        }


@asynccontextmanager
async def _serving(stand_in: StandIn, every: str, one: str, change: Any, prefix: str = "") -> AsyncIterator[str]:
    app = web.Application(middlewares=[stand_in.middleware()])
    app.add_routes([web.get(prefix + "/user", stand_in.user), web.get(every, stand_in.listed)])
    app.add_routes([web.post(every, stand_in.create), change(one, stand_in.edit), web.delete(one, stand_in.delete)])
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
