"""What an apply would change, asked of the API server itself (dry run), with every secret hidden."""

from __future__ import annotations

import asyncio
import difflib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from components.deploy.inventory import MANAGER
from components.deploy.render import as_yaml
from components.deploy.survey import AT_ONCE, take_survey
from components.deploy.topology_drift import drift_of, put_right
from components.model.layers import identity
from components.stack.passphrase import values_hidden
from kube.errors import ConflictError, KubeError, NotFoundError
from kube.kinds import Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from components.deploy.inventory import Inventory
    from components.deploy.survey import Survey
    from kube.cluster import Cluster

HIDDEN = "(hidden)"
_OWN_TO_SERVER = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


@dataclass(frozen=True, slots=True)
class Change:
    """One object that is not as declared. ``text`` is a unified diff; for an error it is what the server says.

    With ``refused`` the label is a reason for which ``apply`` would write nothing; with ``drift`` the text says which
    items of a topology are not in their system as declared.
    """

    op: Literal["create", "change", "delete", "conflict", "error", "refused", "drift"]
    label: str
    text: str = ""


def summary(changes: Sequence[Change], total: int) -> str:
    """How many of ``total`` objects differ, and how many topologies, in a line."""
    differing = sum(change.op not in {"refused", "drift"} for change in changes)
    drifted = sum(change.op == "drift" for change in changes)
    told = [f"{differing} of {total} objects differ"] if differing else []
    told += [f"{drifted} topologies are not as declared or not known"] if drifted else []
    return "; ".join(told) or "no difference"


async def differences(
    cluster: Cluster,
    inventory: Inventory,
    manifests: Sequence[Manifest],
    *,
    prune: bool = True,
    engine: str = "",
    records: Sequence[Path] = (),
) -> tuple[list[Change], Survey]:
    """Changes, in the order of an apply, empty where the cluster is as declared; and what was seen on the way."""
    survey = await take_survey(cluster, inventory, manifests, prune=prune, engine=engine, records=records)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(manifest: Manifest) -> Change | None:
        """Compare one, with few at the same time."""
        async with slots:
            return await _difference(cluster, manifest, survey.found.get(identity(manifest)))

    found = [change for change in await asyncio.gather(*(one(item) for item in survey.written)) if change]
    gone = [Change("delete", label_of(item)) for item in survey.gone]
    refused = [Change("refused", reason) for reason in survey.reasons]
    return [*refused, *found, *gone, *_drifted(survey)], survey


def _drifted(survey: Survey) -> Iterator[Change]:
    """Topologies whose system is not as the cluster's own declaration says."""
    for manifest in survey.written:
        live = survey.found.get(identity(manifest))
        if live is not None and (lines := list(drift_of({**live, "kind": manifest["kind"]}, time.time()))):
            yield Change("drift", label_of(manifest), "\n".join(lines))


def corrections(survey: Survey) -> list[str]:
    """What others changed in a system, and was put right since."""
    seen = ((survey.found.get(identity(each)), each["kind"]) for each in survey.written)
    return [line for live, kind in seen if live for line in put_right({**live, "kind": kind}, time.time())]


async def _difference(cluster: Cluster, manifest: Manifest, live: Manifest | None) -> Change | None:
    label = label_of(manifest)
    try:
        if live is None:
            return Change("create", label, as_yaml([masked(manifest, None)]))
        after = await cluster.apply(manifest, manager=MANAGER, dry_run=True)
    except NotFoundError:  # its namespace or its definition comes first
        return Change("create", label, as_yaml([masked(manifest, None)]))
    except ConflictError as error:
        return Change("conflict", label, values_hidden(str(error), manifest))
    except KubeError as error:
        return Change("error", label, values_hidden(str(error), manifest))
    text = unified(masked(live, None), masked(after, live))
    return Change("change", label, text) if text else None


def declared_part(manifest: Manifest) -> Manifest:
    """The object without its status and what the server alone decides."""
    made = {key: value for key, value in manifest.items() if key != "status"}
    meta = {key: value for key, value in manifest["metadata"].items() if key not in _OWN_TO_SERVER}
    return {**made, "metadata": meta}


def masked(manifest: Manifest, before: Manifest | None) -> Manifest:
    """The object without what the server alone decides, and with secret values hidden; a changed one says so."""
    made = declared_part(manifest)
    if made.get("kind") != "Secret":
        return made
    for field in ("data", "stringData"):
        if field in made:
            made[field] = _hidden(made[field], None if before is None else before.get(field) or {})
    return made


def _hidden(values: dict[str, Any], before: dict[str, Any] | None) -> dict[str, str]:
    def shown(key: str, value: Any) -> str:
        return HIDDEN if before is None or before.get(key) == value else f"{HIDDEN} changed"

    return {key: shown(key, value) for key, value in values.items()}


def unified(before: Manifest, after: Manifest) -> str:
    """A unified diff of the two as YAML with sorted keys; empty where they are the same."""
    old, new = (as_yaml([_sorted(item)]).splitlines() for item in (before, after))
    return "\n".join(list(difflib.unified_diff(old, new, "live", "declared", lineterm="", n=2)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
