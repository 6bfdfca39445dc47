"""What was taken back on evidence and is declared again: refused by every command that would bring it in.

The cluster remembers (:mod:`rollout.api.taken_back`), and so do the records that a project keeps in its folder. A
release that serves already is not brought in again.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kube.kinds import GRAY_RELEASE, label_of
from rollout.api.kept_records import memory_in_records
from rollout.api.persisted import read_status
from rollout.api.remembered import remembered
from rollout.api.revision import revision_of
from rollout.api.spec import Spec
from rollout.api.taken_back import Memory, pair_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from components.deploy.inventory import Key
    from kube.kinds import Manifest
    from rollout.api.remembered import Lists

NOT_ASKED = (
    "whether a version of these was taken back before was not asked of a cluster: "
    "`stack diff` asks, and `stack apply` and `pulumi up` refuse one that was"
)


class Out(NamedTuple):
    """Which declared releases stay out, and why.

    Attributes:
        asked: every release that was asked for, as messages name it.
        releases: what was taken back of them, with what to do, by that name.
        unreadable: what is remembered and cannot be read: it keeps all of them out.
    """

    asked: tuple[str, ...] = ()
    releases: Mapping[str, str] = MappingProxyType({})
    unreadable: tuple[str, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """A sentence each."""
        return [*self.unreadable, *(f"{label}: {told}" for label, told in self.releases.items())]

    @property
    def by_release(self) -> dict[str, str]:
        """Why each of them stays out."""
        if not self.unreadable:
            return dict(self.releases)
        unknown = f"nobody can say whether it was taken back: {'; '.join(self.unreadable)}"
        return {**dict.fromkeys(self.asked, unknown), **self.releases}


def refusals(memory: Memory, records: Iterable[Path], manifests: Sequence[Manifest]) -> list[str]:
    """Why declared releases stay out, a sentence each with what to do."""
    return out(memory, records, manifests).reasons


def out(memory: Memory, records: Iterable[Path], manifests: Iterable[Manifest]) -> Out:
    """Which declared releases stay out.

    Args:
        memory: of the cluster; an empty one where none was asked, which is for the caller to tell.
        records: files of kept records.
        manifests: what is declared; everything that is no GrayRelease is passed over.
    """
    releases = list(_releases(manifests))
    if not releases:
        return Out()
    known = memory.joined(memory_in_records(records))
    found = {}
    for item in releases:
        pair = pair_in(item)
        entry = known.against(pair) if pair is not None else None
        if entry is not None:
            found[label_of(item)] = f"{entry.told()}; {entry.way_out()}"
    return Out(tuple(label_of(item) for item in releases), found, known.unreadable)


async def asked(cluster: Lists, manifests: Sequence[Manifest], notes: list[str]) -> Memory:
    """What the cluster remembers; nothing is asked where nothing is declared that could be in it."""
    places = {item["metadata"].get("namespace", "") for item in manifests if item["kind"] == GRAY_RELEASE.kind}
    return await remembered(cluster, places, notes) if places else Memory()


async def stays_out(
    cluster: Lists,
    manifests: Sequence[Manifest],
    found: Mapping[Key, Manifest],
    records: Iterable[Path],
    notes: list[str],
) -> Out:
    """Which declared releases stay out on this cluster: by its memory, and by kept records.

    Args:
        cluster: to ask.
        manifests: what is declared.
        found: what is there of it.
        records: files of kept records.
        notes: gets what a person should know.
    """
    coming = list(_coming(manifests, found))
    return out(await asked(cluster, coming, notes), records, coming)


def _coming(manifests: Sequence[Manifest], found: Mapping[Key, Manifest]) -> Iterator[Manifest]:
    """Releases whose version does not serve already."""
    live = {(item["metadata"].get("namespace"), item["metadata"]["name"]): item for item in _releases(found.values())}
    for item in _releases(manifests):
        meta = item["metadata"]
        there = live.get((meta.get("namespace"), meta["name"]))
        if there is None or not _serves(there, item):
            yield item


def _releases(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    return (item for item in manifests if item["kind"] == GRAY_RELEASE.kind)


def _serves(live: Manifest, declared: Manifest) -> bool:
    stable = read_status(live.get("status"))[0].stable
    try:
        return stable is not None and stable.revision == revision_of(
            declared["metadata"]["name"], Spec.model_validate(declared["spec"])
        )
    except ValueError:
        return False
