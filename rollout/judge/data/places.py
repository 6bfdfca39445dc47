"""Where pods run, as far as it can tell them apart: their zones, else nodes that they share.

A zone is told by name, and so is a node; a look that knows several zones is read by zones. By nodes it is read where it
knows no two zones and all of the canary's pods share their nodes with two pods of stable at least: a node with one pod
of stable tells no more of a node than of that pod.
"""

from collections import Counter
from collections.abc import Sequence

from rollout.signals.looks import Arm, PodLook

MOST_PLACES = 8
"""Places of stable's pods told apart at most."""

UNPLACED, STRANGE = -1, MOST_PLACES
"""What stands for no place, and for a place in which stable has no pod."""

_SHARED = 2


def places_of(pods: Sequence[PodLook]) -> list[str]:
    """The place of each pod, empty where nobody knows it; none at all where places tell nothing."""
    zones = [pod.zone for pod in pods]
    if len({*zones} - {""}) > 1:
        return [zone and f"zone {zone}" for zone in zones]
    stable = Counter(pod.node for pod in pods if pod.node and pod.arm is Arm.STABLE)
    if len(stable) > 1 and all(stable[pod.node] >= _SHARED for pod in pods if pod.arm is Arm.CANARY):
        return [pod.node and f"node {pod.node}" for pod in pods]
    return []


def place_slots(slots: dict[str, int], places: Sequence[str], canary: Sequence[bool]) -> tuple[int, ...]:
    """The slot of each pod's place; places in which stable has a pod and that are new are given one, if there are any.

    A canary's pod that is in no such place has `STRANGE`, unless all slots are taken: then it may be in any.

    Args:
        slots: by place; changed.
        places: of the pods; empty where they tell nothing.
        canary: which of them are the canary's.
    """
    for place, is_canary in zip(places, canary, strict=True) if places else ():
        if place and not is_canary and len(slots) < MOST_PLACES:
            slots.setdefault(place, len(slots))
    unknown = STRANGE if len(slots) < MOST_PLACES else UNPLACED
    return (
        tuple(
            slots.get(place, unknown if is_canary else UNPLACED) if place else UNPLACED
            for place, is_canary in zip(places, canary, strict=True)
        )
        if places
        else ()
    )
