"""Sample-ratio mismatch: do the requests arrive in the shares that were asked for?

A canary that gets others' traffic cannot be called good.

Requests under one weight are counted against its share theta with a beta-binomial e-process,

    E = B(k theta + x, k (1 - theta) + n - x) / (B(k theta, k (1 - theta)) theta^x (1 - theta)^(n - x)),   k = 100

(Lindon & Malek 2022, for two arms). It may be looked at at any moment. Crossing 1/0.001 says that the shares are not
random around theta: sticky sessions, a second route, a gateway that lags behind.
"""

import math
from dataclasses import dataclass

from scipy.special import betaln

LEVEL = 0.001
"""Probability that right shares are ever called a mismatch in a step."""

NEAR = 1.25
"""Odds this near to those asked for are let pass, however sure it is that they differ."""

AT_ONCE = 1e-3
"""Seconds that are no time at all: sums of times are not exact."""

_WEIGHT = 100.0


@dataclass(slots=True)
class SampleRatioTest:
    """The requests under the present weight.

    Attributes:
        asked: the canary's share, 0 to 1; 0 while it is not known.
        canary: requests of the canary.
        stable: requests of stable.
        since: when the weight came into force; requests of looks that began earlier are left out.
    """

    asked: float = 0.0
    canary: int = 0
    stable: int = 0
    since: float = -math.inf

    def count(self, canary: int, stable: int, began: float) -> None:
        """Take in the requests of a look that began then, unless other weights were in force for a part of it."""
        if began >= self.since - AT_ONCE:
            self.canary += canary
            self.stable += stable

    def saved(self) -> dict[str, float]:
        """For saving: whoever goes on has seen nothing of the time before."""
        return {"asked": self.asked, "canary": self.canary, "stable": self.stable}

    def log_e(self) -> float:
        """Natural logarithm of the e-process against the share that was asked for."""
        if not 0 < self.asked < 1:
            return 0.0
        ours, theirs = _WEIGHT * self.asked, _WEIGHT * (1 - self.asked)
        mixture = float(betaln(ours + self.canary, theirs + self.stable) - betaln(ours, theirs))
        return mixture - self.canary * math.log(self.asked) - self.stable * math.log1p(-self.asked)

    def mismatch(self) -> str:
        """What does not fit, in a sentence; empty while the shares may be right."""
        if self.log_e() < math.log(1 / LEVEL):
            return ""
        total = self.canary + self.stable
        odds = (self.canary + 0.5) / (self.stable + 0.5) / (self.asked / (1 - self.asked))
        if 1 / NEAR <= odds <= NEAR:
            return ""
        return f"{self.canary / total:.1%} of {total} requests reached the canary, {self.asked:.1%} was asked for"
