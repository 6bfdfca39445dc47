"""Putting one look together: cached objects, the share that was counted, the judge's word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from rollout.api.spec import (
    COMMAND_ANNOTATION,
    REASON_ANNOTATION,
    REQUESTED_BY_ANNOTATION,
    REQUESTED_REVISION_ANNOTATION,
    Signal,
    SignalKind,
    SourceName,
)
from rollout.api.status import Command, Phase
from rollout.api.texts import clean
from rollout.decide.commands import VERBS
from rollout.decide.observation import Observation, RevisionFacts, ShareFacts
from rollout.engine.pod_problems import revision_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kube.kinds import Manifest
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.sources.share import ShareMeter


NEWEST_REQUESTS = 1000
"""The share is counted over so many: some six points of certainty, whatever the gateway did when the weight was new."""

SHARE = "share"
"""The signal that counts requests where nothing judged does; another name where a person's signal has this one."""


def arms_of(status: Status) -> tuple[str, str]:
    """``(stable, canary)`` revisions as the judge and the share see them.

    In a bake the new version is still the one on trial, and the one before is what it is held against.
    """
    stable, canary = status.stable, status.canary
    if status.phase is Phase.BAKING:
        stable, canary = status.previous, status.stable
    return stable.revision if stable else "", canary.revision if canary else ""


def command_of(manifest: Manifest) -> Command | None:
    """What a person asked for by annotation; None where nobody did, or where it cannot be read."""
    found = _command(manifest)
    return found if isinstance(found, Command) else None


def command_mistake(manifest: Manifest) -> str:
    """Why the annotation by which people ask for something cannot be read; empty where there is nothing wrong."""
    found = _command(manifest)
    return found if isinstance(found, str) else ""


def _command(manifest: Manifest) -> Command | str | None:
    text = (manifest["metadata"].get("annotations") or {}).get(COMMAND_ANNOTATION)
    if not text:
        return None
    try:
        return Command.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else clean(str(error))
        return (
            f"annotation {COMMAND_ANNOTATION} is {text[:200]!r}, which cannot be read ({reason}): "
            f"remove it and use `grayling release {'|'.join(VERBS)}`"
        )


def revisions_of(
    deployments: Mapping[str, Manifest],
    pods: Iterable[Manifest],
    now: float,
    leaves: Callable[[Manifest], bool] = lambda _pod: False,
) -> dict[str, RevisionFacts]:
    """Facts of every revision that has a Deployment; ``leaves`` says which pods are on nodes that will be drained."""
    by_revision: dict[str, list[Manifest]] = {}
    for pod in pods:
        by_revision.setdefault(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""), []).append(pod)
    return {
        name: revision_facts(found, by_revision.get(name, ()), now=now, leaves=leaves)
        for name, found in deployments.items()
    }


def counted(spec: Spec) -> list[Signal]:
    """The signals to read: those that are judged, and the gateway's count of requests where nothing judged reads it."""
    signals = list(spec.analysis.signals)
    if spec.sources.gateway and all(signal.source is not SourceName.GATEWAY for signal in signals):
        taken = {signal.name for signal in signals}
        name = next(each for each in (SHARE, *(f"{SHARE}-{n}" for n in range(len(taken)))) if each not in taken)
        signals.append(Signal(name=name, kind=SignalKind.ERRORS, source=SourceName.GATEWAY))
    return signals


def count_share(share: ShareFacts, meter: ShareMeter, since: float | None, now: float) -> ShareFacts:
    """Add to the route's facts what the requests themselves say."""
    fraction, requests = meter.share_since(since, newest=NEWEST_REQUESTS) if since is not None else (None, 0)
    missing, seconds = meter.missing(now)
    return replace(
        share,
        canary_share=fraction,
        requests=requests,
        canary_quiet_seconds=meter.quiet_seconds(now),
        canary_endpoints=meter.endpoints,
        by_gateway=meter.by_gateway,
        missing=missing,
        missing_seconds=seconds,
        open_requests=meter.open_requests,
    )


def observation_of(
    manifest: Manifest,
    *,
    revision: str,
    image: str,
    revisions: Mapping[str, RevisionFacts],
    share: ShareFacts,
    **rest: Any,
) -> Observation:
    """One look; ``rest`` are the fields of :class:`Observation` that are neither spec, pods nor route.

    Args:
        manifest: the GrayRelease.
        revision: that the spec in force describes.
        image: and the image people know it by.
        revisions: facts of the pods.
        share: facts of the route.
        rest: all others.
    """
    meta = manifest["metadata"]
    notes = meta.get("annotations") or {}
    if notes.get(REQUESTED_REVISION_ANNOTATION, revision) != revision:  # they tell of another version
        notes = {**notes, REQUESTED_BY_ANNOTATION: "", REASON_ANNOTATION: ""}
    return Observation(
        desired_revision=revision,
        desired_image=image,
        generation=int(meta.get("generation", 0)),
        revisions=revisions,
        share=share,
        command=command_of(manifest),
        requested_by=clean(str(notes.get(REQUESTED_BY_ANNOTATION, ""))),
        reason=clean(str(notes.get(REASON_ANNOTATION, ""))),
        selector=f"{RELEASE_LABEL}={meta['name']}",
        deleted=bool(meta.get("deletionTimestamp")),
        **rest,
    )
