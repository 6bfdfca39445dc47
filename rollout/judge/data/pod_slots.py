"""Where pods belong: which arm each pod of a look is of, and which slot of the arrays a pod of stable has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from rollout.judge.data.ages import AGES
from rollout.judge.data.batch import MOST_PODS
from rollout.judge.data.places import MOST_PLACES, UNPLACED, place_slots
from rollout.judge.model.onset_prior import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Whose some pods are and where they belong; the same object for pods that lie alike.

    Attributes:
        canary: positions of the canary's pods.
        belongs: to the canary, to stable, and to each slot, as 0 and 1; where pods are young also to each bin of age
            of the canary, and of stable. Shape (pods, 2 + MOST_PODS) or (pods, 2 + MOST_PODS + 2 * AGES).
        inside: where places are known, to each place as stable's grown-up pods, and as the canary's, as 0 and 1, shape
            (pods, 2 * (MOST_PLACES + 1)); else of shape (pods, 0).
        places: place of the pod in each slot, -1 where it is not known, shape (MOST_PODS,).
    """

    canary: list[int]
    belongs: Floats
    inside: Floats
    places: Floats


@lru_cache(maxsize=256)
def _layout(
    canary: tuple[bool, ...], slots: tuple[int, ...], bins: tuple[int, ...], places: tuple[int, ...] = ()
) -> Layout:
    """The layout of pods; a pod without a slot has slot -1, one without a place `UNPLACED`."""
    flags, where = np.array(canary, dtype=np.bool_), np.array(slots, dtype=np.intp)
    arms = np.stack([flags, ~flags], axis=1)
    young = np.array(bins)[:, None] == np.arange(AGES) if bins else np.zeros((len(flags), 0), dtype=np.bool_)
    belongs = [arms, where[:, None] == np.arange(MOST_PODS), young & arms[:, :1], young & arms[:, 1:]]
    inside, known = np.zeros((len(flags), 0)), np.full(MOST_PODS, float(UNPLACED))
    if places:
        its = np.array(places)[:, None] == np.arange(MOST_PLACES + 1)
        grown = ~flags & ((np.array(bins) >= AGES) if bins else True)
        inside = np.concatenate([its & grown[:, None], its & flags[:, None]], axis=1).astype(np.float64)
        known[where[where >= 0]] = np.array(places)[where >= 0]
    return Layout(np.flatnonzero(flags).tolist(), np.concatenate(belongs, axis=1).astype(np.float64), inside, known)


@dataclass
class PodSlots:
    """Stable's pods by name, and the slot each of them has in the arrays.

    Attributes:
        slots: by name; pods that came when all slots were taken have none.
        places: the same of the places that they run in.
    """

    slots: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: tuple[list[str], list[bool], list[int], Sequence[str]] = [], [], [], []
        self._found = _layout((), (), ())

    def layout(self, names: list[str], canary: list[bool], bins: list[int], places: Sequence[str] = ()) -> Layout:
        """How these pods lie. Grown-up ones of stable that are new are given a slot, as long as there are any.

        As a rule the same is asked as the last time.

        Args:
            names: of the pods.
            canary: which of them are the canary's.
            bins: of their ages; empty where none is young. Young ones have no slot.
            places: of the pods; empty where they are not known.
        """
        asked = (names, canary, bins, places)
        if self._asked != asked:
            self._asked, self._found = asked, self._find(*asked)
        return self._found

    def _find(self, names: list[str], canary: list[bool], bins: list[int], places: Sequence[str]) -> Layout:
        slots, found = self.slots, [-1] * len(names)
        for at, name in enumerate(names):
            if canary[at] or (bins and bins[at] < AGES):
                continue
            if len(slots) < MOST_PODS:
                slots.setdefault(name, len(slots))
            found[at] = slots.get(name, -1)
        return _layout(tuple(canary), tuple(found), tuple(bins), place_slots(self.places, places, canary))
