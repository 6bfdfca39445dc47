"""The commands of ``grayling stack`` that look at a cluster or change it: each names the cluster and what goes."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import click

from components.cli.options import (
    ONLY,
    OVERLAY,
    RECORDS,
    STACK,
    TIMEOUT,
    YES,
    confirm,
    find_stack,
    kept_by,
    may_ask,
    on_cluster,
    run,
    say,
)
from terminal.exits import Session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from components.deploy.survey import Survey
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster

CHANGES_PRESENT = 3


class Gate(Protocol):
    """What stands before an apply or a destroy: entered just before the first write, left with its outcome."""

    def __call__(
        self, file: StackFile, survey: Survey, cluster: Cluster, name: str, /, *, destroys: bool = False
    ) -> AbstractAsyncContextManager[None]:
        """Refuse by raising."""


@click.command("apply")
@STACK
@OVERLAY
@on_cluster
@ONLY
@TIMEOUT
@YES
@click.option("--prune/--no-prune", default=True, show_default=True, help="Delete what the stack no longer declares.")
@click.option("--allow-delete", is_flag=True, help="Let releases, volumes, namespaces or many objects at once go.")
@click.option("--force-conflicts", is_flag=True, help="Take fields that another writer owns.")
@RECORDS
def apply_command(
    *,
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    only: Sequence[str],
    timeout: float,
    yes: bool,
    prune: bool,
    allow_delete: bool,
    force_conflicts: bool,
    records: Sequence[Path],
) -> None:
    """Bring STACK to a cluster, layer by layer, and wait until it is ready."""
    from components.deploy.apply import Applier
    from components.deploy.session import engine_of, inventory_of, selected, served
    from components.deploy.survey import take_survey
    from components.deploy.target import Target, place_of, reached
    from components.deploy.waiting import Patience
    from components.policy.project import insist_on_policy

    file = find_stack(stack).as_it_is()
    everything, place = served(file), place_of(file)
    insist_on_policy(file, everything)
    manifests = selected(everything, only)
    what = f"apply {len(manifests)} objects of stack {file.stack}"
    may_ask(yes, what)
    gate = _gate()

    async def work() -> str:
        """Look, ask, apply and count."""
        async with reached(Target(kubeconfig, context), place) as (cluster, name):
            inventory = inventory_of(file)
            how: Any = {"prune": prune and not only, "engine": engine_of(file), "records": kept_by(file, records)}
            survey = await take_survey(cluster, inventory, manifests, **how)
            survey.insist(f"apply stack {file.stack} to {name}", allow_delete=allow_delete)
            confirm(yes, f"{what} to {name}", _before(survey, name))
            applier = Applier(cluster, inventory, say, Patience(timeout), force_conflicts, allow_delete)
            async with gate(file, survey, cluster, name) if gate else nullcontext():
                return (await applier.carry_out(survey)).summary()

    say(run(work()))


def _gate() -> Gate | None:
    session = click.get_current_context().find_object(Session)
    return session.gate if session else None


def _before(survey: Survey, name: str) -> list[str]:
    from components.deploy.refusal import named
    from kube.kinds import label_of

    gone = [f"{len(survey.gone)} objects go: {named([label_of(item) for item in survey.gone])}"] if survey.gone else []
    return [f"cluster: {name}", *survey.notes, *gone]


@click.command("diff")
@STACK
@OVERLAY
@on_cluster
@ONLY
@RECORDS
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when something would change.")
def diff_command(
    *,
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    only: Sequence[str],
    records: Sequence[Path],
    detailed_exitcode: bool,
) -> None:
    """Show what `apply` would change; secrets are hidden."""
    from components.deploy.difference import corrections, differences, summary
    from components.deploy.session import engine_of, inventory_of, served
    from components.deploy.target import Target, place_of, reached

    file = find_stack(stack).as_it_is()
    manifests, place = served(file, only), place_of(file)

    async def work() -> list[Any]:
        """Compare."""
        async with reached(Target(kubeconfig, context), place) as (cluster, name):
            say(f"cluster: {name}")
            how: Any = {"prune": not only, "engine": engine_of(file), "records": kept_by(file, records)}
            changes, survey = await differences(cluster, inventory_of(file), manifests, **how)
            for note in [*survey.notes, *corrections(survey)]:
                say(note)
            if why := survey.needs_consent():
                say(f"{why}: apply wants --allow-delete for that")
            return changes

    changes = run(work())
    for change in changes:
        click.echo(f"{change.op} {change.label}")
        if change.text:
            click.echo("\n".join(f"  {line}" for line in change.text.splitlines()))
    say(summary(changes, len(manifests)))
    if any(change.op in {"error", "refused"} for change in changes):
        sys.exit(1)
    if changes and detailed_exitcode:
        sys.exit(CHANGES_PRESENT)


@click.command("destroy")
@STACK
@OVERLAY
@on_cluster
@TIMEOUT
@YES
@click.option("--missing-ok", is_flag=True, help="Succeed where nothing of the stack is there.")
@click.option("--without-engine", is_flag=True, help="Let releases go although no engine runs that would end them.")
def destroy_command(
    *,
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    timeout: float,
    yes: bool,
    missing_ok: bool,
    without_engine: bool,
) -> None:
    """Delete everything that STACK put on the cluster, but definitions, and the data its tier retains."""
    from components.deploy.refusal import NothingThereError
    from components.deploy.session import inventory_of
    from components.deploy.target import Target, place_of, reached
    from components.deploy.teardown import plan_teardown, tear_down
    from components.deploy.waiting import Patience

    file = find_stack(stack).as_it_is()
    place, gate = place_of(file), _gate()
    may_ask(yes, f"destroy stack {file.stack}")

    async def work() -> str:
        """Look, ask, delete and count."""
        async with reached(Target(kubeconfig, context), place) as (cluster, name):
            inventory = inventory_of(file)
            try:
                plan = await plan_teardown(cluster, inventory)
            except NothingThereError as error:
                if missing_ok:
                    return f"{name}: {error}"
                raise NothingThereError(f"{name}: {error}") from error
            confirm(yes, f"destroy stack {file.stack} on {name}", [f"cluster: {name}", *plan.told()])
            patience = Patience(timeout)
            async with gate(file, plan.survey(), cluster, name, destroys=True) if gate else nullcontext():
                report = await tear_down(cluster, inventory, plan, patience, say, without_engine=without_engine)
            kept = report.labels("kept")
            return f"{report.count('deleted')} deleted" + (f"; kept: {', '.join(kept)}" if kept else "")

    say(run(work()))


@click.command("adopt")
@STACK
@on_cluster
@ONLY
@YES
def adopt_command(*, stack: str, kubeconfig: str | None, context: str | None, only: Sequence[str], yes: bool) -> None:
    """Take over STACK's objects from Pulumi, or from nobody; no value changes."""
    from components.deploy.adoption import adopt, plan_adoption
    from components.deploy.session import inventory_of, rendered
    from components.deploy.target import Target, place_of, reached

    file = find_stack(stack).as_it_is()
    manifests, place = rendered(file, only), place_of(file)
    may_ask(yes, f"adopt the objects of stack {file.stack}")

    async def work() -> str:
        """Look, ask, mark and count."""
        async with reached(Target(kubeconfig, context), place) as (cluster, name):
            plan = await plan_adoption(cluster, inventory_of(file), manifests, asked_for=bool(only))
            what = f"adopt {len(plan.taken)} objects into stack {file.stack} on {name}"
            confirm(yes, what, [f"cluster: {name}"])
            await adopt(cluster, inventory_of(file), plan, say)
            missing = len(manifests) - len(plan.taken) - len(plan.ours)
            return (
                f"{len(plan.taken)} adopted, {len(plan.ours)} were ours already, {missing} are not there or are shared"
            )

    say(run(work()))


@click.command("hand-over")
@STACK
@on_cluster
@YES
def hand_over_command(*, stack: str, kubeconfig: str | None, context: str | None, yes: bool) -> None:
    """Give STACK's objects up for Pulumi to go on with; no value changes."""
    from components.deploy.adoption import hand_over
    from components.deploy.session import inventory_of
    from components.deploy.target import Target, place_of, reached

    file = find_stack(stack).as_it_is()
    place = place_of(file)
    may_ask(yes, f"hand stack {file.stack} over")

    async def work() -> str:
        """Ask, free and count."""
        async with reached(Target(kubeconfig, context), place) as (cluster, name):
            confirm(yes, f"hand stack {file.stack} on {name} over to Pulumi", [f"cluster: {name}"])
            count = await hand_over(cluster, inventory_of(file), say)
            return f"{count} objects freed; next: PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true pulumi up -s {file.stack}"

    say(run(work()))


@click.group("definitions")
def definitions_group() -> None:
    """Grayling's own definitions, which no environment takes away."""


@definitions_group.command("delete")
@on_cluster
@TIMEOUT
@YES
def delete_definitions(*, kubeconfig: str | None, context: str | None, timeout: float, yes: bool) -> None:
    """Take them off a cluster that has no object of them any more."""
    from components.deploy.definitions import delete, present
    from components.deploy.outcome import NotReadyError, Report
    from components.deploy.target import Place, Target, reached
    from components.deploy.waiting import Patience

    may_ask(yes, "delete the definitions")

    async def work() -> str:
        """Look, ask and delete."""
        async with reached(Target(kubeconfig, context), Place("")) as (cluster, name):
            found = await present(cluster)
            names = ", ".join(item["metadata"]["name"] for item in found)
            if not found:
                return f"{name}: there are none"
            confirm(yes, f"delete {names} from {name}", [f"cluster: {name}"])
            if problems := await delete(cluster, found, Patience(timeout), say):
                raise NotReadyError(problems, Report())
            return f"{len(found)} deleted"

    say(run(work()))
