"""What both arms were sent and have answered up to some moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.sources.envoy import ABANDONED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout.signals.looks import PodLook


@dataclass(frozen=True, slots=True)
class Flowed:
    """One arm up to some moment.

    Attributes:
        begun: requests sent to it.
        answered: answers it gave, good or bad.
        waiting: requests that were begun and not answered then.
    """

    begun: int = 0
    answered: int = 0
    waiting: int = 0

    def then(self, pods: Iterable[PodLook]) -> Flowed:
        """This and what one more look of its pods counted."""
        begun, answered, waiting = self.begun, self.answered, 0
        for pod in pods:
            begun += pod.requests if pod.begun is None else pod.begun
            answered += pod.requests - pod.errors.get(ABANDONED, 0)
            waiting += pod.waiting or 0
        return Flowed(begun, answered, waiting)


@dataclass(frozen=True, slots=True)
class Point:
    """Both arms up to ``at``."""

    at: float
    stable: Flowed = Flowed()
    canary: Flowed = Flowed()

    @property
    def total(self) -> int:
        """Requests that were begun."""
        return self.stable.begun + self.canary.begun
