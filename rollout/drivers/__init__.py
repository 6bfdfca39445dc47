"""What moves a version: a traffic driver gives it its share of the requests, a workload driver runs its pods.

Each says by its `kind` what it can do (:mod:`rollout.decide.capabilities`), and a release can do what both can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from kube.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Spec
    from rollout.decide.capabilities import Kind
    from rollout.decide.observation import ShareFacts


class RouteTakenError(ConflictError):
    """A route of this name exists and belongs to somebody else; it is left as it is."""


class TrafficDriver(Protocol):
    """Moves the share of one release."""

    kind: ClassVar[Kind]

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


class WorkloadDriver(Protocol):
    """Runs the revisions of one release.

    Every method may be called as often as one likes, and raises as :meth:`prepare` does.
    """

    kind: ClassVar[Kind]

    async def prepare(self, spec: Spec, revision: str, replicas: int, *, epoch: int) -> bool:
        """Bring the revision of ``spec`` in with so many pods; False where the spec wants another one by now.

        Raises:
            StaleHolderError: a holder with a higher epoch has written.
            ConflictError: an object of that name belongs to somebody else.
            KubeError: the API server did not take it.
        """
        ...

    async def scale(self, spec: Spec, revision: str, replicas: int, *, spare: int, epoch: int) -> bool:
        """Give it so many pods, of which ``spare`` only while a drain is expected; False where it does not exist."""
        ...

    async def guard(self, spec: Spec, revision: str, *, keeps_last: bool, epoch: int) -> bool:
        """Keep its last ready pod from being moved away, or no longer; False where it does not exist."""
        ...

    async def retire(self, revision: str, *, epoch: int) -> None:
        """Remove what is ours of a revision; what carries its name and is somebody else's stays."""
        ...

    async def note_spec(self, revision: str, spec: Spec, *, epoch: int) -> None:
        """Note the spec on the revision that it wants, so that it is found by whoever comes after a mistake."""
        ...
