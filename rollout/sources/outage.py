"""Saying once that a source is out, once why, and once that it is back, however often it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import structlog

from rollout.signals.looks import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.signals.looks import SignalLook

log: Any = structlog.get_logger()


_NUMBERS = re.compile(r"\d[\d.,e+]*")


class Outage:
    """The state of one source as the log knows it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._said = ""

    def note(self, reason: str, looks: Sequence[SignalLook] = ()) -> None:
        """Log ``reason`` (empty: all is well) unless it was the last thing said, apart from its numbers.

        Args:
            reason: why there is nothing, or less than there should be.
            looks: what was seen nevertheless.
        """
        saying = _NUMBERS.sub("0", reason)
        if saying == self._said:
            return
        self._said = saying
        if not reason:
            log.info("source is back", source=self._source)
        elif looks and all(look.status is SourceStatus.OK for look in looks):
            log.warning("source tells less than it should", source=self._source, reason=reason)
        else:
            log.warning("source tells nothing", source=self._source, reason=reason)
