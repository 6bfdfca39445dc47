"""What pods that differ allow to be seen, before anybody starts a release, and what more canary pods would bring."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rollout.judge.baseline.missing import missing
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.evidence.foresight import MANY, PodsKnown, healthy_stray, smallest_seen
from rollout.judge.from_spec import judge_policy_of
from rollout.judge.replay import taught
from rollout.judge.verdict.placement import foretold
from rollout.signals.figures import rough
from rollout.signals.kinds import SIGNAL_KINDS, Family

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout.api.spec import Signal, Spec
    from rollout.records.recording import Recording

MORE = (1, 2, 4)
"""Canary pods that are told, times those of the first step."""

USUAL_ERROR_RATE = 0.001
"""Failure share of a healthy version where nobody says another."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How stable's pods differ, who says so, and what is to be said of places; empty where those make no difference."""

    known: PodsKnown
    source: str
    places: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """How far a healthy canary may be from stable by its pods alone.

    Attributes:
        canary_pods: that it has.
        ratio: failure rate over stable's that one healthy canary in a hundred exceeds.
    """

    canary_pods: int
    ratio: float


@dataclass(frozen=True, slots=True)
class PodsSight:
    """What all steps together can see beside pods that differ.

    Attributes:
        spread: standard deviation of the log failure rates of stable's pods.
        wander: the part of it that comes and goes.
        wander_seconds: how long that lasts.
        source: who says so.
        smallest_ratio: failure rate over stable's that is seen with the traffic that is expected; None where none is
            seen, or no traffic is known.
        smallest_ratio_ever: the same with any traffic; None where none is seen.
        strays: by canary pods, the fewest first.
        places: what is to be said of zones, or nodes that pods share; empty where they make no difference.
    """

    spread: float
    wander: float
    wander_seconds: float
    source: str
    smallest_ratio: float | None
    smallest_ratio_ever: float | None
    strays: tuple[Stray, ...]
    places: str = ""


def assumed() -> Difference:
    """What the judge takes for granted before stable's pods have shown anything."""
    return Difference(PodsKnown.learned(PodVariation(np.array([True]))), "assumed: say --spread or --recording")


def said(spread: float, pods: int) -> Difference:
    """Pods that differ by this, as somebody says."""
    return Difference(PodsKnown.said(spread, pods), "as --spread says")


def shown_by(recording: Recording, spec: Spec, name: str) -> Difference | None:
    """What stable's pods show in a recording of this name; None where they show nothing.

    Args:
        recording: of a release of the service.
        spec: its first signal that counts failures is what is looked at.
        name: of the recording.
    """
    failing = failing_signals(spec)
    if not failing:
        return None
    policy = judge_policy_of(spec.analysis)
    panel = taught(recording, policy)
    evidence = panel.evidence
    index = [signal.name for signal in policy.signals].index(failing[0].name)
    column, noise = evidence.columns.reserved[index].start, evidence.pod_variation
    if not noise.blocks[column] or not noise.failed[column].any():
        return None
    lacks = "" if missing(noise, column) is None else ", too short to be sure"
    # A canary is held against stable's pods of its place.
    (spread,), (pods,) = evidence.places.spreads(np.array([column]))
    known = replace(PodsKnown.learned(noise, column), spread=float(spread), pods=float(pods))
    places = foretold(evidence.places, column, panel.states[index].pods.places)
    return Difference(known, f"as {name} shows{lacks}", places)


def failing_signals(spec: Spec) -> list[Signal]:
    """The signals that count requests that fail."""
    return [each for each in spec.analysis.signals if SIGNAL_KINDS[each.kind].family is Family.FAILURES]


def pods_sight(
    differ: Difference,
    spec: Spec,
    steps: Sequence[tuple[float, float]],
    canary_pods: int,
    rps: float | None,
    error_rate: float,
) -> PodsSight | None:
    """What steps can see of failures; None where nothing that fails is judged, or nothing to compare with is left.

    Args:
        differ: how stable's pods do.
        spec: of the release.
        steps: the canary's share, 0 to 1, and the seconds of each.
        canary_pods: of the first step.
        rps: requests per second of the service; None where nobody knows.
        error_rate: failure share of a healthy version.
    """
    failing, shares = failing_signals(spec), [step for step in steps if step[0] < 1]
    if not failing or not shares:
        return None
    policy, known = judge_policy_of(spec.analysis), differ.known
    weights = zip(policy.signals, policy.weights(), strict=True)
    weight = next(weight for signal, weight in weights if signal.name == failing[0].name)
    needed = -math.log(policy.false_rollback_rate * weight)

    def seen(requests: float) -> float | None:
        found = smallest_seen(known, shares, error_rate, requests, needed, policy.horizon_seconds)
        return float(f"{found:.4g}") if math.isfinite(found) else None

    return PodsSight(
        spread=known.spread,
        wander=known.wander,
        wander_seconds=known.wander_seconds,
        source=differ.source,
        smallest_ratio=None if rps is None else seen(rps),
        smallest_ratio_ever=seen(MANY / error_rate),
        strays=tuple(
            Stray(more, healthy_stray(known, more, spec.workload.pods))
            for more in (canary_pods * each for each in MORE)
        ),
        places=differ.places,
    )


def indistinct(spec: Spec, pods: PodsSight) -> Iterator[str]:
    """That pods differ by so much that what the policy wants excluded may be a pod's own."""
    margin, ever = spec.analysis.promotion_margin, pods.smallest_ratio_ever
    if ever is None or ever > margin:
        seen = "no fault" if ever is None else f"nothing below {rough(ever)} times stable's failures"
        yield (
            f"stable's pods differ by {rough(100 * pods.spread)} %: {seen} is seen in these steps, however many "
            f"requests there are, and the policy wants {margin:g} times excluded; longer holds help, and pods that are "
            "more alike (one kind of node, CPU of their own)"
        )
