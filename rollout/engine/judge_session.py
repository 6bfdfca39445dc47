"""The judge of the release in flight: made when it starts, fed while the canary has traffic, saved and resumed."""

from __future__ import annotations

import base64
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from rollout.api.bounds import with_short_texts
from rollout.api.status import Phase
from rollout.judge import Judge
from rollout.judge.checkpoint_format import StateError
from rollout.judge.from_spec import judge_policy_of
from rollout.records.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.judge import Assessment, JudgePolicy
    from rollout.records.recording import Phase as RecordedPhase
    from rollout.signals.looks import SignalLook

log: Any = structlog.get_logger()
JUDGED = frozenset({Phase.STEPPING, Phase.PROMOTING, Phase.BAKING})


def is_judged(status: Status) -> bool:
    """Whether requests reach the canary on purpose, so that what they meet says something."""
    if status.phase not in JUDGED or status.withdrawn_at is not None:
        return False
    return status.phase is Phase.BAKING or status.weight.desired > 0


def _resumed(policy: JudgePolicy, saved: str) -> Judge:
    """The judge whose sums were kept; a fresh one where there are none, or where nobody can read them."""
    if saved:
        try:
            return Judge.restore(policy, base64.b64decode(saved))
        except (StateError, ValueError) as error:
            log.warning("the judge begins anew", error=str(error))
    return Judge(policy)


class JudgeSession:
    """Keeps one judge per release id.

    Attributes:
        identity: of the release it judges; empty for none.
        assessment: what the judge said last; None before the canary was judged for the first time.
        assessed_at: when it was asked that; seconds since the epoch.
        recorder: what keeps what the judge is shown; None where nobody wants that.
    """

    def __init__(self) -> None:
        self._clear("")

    def _clear(self, identity: str) -> None:
        """Begin with another release: nothing of the one before counts."""
        self._judge: Judge | None = None
        self._policy: JudgePolicy | None = None
        self._names: set[str] = set()
        self._step_of: float | None = None
        self.identity = identity
        self.assessment: Assessment | None = None
        self.assessed_at: float | None = None
        self.recorder: Recorder | None = None

    def start(self, status: Status, spec: Spec, recorded: str = "") -> bool:
        """Have the judge of the release in flight: a fresh one, or the one whose sums the status carries.

        Where other signals, or another rate, are asked for in flight, the judge goes on by them: what it knows of
        signals that stay is kept.

        Args:
            status: which release is in flight.
            spec: what it is judged by, and whether it is recorded.
            recorded: what a predecessor has recorded of it.

        Returns:
            whether the release is judged by something else from now on.
        """
        identity = status.release.id if status.release else ""
        policy = judge_policy_of(spec.analysis) if identity and spec.analysis.signals else None
        if identity == self.identity:
            return self._go_on_by(policy)
        self._clear(identity)
        if policy is None:
            return False
        if spec.is_recorded:
            self.recorder = Recorder(spec, before=recorded)
        self._take(policy, _resumed(policy, status.judge))
        self._step_of = status.verified_at
        return False

    def _go_on_by(self, policy: JudgePolicy | None) -> bool:
        if policy == self._policy:
            return False
        judge = Judge(policy) if policy is not None else None
        if policy is not None and self._judge is not None:
            judge = Judge.restore(policy, self._judge.save())
        self._take(policy, judge)
        self.assessment, self.assessed_at = None, None
        return True

    def _take(self, policy: JudgePolicy | None, judge: Judge | None) -> None:
        self._policy, self._judge = policy, judge
        self._names = {signal.name for signal in policy.signals} if policy is not None else set()

    def update(self, status: Status, looks: Sequence[SignalLook], now: float) -> None:
        """Judge what was seen since the last time, and that nothing was seen where nothing was.

        What was before the canary has traffic is history of stable, whenever it comes: a canary may be ready sooner
        than Prometheus has told what stable did.

        Raises:
            ArithmeticError: what the judge was shown has spoilt its sums; it has nothing to say any more.
        """
        if self._judge is None or status.release is None:
            return
        mine = [look for look in looks if look.signal in self._names]
        judged, began = is_judged(status), status.release.started_at
        past = [look for look in mine if not judged or look.starts or look.at < began]
        if past:
            self._note("history", past)
            self._judge.learn(past)
        self._follow_weight(status, now, judged=judged)
        if not judged:
            return
        present = [look for look in mine if not look.starts and look.at >= began]
        self._note("release", present)
        found = self._judge.look(now, present)
        self.assessment, self.assessed_at = (None if math.isnan(found.log_e) else found), now
        if self.assessment is None:
            raise ArithmeticError("the judge's sums are no numbers any more: what it was shown was none")

    def _follow_weight(self, status: Status, now: float, *, judged: bool) -> None:
        """Tell the judge which share requests are to be held against: a step's once it is verified, else none.

        Between two steps the weight of the one before stays in force until another is asked for.
        """
        if self._judge is None:
            return
        stepping = judged and status.phase is Phase.STEPPING
        share = status.weight.desired / 100 if stepping else 0.0
        if stepping and status.verified_at is not None and status.verified_at != self._step_of:
            self._judge.begin_step(share, status.verified_at)
            self._step_of = status.verified_at
            if self.recorder is not None:
                self.recorder.step(status.verified_at, status.step + 1, share)
            return
        if status.verified_at is None and share != self._judge.share:
            share = 0.0
        self._judge.change_share(share, now)
        if self.recorder is not None:
            self.recorder.change_share(now, share)

    def _note(self, phase: RecordedPhase, looks: Sequence[SignalLook]) -> None:
        if self.recorder is not None:
            self.recorder.note(phase, looks)

    def checkpoint(self, status: Status) -> Status:
        """The status with the judge's words in it, and with its sums while there is something left to judge."""
        if self._judge is None or self.assessment is None or status.release is None:
            return status
        told: dict[str, Any] = asdict(self.assessment) | {"signals": [asdict(each) for each in self._judge.signals()]}
        sums = base64.b64encode(self._judge.save()).decode() if status.phase in JUDGED else ""
        return status.model_copy(update={"analysis": with_short_texts(told), "judge": sums})
