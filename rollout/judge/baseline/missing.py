"""How much of stable's history is missing before it tells how noisy stable is, and how long that takes.

For people: the judge is slow, not wrong, until then. No decision rests on it.
"""

import math
from dataclasses import dataclass

from rollout.judge.baseline.pod_beliefs import ENOUGH_BLOCKS, ENOUGH_FAILURES
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.baseline.what_history_tells import tells_enough
from rollout.judge.model.blocks import BLOCK_SECONDS

ENOUGH = 0.5
"""What is asked for, as a part of what full trust asks for (`PodVariation.enough`)."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing; not everything is 0.

    Attributes:
        pods: of stable that are told apart.
        blocks: pod-blocks of 15 s that they have yet to show.
        failures: (or slow requests) that they have yet to show.
        seconds: until both are there at the pace so far; infinite where nothing tells that pace.
    """

    pods: int
    blocks: float
    failures: float
    seconds: float


def missing(noise: PodVariation, column: int) -> Missing | None:
    """What is missing of a column; None where there is enough.

    Args:
        noise: what stable's pods have shown.
        column: of errors, events or slow requests.
    """
    if tells_enough(noise, slice(column, column + 1)).all():
        return None
    shown = float(noise.failed[column].sum())
    blocks = max(ENOUGH * ENOUGH_BLOCKS - float(noise.blocks[column]), 0.0)
    failures = max(math.ceil(ENOUGH * ENOUGH_FAILURES - shown), 0)
    # Those of the present block, or of all, where it has just begun.
    pods = int((noise.block_size[column] > 0).sum()) or int((noise.size[column] > 0).sum())
    if pods < 2:  # noqa: PLR2004 - one, and another to compare it with
        return Missing(pods, blocks, failures, math.inf)
    each = shown / max(float(noise.counted[column]), 1.0)
    waiting = [blocks] + ([failures / each if each > 0 else math.inf] if failures else [])
    return Missing(pods, blocks, failures, BLOCK_SECONDS * max(waiting) / pods)
