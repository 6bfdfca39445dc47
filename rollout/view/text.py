"""Scenes and lists as text: aligned columns, colour only as emphasis that the caller may strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rollout.api.durations import about
from rollout.api.persisted import read_status
from rollout.view.scene import names, phase_of
from rollout.view.words import ABSENT, or_absent, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kube.kinds import Manifest
    from rollout.view.scene import Scene, SignalLine, StepLine

COLOURS = {
    "bad": "red",
    "RolledBack": "red",
    "RollingBack": "red",
    "rolled-back": "red",
    "good": "green",
    "promoted": "green",
    "undecided": "yellow",
    "no-traffic": "yellow",
    "no-data": "magenta",
    "source-down": "magenta",
}
"""Colours of words that mean the same everywhere."""

BAR = 12
_MARKS = {"done": "✓", "now": "▶", "next": "·", "back": "✗"}


def coloured(word: str) -> str:
    """Words that begin with a verdict, phase or outcome: that one in its colour."""
    first, space, rest = word.partition(" ")
    key = first.rstrip(":")
    return click.style(first, fg=COLOURS[key]) + space + rest if key in COLOURS else word


def bar(progress: float) -> str:
    """Progress, 0 to 1, as a bar."""
    full = round(progress * BAR)
    return "█" * full + "░" * (BAR - full)


def columns(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Left-aligned columns, two spaces apart; escape sequences take no room."""
    if not rows:
        return []
    widths = [max(len(click.unstyle(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return [
        (
            indent
            + "  ".join(
                cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True)
            )
        ).rstrip()
        for row in rows
    ]


def scene_text(scene: Scene) -> str:
    """One release, for a terminal or a log."""
    parts = [f"{click.style(scene.name, bold=True)}  {coloured(scene.phase)}  {scene.headline}"]
    facts = [*scene.facts, ("next", scene.next.text)]
    parts += columns([[f"{label}:", coloured(text)] for label, text in facts], indent="  ")
    if scene.steps:
        parts += ["", "steps", *columns([step_row(step) for step in scene.steps], indent="  ")]
    if scene.verdict:
        parts += ["", f"verdict  {coloured(scene.verdict)}"]
        parts += columns([_HEADINGS, *(signal_row(signal) for signal in scene.signals)], indent="  ")
    if scene.journal:
        parts += ["", "journal", *(f"  {line}" for line in scene.journal)]
    return "\n".join(parts) + "\n"


_HEADINGS = ["signal", "verdict", "stable", "canary", "ratio", "requests", "ln e", ""]


def step_row(step: StepLine) -> list[str]:
    """Cells of a step."""
    return [f"{_MARKS[step.state]} {step.number}", step.planned, bar(step.progress), step.told]


def signal_row(signal: SignalLine) -> list[str]:
    """Cells of a signal."""
    return [
        signal.name,
        coloured(signal.verdict),
        signal.stable,
        signal.canary,
        signal.ratio,
        signal.requests,
        signal.log_e,
        signal.reason,
    ]


LIST_HEADINGS = ("NAMESPACE", "NAME", "PHASE", "WEIGHT", "STABLE", "CANARY", "VERDICT", "SINCE")


def list_text(manifests: Sequence[Manifest], now: float, *, all_namespaces: bool) -> str:
    """Many releases, one line each."""
    rows = [list(LIST_HEADINGS), *(list_row(manifest, now) for manifest in manifests)]
    first = 0 if all_namespaces else 1
    return "\n".join(columns([row[first:] for row in rows])) + "\n"


def list_row(manifest: Manifest, now: float) -> list[str]:
    """Cells of a release in a list."""
    meta, status = manifest["metadata"], read_status(manifest.get("status"))[0]
    written = status.weight.desired if status.weight.written is None else status.weight.written
    weight = f"{written}/{percent(status.weight.observed)}" if status.canary else ABSENT
    since = ABSENT if status.phase_since is None else about(now - status.phase_since)
    verdict = str(status.analysis.get("verdict", "")) if status.in_flight else ""
    stable, canary, _ = names(status)
    return [
        meta.get("namespace", ""),
        meta["name"],
        coloured(phase_of(status)),
        weight,
        stable,
        canary,
        coloured(or_absent(verdict)),
        since,
    ]
