"""Comments on a pull request of GitHub, or of a GitHub Enterprise Server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.ci.errors import HostError
from review.ci.forge import ACTIONS_ACCOUNT, Api, Comment
from review.ci.settings import number_of, required

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

LONGEST = 65_536
"""Characters of a comment."""
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class GitHub:
    """One pull request."""

    api: Api
    repository: str
    number: int
    known_as: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str], session: aiohttp.ClientSession, number: int | None) -> GitHub:
        """The pull request that a job is about.

        Raises:
            UsageError: a variable is missing or wrong.
        """
        token = required(environment, "GITHUB_TOKEN", "give the step `GITHUB_TOKEN: ${{ github.token }}`")
        repository = required(environment, "GITHUB_REPOSITORY", "write OWNER/NAME", r"[\w.-]+/[\w.-]+")
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        known = {"GITHUB_API_URL": "https://api.github.com", **{k: v for k, v in environment.items() if v}}
        base = required(known, "GITHUB_API_URL", "write https://HOST/api/v3", r"https?://\S+").rstrip("/")
        may = f"the token needs `pull-requests: write` on {repository}"
        of_ref = re.match(r"refs/pull/(\d+)/", environment.get("GITHUB_REF", ""))
        change = number_of(number, of_ref[1] if of_ref else "", "GITHUB_REF")
        return cls(Api(session, base, headers, may), repository, change, environment.get("GRAYLING_COMMENT_AUTHOR", ""))

    async def account(self) -> str:
        """Who the token is; a job's own may not ask."""
        if self.known_as:
            return self.known_as
        try:
            answer = await self.api.get("/user")
        except HostError as error:
            if error.status != FORBIDDEN:
                raise
            return ACTIONS_ACCOUNT
        return str(answer.get("login"))

    async def comments(self) -> AsyncIterator[Comment]:
        """All of them, oldest first."""
        async for each in self.api.pages(f"{self._all}?per_page=100"):
            yield Comment(each["id"], (each.get("user") or {}).get("login", ""), each.get("body") or "")

    async def create(self, body: str) -> None:
        """Write a new one."""
        await self.api.call("POST", self._all, {"body": body})

    async def edit(self, number: int, body: str) -> None:
        """Write over one."""
        await self.api.call("PATCH", self._one(number), {"body": body})

    async def delete(self, number: int) -> None:
        """Take one away."""
        await self.api.call("DELETE", self._one(number))

    @property
    def _all(self) -> str:
        return f"/repos/{self.repository}/issues/{self.number}/comments"

    def _one(self, number: int) -> str:
        return f"/repos/{self.repository}/issues/comments/{number}"
