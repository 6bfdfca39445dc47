"""Taking over a release: from an engine that went away, from an earlier GrayRelease of its name, from a lost answer."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from rollout.api.revision import IMAGE_ANNOTATION
from rollout.api.status import Version
from rollout.decide.context import change_release
from rollout.drivers.httproute.route import carriers_on

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.engine.mirror import Mirror

ALL = 100
GAP_SECONDS = 60.0
"""Of the time between two engines, so much counts as waited at most: nobody knows how long it really was."""


def caught_up(status: Status, now: float) -> Status:
    """The status of an engine that went away, its clocks set so that at most a minute of its absence counts."""
    if status.looked_at is None:
        return status
    away = now - status.looked_at
    return status.shifted(away - min(max(away, 0.0), GAP_SECONDS))


def with_journal_of(status: Status, persisted: Status) -> Status:
    """The status with the entries of the same release that were persisted and that it does not have."""
    mine, theirs = status.release, persisted.release
    if mine is None or theirs is None or mine.id != theirs.id:
        return status
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine.journal, theirs.journal, strict=False)))
    rest = [*mine.journal[shared:], *(entry for entry in theirs.journal[shared:] if entry not in mine.journal)]
    whole = [*theirs.journal[:shared], *sorted(rest, key=lambda entry: entry.at)]  # what both have may be told already
    return change_release(status, journal=whole)


def served_before(mirror: Mirror, key: tuple[str, str], now: float) -> Version | None:
    """The one version that an earlier GrayRelease of this name led all traffic to; None where there is none."""
    route = mirror.routes(key[0]).objects.get(key)
    shares = carriers_on(route) if route else {}
    deployments = mirror.deployments(key)
    for revision, share in shares.items():
        if share == ALL and revision in deployments:
            image = (deployments[revision]["metadata"].get("annotations") or {}).get(IMAGE_ANNOTATION, "")
            return Version(revision=revision, image=image, since=now)
    return None
