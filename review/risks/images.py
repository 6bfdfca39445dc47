"""Images: which build will really run, where it comes from, and whether it comes in gradually."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.images import canonical, exact, split
from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule
from review.risks.scene import watches_only
from review.risks.shapes import listed, said, text
from review.risks.templates import POD_MAKERS, both, changed, in_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_MOVES = frozenset(
    {
        "dev",
        "develop",
        "head",
        "trunk",
        "canary",
        "rolling",
        "current",
        "lts",
        "prod",
        "production",
        "staging",
        "snapshot",
    }
)
"""Tags beside those that stack files refuse that are pushed again and again."""

_AT_ONCE = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def _parts(image: str) -> tuple[str, str, str] | None:
    try:
        return split(image)
    except ValueError:
        return None


def _is_exact(image: str) -> bool:
    try:
        exact(image)
    except ValueError:
        return False
    parts = _parts(image)
    return parts is not None and bool(parts[2] or parts[1].lower() not in _MOVES)


def _moving(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for name, old, new in both(change):
        image = text(new, "image")
        if image and image != text(old, "image") and not _is_exact(image):
            yield Finding(
                f"{said(name)}: {said(image)} does not name one build", None, in_container(change, name, "image")
            )


def _by_tag(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """Exact, and still a name that somebody can give to another build."""
    found = {
        text(new, "image"): name
        for name, old, new in both(change)
        if text(new, "image") != text(old, "image") and _is_exact(text(new, "image")) and "@" not in text(new, "image")
    }
    if found:
        yield Finding(
            f"{listed(found)}: by tag, without a digest", None, in_container(change, min(found.values()), "image")
        )


def _digest_dropped(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        before, after = (_parts(text(each, "image")) for each in (old, new))
        if before and after and before[2] and not after[2]:
            yield Finding(
                f"{said(name)}: {said(after[0])}:{after[1]} has no digest any more",
                None,
                in_container(change, name, "image"),
            )


def _elsewhere(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        before, after = (_parts(text(each, "image")) for each in (old, new))
        if before and after and canonical(before[0]) != canonical(after[0]):
            yield Finding(
                f"{said(name)}: from {said(after[0])} instead of {said(before[0])}",
                None,
                in_container(change, name, "image"),
            )


def _tag_moved(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        before, after = (_parts(text(each, "image")) for each in (old, new))
        if (
            before
            and after
            and before[:2] == after[:2]
            and before[1]
            and before[2]
            and after[2]
            and before[2] != after[2]
        ):
            yield Finding(
                f"{said(name)}: tag {before[1]} is another build than before", None, in_container(change, name, "image")
            )


def _at_once(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.ref.kind not in _AT_ONCE or Op.UPDATE not in change.ops:
        return
    for name, old, new in changed(change):
        before, after = text(old, "image"), text(new, "image")
        if before and after and before != after:
            severity = LOW if watches_only(change) else MEDIUM
            yield Finding(
                f"{said(name)}: {said(before)} → {said(after)} without a gray release",
                severity,
                in_container(change, name, "image"),
            )


def _never_pulled(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change):
        was, will = text(old, "imagePullPolicy"), text(new, "imagePullPolicy")
        if will == "Never" != was:
            yield Finding(
                f"{said(name)}: takes what the node has, whoever put it there",
                None,
                in_container(change, name, "imagePullPolicy"),
            )


_BACK = "declare the old image again"

RULES = (
    Rule(
        "image-not-exact",
        "an image has no exact tag and no digest",
        "two pods may run two builds",
        MEDIUM,
        _BACK,
        _moving,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-digest-dropped",
        "an image loses its digest",
        "its tag can be moved",
        MEDIUM,
        _BACK,
        _digest_dropped,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-from-elsewhere",
        "an image comes from another registry or repository",
        "somebody else made it",
        MEDIUM,
        _BACK,
        _elsewhere,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-tag-moved",
        "the same tag is another build",
        "what was tested is not what runs; tags of a release do not move",
        HIGH,
        _BACK,
        _tag_moved,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-at-once",
        "an image changes outside a gray release",
        "every user gets it",
        MEDIUM,
        _BACK,
        _at_once,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-never-pulled",
        "an image is never pulled",
        "a node's own copy runs",
        MEDIUM,
        _BACK,
        _never_pulled,
        kinds=POD_MAKERS,
    ),
    Rule(
        "image-by-tag",
        "an image has an exact tag and no digest",
        "the tag can be moved",
        LOW,
        "add the digest",
        _by_tag,
        kinds=POD_MAKERS,
    ),
)
