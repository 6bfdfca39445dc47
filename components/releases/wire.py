"""A GrayRelease as it is written: what says nothing is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kube.kinds import Manifest


def without_empties(spec: Manifest) -> Manifest:
    """Empty maps and lists outside the pod template left out: on a custom resource they would differ forever."""
    kept = {}
    for key, value in spec.items():
        inner = without_empties(value) if isinstance(value, dict) and key != "template" else value
        if inner not in ({}, []):
            kept[key] = inner
    return kept
