"""Who wrote which field, as the API server keeps it: enough of server-side apply for two writers to meet in a conflict.

Lists are one field each (for custom resources without merge keys the real server does the same).
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

Object = dict[str, Any]
Path = tuple[str, ...]
NOT_OWNED = {"apiVersion", "kind", "status"}
OF_SERVER = {
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
    "deletionTimestamp",
}  # fmt: skip


def leaves(value: Any, at: Path = ()) -> dict[Path, Any]:
    """Every field that can be owned, with its value."""
    if isinstance(value, dict) and (value or not at):
        found: dict[Path, Any] = {}
        for key, inner in value.items():
            if (not at and key in NOT_OWNED) or (at == ("metadata",) and key in OF_SERVER):
                continue
            found |= leaves(inner, (*at, key))
        return found
    return {at: value}


def tree(paths: set[Path]) -> Object:
    made: Object = {}
    for path in sorted(paths):
        here = made
        for part in path:
            here = here.setdefault(f"f:{part}", {})
    return made


def paths_of(fields: Object, at: Path = ()) -> set[Path]:
    if not fields:
        return {at} if at else set()
    return {path for key, inner in fields.items() for path in paths_of(inner, (*at, key.removeprefix("f:")))}


def owners_of(item: Object | None) -> dict[tuple[str, str], set[Path]]:
    entries = ((item or {}).get("metadata") or {}).get("managedFields") or []
    return {
        (entry["manager"], entry.get("operation", "Update")): paths_of(entry["fieldsV1"]) for entry in entries if entry
    }


def _noted(item: Object, owners: dict[tuple[str, str], set[Path]]) -> None:
    item["metadata"]["managedFields"] = [
        {
            "manager": manager, "operation": operation, "apiVersion": item["apiVersion"], "fieldsType": "FieldsV1",
            "fieldsV1": tree(paths),
        }
        for (manager, operation), paths in owners.items()
        if paths
    ]  # fmt: skip


def applied(known: Object | None, body: Object, manager: str, *, force: bool) -> tuple[Object | None, str]:
    """The object after a server-side apply, or whom it conflicts with."""
    owners, wanted = owners_of(known), leaves(body)
    if known is not None and not owners:
        owners["before-first-apply", "Update"] = set(leaves(known))
    have, own = leaves(known or {}), (manager, "Apply")
    against = sorted(
        f'conflict with "{name}": .{".".join(path)}'
        for (name, operation), paths in owners.items()
        if (name, operation) != own
        for path in paths
        if path in wanted and json.dumps(wanted[path]) != json.dumps(have.get(path))
    )
    if against and not force:
        return None, f"Apply failed with {len(against)} conflicts: {'; '.join(against)}"
    made = deepcopy(known) if known else deepcopy(body)
    for path in owners.get(own, set()) - set(wanted):
        if not any(path in paths for key, paths in owners.items() if key != own):
            _drop(made, path)
    for path, value in wanted.items():
        if json.dumps(have.get(path)) != json.dumps(value):
            for key in owners:
                owners[key] = owners[key] - {path} if key != own else owners[key]
        _set(made, path, value)
    owners[own] = set(wanted)
    _noted(made, owners)
    return made, ""


def updated(known: Object | None, made: Object, manager: str) -> Object:
    """The object after any other write: what changed belongs to its writer, and to nobody else."""
    entries = made["metadata"].get("managedFields")
    owners = owners_of(made) if entries else owners_of(known) if entries is None else {}
    before, after = leaves(known or {}), leaves(made)
    changed = {path for path in after if json.dumps(after[path]) != json.dumps(before.get(path))}
    for key in owners:
        owners[key] = {path for path in owners[key] - changed if path in after}
    if changed:
        owners[manager, "Update"] = owners.get((manager, "Update"), set()) | changed
    _noted(made, owners)
    return made


def _set(item: Object, path: Path, value: Any) -> None:
    for part in path[:-1]:
        item = item.setdefault(part, {})
    if path:
        item[path[-1]] = deepcopy(value)


def _drop(item: Object, path: Path) -> None:
    for part in path[:-1]:
        item = item.get(part) or {}
    item.pop(path[-1], None)
