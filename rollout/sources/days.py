"""What a service answered in each five minutes of the last days, and how much of it failed, from Prometheus.

It is asked of the pods' own counters, whichever revision they are of, and summed over them.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, NamedTuple

from rollout.sources.answers import series_in
from rollout.sources.classes import Errors
from rollout.sources.counting import family_of
from rollout.sources.expressions import pods_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Signal
    from rollout.sources.ask import Ask

SLOT_SECONDS = 300
"""Counters are scraped each quarter of a minute or so: over less, a count would be mostly extrapolated."""

PATIENCE_SECONDS = 30.0


class Answered(NamedTuple):
    """Of one slot."""

    requests: int
    errors: int


class Days:
    """What is known of the newest slots; two numbers each, since an engine keeps days of a thousand services.

    Args:
        slots: how many are kept: the newest that was ever put in, and those before it.

    Attributes:
        newest: that is known; None where none is.
    """

    __slots__ = ("_errors", "_requests", "newest")

    def __init__(self, slots: int) -> None:
        self.newest: int | None = None
        self._requests = array("d", [-1.0]) * slots
        self._errors = array("d", [0.0]) * slots

    def get(self, slot: int) -> Answered | None:
        """What is known of it; None where it is too old, to come, or had no request."""
        size = len(self._requests)
        if self.newest is None or not self.newest - size < slot <= self.newest:
            return None
        requests = self._requests[slot % size]
        return Answered(int(requests), int(self._errors[slot % size])) if requests >= 0 else None

    def add(self, found: Mapping[int, Answered]) -> None:
        """Put these in; what is older than all that is kept is left out."""
        size = len(self._requests)
        for slot, (requests, errors) in sorted(found.items()):
            if self.newest is not None:
                for between in range(max(self.newest + 1, slot - size + 1), slot):
                    self._requests[between % size] = -1.0
                if slot <= self.newest - size:
                    continue
            self.newest = slot if self.newest is None else max(slot, self.newest)
            self._requests[slot % size], self._errors[slot % size] = requests, errors


async def answered(ask: Ask, namespace: str, name: str, signal: Signal, first: int, last: int) -> dict[int, Answered]:
    """Requests and errors of the slots from ``first`` to ``last`` that have any; a slot is named by its end.

    Args:
        ask: sends one query.
        namespace: of the service.
        name: of the service.
        signal: of the kind `errors`.
        first: of the slots, each :data:`SLOT_SECONDS` long, counted since the epoch.
        last: of the slots.

    Raises:
        FetchError: there is no answer, or it is an error.
    """
    label, errors = signal.label, Errors(signal.errors) if signal.errors else Errors()
    pods = pods_of(f"{name}-00000000").replace("\\", "\\\\")
    selector = f'{family_of(signal)}{{namespace="{namespace}",pod=~"{pods}"}}'
    span = (last - first) * SLOT_SECONDS + 1
    query = f"sum by ({label}) (increase({selector}[{SLOT_SECONDS}s]))[{span}s:{SLOT_SECONDS}s]"
    sums: dict[int, list[float]] = {}
    for labels, times in series_in(await ask(query, PATIENCE_SECONDS, at=float(last * SLOT_SECONDS)), signal.name):
        for at, samples in times:
            counted = sum(sample.value for sample in samples if math.isfinite(sample.value))
            found = sums.setdefault(round(at / SLOT_SECONDS), [0.0, 0.0])
            found[0] += counted
            found[1] += counted if labels.get(label, "") in errors else 0.0
    made = {slot: Answered(round(requests), round(failed)) for slot, (requests, failed) in sums.items()}
    return {slot: each for slot, each in made.items() if each.requests > 0}
