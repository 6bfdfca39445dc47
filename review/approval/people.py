"""Who wrote a change: from its commits and from CI, as the people that the policy knows. Who is not known is nobody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.approval.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from review.approval.policy import Policy
    from review.approval.repository import Commit


@dataclass(frozen=True, slots=True)
class Authors:
    """Everybody who had a hand in a change.

    Attributes:
        people: those who are known, in lower case.
        unknown: what could not be told to be anybody, with where it stands.
    """

    people: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()

    def insist(self) -> None:
        """Go no further where somebody is not known, or nobody is.

        Raises:
            PolicyError: then nobody's approval can be told from the author's own.
        """
        if self.unknown:
            raise PolicyError(
                f"unknown author: {'; '.join(self.unknown[:5])}: add each to a group or under identities in "
                ".grayling/review.yaml (a change of its own), or commit under an address that is there"
            )
        if not self.people:
            raise PolicyError(
                "unknown author: no commit lies between the base and this state; name with --base the commit that the "
                "change starts from"
            )


def authors_of(
    commits: Iterable[Commit], policy: Policy, signers: Iterable[str] = (), environment: Mapping[str, str] = os.environ
) -> Authors:
    """Authors, committers and co-authors of commits, and who CI says wrote the pull request.

    Args:
        commits: of the change.
        policy: who is who.
        signers: principals of the file of keys: known too.
        environment: of this process.
    """
    known = policy.everybody | {each.lower() for each in signers}
    aliases = {address.lower(): person for address, person in policy.identities.email.items()}
    people: set[str] = set()
    unknown: dict[str, None] = {}
    for address, place in _addresses(commits, policy):
        person = aliases.get(address.lower(), address.lower())
        if person in known:
            people.add(person)
        else:
            unknown[f"{address!r} ({place})"] = None
    for login, place, logins in _runners(policy, environment):
        found = {name.lower(): person for name, person in logins.items()}.get(login.lower())
        if found is not None:
            people.add(found)
        else:
            unknown[f"{login!r} ({place})"] = None
    return Authors(frozenset(people), tuple(unknown))


def _addresses(commits: Iterable[Commit], policy: Policy) -> Iterator[tuple[str, str]]:
    for commit in commits:
        short = commit.sha[:12]
        yield commit.author, f"author of {short}"
        if commit.committer.lower() not in policy.machines:
            yield commit.committer, f"committer of {short}"
        for other in commit.others:
            yield other, f"co-author of {short}"


def _runners(policy: Policy, environment: Mapping[str, str]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Who CI says wrote a pull request; after a merge it names who merged, which is no author.

    Asked only where the policy tells who its logins are.
    """
    known, get = policy.identities, environment.get
    if known.github and get("GITHUB_EVENT_NAME", "").startswith("pull_request") and (login := get("GITHUB_ACTOR")):
        yield login, "GITHUB_ACTOR", known.github
    if known.gitlab and get("CI_PIPELINE_SOURCE") == "merge_request_event" and (login := get("GITLAB_USER_LOGIN")):
        yield login, "GITLAB_USER_LOGIN", known.gitlab
