"""What the judge of a release in flight is shown, and as what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollout.api.spec import Signal
from rollout.api.status import (
    Outcome,
    Phase,
    Status,
    Weight,
)
from rollout.engine.judge_session import JudgeSession
from rollout.judge.from_spec import judge_policy_of
from rollout.judge.replay import replay
from rollout.records.record import record_of
from rollout.records.recorder import config_map_of, lines_in
from rollout.records.recording import parse
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.view.page import markdown
from tests.rollout import samples


def look(at: float, *, starts: bool = False, canary: bool = False) -> SignalLook:
    pods = {"s": PodLook(Arm.STABLE, 900.0, 1.0, requests=50, errors={})}
    if canary:
        pods["c"] = PodLook(Arm.CANARY, 10.0, 1.0, requests=10, errors={})
    return SignalLook("errors", at, SourceStatus.OK, pods, starts=starts)


def test_history_that_comes_when_the_canary_is_judged_is_history_nevertheless():
    status, session = samples.stepping(), JudgeSession()
    assert status.release is not None
    spec, began = samples.spec(), status.release.started_at
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    spec = spec.model_copy(
        update={"recording": True, "analysis": spec.analysis.model_copy(update={"signals": signals})}
    )
    session.start(status, spec)
    session.update(status, [look(began - 30), look(began - 45, starts=True), look(began - 15)], began + 1)
    assert session.assessment is not None
    assert (session.assessment.verdict, session.assessed_at) == ("no-traffic", began + 1), (
        "asked, and nothing of the canary"
    )
    session.update(status, [look(began + 1, canary=True), look(began + 2, canary=True)], began + 2)
    assert session.assessment is not None
    assert session.checkpoint(status).analysis["signals"][0]["canary_requests"] == 20
    assert session.recorder is not None
    kept = lines_in(config_map_of("checkout", "shop", "id", session.recorder.finished(), {}))
    told = [json.loads(line) for line in kept.splitlines()[1:]]
    assert [(each["t"] - began, each["phase"]) for each in told if each["pods"]] == [
        (-30, "history"),
        (-15, "history"),
        (-45, "starts"),
        (1, "release"),
        (2, "release"),
    ]


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_sums_that_are_no_numbers_any_more_are_no_word_of_the_judge():
    status, session = samples.stepping(), JudgeSession()
    assert status.release is not None
    began = status.release.started_at
    spec = samples.spec()
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    session.start(status, spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"signals": signals})}))
    nobody = PodLook(Arm.CANARY, 10.0, 1.0, requests=10**160, errors={"500": 10**160})
    stable = PodLook(Arm.STABLE, 900.0, 1.0, requests=50)
    pods = {"s": stable, "c": nobody}
    looks = [SignalLook("errors", began + second, SourceStatus.OK, pods) for second in range(1, 6)]
    with pytest.raises(ArithmeticError, match="no numbers any more"):
        session.update(status, looks, began + 5)
    assert session.assessment is None
    assert session.checkpoint(status) == status


def test_requests_after_promotion_do_not_count_against_the_share_of_the_last_step():
    session = JudgeSession()
    spec = samples.spec()
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    spec = spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"signals": signals})})
    status = samples.stepping(step=1)
    assert status.release is not None
    began = status.release.started_at
    share = status.weight.desired / 100
    session.start(status.model_copy(update={"verified_at": None}), spec)

    def seen(status: Status, first: int, canary: int, stable: int) -> None:
        for second in range(first, first + 60):
            pods = {
                "s": PodLook(Arm.STABLE, 900.0, 1.0, requests=stable, errors={}),
                "c": PodLook(Arm.CANARY, 900.0, 1.0, requests=canary, errors={}),
            }
            now = began + second
            session.update(status, [SignalLook("errors", now, SourceStatus.OK, pods)], now)

    step = status.model_copy(update={"verified_at": began})
    seen(step, 1, round(1000 * share), round(1000 * (1 - share)))
    assert session.assessment is not None
    assert session.assessment.verdict == "good", session.assessment
    promoted = step.model_copy(update={"phase": Phase.PROMOTING})
    seen(promoted, 61, 1000, 1)
    assert session.assessment.verdict == "good", session.assessment
    assert "reached the canary" not in session.assessment.reason


class Course:
    """A release on its way, judged by errors: a look each second, of a thousand requests."""

    def __init__(self) -> None:
        spec = samples.spec()
        signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
        analysis = spec.analysis.model_copy(update={"signals": signals})
        self.spec = spec.model_copy(update={"recording": True, "analysis": analysis})
        self.session, self.second = JudgeSession(), 0
        started = samples.stepping(step=1, verified_at=None)
        assert started.release is not None
        self.began = started.release.started_at
        self.status = self.at(started, 20)
        self.session.start(self.status, self.spec)

    @staticmethod
    def at(status: Status, weight: int, **changes: Any) -> Status:
        return status.model_copy(update={"weight": Weight(desired=weight), "verified_at": None, **changes})

    def verified(self) -> None:
        self.status = self.status.model_copy(update={"verified_at": self.began + self.second})

    def go_on(self, seconds: int, canary: float, *, covers: float = 1.0) -> None:
        for _ in range(seconds):
            self.second += 1
            now = self.began + self.second
            pods = {
                "s": PodLook(Arm.STABLE, 900.0, covers, requests=round(1000 * covers * (1 - canary))),
                "c": PodLook(Arm.CANARY, 900.0, covers, requests=round(1000 * covers * canary)),
            }
            self.session.update(self.status, [SignalLook("errors", now, SourceStatus.OK, pods)], now)

    @property
    def said(self) -> tuple[str, str]:
        assert self.session.assessment is not None
        return str(self.session.assessment.verdict), self.session.assessment.reason

    def taken_over(self) -> None:
        """Another engine goes on with what this one has left behind."""
        self.status, recorded = self.session.checkpoint(self.status), self.recorded()
        self.session = JudgeSession()
        self.session.start(self.status, self.spec, recorded)

    def recorded(self) -> str:
        assert self.session.recorder is not None
        return lines_in(config_map_of("checkout", "shop", "id", self.session.recorder.finished(), {}))

    def replayed(self) -> tuple[str, str]:
        found = replay(parse(self.recorded().splitlines()), judge_policy_of(self.spec.analysis))
        return str(found.verdict), found.reason


@pytest.mark.parametrize("takes_over", [False, True])
def test_a_promoted_release_is_good_in_the_engine_in_its_record_and_in_its_replay(takes_over):
    course = Course()
    course.verified()
    course.go_on(60, 0.2)
    course.status = course.at(course.status, 100, phase=Phase.PROMOTING)
    course.go_on(5, 0.6)
    if takes_over:
        course.taken_over()
    course.go_on(60, 1.0)
    course.status = course.at(course.status, 100, phase=Phase.BAKING)
    course.go_on(60, 1.0)
    assert course.said[0] == "good", course.said
    assert "reached the canary" not in course.said[1]
    assert course.replayed() == course.said
    ended = samples.ended(Outcome.PROMOTED, verdict_at_end=course.session.checkpoint(course.status).analysis)
    page = markdown(record_of("checkout", "shop", course.spec, ended))
    assert "## Verdict: good" in page
    assert "reached the canary" not in page


def test_each_weight_is_held_against_its_own_requests():
    course = Course()
    course.verified()
    course.go_on(60, 0.2)
    course.status = course.at(course.status, 20)  # the step is over, the next one waits for a person
    course.go_on(5, 0.2)
    course.status = course.at(course.status, 50)
    course.go_on(30, 0.35)
    assert course.said[0] == "good", ("weights move", course.said)
    course.verified()
    course.go_on(1, 0.0, covers=30.0)  # counted since the weight before was in force
    course.go_on(60, 0.5)
    assert course.said[0] == "good", course.said
    assert course.replayed() == course.said


def test_while_a_step_waits_for_the_next_its_share_is_watched():
    course = Course()
    course.verified()
    course.go_on(60, 0.2)
    course.status = course.at(course.status, 20)
    course.go_on(60, 0.6)
    assert course.said[0] == "undecided"
    assert "20.0% was asked for" in course.said[1]
    assert course.replayed() == course.said


def test_a_weight_that_comes_back_is_held_against_what_came_after_it():
    course = Course()
    course.verified()
    course.go_on(60, 0.2)
    step = course.status
    course.status = step.model_copy(update={"withdrawn_at": course.began + course.second})
    course.go_on(30, 0.0)
    course.status = step
    course.go_on(60, 0.2)
    assert course.said[0] == "good", course.said
    course.go_on(120, 0.5)
    assert "20.0% was asked for" in course.said[1]
    assert course.replayed() == course.said
