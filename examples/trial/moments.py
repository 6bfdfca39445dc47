"""When a fault began and when it was over, read from nothing but the answers that callers got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from load.answers import Answer


@dataclass(frozen=True, slots=True)
class Moments:
    """Seconds since the epoch; None where there was no such answer.

    Attributes:
        first_bad: the first bad answer of the canary was received.
        last_canary: the last answer of the canary, or the last bad answer of nobody, was received.
        bad: bad answers that the canary, or nobody, gave in between.
        canary: all answers of the canary from the fault on.
    """

    first_bad: float | None
    last_canary: float | None
    bad: int
    canary: int

    @property
    def reaction(self) -> float | None:
        """From the first bad answer to the last one that the canary had a hand in, in seconds."""
        if self.first_bad is None or self.last_canary is None:
            return None
        return max(0.0, self.last_canary - self.first_bad)


def failed(answer: Answer) -> bool:
    """No answer, or a server error."""
    return answer.bad


def slower_than(seconds: float) -> Callable[[Answer], bool]:
    """Answers that fail or take longer than that."""
    return lambda answer: answer.bad or answer.seconds > seconds


def moments_of(
    answers: Iterable[Answer], canary: str, *, since: float = 0.0, is_bad: Callable[[Answer], bool] = failed
) -> Moments:
    """Read the moments of one fault.

    An answer that no version signed and that is bad was given by the gateway for a backend that had gone: it counts
    as the canary's. Stable's own bad answers do not.

    Args:
        answers: in any order.
        canary: the canary's ``X-Version``.
        since: when the fault was switched on; what was received earlier is not looked at.
        is_bad: what a bad answer is.
    """
    after = [answer for answer in answers if answer.done >= since]
    bad = [answer for answer in after if is_bad(answer) and answer.version in {canary, ""}]
    canaries = [answer for answer in after if answer.version == canary]
    touched = [answer.done for answer in (*bad, *canaries)]
    return Moments(
        first_bad=min((answer.done for answer in bad), default=None),
        last_canary=max(touched, default=None),
        bad=len(bad),
        canary=len(canaries),
    )
