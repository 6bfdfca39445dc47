"""What the Pulumi program looks at before it declares anything: the same cluster, the same owners, the same collisions.

Pulumi finds an object of somebody else's when it has written half of the others. So it is asked here, by the program,
in previews too.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from components.deploy.collisions import stands_against
from components.deploy.inventory import Inventory
from components.deploy.ownership import SHARED, claim_on
from components.deploy.refusal import RefusedError, named
from components.deploy.session import check_engine
from components.deploy.survey import find_all, owner_named
from components.deploy.taken_back import NOT_ASKED, refusals, stays_out
from components.deploy.target import Place, Target, reached
from components.model.layers import DEFINITION, identity
from kube.errors import ClusterUnreachableError, GraylingError, UsageError
from kube.kinds import GRAY_RELEASE, Manifest, label_of
from rollout.api.approval_policy import BINDING, POLICY
from rollout.api.kept_records import records_of
from rollout.api.taken_back import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.deploy.inventory import Key
    from components.stack.platform import Platform
    from kube.cluster import Cluster


def look(platform: Platform, manifests: Sequence[Manifest], project: Path | None = None) -> dict[Key, Manifest]:
    """What is there of the declared; nothing where the program runs without an engine behind it.

    Args:
        platform: what the stack says.
        manifests: what it declares.
        project: the folder with the project's records; the working directory where nobody says.

    Raises:
        StackError: services have no engine.
        RunError: something on the cluster stands against the declaration, a release in it was taken back before, it is
            another cluster than the stack's, or it does not answer and this is no preview. Nothing is registered yet.
    """
    if isinstance(get_monitor(), MockMonitor):
        return {}
    config = pulumi.Config("kubernetes")
    place = Place(platform.source, config.get("context") or "", platform.environment.cluster or "")
    records = records_of(project or Path.cwd())
    engine = platform.environment.engine
    check_engine(platform.source, engine.namespace if engine else "", manifests)
    with _kubeconfig(config.get("kubeconfig")) as path, ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(asyncio.run, _look(platform, manifests, place, path, records)).result()
        except ClusterUnreachableError as error:
            if not pulumi.runtime.is_dry_run():
                raise pulumi.RunError(str(error)) from error
            pulumi.log.warn(f"the cluster could not be looked at, and may refuse what this preview shows: {error}")
            if reasons := refusals(Memory(), records, manifests):
                raise pulumi.RunError(str(RefusedError(f"pulumi, stack {platform.stack}", reasons))) from error
            if any(item["kind"] == GRAY_RELEASE.kind for item in manifests):
                pulumi.log.warn(NOT_ASKED)
            return {}
        except GraylingError as error:
            raise pulumi.RunError(str(error)) from error


async def _look(
    platform: Platform, manifests: Sequence[Manifest], place: Place, kubeconfig: str | None, records: Sequence[Path]
) -> dict[Key, Manifest]:
    # The provider goes where kubernetes:context says, else to the current one, whatever the stack names.
    async with reached(Target(kubeconfig, place.context or None, settled=True), place) as (cluster, name):
        found, reasons = await looked_at(cluster, platform, manifests, records)
        if reasons:
            raise RefusedError(f"pulumi, stack {platform.stack} on {name}", reasons)
        return found


async def looked_at(
    cluster: Cluster, platform: Platform, manifests: Sequence[Manifest], records: Sequence[Path] = ()
) -> tuple[dict[Key, Manifest], list[str]]:
    """What is there of the declared, and why Pulumi must not go on."""
    inventory = Inventory(platform.stack, platform.environment.namespace)
    found = await find_all(cluster, manifests, {})
    reasons: list[str] = []
    if await inventory.find(cluster) or any(claim_on(live, inventory).by == "us" for live in found.values()):
        fix = f"give it to Pulumi with `grayling stack hand-over {platform.stack}` (docs/how-to/stacks.md, Two engines)"
        kept_out = (await stays_out(cluster, manifests, found, records, [])).reasons
        return found, [f"`grayling stack apply` keeps this environment: go on with it, or {fix}", *kept_out]
    own = f"{inventory.namespace}/{inventory.stack}"
    nobodys: list[Manifest] = []
    for manifest in manifests:
        live = found.get(identity(manifest))
        if live is None:
            continue
        claim = claim_on(live, inventory)
        if claim.by == "nobody":
            nobodys.append(manifest)
        if claim.by == "stack" or (manifest["kind"] in SHARED and claim.by == "pulumi" and claim.who not in {"", own}):
            fix = _FIXES.get(manifest["kind"], "rename one of the two")
            reasons.append(f"{label_of(manifest)} is kept by {await owner_named(cluster, live, claim)}: {fix}")
    if nobodys and not takes_what_is_there():
        are = "is" if len(nobodys) == 1 else "are"
        reasons.append(
            f"{named([label_of(item) for item in nobodys])} {are} there already and not Pulumi's: rename, or let it "
            f"take over what is there, this once, with {UPSERT}=true; a namespace of somebody else's: "
            "environment.createNamespace: false"
        )
    notes: list[str] = []
    engine = platform.environment.engine
    serving = engine.namespace if engine else ""
    reasons += await stands_against(cluster, inventory.namespace, manifests, found, serving, notes)
    reasons += (await stays_out(cluster, manifests, found, records, notes)).reasons
    for note in notes:
        pulumi.log.warn(note)
    return found, reasons


UPSERT = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"


def takes_what_is_there() -> bool:
    """Whether the provider writes over objects it did not make: by its setting, else by the variable."""
    setting = pulumi.Config("kubernetes").get("upsertExistingObjects")
    return (os.environ.get(UPSERT) if setting is None else setting) == "true"


_FIXES = {
    **dict.fromkeys((DEFINITION, POLICY, BINDING), "share it with controller.installDefinitions: false"),
    "GatewayClass": "name one of this stack's own in environment.gateway.class",
    "Namespace": "environment.createNamespace: false, where it is meant to be shared",
}


@contextmanager
def _kubeconfig(setting: str | None) -> Iterator[str | None]:
    """``kubernetes:kubeconfig`` as a path: the provider takes a path or the text itself."""
    if not setting:
        yield None
        return
    if "\n" not in setting:
        path = Path(setting).expanduser()
        if not path.exists():
            raise UsageError(f"kubernetes:kubeconfig: {setting}: no such file")
        yield str(path)
        return
    handle, name = tempfile.mkstemp(prefix="grayling-")
    try:
        with os.fdopen(handle, "w") as out:
            out.write(setting)
        yield name
    finally:
        Path(name).unlink()
