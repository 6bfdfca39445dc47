"""The release group of the command line; every command is imported when it runs."""

from __future__ import annotations

import click

from terminal.lazy import LazyGroup

COMMANDS = {
    "list": ("rollout.cli.show:list_releases", "Releases and where they stand."),
    "status": ("rollout.cli.show:status", "One release in full; -w follows it live."),
    "plan": ("rollout.cli.plan:plan", "What a release would do, what it can see, what it may cost."),
    "start": ("rollout.cli.start:start", "Ask for another version of a service."),
    "run": ("rollout.cli.engine:run_release", "Carry out one release from here, without a controller."),
    "watch": ("rollout.cli.watch:watch", "Wait for the outcome; the exit code tells it."),
    "pause": ("rollout.cli.verbs:pause", "Stop the clock; the weight stays, nothing is raised."),
    "resume": ("rollout.cli.verbs:resume", "Let the clock run on."),
    "promote": (
        "rollout.cli.verbs:promote",
        "Open a manual gate; where none waits, go to all traffic now, or end the bake.",
    ),
    "approve": ("rollout.cli.approve:approve", "Let a step that waits for approvals begin; --revoke takes it back."),
    "abort": ("rollout.cli.verbs:abort", "Take the new version back now."),
    "retry": ("rollout.cli.verbs:retry", "Allow a version that was taken back without evidence to be tried again."),
    "forgive": ("rollout.cli.forgive:forgive", "Let in again what was taken back on evidence; says why."),
    "history": ("rollout.cli.records:history", "Past releases of a service."),
    "record": ("rollout.cli.records:record", "The record a release left behind."),
    "replay": ("rollout.cli.replay:replay", "Judge recordings again, perhaps by another policy."),
    "controller": ("rollout.cli.engine:controller", "Carry out every release, until stopped."),
    "crd": ("rollout.cli.definition:crd", "Print the definitions of GrayRelease and Approval."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks (or set GRAYLING_DEBUG).")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Bring versions in gradually, watch them, take them back."""
    from terminal.exits import Session

    ctx.ensure_object(Session).debug |= debug
