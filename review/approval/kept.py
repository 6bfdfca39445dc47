"""What the cluster keeps of reviews: revocations, which outlive the file that is taken away, and change records.

Both are ConfigMaps beside the stack's inventory. They are no members of its set: pruning never deletes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kube.errors import ConflictError, NotFoundError
from kube.kinds import CONFIG_MAP
from review.approval.statement import read

if TYPE_CHECKING:
    from components.deploy.inventory import Inventory
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.approval.record import Record
    from review.approval.statement import Letter

MANAGER = "grayling-review"
STACK_LABEL, KIND_LABEL = "grayling.dev/review-stack", "grayling.dev/review"
REVOCATIONS, CHANGE = "revocations", "change"
MOST_RECORDS = 30
"""Change records that a cluster keeps of one stack; the project's files keep all."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The reviews of one stack on one cluster."""

    cluster: Cluster
    inventory: Inventory

    async def revoke(self, letter: Letter) -> None:
        """Add a revocation; two at once lose nothing."""
        name, namespace = f"grayling-revocations-{self.inventory.stack}", self.inventory.namespace
        entry = {f"{letter.id}.json": letter.text()}
        patch = {"data": entry}
        try:
            await self.cluster.merge_patch(CONFIG_MAP, name, namespace, patch, manager=MANAGER)
        except NotFoundError:
            try:
                await self.cluster.create(self._made(name, REVOCATIONS, entry), manager=MANAGER)
            except ConflictError:
                await self.cluster.merge_patch(CONFIG_MAP, name, namespace, patch, manager=MANAGER)

    async def revocations(self) -> list[tuple[str, Letter]]:
        """Every one that is there.

        Raises:
            UsageError: one of them is damaged: it may be of what is to be applied.
            KubeError: they cannot be read.
        """
        name = f"grayling-revocations-{self.inventory.stack}"
        found = await self.cluster.find(CONFIG_MAP, name, self.inventory.namespace)
        entries = (found or {}).get("data") or {}
        where = f"ConfigMap {self.inventory.namespace}/{name}"
        letters = [(f"{where} {key}", read(str(text).encode(), f"{where}: {key}")) for key, text in entries.items()]
        return [each for each in letters if each[1].said.stack == self.inventory.stack]

    async def keep(self, record: Record) -> None:
        """Add a change record, and let the oldest go."""
        made = self._made(f"grayling-change-{self.inventory.stack}-{record.id}", CHANGE, {"record.json": record.text()})
        await self.cluster.apply(made, manager=MANAGER, force=True)
        for old in (await self._records())[:-MOST_RECORDS]:
            await self.cluster.delete(CONFIG_MAP, old["metadata"]["name"], self.inventory.namespace)

    async def records(self) -> list[str]:
        """The text of every change record that is there, oldest first."""
        return [str((item.get("data") or {}).get("record.json", "")) for item in await self._records()]

    @property
    def _label(self) -> str:
        return self.inventory.stack[:63].rstrip("-.")

    async def _records(self) -> list[Manifest]:
        labels = f"{STACK_LABEL}={self._label},{KIND_LABEL}={CHANGE}"
        prefix = f"grayling-change-{self.inventory.stack}-"
        found = (await self.cluster.list(CONFIG_MAP, self.inventory.namespace, labels=labels)).items
        mine = [item for item in found if item["metadata"]["name"].startswith(prefix)]
        return sorted(mine, key=lambda item: str(item["metadata"]["name"]))

    def _made(self, name: str, kind: str, data: dict[str, str]) -> Manifest:
        labels = {
            "app.kubernetes.io/managed-by": "grayling",
            STACK_LABEL: self._label,
            KIND_LABEL: kind,
        }
        meta = {"name": name, "namespace": self.inventory.namespace, "labels": labels}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
