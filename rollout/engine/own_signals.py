"""The signals as each revision's own spec has them, from the notes on the Deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.own_signals import as_noted
from rollout.api.revision import SPEC_ANNOTATION, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kube.kinds import Manifest
    from rollout.api.spec import Signal


class OwnSignals:
    """Called with a revision and a signal of the spec in force: how the signal is read there.

    Args:
        deployments: of the release, by revision, as they are now.
        desired: the revision that the spec in force describes; it is read by that spec, noted already or not.
    """

    def __init__(self, deployments: Callable[[], Mapping[str, Manifest]], desired: str) -> None:
        self._deployments, self._desired = deployments, desired
        self._known: dict[str, tuple[str, Mapping[str, Signal]]] = {}

    def __call__(self, revision: str, signal: Signal) -> Signal:
        """The signal as it is read at the pods of a revision."""
        return signal if revision == self._desired else as_noted(signal, self._noted(revision).get(signal.name))

    def _noted(self, revision: str) -> Mapping[str, Signal]:
        """By name; read again only where another note stands there."""
        deployment = self._deployments().get(revision)
        text = "" if deployment is None else str((deployment["metadata"].get("annotations") or {}).get(SPEC_ANNOTATION))
        known = self._known.get(revision)
        if known is None or known[0] != text:
            spec = policy_of(deployment) if deployment is not None else None
            known = text, {signal.name: signal for signal in spec.analysis.signals} if spec is not None else {}
            self._known[revision] = known
        return known[1]
