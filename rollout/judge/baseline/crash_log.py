"""When pods crashed lately, of both arms: what the comparison of crashes per pod-hour is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT = 64
"""Crashes of each arm that are remembered; older ones are in the sums alone."""

MOST_AT_ONCE = 8
"""Crashes of a pod within one look that are told apart."""

TOGETHER_SECONDS = 30.0
"""Crashes of different pods within this time may be one event: the death of their node."""

AGAIN_SECONDS = 180.0
"""A pod that crashes within this time of its last crash does it again."""


@dataclass(slots=True)
class CrashLog:
    """Crashes of one release under one signal.

    Attributes:
        began: time of the canary's first look; None before it.
        canary: its last crashes: time and pod.
        stable: the same of stable's, since ever.
        repeated: crashes of stable's that came soon after one of the same pod.
        pods: how many the canary and stable had in the last look with a crash.
    """

    began: float | None = None
    canary: list[tuple[float, str]] = field(default_factory=list)
    stable: list[tuple[float, str]] = field(default_factory=list)
    repeated: int = 0
    pods: tuple[int, int] = (0, 0)

    def see(self, at: float, canary: Mapping[str, int], stable: Mapping[str, int], pods: tuple[int, int]) -> None:
        """Take in a look's crashes by pod; of several of one pod in it each counts.

        Args:
            at: its time.
            canary: of the canary's pods that crashed.
            stable: of stable's.
            pods: how many there are of either.
        """
        self.pods = pods
        lately = {pod for then, pod in self.stable if at - then <= AGAIN_SECONDS}
        for pod, times in stable.items():
            self.repeated += times - (pod not in lately)
        for log, found in ((self.canary, canary), (self.stable, stable)):
            log.extend((at, pod) for pod, times in found.items() for _ in range(min(times, MOST_AT_ONCE)))
            del log[:-KEPT]

    def of_pods(self) -> dict[str, list[float]]:
        """Times at which each of the canary's pods crashed, ascending."""
        found: dict[str, list[float]] = {}
        for at, pod in self.canary:
            found.setdefault(pod, []).append(at)
        return found

    def events(self) -> list[float]:
        """Times of what befell the canary, ascending: crashes of different pods that come together are one event.

        Where more than half of its pods crash together each of them counts: no node has so many.
        """
        found: list[float] = []
        together: dict[str, float] = {}
        for at, pod in self.canary:
            if together and pod not in together and at - min(together.values()) <= TOGETHER_SECONDS:
                together[pod] = at
                most = self.pods[0] // 2 + 1
                found += [at] if len(together) > most else list(together.values())[1:] if len(together) == most else []
            else:
                together = {pod: at}
                found.append(at)
        return found

    def stable_since(self, at: float) -> int:
        """Crashes of stable's pods from a time on."""
        return sum(then >= at for then, _ in self.stable)

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "CrashLog":
        """The log from what was saved.

        Raises:
            TypeError: it is something else.
        """
        fields = dict(saved)
        for arm in ("canary", "stable"):
            fields[arm] = [(float(at), str(pod)) for at, pod in fields.get(arm, ())]
        fields["pods"] = tuple(fields.get("pods", (0, 0)))
        return cls(**fields)
