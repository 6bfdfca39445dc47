"""Where an object stands: by this one word, a change since somebody looked is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.model.normal import normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT = "absent"


def standing(live: Mapping[str, Any] | None) -> str:
    """``UID@GENERATION``: moves with every change of what is declared; a resource version where there is no other."""
    if live is None:
        return ABSENT
    meta = live.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    generation = normalised(meta.get("generation"))
    return f"{meta.get('uid', '')}@{generation or meta.get('resourceVersion', '')}"
