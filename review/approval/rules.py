"""Which policy and which keys stand for a change: those of the commit it starts from, never those it brings itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kube.errors import UsageError
from review.approval.policy import POLICY_FILE, read_policy
from review.approval.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from review.approval.policy import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """What stands for one project at one moment.

    Attributes:
        policy: None where the project has none, neither before nor after the change.
        signers: the file of keys.
        repository: None outside git.
        head: the project's commit; empty outside git.
        base: the commit that the change is judged from; empty outside git.
        changed: files of the rules that the change itself changes.
        brought: the policy file as the change leaves it; None where it leaves none.
        brought_signers: the file of keys as the change leaves it.
    """

    policy: Policy | None = None
    signers: bytes = b""
    repository: Repository | None = None
    head: str = ""
    base: str = ""
    changed: tuple[str, ...] = ()
    brought: bytes | None = None
    brought_signers: bytes = b""

    @property
    def principals(self) -> frozenset[str]:
        """Everybody who has a key, in lower case."""
        return frozenset(_principals(self.signers))


def rules_of(project: Path, base: str = "", environment: Mapping[str, str] = os.environ) -> Rules:
    """The rules that stand for a project.

    Args:
        project: its folder.
        base: the commit to judge from; found where empty.
        environment: of this process.

    Raises:
        UsageError: the policy is wrong, or there is no base to judge from.
    """
    repository, own = Repository.around(project), _read(project / POLICY_FILE)
    if repository is None:
        if own is None:
            return Rules()
        policy = read_policy(own)
        return Rules(policy, _read(project / policy.signers) or b"")
    try:
        head = repository.commit()
        start = repository.base(base, environment)
    except UsageError:
        if own is None and not base and repository.text_at("HEAD", POLICY_FILE) is None:
            return Rules()
        raise
    return _judged_from(project, repository, start, head, own)


def _judged_from(project: Path, repository: Repository, base: str, head: str, own: bytes | None) -> Rules:
    old = repository.text_at(base, POLICY_FILE)
    standing = own if old is None else old
    if standing is None:
        return Rules(repository=repository, head=head, base=base)
    source = POLICY_FILE if old is None else f"{POLICY_FILE} (as of {base[:12]})"
    policy = read_policy(standing, source)
    signers = repository.text_at(base, policy.signers)
    mine = _read(project / policy.signers)
    changed = [name for name, was, now in ((POLICY_FILE, old, own), (policy.signers, signers, mine)) if was != now]
    if old is None:  # the first policy is its own
        signers = mine if signers is None else signers
    return Rules(policy, signers or b"", repository, head, base, tuple(changed), own, mine or b"")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path.name}: {error.strerror}") from error


def _principals(signers: bytes) -> Iterator[str]:
    for line in signers.decode(errors="replace").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield from (each.strip('"').lower() for each in line.split()[0].split(","))
