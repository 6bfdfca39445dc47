"""``grayling stack contracts``: what a stack's services promise, who was built for it, and what a change breaks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.cli.options import OVERLAY, STACK, find_stack
from kube.errors import UsageError
from terminal.exits import ExitCode
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.contracts.document import Contract
    from components.contracts.landscape import Landscape
    from components.stack.stackfile import StackFile
    from terminal.output import Wanted

FORM = "grayling.contracts/1"


@click.command("contracts")
@STACK
@OVERLAY
@click.option("--against", metavar="REF|FILE", help="Older documents: of a commit, or one file.")
@click.option("--only", metavar="FILE", help="The one document to compare, where --against is a file.")
@output_option("text", "json", "yaml")
def contracts_command(*, stack: str, against: str | None, only: str | None, wanted: Sequence[Wanted]) -> int:
    """List the contracts of STACK and who was built for them; with --against, what breaks whom. Exits with 6 if any."""
    file = find_stack(stack)
    landscape = _landscape(file)
    rows = [_row(member, contract) for member, contract in _provided(landscape)]
    if only and only not in {row["file"] for row in rows}:
        known = ", ".join(row["file"] for row in rows) or "none"
        raise UsageError(f"--only {only}: no such document is provided; there is {known}")
    if against is not None:
        _compare(rows, landscape, _older(against, file.project, only, rows))
    data = {"schema": FORM, "stack": file.stack, "contracts": rows, "pacts": [*_pacts(landscape)]}
    emit(wanted, {"text": lambda: _text(data), **data_writers(lambda: data)})
    broken = any(each["breaking"] for row in rows for each in row.get("breaches", ()))
    return ExitCode.POLICY if broken else ExitCode.DONE


def _landscape(file: StackFile) -> Landscape:
    from components.contracts.landscape import Landscape
    from components.stack.unopened import unopened

    platform = unopened(file)
    members = {member.name: member for member in platform.components}
    return Landscape(members, dict(platform.components[0].scope.files))


def _provided(landscape: Landscape) -> Iterator[tuple[str, Contract]]:
    for name, member in landscape.members.items():
        yield from ((name, contract) for contract in landscape.provided(member))


def _row(member: str, contract: Contract) -> dict[str, Any]:
    return {
        "member": member,
        "file": contract.name,
        "form": contract.form.value,
        "version": contract.version,
        "digest": f"sha256:{contract.digest}",
    }


def _pacts(landscape: Landscape) -> Iterator[dict[str, Any]]:
    for pact in landscape.pacts():
        file = pact.consumed.file
        own = {"consumer": pact.consumer.name, "provider": pact.consumed.provider, "file": file}
        yield {**own, "digest": f"sha256:{landscape.contract(file).digest}", "fits": not pact.left}


def _compare(rows: list[dict[str, Any]], landscape: Landscape, older: dict[str, str]) -> None:
    """Breaches of each document that has an older one; one that has none is new, and breaks nobody."""
    from components.contracts.breaking import BY_ID, breaches
    from components.contracts.document import contract_in
    from components.contracts.reading import ContractError

    for row in rows:
        if (text := older.get(row["file"])) is None:
            continue
        try:
            found = breaches(contract_in(text, row["file"]), landscape.contract(row["file"]))
        except ContractError as error:
            raise UsageError(f"--against: {error}") from error
        row["breaches"] = [
            {"id": each.id, "where": each.where, "text": each.text, "breaking": BY_ID[each.id].breaking,
             "why": BY_ID[each.id].why}
            for each in found
        ]  # fmt: skip


def _older(against: str, project: Path, only: str | None, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Texts by the name of the document that they are older than."""
    from components.contracts.reading import ContractError, text_of

    names = [row["file"] for row in rows if only in {None, row["file"]}]
    path = Path(against)
    if path.is_file():
        if len(names) != 1:
            raise UsageError(f"--against {against}: is one file, and there are {len(names)} documents; say --only FILE")
        try:
            return {names[0]: text_of(path.resolve().parent, path.name)}
        except ContractError as error:
            raise UsageError(f"--against {error}") from error
    commit = _git(project, against, "rev-parse", "--verify", "--end-of-options", f"{against}^{{commit}}").strip()
    there = _git(project, against, "ls-tree", "-r", "--name-only", commit).splitlines()
    return {name: _git(project, against, "show", f"{commit}:./{name}") for name in names if name in there}


def _git(project: Path, against: str, *arguments: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, check=False, env={**own, "LC_ALL": "C"}
        )
    except OSError as error:
        raise UsageError(f"git: {error.strerror}: --against needs git on PATH, or a file") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"--against {against}: neither a file nor a commit: {said[-1] if said else 'git failed'}")
    return done.stdout.decode(errors="replace")


def _text(data: dict[str, Any]) -> str:
    lines = []
    for row in data["contracts"]:
        lines.append(f"{row['member']}  {row['file']}  {row['form']} {row['version']}  {row['digest'][:19]}")
        for each in row.get("breaches", ()):
            mark = "breaks" if each["breaking"] else "may break"
            lines.append(f"  {mark}: {each['where']}: {each['text']} ({each['id']}: {each['why']})")
    lines += [f"{each['consumer']}  was built for {each['provider']}  {each['file']}" for each in data["pacts"]]
    return "\n".join(lines) or "no contracts"
