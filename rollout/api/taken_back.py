"""What was taken back on evidence stays out: the memory of it, and whether what is asked for is in it.

One ConfigMap for each pair of images and configuration. None has an owner, so that it outlives the release, and none is
in the inventory of a stack. What cannot be read keeps everything out: nobody can say what it would have kept out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from rollout.api.pair import Own, Pair, pair_of
from rollout.api.spec import GROUP, Spec
from rollout.api.status import Time, timestamp
from rollout.api.texts import told
from rollout.api.wire import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.kinds import Manifest
    from rollout.api.status import Release

SCHEMA: Literal["grayling.taken-back/1"] = "grayling.taken-back/1"
LABEL = f"{GROUP}/taken-back"
KEY = "taken-back.json"
PREFIX = "grayling-taken-back-"
MOST_TEXT = 300
MOST_KEPT = 200
"""Pairs that a namespace remembers. Those that a person let in again go first, then the oldest."""


class Forgiven(Model):
    """A person's word that the pair may come in again."""

    model_config = ConfigDict(extra="allow")

    by: str
    reason: str = Field(min_length=1)
    at: Time


class TakenBack(Model):
    """One pair that a release took back on evidence."""

    model_config = ConfigDict(extra="allow")

    schema_name: Literal["grayling.taken-back/1"] = Field(default=SCHEMA, alias="schema")
    release: str = Field(description="id of the release; its record tells the rest")
    name: str = Field(description="of the GrayRelease")
    namespace: str
    image: str
    evidence: str = Field(description="signals that convicted it, or `silence`, or `crashes`")
    reason: str
    at: Time
    pair: Pair | None = Field(default=None, description="none in records of older engines: then the image alone counts")
    forgiven: Forgiven | None = None

    @property
    def keeps_out(self) -> bool:
        """Whether nobody let it in again."""
        return self.forgiven is None

    def is_about(self, pair: Pair) -> bool:
        """Whether a pair is this one, as far as anybody can tell."""
        if self.pair is not None:
            return self.pair.is_same(pair)
        return any(each.image == self.image for each in pair.containers if not each.init)

    def told(self) -> str:
        """What happened, in one sentence."""
        which = "with this configuration" if self.pair else "(its record does not say with which configuration)"
        place = f"{self.namespace}/{self.name}, release {self.release}"
        return f"{self.image} {which} was taken back on {timestamp(self.at)[:10]} ({place}: {self.reason})"

    def way_out(self) -> str:
        """What a person can do."""
        forgive = f"grayling release forgive {self.name} -n {self.namespace} --release {self.release} --reason …"
        return f"correct the image or its configuration, or let it in with `{forgive}`"

    def wire_text(self) -> str:
        """As it is kept."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


class Memory(NamedTuple):
    """What is remembered, and what of it cannot be read: a sentence each, with what to do."""

    entries: tuple[TakenBack, ...] = ()
    unreadable: tuple[str, ...] = ()

    def of(self, pair: Pair) -> tuple[TakenBack, ...]:
        """Entries about a pair, the newest first; those that a person forgave are among them."""
        return tuple(sorted((each for each in self.entries if each.is_about(pair)), key=lambda it: -it.at))

    def against(self, pair: Pair) -> TakenBack | None:
        """The newest entry that keeps a pair out.

        What a person forgave is forgiven wherever the same release is remembered: in a cluster, and in a record.
        """
        known = self.of(pair)
        forgiven = {each.release for each in known if not each.keeps_out}
        return next((each for each in known if each.release not in forgiven), None)

    def knows(self, release: str) -> bool:
        """Whether a release is remembered."""
        return any(each.release == release for each in self.entries)

    def joined(self, other: Memory) -> Memory:
        """Both."""
        return Memory((*self.entries, *other.entries), (*self.unreadable, *other.unreadable))


def entry_of(name: str, namespace: str, release: Release) -> TakenBack | None:
    """What a release leaves to remember; None where it was not taken back on evidence."""
    if not release.evidence or release.pair is None:
        return None
    return TakenBack(
        release=release.id,
        name=name,
        namespace=namespace,
        image=release.to_version.image or release.to_version.revision,
        evidence=release.evidence,
        reason=told(release.outcome_reason, MOST_TEXT),
        at=release.reaction.decided_at or release.ended_at or release.started_at,
        pair=release.pair,
    )


def config_map_of(entry: TakenBack) -> Manifest:
    """The ConfigMap that keeps an entry."""
    key = entry.pair.key if entry.pair else entry.release
    labels = {LABEL: entry.name, "app.kubernetes.io/managed-by": "grayling"}
    meta = {"name": f"{PREFIX}{key}", "namespace": entry.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {KEY: entry.wire_text()}}


def entry_in(config_map: Manifest) -> TakenBack:
    """The entry that a ConfigMap keeps.

    Raises:
        ValueError: it keeps none that can be read; says what is wrong and what to do.
    """
    meta = config_map["metadata"]
    where = f"ConfigMap {meta.get('namespace', '')}/{meta['name']}"
    try:
        return _whole(config_map.get("data"))
    except (ValueError, RecursionError) as error:
        fix = "put it back from a backup, or delete it if its record in `release history` was read and may be forgotten"
        said = f"{KEY}: {what_is_wrong(error)}"
        raise ValueError(f"{where} remembers what was taken back, and cannot be read ({said}): {fix}") from error


def _whole(data: Any) -> TakenBack:
    """The entry in the data of a ConfigMap.

    Raises:
        ValueError: there is none, or it does not say which pair it is about.
    """
    text = data.get(KEY) if isinstance(data, dict) else None
    found = TakenBack.model_validate_json(text or "")
    if found.pair is None:
        raise ValueError("pair is missing")
    return found


def what_is_wrong(error: Exception) -> str:
    """What a person can act on, of what a file or an object that cannot be read makes of itself."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return told(f"{where}: {first['msg']}" if where else first["msg"])
    return told(getattr(error, "strerror", None) or error)


def memory_in(config_maps: Iterable[Manifest]) -> Memory:
    """What ConfigMaps remember."""
    entries: list[TakenBack] = []
    unreadable: list[str] = []
    for each in config_maps:
        try:
            entries.append(entry_in(each))
        except ValueError as error:
            unreadable.append(str(error))
    return Memory(tuple(entries), tuple(unreadable))


def surplus(config_maps: Iterable[Manifest], most: int = MOST_KEPT) -> list[Manifest]:
    """What is too much to keep: the forgiven first, then the oldest. What cannot be read is never dropped."""
    kept = list(config_maps)
    readable = []
    for each in kept:
        try:
            readable.append((entry_in(each), each))
        except ValueError:
            continue
    readable.sort(key=lambda found: (found[0].keeps_out, found[0].at))
    return [each for _, each in readable[: max(0, len(kept) - most)]]


def pair_in(manifest: Mapping[str, Any]) -> Pair | None:
    """The pair that a GrayRelease asks for; None where it is no valid desire, which others tell."""
    meta = manifest["metadata"]
    try:
        spec = Spec.model_validate(manifest.get("spec"))
    except ValidationError:
        return None
    return pair_of(spec, Own(str(meta["name"]), str(meta.get("namespace") or "")))
