"""What a judge must remember to go on after a restart, signal by signal, so that a changed policy keeps what it can.

A saved judge keeps its keys for good, whatever the parts are called in the code: `_TESTS`, and "book", "body", "shares"
below, map one to the other.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from rollout.judge.baseline.calm import Calm
from rollout.judge.baseline.calm_others import CalmOthers
from rollout.judge.baseline.crash_log import CrashLog
from rollout.judge.baseline.places import Places
from rollout.judge.baseline.pods_now import PodsNow
from rollout.judge.baseline.sums import SignalState
from rollout.judge.baseline.wander import Wander
from rollout.judge.checkpoint_format import StateError, decode, encode
from rollout.judge.data.pod_slots import PodSlots
from rollout.judge.evidence.battery import Evidence
from rollout.judge.evidence.combination import RunUp
from rollout.judge.evidence.gauge_test import Gauge
from rollout.judge.evidence.sample_ratio_mismatch import SampleRatioTest
from rollout.judge.evidence.scaled_sums import shortened
from rollout.judge.model.onset_prior import Floats
from rollout.judge.model.ridits import Ridits
from rollout.judge.panel import Panel
from rollout.judge.verdict.case import Conviction
from rollout.signals.looks import SourceStatus

ROOM_BYTES = 65_536
"""What a saved judge may take; twelve signals do."""

SHORTER = (20, 12, 8)
"""Bits that most of it is saved with where they would take more than that: 6 digits, 4, or 2."""

_SHORTENED = (
    *(("ratio", "sums"), ("noise", "gains"), ("noise", "hit"), ("wander", "before"), ("places", "lately")),
    *(("calm", "hit"), ("calm", "done"), ("calm", "stayed")),
)
"""What is saved with so few bits then."""

_SEQUENCES = "sequences"

_TESTS = {
    "sums": "sums",
    "noise": "pod_variation",
    "wander": "wander",
    "calm": "calm",
    "brief": "brief",
    "apart": "pods_now",
    "places": "places",
    "warmth": "cold_start",
    "drawn": "pod_effect_prior",
    "ratio": "ratio",
    "gross": "absolute_rate",
    _SEQUENCES: "sequences",
    "proof": "noninferiority",
}
"""Keys of what is saved of each column, and the attribute of `Evidence` that holds it."""


_ADDED = {
    "noise": ("hit",),
    "brief": CalmOthers.STATE,
    "wander": Wander.STATE,
    "calm": Calm.STATE,
    "apart": PodsNow.STATE,
    "places": Places.STATE,
    "drawn": ("near",),
    "ratio": ("lasting", "noise", "moves", "drawn"),
}
"""Names that judges did not save before pods were known to wander, before their places were known, or before the last
node was nearer, by key: a release that such a judge began has its nodes, noise and bursts to its end."""

_UNSEEN = {"likely": -math.inf}
"""What stands for kinds (of bursts, of exponents) that such a judge did not know, by name; 0 where nothing is said."""


class PerColumn(Protocol):
    """Arrays whose first axis is the columns; `STATE` names those that are saved."""

    STATE: ClassVar[tuple[str, ...]]


def save(panel: Panel) -> bytes:
    """Bytes of everything that a panel of one release has summed.

    What goes on from them is as if it had never stopped, but where most columns of twelve latency signals know
    bursts: there the ratio test's sums lose digits so that they have room, which changes log evidence by less than
    0.01.
    """
    state = _state_of(panel)
    blob = encode(state)
    for bits in SHORTER:
        if len(blob) <= ROOM_BYTES:
            break
        for signal in state["signals"].values():
            for key, name in _SHORTENED if "ratio" in signal["evidence"] else ():
                # Of noise a digit less: what is learned from it is a choice between few.
                signal["evidence"][key][name] = shortened(signal["evidence"][key][name], bits - (key == "noise"))
        blob = encode(state)
    return blob


def _state_of(panel: Panel) -> dict[str, Any]:
    case, signals = panel.cases[0], panel.policy.signals
    panel.evidence.catch_up()
    saved = {
        signal.name: {"kind": str(signal.kind), "book": _saved_state(state), "evidence": _saved(panel.evidence, index)}
        for index, (signal, state) in enumerate(zip(signals, panel.states, strict=True))
    }
    return {
        "signals": saved,
        "run_up": asdict(case.run_up),
        "shares": case.sample_ratio.saved(),
        "conviction": asdict(case.conviction) if case.conviction else None,
    }


def restore(panel: Panel, blob: bytes) -> None:
    """Fill a fresh panel of one release.

    Raises:
        StateError: the bytes are damaged, of another version, or lack something.
    """
    state, case = decode(blob), panel.cases[0]
    try:
        for index, signal in enumerate(panel.policy.signals):
            saved = state["signals"].get(signal.name)
            if saved is not None and saved["kind"] == str(signal.kind):
                panel.states[index] = _restored_state(saved["book"])
                _restore(panel.evidence, index, saved["evidence"])
        case.run_up, case.sample_ratio = RunUp(**state["run_up"]), SampleRatioTest(**state["shares"])
        case.conviction = _conviction(state["conviction"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"the judge's state lacks what this version needs ({error!r}): start a fresh judge") from error
    panel.evidence.settle()
    panel.weigh()


def _saved(evidence: Evidence, index: int) -> dict[str, Any]:
    """What is saved of a signal's evidence."""
    columns = evidence.columns
    saved: dict[str, Any] = {"edges": list(columns.edges[index])}
    if index in evidence.gauges:
        return saved | {"gauge": evidence.gauges[index].saved()}
    saved |= {"body": list(columns.ridit_edges[index]), "scores": columns.scores[columns.reserved[index].start]}
    saved["weighed"] = index not in evidence.unweighed
    for key, test, where in _parts(evidence, index):
        saved[key] = {name: getattr(test, name)[where] for name in test.STATE}
    return saved


def _restore(evidence: Evidence, index: int, saved: Mapping[str, Any]) -> None:
    """Put a signal's saved evidence back.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another kind.
        ValueError: an array has another shape.
    """
    if index in evidence.gauges:
        evidence.gauges[index] = Gauge.restored(saved["gauge"]).under(evidence.gauges[index].tolerance)
        return
    if not saved.get("weighed", False):
        evidence.unweighed.add(index)
    if saved["edges"]:
        ridits = Ridits(tuple(saved["body"]), saved["scores"]) if saved["body"] else None
        evidence.judge_at(index, saved["edges"], ridits)
    for key, test, where in _parts(evidence, index):
        for name in test.STATE:
            if name in _ADDED.get(key, ()) and name not in saved.get(key, {}):
                if key in {"ratio", "drawn"}:  # what it was told of pods when it was made, they did not know
                    getattr(test, name)[where] = 0.0
                continue
            _put_back(getattr(test, name)[where], saved[key][name], _UNSEEN.get(name, 0.0))


def _put_back(kept: Floats, saved: Floats, unseen: float) -> None:
    """Fill an array with a saved one; what was not thought of when it was saved is `unseen`.

    Raises:
        ValueError: another number of columns or axes, or more of anything than there is.
    """
    if kept.ndim != saved.ndim or len(kept) != len(saved):
        raise ValueError(f"an array of shape {saved.shape} was saved, {kept.shape} is needed")
    kept[...] = unseen
    kept[tuple(map(slice, saved.shape))] = saved


def _parts(evidence: Evidence, index: int) -> Iterator[tuple[str, PerColumn, slice]]:
    """Each part's key, the part, and a signal's columns in it; of sequences the one column that people are shown."""
    for key, attribute in _TESTS.items():
        test: PerColumn = getattr(evidence, attribute)
        columns = evidence.columns
        yield key, test, columns.shown(index) if key == _SEQUENCES else columns.reserved[index]


def _saved_state(state: SignalState) -> dict[str, Any]:
    return asdict(state) | {"pods": {"places": dict(state.pods.slots), "inside": dict(state.pods.places)}}


def _restored_state(saved: Mapping[str, Any]) -> SignalState:
    fields = dict(saved)
    fields["status"] = SourceStatus(fields["status"])
    fields["pods"] = PodSlots(fields["pods"]["places"], fields["pods"].get("inside", {}))
    fields["crashes"] = CrashLog.restored(fields.get("crashes", {}))
    return SignalState(**fields)


def _conviction(saved: Mapping[str, Any] | None) -> Conviction | None:
    if saved is None:
        return None
    fields: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in saved.items()}
    return Conviction(**fields)
