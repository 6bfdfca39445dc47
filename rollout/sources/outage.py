"""Saying once that a source is out, once why, and once that it is back, however often it is read."""

from __future__ import annotations

from typing import Any

import structlog

log: Any = structlog.get_logger()


class Outage:
    """The state of one source as the log knows it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._said = ""

    def note(self, reason: str) -> None:
        """Log ``reason`` (empty: all is well) unless it was the last thing said."""
        if reason == self._said:
            return
        self._said = reason
        if reason:
            log.warning("source tells nothing", source=self._source, reason=reason)
        else:
            log.info("source is back", source=self._source)
