"""What was taken back stays out: whether the version that is asked for may begin, and what must be remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.status import Phase
from rollout.decide.context import change_release, is_refused

if TYPE_CHECKING:
    from rollout.api.pair import Pair
    from rollout.api.status import Release, Status, Version
    from rollout.api.taken_back import TakenBack
    from rollout.decide.context import Context
    from rollout.decide.observation import Observation


def desired_pair(seen: Observation) -> Pair | None:
    """What is asked for, with the digests of its pods where it has some."""
    facts = seen.revisions.get(seen.desired_revision)
    if seen.desired_pair is None or facts is None:
        return seen.desired_pair
    return seen.desired_pair.with_digests(facts.digests)


def kept_out(seen: Observation) -> TakenBack | None:
    """What keeps the desired version out, on evidence; None where nothing does, or a person let it in again."""
    pair = desired_pair(seen)
    return seen.memory.against(pair) if pair is not None else None


def is_held(status: Status, seen: Observation) -> bool:
    """Whether the desired revision was taken back here and is not to be tried: nobody said so, of it or of its pair."""
    if not is_refused(status, seen.desired_revision):
        return False
    at = max(entry.at for entry in status.refused if entry.revision == seen.desired_revision)
    pair = desired_pair(seen)
    said = (entry.forgiven for entry in seen.memory.of(pair)) if pair is not None else ()
    return not any(each is not None and each.at >= at for each in said)


def stays_out(status: Status, seen: Observation) -> bool:
    """Whether the desired version is not to be brought in."""
    return bool(seen.memory.unreadable) or kept_out(seen) is not None or is_held(status, seen)


def on_trial(status: Status) -> Version | None:
    """The version that a release brings in."""
    return status.stable if status.phase is Phase.BAKING else status.canary


def with_pair(ctx: Context, status: Status) -> Status:
    """The status with what is known of the pair that is on trial: of an older engine's release, and of its digests."""
    trial, release = on_trial(status), status.release
    if trial is None or release is None:
        return status
    pair = release.pair or (ctx.seen.desired_pair if trial.revision == ctx.seen.desired_revision else None)
    facts = ctx.seen.revisions.get(trial.revision)
    found = pair.with_digests(facts.digests) if pair is not None and facts is not None else pair
    return status if found == release.pair else change_release(status, pair=found)


def unremembered(ctx: Context) -> Release | None:
    """A release that was taken back on evidence, while it is not in memory."""
    for release in (ctx.status.release, ctx.status.last):
        if release is not None and release.evidence and release.pair is not None:
            known = ctx.seen.remembered == release.id or ctx.seen.memory.knows(release.id)
            return None if known else release
    return None
