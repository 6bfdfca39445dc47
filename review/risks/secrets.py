"""Secrets: who reads them after this change, and who breaks when they change or go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.model.masking import HIDDEN, is_secret
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds, on
from review.risks.shapes import listed, maps, said, text
from review.risks.templates import POD_MAKERS, Uses, both, in_container, in_pod, pods, uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_SECRET = kinds("Secret")
_SOURCES = kinds("ExternalSecret", "SealedSecret", "SecretProviderClass", "VaultStaticSecret", "Certificate")


def _used_by(change: Change, scene: Scene) -> str:
    return listed(scene.users.get((change.ref.namespace, Uses("Secret", change.ref.name)), ()))


def _deleted(change: Change, scene: Scene) -> Iterator[Finding]:
    if not change.goes:
        return
    users = _used_by(change, scene)
    if users:
        yield Finding(f"goes, and {users} still needs it: new pods do not start")
    elif Op.DELETE in change.ops:
        yield Finding("goes: nobody in this preview reads it, others are not known", MEDIUM)


def _changed(change: Change, scene: Scene) -> Iterator[Finding]:
    if not change.before or not change.after:
        return
    edits = [edit for edit in change.edits if is_secret("Secret", edit.path)]
    gone = [str(edit.path[-1]) for edit in edits if edit.after is None]
    users = _used_by(change, scene)
    who = users or "whoever reads it (not in this preview)"
    if gone:
        yield Finding(f"loses {listed(gone)}: {who} may not start", HIGH, "data")
    if len(edits) > len(gone):
        keys = listed(str(edit.path[-1]) for edit in edits if edit.after is not None)
        yield Finding(f"{keys} changes: pods of {who} have the old value until they start anew", None, "data")


def _read_by_more(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    before, after = pods(change)
    if not after:
        return
    added = {each.name for each in uses(after) - uses(before) if each.kind == "Secret"}
    if added:
        yield Finding(f"reads {listed(added)}", None if before else LOW, in_pod(change, "containers"))


def _in_plain(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """What the reading hid is secret; where it stands openly, everybody who may read the object has it."""
    if change.ref.kind == "ConfigMap":
        for edit in change.edits:
            if edit.path[:1] == ("data",) and HIDDEN in str(edit.after) and HIDDEN not in str(edit.before):
                yield on(
                    edit, f"{said(str(edit.path[-1]))} holds a secret that everybody who reads ConfigMaps can read"
                )
        return
    for name, old, new in both(change):
        had = {text(each, "name") for each in maps(old, "env") if HIDDEN in text(each, "value")}
        added = {text(each, "name") for each in maps(new, "env") if HIDDEN in text(each, "value")} - had
        if added:
            yield Finding(
                f"{said(name)}: {listed(added)} holds a secret in plain text",
                HIGH if old is not None else MEDIUM,
                in_container(change, name, "env"),
            )


def _new_config(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.ops == (Op.CREATE,) and HIDDEN in str((change.after or {}).get("data")):
        yield Finding("seems to hold a secret that everybody who reads ConfigMaps can read", None, "data")


def _source(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.goes:
        yield Finding("goes: the secret is not renewed any more, or goes too")
    elif change.before and change.edited("spec"):
        yield Finding("the secret comes from elsewhere or in another form", MEDIUM, "spec")


RULES = (
    Rule(
        "secret-deleted",
        "a Secret goes",
        "pods that need it do not start",
        HIGH,
        "apply it again with the old value",
        _deleted,
        kinds=_SECRET,
    ),
    Rule(
        "secret-changed",
        "a Secret has other values",
        "some pods have the old value, some the new one",
        MEDIUM,
        "put the old value back",
        _changed,
        kinds=_SECRET,
    ),
    Rule(
        "secret-read-by-more",
        "a workload reads a Secret that it did not read",
        "who breaks in there has it too",
        MEDIUM,
        "take the reference away; rotate the secret",
        _read_by_more,
        kinds=POD_MAKERS,
    ),
    Rule(
        "secret-in-plain",
        "a secret stands in a ConfigMap or a variable",
        "everybody who reads the object has it",
        HIGH,
        "put it into a Secret; rotate it",
        _in_plain,
        kinds=POD_MAKERS | {"ConfigMap"},
    ),
    Rule(
        "secret-in-new-config",
        "a new ConfigMap seems to hold a secret",
        "everybody who reads the object has it",
        MEDIUM,
        "put it into a Secret; rotate it",
        _new_config,
        kinds=kinds("ConfigMap"),
    ),
    Rule(
        "secret-source-changed",
        "where a Secret comes from changes or goes",
        "it is not renewed, or becomes another",
        HIGH,
        "apply the old source again",
        _source,
        kinds=_SOURCES,
    ),
)
