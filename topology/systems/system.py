"""The seam for a system: see all of it, take one step. Deciding is not its business (:mod:`topology.plan`)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from topology.api.spec import Item
    from topology.plan import Found, Kind, Step


class TopologyError(GraylingError):
    """A system did not do what it was asked; what it said."""


class UnreachableError(TopologyError):
    """Nobody answers, or not for now: try again."""


class UnauthorizedError(TopologyError):
    """The credentials are wrong, or may not do this."""


class UnknownSystemError(TopologyError):
    """A newer stack names a system that this reconciler does not know."""


class StepError(TopologyError):
    """The system said no to one step; others may go on."""


class System(Protocol):
    """A system whose topology is declared."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """Its kinds, those first that others stand on."""

    def prepared(self, items: Sequence[Item], seen: Mapping[str, Found]) -> list[Item]:
        """The declared items as they can be held against what was seen: passwords read, defaults filled in.

        Raises:
            TopologyError: what an item needs is not there.
        """

    async def observe(self) -> Mapping[str, Found]:
        """All that is there, by label.

        Raises:
            UnreachableError: it could not be seen whole.
            UnauthorizedError: the credentials are not taken.
        """

    async def act(self, step: Step) -> bool:
        """Take one step, which may have been taken already; whether that made an item that was not there.

        Raises:
            StepError: the system said no.
            UnreachableError: nobody answered; it may have been taken.
            UnauthorizedError: the credentials are not taken.
        """


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files of one system's account, read anew each time: they change when a Secret does."""

    folder: Path

    def text(self, name: str) -> str:
        """One of them.

        Raises:
            UnauthorizedError: there is none, or it is empty.
        """
        try:
            found = (self.folder / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UnauthorizedError(f"{self.folder.name}: no credential {name}: {error}") from error
        if not found:
            raise UnauthorizedError(f"{self.folder.name}: the credential {name} is empty")
        return found

    @property
    def authority(self) -> Path | None:
        """The certificate authority to trust, where there is one."""
        path = self.folder / "ca.crt"
        return path if path.is_file() else None

    def trust(self, address: str) -> ssl.SSLContext:
        """Whom to trust at an address.

        Raises:
            UnauthorizedError: the authority cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.authority)
        except (OSError, ssl.SSLError) as error:
            raise UnauthorizedError(f"{address}: the authority in ca.crt cannot be read: {error}") from error

    def named(self, folder: str) -> list[str]:
        """Names of what is in a folder."""
        path = self.folder / folder
        return sorted(each.name for each in path.iterdir()) if path.is_dir() else []


def printable(text: str) -> str:
    """What a system says, in one short line."""
    line = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return line[:_LONGEST_ANSWER]


_LONGEST_ANSWER = 400
