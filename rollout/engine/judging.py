"""The judge of the release in flight: made when it starts, fed while the canary has traffic, saved and resumed."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from rollout.judge import Judge
from rollout.judge.state import StateError
from rollout.policy import judge_policy_of
from rollout.recordings import Recorder
from rollout.status import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.judge import Assessment, JudgePolicy
    from rollout.judge.recording import Phase as RecordedPhase
    from rollout.looks import SignalLook
    from rollout.spec import Spec
    from rollout.status import Status

log: Any = structlog.get_logger()
JUDGED = frozenset({Phase.STEPPING, Phase.PROMOTING, Phase.BAKING})


def is_judged(status: Status) -> bool:
    """Whether requests reach the canary on purpose, so that what they meet says something."""
    return status.phase in JUDGED and (status.phase is Phase.BAKING or status.weight.desired > 0)


def _resumed(policy: JudgePolicy, saved: str) -> Judge:
    """The judge whose sums were kept; a fresh one where there are none, or where they are of another policy."""
    if saved:
        try:
            return Judge.restore(policy, base64.b64decode(saved))
        except StateError as error:
            log.warning("the judge begins anew", error=str(error))
    return Judge(policy)


class Bench:
    """Keeps one judge per release id."""

    def __init__(self) -> None:
        self._judge: Judge | None = None
        self.identity = ""
        self._names: set[str] = set()
        self._step_of: float | None = None
        self.assessment: Assessment | None = None
        self.recorder: Recorder | None = None

    def sit(self, status: Status, spec: Spec, recorded: str = "") -> None:
        """Have the judge of the release in flight: a fresh one, or the one whose sums the status carries.

        Args:
            status: which release is in flight.
            spec: what it is judged by, and whether it is recorded.
            recorded: what a predecessor has recorded of it.
        """
        identity = status.release.id if status.release else ""
        if identity == self.identity:
            return
        self.identity, self._judge, self.assessment, self.recorder = identity, None, None, None
        if not identity or not spec.analysis.signals:
            return
        policy = judge_policy_of(spec.analysis)
        if spec.record:
            self.recorder = Recorder(spec, before=recorded)
        self._names = {signal.name for signal in policy.signals}
        self._judge, self._step_of = _resumed(policy, status.judge), status.verified_at

    def hear(self, status: Status, looks: Sequence[SignalLook], now: float) -> None:
        """Judge what was seen since the last time.

        What was before the canary has traffic is history of stable, whenever it comes: a canary may be ready sooner
        than Prometheus has told what stable did.
        """
        mine = [look for look in looks if look.signal in self._names]
        if self._judge is None or status.release is None or not mine:
            return
        judged, began = is_judged(status), status.release.started_at
        past = [look for look in mine if not judged or look.starts or look.at < began]
        if past:
            self._note("history", past)
            self._judge.learn(past)
        present = [look for look in mine if judged and not look.starts and look.at >= began]
        if not present:
            return
        if status.phase is Phase.STEPPING and status.verified_at not in {None, self._step_of}:
            share = status.weight.desired / 100
            self._judge.begin_step(share)
            self._step_of = status.verified_at
            if self.recorder is not None:
                self.recorder.step(now, status.step + 1, share)
        self._note("release", present)
        self.assessment = self._judge.look(now, present)

    def _note(self, phase: RecordedPhase, looks: Sequence[SignalLook]) -> None:
        if self.recorder is not None:
            self.recorder.note(phase, looks)

    def put_down(self, status: Status) -> Status:
        """The status with the judge's words in it, and with its sums while there is something left to judge."""
        if self._judge is None or self.assessment is None or status.release is None:
            return status
        told: dict[str, Any] = asdict(self.assessment) | {"signals": [asdict(each) for each in self._judge.signals()]}
        sums = base64.b64encode(self._judge.save()).decode() if status.phase in JUDGED else ""
        return status.model_copy(update={"analysis": told, "judge": sums})
