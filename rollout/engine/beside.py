"""Work that nothing waits for: so much of it at a time, and what is left out is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rollout.engine import metrics

if TYPE_CHECKING:
    from collections.abc import Coroutine

MOST_BESIDE = 200
"""Of writes beside the work that are under way in a process: of more the newest are left out, and that is counted."""

_BESIDE: set[asyncio.Task[None]] = set()


def beside(work: Coroutine[Any, Any, None]) -> None:
    """Do something that nothing waits for."""
    if len(_BESIDE) >= MOST_BESIDE:
        work.close()
        metrics.FAILURES.labels("Beside").inc()
        return
    task = asyncio.create_task(work)
    _BESIDE.add(task)
    task.add_done_callback(_BESIDE.discard)
