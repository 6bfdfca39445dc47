"""Notes on a merge request of GitLab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.ci.forge import Api, Comment
from review.ci.settings import number_of, required

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

LONGEST = 1_000_000
"""Characters of a note."""


@dataclass(frozen=True, slots=True)
class GitLab:
    """One merge request."""

    api: Api
    project: str
    number: int

    @classmethod
    def of(cls, environment: Mapping[str, str], session: aiohttp.ClientSession, number: int | None) -> GitLab:
        """The merge request that a job is about.

        Raises:
            UsageError: a variable is missing or wrong.
        """
        token = required(environment, "GITLAB_TOKEN", "make a project access token with scope api")
        base = required(environment, "CI_API_V4_URL", "write https://HOST/api/v4", r"https?://\S+").rstrip("/")
        project = required(environment, "CI_PROJECT_ID", "write the number of the project", r"\d+")
        change = number_of(number, environment.get("CI_MERGE_REQUEST_IID", ""), "CI_MERGE_REQUEST_IID")
        may = "the token needs scope api and role Reporter in the project"
        return cls(Api(session, base, {"PRIVATE-TOKEN": token}, may), project, change)

    async def account(self) -> str:
        """Who the token is."""
        return str((await self.api.get("/user")).get("username"))

    async def comments(self) -> AsyncIterator[Comment]:
        """All of them, oldest first."""
        async for each in self.api.pages(f"{self._all}?per_page=100&sort=asc&order_by=created_at"):
            yield Comment(each["id"], (each.get("author") or {}).get("username", ""), each.get("body") or "")

    async def create(self, body: str) -> None:
        """Write a new one."""
        await self.api.call("POST", self._all, {"body": body})

    async def edit(self, number: int, body: str) -> None:
        """Write over one."""
        await self.api.call("PUT", f"{self._all}/{number}", {"body": body})

    async def delete(self, number: int) -> None:
        """Take one away."""
        await self.api.call("DELETE", f"{self._all}/{number}")

    @property
    def _all(self) -> str:
        return f"/projects/{self.project}/merge_requests/{self.number}/notes"
