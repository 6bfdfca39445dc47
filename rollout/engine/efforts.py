"""Carrying out what was decided: each action has failures and a backoff of its own, so that none blocks another.

Actions come most urgent first: weights, then pods, then cleaning up. While weights cannot be written, nothing that
relies on them is done: no pod is taken from a version that the route may still lead to. Everything else goes on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import DeniedError, InvalidError, KubeError
from rollout.api.texts import told
from rollout.decide.actions import Retire, Scale, Shift
from rollout.decide.observation import Failure
from rollout.engine import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from rollout.decide.actions import Action

log: Any = structlog.get_logger()
FIRST_SECONDS, MOST_SECONDS, MOST_URGENT_SECONDS = 0.05, 5.0, 0.25
MOST_WORDS = 400
RELYING = {Scale.__name__, Retire.__name__}
"""Actions that take pods from a version, which must have no weight by then."""


@dataclass(slots=True)
class _Row:
    """An action that failed, however often in a row."""

    failure: Failure
    attempts: int
    due: float


@dataclass(slots=True)
class Efforts:
    """What one holder tries to do, and how often it has failed.

    Args:
        release: ``namespace/name``, for the log.
        chance: a number from 0 to 1 for the jitter of the pauses.
    """

    release: str
    chance: Callable[[], float] = random.random
    _rows: dict[str, _Row] = field(default_factory=dict)

    @property
    def failures(self) -> Mapping[str, Failure]:
        """The newest failure of each class of actions that is still to be done."""
        return {key.partition(" ")[0]: row.failure for key, row in self._rows.items()}

    def due_in(self, now: float) -> float | None:
        """Seconds until something can be tried again, a moment at least; None where nothing failed."""
        tried = (row for name, row in self._rows.items() if not self._waits_for_weights(name))
        return min((max(FIRST_SECONDS / 2, row.due - now) for row in tried), default=None)

    def _waits_for_weights(self, name: str) -> bool:
        return "Shift" in self._rows and name.partition(" ")[0] in RELYING

    async def perform(
        self,
        actions: Iterable[Action],
        do: Callable[[Action], Awaitable[None]],
        clock: Callable[[], float],
        *,
        urgent: bool = False,
    ) -> bool:
        """Do them in order; whether none of them has failed.

        Args:
            actions: most urgent first.
            do: does one.
            clock: seconds since the epoch.
            urgent: a rollback is under way: its weights are not made to wait.
        """
        wanted = {_name(action): action for action in actions}
        for name, action in wanted.items():
            at_once = urgent and isinstance(action, Shift)
            if not self._waits_for_weights(name) and (at_once or not self._rests(name, clock())):
                await self._try(name, action, do, clock, at_once=at_once)
        return self._rows.keys().isdisjoint(wanted)

    def want(self, actions: Iterable[Action]) -> None:
        """Forget the failures of all other actions: nobody wants those any more."""
        wanted = {_name(action) for action in actions}
        self._rows = {name: row for name, row in self._rows.items() if name in wanted}

    def _rests(self, name: str, now: float) -> bool:
        return name in self._rows and now < self._rows[name].due

    async def _try(
        self,
        name: str,
        action: Action,
        do: Callable[[Action], Awaitable[None]],
        clock: Callable[[], float],
        *,
        at_once: bool,
    ) -> None:
        try:
            await do(action)
        except KubeError as error:
            self._failed(name, error, clock(), most=MOST_URGENT_SECONDS if at_once else MOST_SECONDS)
        else:
            self._rows.pop(name, None)

    def _failed(self, name: str, error: KubeError, now: float, *, most: float) -> None:
        known = self._rows.get(name)
        attempts = known.attempts + 1 if known else 1
        pause = min(most, FIRST_SECONDS * 2 ** (attempts - 1)) * (0.5 + self.chance())
        text = told(error, most=MOST_WORDS)
        since, final = known.failure.since if known else now, isinstance(error, InvalidError)
        failure = Failure(text, since, final=final, refused=final or isinstance(error, DeniedError))
        self._rows[name] = _Row(failure, attempts, now + max(pause, getattr(error, "retry_after", None) or 0.0))
        kind = name.partition(" ")[0]
        metrics.FAILURES.labels(kind).inc()
        if attempts & (attempts - 1) == 0 or (known and known.failure.text != text):
            log.warning("action failed", release=self.release, action=name, error=text, attempt=attempts)


def _name(action: Action) -> str:
    """The class of an action, and what it is about."""
    return " ".join(filter(None, [type(action).__name__, getattr(action, "revision", "")]))
