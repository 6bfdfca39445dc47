"""What a judge must remember to go on after a restart, signal by signal, so that a changed policy keeps what it can."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rollout.judge.combination import RunUp
from rollout.judge.conclusion import Conviction
from rollout.judge.evidence import Evidence
from rollout.judge.ledger import Ledger
from rollout.judge.places import Pods
from rollout.judge.policy import JudgePolicy
from rollout.judge.shares import Shares
from rollout.judge.state import StateError, decode, encode
from rollout.looks import SourceStatus


def save(
    policy: JudgePolicy,
    books: Sequence[Ledger],
    evidence: Evidence,
    run_up: RunUp,
    shares: Shares,
    conviction: Conviction | None,
) -> bytes:
    """Bytes of everything the judge has summed."""
    signals = {
        signal.name: {"kind": str(signal.kind), "book": asdict(book), "evidence": evidence.export(index)}
        for index, (signal, book) in enumerate(zip(policy.signals, books, strict=True))
    }
    return encode(
        {
            "signals": signals,
            "run_up": asdict(run_up),
            "shares": asdict(shares),
            "conviction": asdict(conviction) if conviction else None,
        }
    )


def restore(
    policy: JudgePolicy, evidence: Evidence, blob: bytes
) -> tuple[list[Ledger], RunUp, Shares, Conviction | None]:
    """Fill the evidence in place; give back ledgers, run-up, shares and conviction.

    Raises:
        StateError: the bytes are damaged, of another version, or lack something.
    """
    state = decode(blob)
    try:
        books = [_book(state["signals"], signal.name, str(signal.kind)) for signal in policy.signals]
        for index, signal in enumerate(policy.signals):
            saved = state["signals"].get(signal.name)
            if saved is not None and saved["kind"] == str(signal.kind):
                evidence.load(index, saved["evidence"])
        evidence.settle()
        return books, RunUp(**state["run_up"]), Shares(**state["shares"]), _conviction(state["conviction"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"the judge's state lacks what this version needs ({error!r}): start a fresh judge") from error


def _book(signals: dict[str, Any], name: str, kind: str) -> Ledger:
    saved = signals.get(name)
    if saved is None or saved["kind"] != kind:
        return Ledger()
    fields = dict(saved["book"])
    fields["status"] = SourceStatus(fields["status"])
    fields["pods"] = Pods(**fields["pods"])
    return Ledger(**fields)


def _conviction(saved: dict[str, Any] | None) -> Conviction | None:
    return None if saved is None else Conviction(**{**saved, "culprits": tuple(saved["culprits"])})
