"""Each revision is read by its own spec: where its pods show something may change with the version.

What is compared, and how, is the same for both: that is the spec in force. A correction that is made while a revision
is the desired one is no new version: it reaches the notes of all others too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.spec import Signal, Spec

ReadAs: TypeAlias = "Callable[[str, Signal], Signal]"
"""A signal as it is read at the pods of a revision."""

OWN = ("port", "path", "metric", "label")
"""What each revision has of its own."""


def as_given(_revision: str, signal: Signal) -> Signal:
    """The same for all revisions."""
    return signal


def as_noted(signal: Signal, noted: Signal | None) -> Signal:
    """A signal as a revision shows it; ``noted`` is the one of that name in the revision's own spec, if any.

    One that was something else then, or is an expression, is read as the spec in force says.
    """
    if noted is None or not _alike(signal, noted):
        return signal
    return signal.model_copy(update={name: getattr(noted, name) for name in OWN})


def corrected(noted: Spec, before: Spec, after: Spec) -> Spec | None:
    """A revision's spec with what was corrected of another's from ``before`` to ``after``; None for nothing."""
    old = {signal.name: signal for signal in before.analysis.signals}
    changes = {
        signal.name: found
        for signal in after.analysis.signals
        if signal.name in old and _alike(signal, old[signal.name]) and (found := _changed(old[signal.name], signal))
    }
    signals = [signal.model_copy(update=changes.get(signal.name, {})) for signal in noted.analysis.signals]
    if signals == noted.analysis.signals:
        return None
    return noted.model_copy(update={"analysis": noted.analysis.model_copy(update={"signals": signals})})


def _alike(one: Signal, other: Signal) -> bool:
    return (one.kind, one.source) == (other.kind, other.source) and not one.query and not other.query


def _changed(before: Signal, after: Signal) -> dict[str, Any]:
    return {name: getattr(after, name) for name in OWN if getattr(before, name) != getattr(after, name)}
