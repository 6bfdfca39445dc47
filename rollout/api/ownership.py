"""Whose an object is: names and labels say what it wants to be, the owner's uid says whose it is.

An object is a release's when its controlling owner is the GrayRelease with this uid. One that an earlier GrayRelease of
this name left behind (restored from a backup, made anew, let go by `deletion: Orphan`) can be taken over. Anything else
that carries the labels of a release is a stranger: told, and never touched.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from rollout.api.spec import API_VERSION, KIND

if TYPE_CHECKING:
    from kube.kinds import Manifest


class Whose(Enum):
    """The four answers."""

    OURS = auto()
    LEFT = auto()
    """Nobody's any more, and made by an earlier GrayRelease of this name."""
    OTHERS = auto()


def controller_of(item: Manifest) -> Manifest | None:
    """The owner reference of the controlling owner; None where there is none."""
    owners = item["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def whose(item: Manifest, name: str, uid: str) -> Whose:
    """Whose ``item`` is, as seen by the GrayRelease ``name`` with ``uid``."""
    owner = controller_of(item)
    if owner is not None and uid and owner.get("uid") == uid:
        return Whose.OURS
    labels = item["metadata"].get("labels") or {}
    if labels.get(RELEASE_LABEL) != name or not _is_revision(item["metadata"]["name"], name):
        return Whose.OTHERS
    earlier = owner is not None and (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) == (
        API_VERSION,
        KIND,
        name,
    )
    return Whose.LEFT if owner is None or earlier else Whose.OTHERS


def is_revision_of(item: Manifest, name: str) -> bool:
    """Whether an object is named and labelled as a revision of a release; the label must say what the name says."""
    labels, called = item["metadata"].get("labels") or {}, item["metadata"]["name"]
    return labels.get(REVISION_LABEL) == called and _is_revision(called, name)


def _is_revision(called: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{8}}", called) is not None


def owner_told(item: Manifest) -> str:
    """Who owns an object, for a sentence."""
    owner = controller_of(item)
    return f"{owner.get('kind', '?')} {owner.get('name', '?')}" if owner else "nobody"
