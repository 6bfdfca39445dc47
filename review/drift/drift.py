"""What is live and not as it was applied: declared fields that differ, and fields that somebody added by hand.

Pure: what was applied and what is live come in, the change that would put it right comes out. Nothing is asked of the
API server but to read, so that a schedule needs no right to write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components.model.credentials import recipe_of
from components.model.quantities import bytes_of
from review.drift.controllers import is_controller
from review.model.change import Change, ChangeSet, Edit, Op, in_order, path_text
from review.model.managers import leaves_of, writers_of
from review.model.masking import CHANGED, HIDDEN, Masker, is_secret, needles_of
from review.model.normal import at, edits, normalised, same
from review.reading.pulumi import declared
from review.reading.render import change_of
from review.reading.standing import standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kube.kinds import Manifest
    from review.model.change import Doubt, Path
    from review.model.managers import Writer

Key = tuple[str, str, str, str]
OURS = re.compile(r"grayling-stack|pulumi-kubernetes(-[0-9a-f]+)?|pulumi-resource-kubernetes")
"""Managers by which a stack is written: ours, and those of Pulumi's provider."""
UNKNOWN = "unknown"
_AMOUNTS = frozenset({"cpu", "memory", "storage", "ephemeral-storage", "sizeLimit", "[cpu]", "[memory]"})
_CPU = re.compile(r"\d+(\.\d+)?m?")


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that is not as applied.

    Attributes:
        change: what puts it right: ``before`` is live, ``after`` is applied; ``others`` names the writers by path.
        writers: who wrote each field, by path; empty where the object is gone.
    """

    change: Change
    writers: Mapping[str, Writer]


def drift_of(applied: Mapping[Key, Manifest], live: Mapping[Key, Manifest], ignored: Iterable[str] = ()) -> list[Drift]:
    """Every object that is not as it was applied.

    Args:
        applied: what was applied last, by identity.
        live: what is there, by identity, members that were never applied among them.
        ignored: managers whose fields are not told, beside the controllers that are known.
    """
    masker, quiet = Masker(frozenset(needles_of(live.values()))), frozenset(ignored)
    found = []
    for key, wanted in applied.items():
        there = live.get(key)
        if there is None:
            found.append(Drift(change_of(wanted, Op.CREATE, masker, before=None, after=wanted), {}))
        elif one := _of_one(wanted, there, masker, quiet):
            found.append(one)
    for key in live.keys() - applied.keys():
        gone = change_of(live[key], Op.DELETE, masker, before=declared(live[key]), after=None)
        found.append(Drift(gone, {}))
    return sorted(found, key=lambda each: (each.change.ref.kind, each.change.ref))


def as_changes(
    found: Iterable[Drift], *, stack: str, unchanged: int, cluster: str, doubts: Iterable[Doubt]
) -> ChangeSet:
    """The change that puts everything right, in the form that is reviewed and approved."""
    changes = in_order(each.change for each in found)
    live = {str(change.ref): change.stood for change in changes}
    return ChangeSet("drift", "", stack, changes, unchanged, tuple(doubts), live=live, cluster=cluster)


def _of_one(wanted: Manifest, there: Manifest, masker: Masker, quiet: frozenset[str]) -> Drift | None:
    wanted = declared(wanted)
    raw = list({edit.path: edit for edit in (*_added(wanted, there), *_differing(wanted, there))}.values())
    writers = {edit.path: _writer(there, edit.path) for edit in raw}
    told = [edit for edit in raw if not _is_quiet(writers[edit.path], quiet)]
    if not told:
        return None
    change = change_of(wanted, Op.UPDATE, masker, before=declared(there), after=wanted, differing=told)
    named = {path_text(edit.path): writers[edit.path] for edit in told}
    others = {path: writer.manager if writer else UNKNOWN for path, writer in named.items()}
    known = {path: writer for path, writer in named.items() if writer}
    return Drift(replace(change, others=others, stood=standing(there)), known)


def _is_quiet(writer: Writer | None, quiet: frozenset[str]) -> bool:
    return writer is not None and (writer.manager in quiet or is_controller(writer))


def _writer(there: Manifest, path: Path) -> Writer | None:
    """Who wrote a field last, we not counted: what we wrote is what was applied."""
    return next((each for each in writers_of(there, path) if not OURS.fullmatch(each.manager)), None)


def _differing(wanted: Manifest, there: Manifest) -> Iterator[Edit]:
    """Declared fields whose live value is another; what is not declared does not count."""
    secret = wanted["kind"] == "Secret"
    for key, value in wanted.items():
        if key == "status" or (secret and key in {"data", "stringData"}):
            continue
        yield from _below((key,), normalised(value), normalised(there.get(key)))
    if secret:
        yield from _rewritten(wanted, there)


def _below(path: Path, wanted: Any, there: Any) -> Iterator[Edit]:
    if isinstance(wanted, dict) and isinstance(there, dict):
        for key, value in wanted.items():
            yield from _below((*path, key), value, there.get(key))
    elif isinstance(wanted, list) and isinstance(there, list) and all(isinstance(item, dict) for item in wanted):
        yield from _items(path, wanted, there)
    elif not _alike(path, wanted, there):
        yield Edit(path, there, wanted)


def _items(path: Path, wanted: list[Any], there: list[Any]) -> Iterator[Edit]:
    """Items by their names: what an item does not declare does not count, an item that was added does."""
    for edit in edits({"": there}, {"": wanted}):
        came_or_went = len(edit.path) == 2  # noqa: PLR2004 - the list, and the item in it
        if came_or_went or edit.after is not None:
            yield from _inside((*path, *edit.path[1:]), edit)


def _inside(path: Path, edit: Edit) -> Iterator[Edit]:
    if isinstance(edit.after, dict) and isinstance(edit.before, dict):
        yield from _below(path, edit.after, edit.before)
    elif not _alike(path, edit.after, edit.before):
        yield Edit(path, edit.before, edit.after)


def _alike(path: Path, wanted: Any, there: Any) -> bool:
    """The same, or the same to the API server: empty is absent, a quantity has many spellings."""
    if same(wanted, there) or (wanted in ({}, [], None) and there in ({}, [], None)):
        return True
    if path and path[-1] in _AMOUNTS:
        return _amount(path[-1], wanted) == _amount(path[-1], there)
    return False


def _amount(key: str | int, value: Any) -> float | str:
    text = str(value)
    if key in {"cpu", "[cpu]"} and _CPU.fullmatch(text):
        return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
    try:
        return float(bytes_of(value))
    except ValueError:
        return text


def _rewritten(wanted: Manifest, there: Manifest) -> Iterator[Edit]:
    """Keys of a Secret that came, went, or that somebody else wrote; no value is looked at."""
    old = there.get("data") or {}
    declared_keys = {**(wanted.get("data") or {}), **(wanted.get("stringData") or {})}
    for key in declared_keys:
        path: Path = ("data", key)
        if key not in old:
            yield Edit(path, None, HIDDEN, hidden=True)
        elif _writer(there, path) is not None:
            yield Edit(path, CHANGED, HIDDEN, hidden=True)


def _added(wanted: Manifest, there: Manifest) -> Iterator[Edit]:
    """Fields that are not declared and that another writer owns; status and what the server sets do not count."""
    seen: set[Path] = set()
    entries = (there.get("metadata") or {}).get("managedFields") or []
    applied_at = max((str(entry.get("time") or "") for entry in entries if _is_ours(entry)), default="")
    for entry in entries:
        if _is_ours(entry) or entry.get("subresource") == "status":
            continue
        if "" != str(entry.get("time") or "") < applied_at:  # stood there when it was applied
            continue
        for path in leaves_of(entry):
            path = _whole(wanted, path)  # noqa: PLW2901 - an item that is not declared is told as one
            if path in seen or not _counts(path) or at(wanted, path) is not None or _drawn(there, path, entry):
                continue
            value = at(normalised(there), path)
            if value in (None, {}, []):
                continue
            seen.add(path)
            hidden = is_secret(there.get("kind"), path)
            yield Edit(path, HIDDEN if hidden else value, None, hidden=hidden)


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return OURS.fullmatch(str(entry.get("manager") or "")) is not None


def _whole(wanted: Manifest, path: Path) -> Path:
    """The item that is not declared while its list is, for a path below it; else the path itself."""
    for depth in range(1, len(path)):
        item, its_list = path[: depth + 1], at(wanted, path[:depth])
        if str(path[depth]).startswith("[") and isinstance(its_list, list) and at(wanted, item) is None:
            return item
    return path


def _drawn(there: Manifest, path: Path, entry: Mapping[str, Any]) -> bool:
    """A password that was drawn when the Secret was made: nobody declares it, and nobody wrote it since."""
    meta = there["metadata"]
    made = entry.get("time") == meta.get("creationTimestamp")
    return made and is_secret(there.get("kind"), path) and recipe_of(there) is not None


def _counts(path: Path) -> bool:
    if path[0] == "status":
        return False
    return path[0] != "metadata" or (len(path) > 2 and path[1] in {"labels", "annotations"})  # noqa: PLR2004
