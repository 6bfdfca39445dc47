"""What pods may do on their node after this change, and could not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, listed, mapping, maps, said, text, texts
from review.risks.templates import POD_MAKERS, both, changed, in_container, in_pod, pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_STRONG = frozenset(
    {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF", "NET_RAW"}
)
_LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}
_LABEL = "pod-security.kubernetes.io/"
_CONTEXT = "securityContext"


def _privileged(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for name, old, new in both(change):
        before, after = mapping(old, _CONTEXT), mapping(new, _CONTEXT)
        if after.get("privileged") is True and before.get("privileged") is not True:
            yield Finding(
                f"{said(name)} becomes privileged: it owns its node",
                None,
                in_container(change, name, "securityContext.privileged"),
            )


def _escalates(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        key = "allowPrivilegeEscalation"
        if mapping(old, _CONTEXT).get(key) is False and mapping(new, _CONTEXT).get(key) is not False:
            yield Finding(
                f"{said(name)} may gain rights while it runs",
                None,
                in_container(change, name, f"securityContext.{key}"),
            )


def _capabilities(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in both(change):
        before, after = (mapping(side, _CONTEXT, "capabilities") for side in (old, new))
        added = {_plain(each) for each in texts(after, "add")} - {_plain(each) for each in texts(before, "add")}
        path = in_container(change, name, "securityContext.capabilities")
        if added:
            yield Finding(f"{said(name)} gets {listed(added)}", HIGH if added & _STRONG else MEDIUM, path)
        kept = {_plain(each) for each in texts(before, "drop")} - {_plain(each) for each in texts(after, "drop")}
        if kept:
            yield Finding(f"{said(name)} no longer gives up {listed(kept)}", MEDIUM, path)


def _plain(capability: str) -> str:
    return capability.upper().removeprefix("CAP_")


def _node(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    for key, what in (("hostPID", "processes"), ("hostIPC", "memory")):
        if after.get(key) is True and before.get(key) is not True:
            yield Finding(f"sees the {what} of its node", None, in_pod(change, key))


def _host_path(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    had = {text(each, "hostPath", "path") for each in maps(before, "volumes")}
    added = {text(each, "hostPath", "path") for each in maps(after, "volumes") if mapping(each, "hostPath")} - had
    if added:
        yield Finding(f"sees folders of its node ({listed(added)})", None, in_pod(change, "volumes"))


def _root(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    whole_before, whole_after = (mapping(side, _CONTEXT) for side in (before, after))
    for name, old, new in both(change):
        was, will = {**whole_before, **mapping(old, _CONTEXT)}, {**whole_after, **mapping(new, _CONTEXT)}
        if _user(will) == 0 and _user(was) != 0:
            yield Finding(f"{said(name)} runs as root", HIGH, _stands(change, name, old, new, "runAsUser"))
        elif before and was.get("runAsNonRoot") is True and will.get("runAsNonRoot") is not True:
            yield Finding(f"{said(name)} may run as root", None, _stands(change, name, old, new, "runAsNonRoot"))


def _stands(change: Change, name: str, old: Json | None, new: Json, key: str) -> str:
    """Where it is said: of the container, or of all."""
    own = key in mapping(old, _CONTEXT) or key in mapping(new, _CONTEXT)
    return in_container(change, name, f"{_CONTEXT}.{key}") if own else in_pod(change, f"{_CONTEXT}.{key}")


def _user(context: Json) -> object:
    user = context.get("runAsUser")
    return user if isinstance(user, int) and not isinstance(user, bool) else None


def _writable(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        key = "readOnlyRootFilesystem"
        if mapping(old, _CONTEXT).get(key) is True and mapping(new, _CONTEXT).get(key) is not True:
            yield Finding(
                f"{said(name)} may write to its own files", None, in_container(change, name, f"securityContext.{key}")
            )


def _filters(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    if not before or not after:
        return
    sides = [("", before, after), *((f"{said(name)}: ", old, new) for name, old, new in changed(change))]
    for key in ("seccompProfile", "appArmorProfile"):
        for who, old, new in sides:
            was, will = (text(side, _CONTEXT, key, "type") for side in (old, new))
            if was not in {"", "Unconfined"} and will in {"", "Unconfined"}:
                yield Finding(
                    f"{who}{key} {was} → {will or 'none'}: every call of the kernel is open",
                    None,
                    in_pod(change, f"{_CONTEXT}.{key}"),
                )


def _namespace(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (mapping(side, "metadata", "labels") for side in (change.before, change.after))
    if not change.before or not change.after:
        return
    for mode in ("enforce", "audit", "warn"):
        was, will = (_level(side, f"{_LABEL}{mode}") for side in (before, after))
        if will < was:
            shown = f"{said(before.get(_LABEL + mode))} → {said(after.get(_LABEL + mode))}"
            yield Finding(
                f"pod security ({mode}) is lowered: {shown}",
                HIGH if mode == "enforce" else LOW,
                f"metadata.labels[{_LABEL}{mode}]",
            )


def _level(labels: Json, key: str) -> int:
    return _LEVELS.get(text(labels, key), 0)


_BACK = "apply the old template again; pods of before keep what they have until they go"

RULES = (
    Rule(
        "privileged", "a container becomes privileged", "it owns its node", HIGH, _BACK, _privileged, kinds=POD_MAKERS
    ),
    Rule(
        "may-escalate",
        "a container may gain rights",
        "setuid programs work again",
        MEDIUM,
        _BACK,
        _escalates,
        kinds=POD_MAKERS,
    ),
    Rule(
        "capabilities-added",
        "a container gets capabilities, or keeps them",
        "it can do more on its node",
        HIGH,
        _BACK,
        _capabilities,
        kinds=POD_MAKERS,
    ),
    Rule(
        "sees-its-node",
        "pods see processes or memory of their node",
        "they read what others hold",
        HIGH,
        _BACK,
        _node,
        kinds=POD_MAKERS,
    ),
    Rule("host-path", "pods see folders of their node", "they can own it", HIGH, _BACK, _host_path, kinds=POD_MAKERS),
    Rule(
        "runs-as-root",
        "a container runs as root, or may",
        "breaking out is easier",
        MEDIUM,
        _BACK,
        _root,
        kinds=POD_MAKERS,
    ),
    Rule(
        "writable-files",
        "a container may write to its own files",
        "what breaks in can stay",
        MEDIUM,
        _BACK,
        _writable,
        kinds=POD_MAKERS,
    ),
    Rule(
        "filters-off",
        "seccomp or AppArmor is off",
        "more of the kernel is open",
        MEDIUM,
        _BACK,
        _filters,
        kinds=POD_MAKERS,
    ),
    Rule(
        "pod-security-lowered",
        "a namespace takes weaker pods",
        "anything may run there",
        HIGH,
        "set the label again",
        _namespace,
        kinds=kinds("Namespace"),
    ),
)
