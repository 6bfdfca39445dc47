"""A person says: try again. What was taken back on evidence is forgiven, with a reason; the rest is only retried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.remembered import remembered

if TYPE_CHECKING:
    from trial.commands import Grayling
    from trial.place import Place

REASON = "to be tried once more"


async def let_in(place: Place, grayling: Grayling, image: str) -> int:
    """Forgive what was taken back of an image; how many times it was."""
    memory = await remembered(place.cluster, [place.namespace], [])
    known = [each for each in memory.entries if each.image == image and each.keeps_out]
    for each in known:
        who = (each.name, "-n", each.namespace, "--release", each.release)
        await grayling.run("release", "forgive", *who, "--reason", REASON)
    return len(known)
