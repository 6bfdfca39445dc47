"""Why a revision is not ready, in one sentence a person can act on, and whether waiting can mend it.

Kubernetes spreads the reason over container states, pod conditions and the Deployment's conditions; the worst that is
found is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout.sources.roster import newest_end, ready_since, started_at
from rollout.world import RevisionFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kube.kinds import Manifest

PULL_PATIENCE_SECONDS = 60.0
LOOP_RESTARTS = 2
_PULL = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"}
_HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}
_REFUSED_IMAGE = ("not found", "manifest unknown", "unauthorized", "denied", "forbidden", "no match for platform")
_REFUSED_POD = ("violates podsecurity", "denied the request", "denied request", " is invalid: ")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class _Problem:
    """One finding; the highest ``rank`` is told."""

    text: str
    rank: int
    fatal: bool = False


def revision_facts(deployment: Manifest | None, pods: Iterable[Manifest], *, now: float | None = None) -> RevisionFacts:
    """What the Deployment of a revision and its pods say.

    Args:
        deployment: None where it does not exist (yet).
        pods: of this revision.
        now: seconds since the epoch; without it, an image whose registry does not answer never counts as fatal.
    """
    present = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    ready = sum(ready_since(pod) is not None for pod in present)
    replicas = int((deployment or {}).get("spec", {}).get("replicas", 1)) if deployment else 0
    if ready >= replicas:
        return RevisionFacts(replicas, ready)
    found = [*_refusals(deployment or {})]
    for pod in present:
        if ready_since(pod) is None:
            found += _of_pod(pod, now)
    worst = max(found, key=lambda problem: (problem.fatal, problem.rank), default=_Problem("", 0))
    return RevisionFacts(replicas, ready, worst.text, worst.fatal)


def _refusals(deployment: Manifest) -> Iterator[_Problem]:
    """Pods that the API server did not take: quota, pod security, admission."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        said = _short(condition.get("message", ""))
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            fatal = any(sign in said.lower() for sign in _REFUSED_POD)
            yield _Problem(f"{condition.get('reason', 'FailedCreate')}: {said}", 8, fatal)
        elif condition.get("reason") == "ProgressDeadlineExceeded":
            yield _Problem(f"ProgressDeadlineExceeded: {said}", 1)


def _of_pod(pod: Manifest, now: float | None) -> Iterator[_Problem]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if status.get("phase") == "Failed":
        yield _Problem(f"{status.get('reason') or 'Failed'}: pod {name}: {_short(status.get('message', 'ended'))}", 3)
        return
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            said = _short(condition.get("message", "no node was found"))
            yield _Problem(f"{condition.get('reason', 'Unschedulable')}: pod {name}: {said}", 6)
    age = None if now is None else now - started_at(pod)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if found := _of_container(pod, container, age):
            yield found


def _of_container(pod: Manifest, container: Manifest, age: float | None) -> _Problem | None:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, said = waiting.get("reason", ""), _short(waiting.get("message", ""))
    who = f"container {container['name']} of pod {pod['metadata']['name']}"
    if reason in _HOPELESS:
        return _Problem(f"{reason}: {who}, image {container.get('image', '?')}: {said}", 9, fatal=True)
    if reason in _PULL:
        refused = reason == "ImagePullBackOff" and any(sign in said.lower() for sign in _REFUSED_IMAGE)
        fatal = refused or (age or 0.0) >= PULL_PATIENCE_SECONDS
        return _Problem(f"{reason}: {who}, image {container.get('image', '?')}: {said}", 7, fatal)
    ended = newest_end(container)
    if ended.get("exitCode") or (ended and not _is_init(pod, container)):
        return _ended(pod, container, ended, reason)
    if reason == "ContainerCreating":
        return _Problem(f"{reason}: {who} waits for its volumes, its network or its image; its events say more", 2)
    if reason not in {"", "PodInitializing"}:
        return _Problem(f"{reason}: {who}: {said}", 5)
    if state.get("running") and not container.get("ready") and not _is_init(pod, container):
        return _Problem(f"Unready: {who} runs, but its startup or readiness probe does not succeed", 2)
    return None


def _ended(pod: Manifest, container: Manifest, ended: dict[str, Any], waiting: str) -> _Problem | None:
    """A container that died, while it is not ready again."""
    if container.get("ready"):
        return None
    restarts = int(container.get("restartCount", 0))
    how = f"exit code {ended.get('exitCode', '?')}"
    if (reason := ended.get("reason")) == "OOMKilled":
        how += f", OOMKilled: over its memory limit of {_memory_limit(pod, container['name'])}"
    elif reason and reason not in {"Error", "Completed"}:
        how += f", {reason}"
    if said := _short(ended.get("message", "")):
        how += f": {said}"
    word = waiting if waiting == "CrashLoopBackOff" else "Crashed"
    lies_dead = word != "Crashed" or "terminated" in (container.get("state") or {})
    who = f"container {container['name']} of pod {pod['metadata']['name']}"
    text = f"{word}: {who} ended with {how}; restarted {restarts} times"
    return _Problem(text, 7, fatal=lies_dead and restarts >= LOOP_RESTARTS)


def _is_init(pod: Manifest, container: Manifest) -> bool:
    return any(each["name"] == container["name"] for each in (pod.get("spec") or {}).get("initContainers") or ())


def _memory_limit(pod: Manifest, container: str) -> str:
    for each in (pod.get("spec") or {}).get("containers") or ():
        if each["name"] == container:
            return str(((each.get("resources") or {}).get("limits") or {}).get("memory", "its node"))
    return "its node"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
