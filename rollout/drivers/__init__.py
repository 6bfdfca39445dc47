"""What can be moved by a share, and how: one Protocol, one implementation per kind of traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kube.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Spec
    from rollout.decide.observation import ShareFacts


class RouteTakenError(ConflictError):
    """A route of this name exists and belongs to somebody else; it is left as it is."""


class Driver(Protocol):
    """Moves the share of one release."""

    def observe(self) -> ShareFacts:
        """Where the traffic goes now, from the watch cache. What only counters can tell is left out."""
        ...

    async def shift(self, weights: Mapping[str, int], *, epoch: int) -> bool:
        """Make ``weights`` (percent by revision) true; a revision that is not named is taken off.

        Answers whether anything had to be written.

        May be called as often as one likes: where everything is so already, nothing is sent. Everything else that the
        spec says of the route is made true on the way.

        Raises:
            StaleHolderError: a holder with a higher epoch has written.
            KubeError: the API server did not take it.
        """
        ...

    async def retire(self) -> None:
        """Take away what the driver made; what belongs to others stays.

        Raises:
            KubeError: the API server did not take it.
        """
        ...

    async def disown(self) -> None:
        """Leave what the driver made running when its GrayRelease goes.

        Raises:
            KubeError: the API server did not take it.
        """
        ...

    def plan_problems(self, spec: Spec) -> list[str]:
        """What of ``spec`` this driver cannot do, a sentence each."""
        ...
