"""What a replay did not take from a recording, in words."""

from collections.abc import Iterator
from textwrap import shorten

from rollout.judge.model.policy import JudgePolicy
from rollout.judge.verdict.conclusion import MOST_WORDS
from rollout.records.recording import RecordedLook, Recording
from rollout.signals.kinds import SIGNAL_KINDS, Family

MOST_STRANGERS = 5
"""Keys that nobody knows, of which is told."""


def left_out(recording: Recording, policy: JudgePolicy, late: int) -> str:
    """Return what was not taken, parted by semicolons; empty where all was.

    Args:
        recording: what was seen.
        policy: what was judged.
        late: lines that changed nothing, because what they are of had been seen as late or later.
    """
    return "; ".join([*_lines(recording, late), *_unknown_gauges(recording, policy)])


def _lines(recording: Recording, late: int) -> Iterator[str]:
    if late:
        yield f"{_counted(late)} late, no newer than what was known of their signals: they changed nothing"
    if unfit := sum(_is_unfit(look, recording) for look in recording.looks):
        yield f"{_counted(unfit)} with latency_counts that are not one more than the edges: those were left out"
    for key, lines in sorted(recording.strangers.items())[:MOST_STRANGERS]:
        yield f"{_counted(lines)} with the key {key}, which no recording has: it was left out"


def _counted(lines: int) -> str:
    return "1 line" if lines == 1 else f"{lines} lines"


def _is_unfit(look: RecordedLook, recording: Recording) -> bool:
    """Whether a pod of a line has other buckets than its edges make."""
    edges = look.edges_seconds or recording.edges_seconds
    return bool(edges) and any(len(pod.latency_counts) not in {0, len(edges) + 1} for pod in look.pods.values())


def _unknown_gauges(recording: Recording, policy: JudgePolicy) -> Iterator[str]:
    """Of each gauge that the policy names and the recording lacks: which there are."""
    has = sorted({name for look in recording.looks for pod in look.pods.values() for name in pod.gauges})
    for signal in policy.signals:
        if SIGNAL_KINDS[signal.kind].family is Family.GAUGE and not {signal.name, signal.metric} & {*has}:
            names = shorten(", ".join(has), MOST_WORDS) if has else "no gauge"
            yield f"signal {signal.name}: the recording has {names}; name one of them, as the signal or as its metric"
