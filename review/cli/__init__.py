"""``grayling review``: read what a change will do, approve exactly that, and see what is not as it was applied.

stdout is data, stderr is what happens.
"""

from __future__ import annotations

import click

from terminal.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "preview": ("review.cli.preview:preview", "Show what a change will do, risks first."),
    "approve": ("review.cli.approving:approve_command", "Say yes to exactly one digest, signed."),
    "revoke": ("review.cli.approving:revoke_command", "Take back every approval of one digest."),
    "verify": ("review.cli.verifying:verify_command", "Succeed only where what was approved is what would happen."),
    "log": ("review.cli.history:log_command", "List the changes that were carried out, and who let them in."),
    "probe": ("review.cli.probe:probe_command", "Look at the cluster that a preview is said to be of."),
    "drift": ("review.cli.drift:drift_command", "Show what is live and not as it was applied, and who wrote it."),
    "risks": ("review.cli.risks:risks_command", "List the rules by which a change is judged."),
}
"""Name of each command, its place and its line of help; none is imported before it runs."""


@click.group("review", cls=LazyGroup, lazy=COMMANDS)
def cli() -> None:
    """Read what a change will do, and approve exactly that."""
