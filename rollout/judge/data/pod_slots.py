"""Where pods belong: which arm each pod of a look is of, and which slot of the arrays a pod of stable has."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from rollout.judge.data.ages import AGES
from rollout.judge.data.batch import MOST_PODS
from rollout.judge.model.onset_prior import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Whose some pods are and where they belong; the same object for pods that lie alike.

    Attributes:
        canary: positions of the canary's pods.
        belongs: to the canary, to stable, and to each slot, as 0 and 1; where pods are young also to each bin of age
            of the canary, and of stable. Shape (pods, 2 + MOST_PODS) or (pods, 2 + MOST_PODS + 2 * AGES).
    """

    canary: list[int]
    belongs: Floats


@lru_cache(maxsize=256)
def _layout(canary: tuple[bool, ...], slots: tuple[int, ...], bins: tuple[int, ...]) -> Layout:
    """The layout of pods; a pod without a slot has slot -1."""
    flags, where = np.array(canary, dtype=np.bool_), np.array(slots, dtype=np.intp)
    arms = np.stack([flags, ~flags], axis=1)
    young = np.array(bins)[:, None] == np.arange(AGES) if bins else np.zeros((len(flags), 0), dtype=np.bool_)
    belongs = [arms, where[:, None] == np.arange(MOST_PODS), young & arms[:, :1], young & arms[:, 1:]]
    return Layout(np.flatnonzero(flags).tolist(), np.concatenate(belongs, axis=1).astype(np.float64))


@dataclass
class PodSlots:
    """Stable's pods by name, and the slot each of them has in the arrays.

    Attributes:
        slots: by name; pods that came when all slots were taken have none.
    """

    slots: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: tuple[list[str], list[bool], list[int]] = [], [], []
        self._found = _layout((), (), ())

    def layout(self, names: list[str], canary: list[bool], bins: list[int]) -> Layout:
        """How these pods lie. Grown-up ones of stable that are new are given a slot, as long as there are any.

        As a rule the same is asked as the last time.

        Args:
            names: of the pods.
            canary: which of them are the canary's.
            bins: of their ages; empty where none is young. Young ones have no slot.
        """
        asked = (names, canary, bins)
        if self._asked != asked:
            self._asked, self._found = asked, self._find(names, canary, bins)
        return self._found

    def _find(self, names: list[str], canary: list[bool], bins: list[int]) -> Layout:
        slots, found = self.slots, [-1] * len(names)
        for at, name in enumerate(names):
            if canary[at] or (bins and bins[at] < AGES):
                continue
            if len(slots) < MOST_PODS:
                slots.setdefault(name, len(slots))
            found[at] = slots.get(name, -1)
        return _layout(tuple(canary), tuple(found), tuple(bins))
