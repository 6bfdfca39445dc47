"""Where evidence comes from: the gateway's counters, the pods' own metrics, the pod objects, and Prometheus.

Every source turns what it reads into the same plain looks (:mod:`rollout.signals.looks`). A source that cannot be
read says so in the look; it never raises for what happens on the other side of the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.signals.looks import SignalLook
    from rollout.sources.pod_roster import Roster


class Source(Protocol):
    """Something that can be asked how the pods of a release are doing."""

    @property
    def name(self) -> str:
        """How logs and metrics call it: ``gateway``, ``pods``, ``kubernetes`` or ``prometheus``."""
        ...

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One pass: a look per signal, with what was counted since the pass before.

        Args:
            roster: the pods of both arms as they are now.
            now: seconds since the epoch.
        """
        ...
