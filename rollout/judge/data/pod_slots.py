"""Where pods belong: whose each of a look's pods is, and which place a pod of stable has in the arrays."""

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
        belongs: to the canary, to stable, and to each place, as 0 and 1; where pods are young also to each bin of age
            of the canary, and of stable. Shape (pods, 2 + MOST_PODS) or (pods, 2 + MOST_PODS + 2 * AGES).
    """

    canary: list[int]
    belongs: Floats


@lru_cache(maxsize=256)
def _layout(canary: tuple[bool, ...], places: tuple[int, ...], bins: tuple[int, ...]) -> Layout:
    """The layout of pods; those without a place have -1 for one."""
    flags, where = np.array(canary, dtype=np.bool_), np.array(places, dtype=np.intp)
    arms = np.stack([flags, ~flags], axis=1)
    young = np.array(bins)[:, None] == np.arange(AGES) if bins else np.zeros((len(flags), 0), dtype=np.bool_)
    belongs = [arms, where[:, None] == np.arange(MOST_PODS), young & arms[:, :1], young & arms[:, 1:]]
    return Layout(np.flatnonzero(flags).tolist(), np.concatenate(belongs, axis=1).astype(np.float64))


@dataclass
class Pods:
    """Stable's pods by name, and the place each of them has in the arrays.

    Attributes:
        places: by name; those that came when all places were taken have none.
    """

    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: tuple[list[str], list[bool], list[int]] = [], [], []
        self._found = _layout((), (), ())

    def layout(self, names: list[str], canary: list[bool], bins: list[int]) -> Layout:
        """How these pods lie. Grown-up ones of stable that are new are given a place, as long as there are any.

        As a rule the same is asked as the last time.

        Args:
            names: of the pods.
            canary: which of them are the canary's.
            bins: of their ages; empty where none is young. Young ones have no place.
        """
        asked = (names, canary, bins)
        if self._asked != asked:
            self._asked, self._found = asked, self._find(names, canary, bins)
        return self._found

    def _find(self, names: list[str], canary: list[bool], bins: list[int]) -> Layout:
        places, found = self.places, [-1] * len(names)
        for at, name in enumerate(names):
            if canary[at] or (bins and bins[at] < AGES):
                continue
            if len(places) < MOST_PODS:
                places.setdefault(name, len(places))
            found[at] = places.get(name, -1)
        return _layout(tuple(canary), tuple(found), tuple(bins))
