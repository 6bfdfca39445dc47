"""What sources leave out while they tell the rest: a proxy of ten that hangs, a pod whose counters are nonsense.

None of it ends a release, so no verdict says it; somebody should know nevertheless, once and not four times a second.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rollout.api.texts import told
from rollout.signals.looks import SourceStatus

if TYPE_CHECKING:
    from rollout.signals.looks import SignalLook

MOST_REMARKS = 5
KEPT_SECONDS = 300.0
"""After it was heard last; what comes and goes is one remark."""

_NUMBERS = re.compile(r"\d[\d.,e+]*")


class Remarks:
    """Listens to the looks of a release."""

    def __init__(self) -> None:
        self._by_signal: dict[str, tuple[str, float]] = {}

    def take(self, look: SignalLook) -> None:
        """Hear one look; what differs from the remark before by its numbers alone is the same remark."""
        said = look.reason if look.status is SourceStatus.OK else ""
        known, heard_at = self._by_signal.get(look.signal, ("", look.at))
        if said:
            same = _NUMBERS.sub("0", said) == _NUMBERS.sub("0", known)
            self._by_signal[look.signal] = (known if same else said, look.at)
        elif look.at - heard_at > KEPT_SECONDS:
            self._by_signal.pop(look.signal, None)

    def clear(self) -> None:
        """Begin with another release."""
        self._by_signal.clear()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out now, a sentence each, each once."""
        found = dict.fromkeys(told(said) for said, _ in self._by_signal.values())
        return tuple(list(found)[:MOST_REMARKS])
