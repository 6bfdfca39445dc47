"""What a judge must remember to go on after a restart, signal by signal, so that a changed policy keeps what it can."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rollout.judge.baseline.sums import Ledger
from rollout.judge.checkpoint_format import StateError, decode, encode
from rollout.judge.data.pod_slots import Pods
from rollout.judge.evidence.combination import RunUp
from rollout.judge.evidence.ratio_test import shortened
from rollout.judge.evidence.sample_ratio_mismatch import Shares
from rollout.judge.panel import Panel
from rollout.judge.verdict.case import Conviction
from rollout.signals.samples import SourceStatus

ROOM_BYTES = 65_536
"""What a saved judge may take; twelve signals do."""

SHORTER = (20, 12, 8)
"""Bits that the ratio test's sums are saved with where they would take more than that: 6 digits, 4, or 2."""


def save(panel: Panel) -> bytes:
    """Bytes of everything that a panel of one release has summed.

    What goes on from them is as if it had never stopped, but where most channels of twelve latency signals know
    bursts: there the ratio test's sums lose digits so that they have room, which changes log evidence by less than
    0.01.
    """
    told = _told(panel)
    blob = encode(told)
    for bits in SHORTER:
        if len(blob) <= ROOM_BYTES:
            break
        for signal in told["signals"].values():
            if "ratio" in signal["evidence"]:
                signal["evidence"]["ratio"]["sums"] = shortened(signal["evidence"]["ratio"]["sums"], bits)
        blob = encode(told)
    return blob


def _told(panel: Panel) -> dict[str, Any]:
    case, signals = panel.cases[0], panel.policy.signals
    told = {
        signal.name: {"kind": str(signal.kind), "book": asdict(book), "evidence": panel.evidence.export(index)}
        for index, (signal, book) in enumerate(zip(signals, panel.books, strict=True))
    }
    return {
        "signals": told,
        "run_up": asdict(case.run_up),
        "shares": case.shares.saved(),
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
                panel.books[index] = _book(saved["book"])
                panel.evidence.load(index, saved["evidence"])
        case.run_up, case.shares = RunUp(**state["run_up"]), Shares(**state["shares"])
        case.conviction = _conviction(state["conviction"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"the judge's state lacks what this version needs ({error!r}): start a fresh judge") from error
    panel.evidence.settle()
    panel.weigh()


def _book(saved: Mapping[str, Any]) -> Ledger:
    fields = dict(saved)
    fields["status"] = SourceStatus(fields["status"])
    fields["pods"] = Pods(**fields["pods"])
    return Ledger(**fields)


def _conviction(saved: Mapping[str, Any] | None) -> Conviction | None:
    return None if saved is None else Conviction(**{**saved, "culprits": tuple(saved["culprits"])})
