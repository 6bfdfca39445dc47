"""Judging a recording again: the same judge, the same looks, perhaps another policy."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter

from rollout.judge.left_out import left_out
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.judge.panel import Panel
from rollout.judge.verdict.conclusion import Docket, conclude, tell
from rollout.judge.verdict.verdicts import Assessment, SignalVerdict, Verdict
from rollout.records.recording import RecordedLook, Recording
from rollout.signals.kinds import SIGNAL_KINDS, Family, SignalKind
from rollout.signals.looks import PodLook, SignalLook, SourceStatus


@dataclass(frozen=True, slots=True)
class Replay:
    """What the judge says of a recording. JSON-serialisable by `dataclasses.asdict`.

    Attributes:
        verdict: bad if it ever was; else the last one.
        at: time of the look from which on the verdict held, in the recording's seconds; None without any look.
        onset_at: time of the look that began the run-up; None unless bad.
        culprits: signals to blame, the worst first.
        log_e: combined log evidence when it convicted, else at the end.
        excess_failed_requests: failures of the canary above stable's.
        looks: looks judged; those of one moment are one.
        late_lines: lines that changed nothing, because what they are of had been seen as late or later.
        remarks: what was not taken from the recording, parted by semicolons; empty where all was.
        signals: each signal's numbers, with its confidence sequence for the ratio.
        reason: one sentence.
    """

    verdict: Verdict
    at: float | None
    onset_at: float | None
    culprits: tuple[str, ...]
    log_e: float
    excess_failed_requests: float
    looks: int
    signals: tuple[SignalVerdict, ...]
    reason: str
    late_lines: int = 0
    remarks: str = ""


def policy_for(recording: Recording, *, alpha: float = 0.01) -> JudgePolicy:
    """Default policy for what a recording holds: its named signals, else errors, latency, crashes and gauges."""
    by_signal: dict[str, list[PodLook]] = {}
    for look in recording.looks:
        by_signal.setdefault(look.signal, []).extend(look.pods.values())
    pods = by_signal.pop("", [])
    kinds = {name: _kind_of(name, each) for name, each in by_signal.items() if each}
    if any(pod.requests or pod.errors for pod in pods):
        kinds.setdefault("errors", SignalKind.ERRORS)
    if recording.edges_seconds and any(pod.latency_counts for pod in pods):
        kinds.setdefault("latency", SignalKind.LATENCY)
    if any(pod.crashes for pod in pods):
        kinds.setdefault("crashes", SignalKind.CRASHES)
    for name in sorted({name for pod in pods for name in pod.gauges if name}):
        kinds.setdefault(name, SignalKind.GAUGE)
    signals = [SignalPolicy(name, kind) for name, kind in (kinds or {"errors": SignalKind.ERRORS}).items()]
    return JudgePolicy(signals=tuple(signals), false_rollback_rate=alpha)


def _kind_of(name: str, pods: Sequence[PodLook]) -> SignalKind:
    """How the looks of a named signal are to be read, by what they hold; one called `errors` is of errors."""
    if name == "errors" and any(pod.requests for pod in pods):
        return SignalKind.ERRORS
    if any(pod.latency_counts for pod in pods):
        return SignalKind.LATENCY
    if any(pod.gauges for pod in pods):
        return SignalKind.GAUGE
    if any(pod.requests for pod in pods):
        return SignalKind.ERRORS
    return SignalKind.EVENTS if any(pod.errors for pod in pods) else SignalKind.CRASHES


def replay(recording: Recording, policy: JudgePolicy | None = None, *, alpha: float | None = None) -> Replay:
    """Judge a recording from its first look to the conviction or the end.

    Args:
        recording: what was seen.
        policy: None takes `policy_for` the recording.
        alpha: replaces the policy's false-rollback rate.
    """
    return replays([recording], [policy], alpha=alpha)[0]


def replays(
    recordings: Sequence[Recording], policies: Sequence[JudgePolicy | None], *, alpha: float | None = None
) -> list[Replay]:
    """What `replay` says of each of many recordings, sooner: those under equal policies are judged side by side.

    Args:
        recordings: what was seen.
        policies: one for each of them.
        alpha: replaces the policies' false-rollback rates.
    """
    alike: dict[JudgePolicy, list[int]] = {}
    for at, (recording, policy) in enumerate(zip(recordings, policies, strict=True)):
        under = policy_for(recording) if policy is None else policy
        under = under if alpha is None else dataclasses.replace(under, false_rollback_rate=alpha)
        alike.setdefault(under, []).append(at)
    found: dict[int, Replay] = {}
    for policy, positions in alike.items():
        found |= zip(positions, _side_by_side([recordings[at] for at in positions], policy), strict=True)
    return [found[at] for at in range(len(recordings))]


def taught(recording: Recording, policy: JudgePolicy) -> Panel:
    """A panel that has learned what stable's pods did in a recording; nothing in it is judged."""
    panel = Panel(policy)
    for looks in _moments(recording):
        panel.learn([[signal for look in looks for signal in _signals(recording, look, policy)]])
    return panel


@dataclass(slots=True)
class _Course:
    """How far the judging of a recording has come.

    Attributes:
        recording: what was seen.
        looks: those that are left, each with the others of its moment.
        said: of the last look that was judged; None before the first.
        since: time of the look from which on its verdict held.
        judged: looks judged.
        over: the canary is convicted, or no look is left.
        newest: time of the newest look at each signal, and of the newest at earlier starts.
        late: lines that changed nothing, because they are not newer than that.
    """

    recording: Recording
    looks: Iterator[Sequence[RecordedLook]]
    said: Assessment | None = None
    since: float | None = None
    judged: int = 0
    over: bool = False
    newest: dict[tuple[str, bool], float] = field(default_factory=dict)
    late: int = 0

    def next(self) -> Sequence[RecordedLook]:
        """The looks of the next moment; none when the course is over."""
        looks = () if self.over else next(self.looks, ())
        self.over = not looks
        return looks

    def note(self, looks: Sequence[SignalLook]) -> None:
        """Count a line as late where every signal that it is of has been seen as late or later."""
        keys = {(look.signal, look.starts): look.at for look in looks}
        self.late += bool(keys) and all(at <= self.newest.get(key, -math.inf) for key, at in keys.items())
        for key, at in keys.items():
            self.newest[key] = max(at, self.newest.get(key, at))

    def update(self, said: Assessment, at: float) -> None:
        """Take in what is said of a look."""
        if self.said is None or said.verdict is not self.said.verdict:
            self.since = at
        self.said, self.judged, self.over = said, self.judged + 1, said.verdict is Verdict.BAD


def _side_by_side(recordings: Sequence[Recording], policy: JudgePolicy) -> list[Replay]:
    """Judge recordings under one policy: the first look of each of them, then the second of each, and so on."""
    panel, courses = Panel(policy, len(recordings)), [_Course(each, _moments(each)) for each in recordings]
    for case, each in zip(panel.cases, recordings, strict=True):
        case.first_share = each.canary_share
    while not all(course.over for course in courses):
        _go_on(panel, courses)
    for case, course in zip(panel.cases, courses, strict=True):
        if not course.judged and course.recording.looks:
            case.now = course.recording.looks[-1].at
    return [_replay_of(course, docket) for course, docket in zip(courses, panel.dockets(), strict=True)]


def _moments(recording: Recording) -> Iterator[Sequence[RecordedLook]]:
    """A recording's looks; those in a row that are alike in all but their signal are judged together, as they were."""
    for _, looks in groupby(recording.looks, attrgetter("at", "phase", "step", "share")):
        yield tuple(looks)


def _go_on(panel: Panel, courses: Sequence[_Course]) -> None:
    """Judge the next looks of each course that is not over."""
    learned: list[list[SignalLook]] = [[] for _ in courses]
    judged: list[list[SignalLook]] = [[] for _ in courses]
    ats: dict[int, float] = {}
    for index, course in enumerate(courses):
        looks = course.next()
        if not looks:
            continue
        first, lines = looks[0], [_signals(course.recording, look, panel.policy) for look in looks]
        seen = list(chain.from_iterable(lines))
        for look, line in zip(looks, lines, strict=True):
            if look.pods or not _tells_a_share(look):
                course.note(line)
        if first.phase != "release":
            learned[index] = seen
            continue
        followed = _follow_weight(panel, index, looks)
        if not followed or any(look.pods for look in looks):
            judged[index], ats[index] = seen, first.at
            panel.cases[index].now = max(panel.cases[index].now, first.at)
    panel.learn(learned)
    panel.look(judged)
    for index, docket in enumerate(panel.dockets()):
        if index in ats:
            courses[index].update(conclude(docket), ats[index])


def _follow_weight(panel: Panel, index: int, looks: Sequence[RecordedLook]) -> bool:
    """Tell the judge of another weight, if these looks do. A step begins with its first look where that has pods."""
    first = looks[0]
    if not _tells_a_share(first):
        return False
    if first.step:
        since = -math.inf if any(look.pods for look in looks) else first.at
        panel.begin_step(index, first.share or 0.0, since)
    elif first.share is not None:
        panel.change_share(index, first.share, first.at)
    return True


def _tells_a_share(look: RecordedLook) -> bool:
    return bool(look.step) or look.share is not None


def _replay_of(course: _Course, docket: Docket) -> Replay:
    said = course.said or conclude(docket)
    return Replay(
        verdict=said.verdict,
        at=course.since,
        onset_at=said.evidence_at,
        culprits=said.culprits,
        log_e=said.log_e,
        excess_failed_requests=said.excess_failed_requests,
        looks=course.judged,
        signals=tell(docket),
        reason=said.reason,
        late_lines=course.late,
        remarks=left_out(course.recording, docket.policy, course.late),
    )


def _signals(recording: Recording, look: RecordedLook, policy: JudgePolicy) -> list[SignalLook]:
    """One recorded look as every signal of the policy reads it that it is of."""
    edges = look.edges_seconds or recording.edges_seconds
    return [
        SignalLook(
            signal=signal.name,
            at=look.at,
            status=SourceStatus.OK,
            pods=_named(look.pods, signal),
            edges_seconds=edges if SIGNAL_KINDS[signal.kind].family is Family.LATENCY else (),
            starts=look.phase == "starts",
        )
        for signal in policy.signals
        if look.signal in {"", signal.name}
    ]


def _named(pods: Mapping[str, PodLook], signal: SignalPolicy) -> Mapping[str, PodLook]:
    """The pods with a gauge under its signal's name, where they have it under its metric's."""
    if SIGNAL_KINDS[signal.kind].family is not Family.GAUGE or signal.metric in {"", signal.name}:
        return pods
    return {
        name: pod
        if signal.name in pod.gauges or signal.metric not in pod.gauges
        else dataclasses.replace(pod, gauges={signal.name: pod.gauges[signal.metric]})
        for name, pod in pods.items()
    }
