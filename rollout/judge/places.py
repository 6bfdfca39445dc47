"""Where pods belong: whose each of a look's pods is, and which place a pod of stable has in the arrays."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from rollout.judge.batch import MOST_PODS
from rollout.judge.onset import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Whose some pods are and where they belong; the same object for pods that lie alike.

    Attributes:
        canary: positions of the canary's pods.
        belongs: to the canary, to stable, and to each place, as 0 and 1, shape (pods, 2 + MOST_PODS).
    """

    canary: list[int]
    belongs: Floats


@lru_cache(maxsize=256)
def _layout(canary: tuple[bool, ...], places: tuple[int, ...]) -> Layout:
    """The layout of pods; those without a place have -1 for one."""
    flags, where = np.array(canary, dtype=np.bool_), np.array(places, dtype=np.intp)
    arms, found = np.stack([flags, ~flags], axis=1), where[:, None] == np.arange(MOST_PODS)
    return Layout(np.flatnonzero(flags).tolist(), np.concatenate([arms, found], axis=1).astype(np.float64))


@dataclass
class Pods:
    """Stable's pods by name, and the place each of them has in the arrays.

    Attributes:
        places: by name; those that came when all places were taken have none.
    """

    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: tuple[list[str], list[bool], list[bool]] = [], [], []
        self._found = _layout((), ())

    def layout(self, names: list[str], canary: list[bool], young: list[bool]) -> Layout:
        """How these pods lie. Grown-up ones of stable that are new are given a place, as long as there are any.

        As a rule the same is asked as the last time.

        Args:
            names: of the pods.
            canary: which of them are the canary's.
            young: which of them are young, and have no place; empty where none is.
        """
        asked = (names, canary, young)
        if self._asked != asked:
            self._asked, self._found = asked, self._find(names, canary, young or [False] * len(names))
        return self._found

    def _find(self, names: list[str], canary: list[bool], young: list[bool]) -> Layout:
        places, found = self.places, [-1] * len(names)
        for at, name in enumerate(names):
            if canary[at] or young[at]:
                continue
            if len(places) < MOST_PODS:
                places.setdefault(name, len(places))
            found[at] = places.get(name, -1)
        return _layout(tuple(canary), tuple(found))
