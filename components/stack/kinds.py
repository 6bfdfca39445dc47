"""Every kind with its modes, how far each goes, and the tests that show it: `grayling stack kinds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.releases.service import Service
from components.stack.catalogue import KINDS

if TYPE_CHECKING:
    from components.model.component import Component

BLOB = "../../"


def every_kind() -> dict[str, type[Component]]:
    """Kinds by name, services among them."""
    found: dict[str, type[Component]] = {**KINDS, Service.kind: Service}
    return dict(sorted(found.items()))


def as_data() -> list[dict[str, Any]]:
    """One entry a kind; its standing is that of its first mode, ``by_mode`` tells each."""
    return [_entry(name, kind) for name, kind in every_kind().items()]


def _entry(name: str, kind: type[Component]) -> dict[str, Any]:
    by_mode = [
        {"mode": mode.name, "standing": mode.standing.value, "tests": list(mode.shown_by)} for mode in kind.modes
    ]
    return {
        "kind": name,
        "about": first_line(kind),
        "modes": [mode.name for mode in kind.modes],
        "standing": kind.modes[0].standing.value,
        "tests": list(dict.fromkeys(test for mode in kind.modes for test in mode.shown_by)),
        "by_mode": by_mode,
    }


def first_line(kind: type[Component]) -> str:
    """What the class says of itself, in a sentence."""
    return (kind.__doc__ or "").strip().splitlines()[0]


def as_text() -> str:
    """A line for each mode of each kind."""
    rows = [
        (entry["kind"], mode["mode"], mode["standing"], f"{len(mode['tests'])} tests")
        for entry in as_data()
        for mode in entry["by_mode"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def as_markdown() -> str:
    """The table of docs/reference/kinds.md."""
    lines = [
        "# Kinds",
        "",
        "What a stack can declare, and how far each goes here, as `grayling stack kinds -o markdown` prints it.",
        "",
        "- **real**: its own process ran in the tests of this repository.",
        "- **served**: no package of it can be had for them; an API server accepted its objects, and tests hold them.",
        "- **external**: run by somebody else; a stack declares and probes it.",
        "",
        "`make test` runs the tests that are not marked `long`, `make catalogue` all below `tests/catalogue`.",
        "Each has a minimal and a production example in [examples/kinds](../../examples/kinds).",
        "",
        "| kind | what | mode | standing | shown by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for entry in as_data():
        for mode in entry["by_mode"]:
            tests = "<br>".join(_linked(test) for test in mode["tests"])
            lines.append(f"| `{entry['kind']}` | {entry['about']} | {mode['mode']} | {mode['standing']} | {tests} |")
    return "\n".join(lines) + "\n"


def _linked(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name or file}]({BLOB}{file})"
