"""What people tell an engine: one verb at a time, as an annotation that the engine acknowledges in the status.

An annotation is written by whoever may patch the GrayRelease, needs no service of its own, survives an engine that is
just starting, and is carried out once: its id is compared with the last one carried out.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kube.errors import ConflictError, GraylingError, KubeError
from kube.kinds import GRAY_RELEASE, LEASE, Manifest
from rollout.api.spec import COMMAND_ANNOTATION
from rollout.api.status import Command
from rollout.client.watch import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    follow,
    is_passing,
)

if TYPE_CHECKING:
    from kube.cluster import Cluster

MANAGER = "grayling-cli"
COURTESY_SECONDS = 2.0
WRITE_SECONDS = 10.0
LEASE_PREFIX = "grayling-"


class Verb(StrEnum):
    """What can be asked of a release."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"
    RETRY = "retry"


class NotAcknowledgedError(GraylingError):
    """No engine answered in time; the command stays written, and the next engine carries it out."""

    exit_code = 10


class NoEffectError(GraylingError):
    """The engine did not say that the command had an effect."""


def new_command(verb: Verb, by: str, reason: str) -> Command:
    """A command with an id of its own."""
    return Command(id=str(uuid.uuid4()), verb=verb.value, by=by, reason=reason)


def unanswered(manifest: Manifest) -> Command | None:
    """The command that is written on a GrayRelease and not acknowledged; what is not a command counts as none."""
    written = (manifest["metadata"].get("annotations") or {}).get(COMMAND_ANNOTATION)
    if not written:
        return None
    try:
        command = Command.model_validate_json(written)
    except ValidationError:
        return None
    return None if _acknowledged(manifest) == command.id else command


def _acknowledged(manifest: Manifest) -> str:
    return str((manifest.get("status") or {}).get("command", ""))


async def send(cluster: Cluster, namespace: str, name: str, command: Command, *, seconds: float = 10.0) -> str:
    """Write a command and wait for the engine's answer.

    An earlier command that nobody has answered yet is given two seconds, unless the new one is an abort, and is then
    replaced.

    Raises:
        NotFoundError: no such GrayRelease.
        NotAcknowledgedError: no engine answered within `seconds`; the message says whether one is running.
        NoEffectError: the engine answered that there was nothing to do, or did not say whether there was.
    """
    if command.verb != Verb.ABORT:
        await _let_others_be_heard(cluster, namespace, name)
    await _write(cluster, namespace, name, command)
    try:
        async with asyncio.timeout(seconds):
            answer, done = await _answer(cluster, namespace, name, command)
    except TimeoutError:
        hint = await _hint(cluster, namespace, name)
        raise NotAcknowledgedError(f"{command.verb} was written but not answered in {seconds:g} s: {hint}") from None
    if done is None:
        answer += "; its engine is of an older version that does not say whether this had an effect: see the status"
    if not done:
        raise NoEffectError(f"{command.verb} {namespace}/{name}: {answer}")
    return answer


async def _hint(cluster: Cluster, namespace: str, name: str) -> str:
    try:
        return await who_is_in_charge(cluster, namespace, name, time.time())
    except KubeError as error:
        return f"whether an engine is in charge cannot be told ({error})"


async def _let_others_be_heard(cluster: Cluster, namespace: str, name: str) -> None:
    try:
        async with asyncio.timeout(COURTESY_SECONDS):
            async for found in follow(cluster, namespace, name):
                if unanswered(found) is None:
                    return
    except TimeoutError:
        return


async def _write(cluster: Cluster, namespace: str, name: str, command: Command) -> None:
    """Write the annotation, over a server's bad moments. An unanswered command is replaced only as it was read."""
    clock = asyncio.get_running_loop().time
    until, pause = clock() + WRITE_SECONDS, FIRST_PAUSE
    while True:
        try:
            await _write_once(cluster, namespace, name, command)
        except KubeError as error:
            if not (isinstance(error, ConflictError) or is_passing(error)) or clock() >= until:
                raise
            await asyncio.sleep(max(pause, getattr(error, "retry_after", 0.0)))
            pause = min(LONGEST_PAUSE, 2 * pause)
        else:
            return


async def _write_once(cluster: Cluster, namespace: str, name: str, command: Command) -> None:
    found = await cluster.get(GRAY_RELEASE, name, namespace)
    said = command.model_copy(update={"generation": found["metadata"].get("generation")})
    metadata: Manifest = {"annotations": {COMMAND_ANNOTATION: json.dumps(said.wire())}}
    if unanswered(found) is not None:
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
    await cluster.merge_patch(GRAY_RELEASE, name, namespace, {"metadata": metadata}, manager=MANAGER)


async def _answer(cluster: Cluster, namespace: str, name: str, command: Command) -> tuple[str, bool | None]:
    async for found in follow(cluster, namespace, name):
        if _acknowledged(found) == command.id:
            return str(found["status"].get("commandAnswer", "")), found["status"].get("commandDone")
        written = unanswered(found)
        if written is not None and written.id != command.id:
            raise NotAcknowledgedError(f"{command.verb} was replaced by {written.verb} of {written.by or 'somebody'}")
    raise AssertionError("follow never ends")  # pragma: no cover


async def who_is_in_charge(cluster: Cluster, namespace: str, name: str, now: float) -> str:
    """One sentence about the engine that holds a release, from its lease."""
    lease = await cluster.find(LEASE, f"{LEASE_PREFIX}{name}", namespace)
    start = "start one with `grayling release controller`, or `grayling release run` for this release alone"
    if lease is None:
        return f"no engine has ever taken charge of {namespace}/{name}; {start}"
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity")
    if not holder or not spec.get("renewTime"):
        return f"no engine is in charge of {namespace}/{name}; {start}"
    renewed = _moment(spec["renewTime"])
    if renewed is None:
        return f"its engine {holder} cannot be told to be alive (its lease has no time that can be read); {start}"
    silent = now - renewed
    if silent > _seconds(spec.get("leaseDurationSeconds")):
        return f"its engine {holder} was last heard of {silent:.0f} s ago; {start}"
    return f"its engine {holder} is alive (heard of {max(0.0, silent):.0f} s ago) but did not answer; see its log"


def _moment(stamp: Any) -> float | None:
    """Seconds since the epoch, or None where it is no time."""
    try:
        return datetime.fromisoformat(str(stamp)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
