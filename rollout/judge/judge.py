"""The judge of one release: takes looks in, keeps sums, and says after each what they prove.

No clock, no input or output, no randomness: the same looks give the same words, and a judge restored from its saved
sums goes on as if it had never stopped.
"""

import math
from collections.abc import Sequence

from rollout.judge import checkpoint
from rollout.judge.model.policy import JudgePolicy
from rollout.judge.panel import Panel
from rollout.judge.verdict.conclusion import conclude, tell
from rollout.judge.verdict.verdicts import Assessment, SignalVerdict
from rollout.signals.looks import SignalLook


class Judge:
    """Judges one release by the looks it is given.

    One judge serves all steps of a release: the false-rollback rate holds for all of them together.
    """

    def __init__(self, policy: JudgePolicy) -> None:
        self._panel = Panel(policy)
        self._case = self._panel.cases[0]

    @property
    def convicted_at(self) -> float | None:
        """Seconds since the epoch of the look that convicted the canary; None while it is not."""
        return None if self._case.conviction is None else self._case.conviction.at

    def learn(self, looks: Sequence[SignalLook]) -> None:
        """Take looks in as history of stable: nothing is judged, canary pods in them are ignored.

        Looks at earlier starts come last, whatever their time: the others decide at which edges latency is judged.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        self._panel.learn([looks])

    @property
    def share(self) -> float:
        """The canary's share that requests are held against, 0 to 1; 0 where they are not."""
        return self._case.sample_ratio.asked

    def begin_step(self, share: float = 0.0, since: float = -math.inf) -> None:
        """Say that a new step begins: it must be proven good anew, and its crashes are counted from 0.

        Evidence against the canary goes on through all steps.

        Args:
            share: the canary's share of the requests from now on, 0 to 1; 0 when that is not to be checked.
            since: when that share came into force, in seconds since the epoch; looks that began earlier do not count
                against it.
        """
        self._panel.begin_step(0, share, since)

    def change_share(self, share: float = 0.0, since: float = -math.inf) -> None:
        """Say that another weight is in force, without a new step; what is proven stays so.

        Args:
            share: the canary's share of the requests from now on, 0 to 1; 0 while weights move, or where all requests
                are the canary's.
            since: as for a step.
        """
        self._panel.change_share(0, share, since)

    def look(self, now: float, looks: Sequence[SignalLook]) -> Assessment:
        """Take in new looks and say what is proven.

        Args:
            now: seconds since the epoch; only tells looks that are too old to rely on.
            looks: any number, in any order; one not newer than the last of its signal changes nothing.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        self._panel.look([looks])
        self._case.now = now
        return conclude(next(self._panel.dockets()))

    def signals(self) -> tuple[SignalVerdict, ...]:
        """Each signal's verdict with its numbers as of the last look, in the policy's order."""
        return tell(next(self._panel.dockets()))

    def save(self) -> bytes:
        """The judge's sums, compact and versioned: at most 64 kB of twelve signals (see `checkpoint.save`)."""
        return checkpoint.save(self._panel)

    @classmethod
    def restore(cls, policy: JudgePolicy, blob: bytes) -> "Judge":
        """A judge that goes on where the saved one stopped; signals the saved one did not have start anew.

        Raises:
            StateError: the bytes are damaged or of another version.
        """
        judge = cls(policy)
        checkpoint.restore(judge._panel, blob)
        return judge
