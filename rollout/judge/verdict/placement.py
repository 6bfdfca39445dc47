"""What is said of where a canary runs: what is usual there, and where nobody can tell, what would help."""

import math

import numpy as np
from scipy.stats import t as student

from rollout.judge.baseline.lasting import PRIOR_PODS
from rollout.judge.baseline.places import Places
from rollout.judge.evidence.battery import Evidence
from rollout.signals import figures

TOLD = math.log(1.1)
"""Log ratio from which on it is told that a place is not like stable as a whole."""

MOST_PODS_TOLD = 9
MOST_NAMES = 6
MOST_LOG = math.log(100.0)

ONE_IN_A_HUNDRED = 0.01


def usual(evidence: Evidence, row: int) -> str:
    """Where the canary's place makes a difference: what is usual there.

    Args:
        evidence: of all signals.
        row: column of the counts that people are shown.
    """
    offset = float(evidence.places.offset[row])
    return f" (where it runs {figures.rough(math.exp(offset))} times that is usual)" if abs(offset) >= TOLD else ""


def cannot_tell(evidence: Evidence, column: int, slots: dict[str, int]) -> str:
    """That the canary is where stable has no pod, while places differ, and what would help; empty where it is not so.

    Args:
        evidence: of all signals.
        column: of the signal.
        slots: places in which stable has pods, such as `zone a`.
    """
    places = evidence.places
    strange = float(places.strange[column])
    if not places.differ[column] or strange <= 0:
        return ""
    kind, names = named(slots)
    percent = figures.rough(100 * math.sqrt(places.between[column]))
    pods = more_pods(places, column)
    part = "the canary runs" if strange >= 1 else f"{figures.rough(100 * strange)} % of the canary's requests are"
    return (
        f" (not to be told yet: {part} in a {kind} where stable has no pod, and {kind}s differ by {percent} %; it "
        f"takes {pods} more canary pod{'s' if pods > 1 else ''} for each one there, spread over {names})"
    )


def more_pods(places: Places, column: int) -> int:
    """Canary pods in known places that are needed beside each in a place that nobody knows, 1 to MOST_PODS_TOLD.

    So many that what that place may do weighs as little as what pods of one place differ by.
    """
    unknown, within = places.between[column], max(float(places.within[column]), 1e-4)
    return int(np.clip(math.ceil(math.sqrt(unknown / within) - 1), 1, MOST_PODS_TOLD))


def foretold(places: Places, column: int, slots: dict[str, int]) -> str:
    """What a plan says of places that differ; empty where they do not."""
    if not places.differ[column]:
        return ""
    (kind, names), spread = named(slots), math.sqrt(places.between[column])
    # As wide as the judge takes a place to be that it has not seen.
    reach = spread * math.sqrt(1 + 1 / max(len(slots), 1)) * float(student.isf(ONE_IN_A_HUNDRED, PRIOR_PODS - 1))
    return (
        f"{kind}s differ by {figures.rough(100 * spread)} %: a canary is held against stable's pods of its {kind}, "
        f"so let it run in {names}; elsewhere a healthy one may be at {figures.rough(math.exp(min(reach, MOST_LOG)))} "
        "times stable's"
    )


def named(slots: dict[str, int]) -> tuple[str, str]:
    """What kind of places they are, and their names."""
    found = sorted(name.partition(" ")[2] for name in slots)
    kind = next(iter(sorted(slots, reverse=True)), "place").partition(" ")[0]
    told = found if len(found) <= MOST_NAMES else [*found[:MOST_NAMES], f"{len(found) - MOST_NAMES} others"]
    return kind, told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
