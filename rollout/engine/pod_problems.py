"""Why a revision is not ready, in one sentence a person can act on, and whether waiting can mend it.

Kubernetes spreads the reason over container states, pod conditions and the Deployment's conditions; the worst that is
found is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rollout.api.revision import (
    DECLARED_ANNOTATION,
    EPOCH_ANNOTATION,
    IMAGES_ANNOTATION,
    KEEPS_LAST_ANNOTATION,
    MANAGER,
    REPLICAS_ANNOTATION,
    SPARE_ANNOTATION,
    images_of,
    number_noted,
)
from rollout.api.texts import told
from rollout.decide.observation import RevisionFacts
from rollout.engine.digests import running_images
from rollout.sources.pod_roster import (
    is_disrupted,
    newest_end,
    ready_since,
    started_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
    refused: bool = False


def revision_facts(
    deployment: Manifest | None,
    pods: Iterable[Manifest],
    *,
    now: float | None = None,
    leaves: Callable[[Manifest], bool] = lambda _pod: False,
) -> RevisionFacts:
    """What the Deployment of a revision and its pods say.

    Args:
        deployment: None where it does not exist (yet).
        pods: of this revision.
        now: seconds since the epoch; without it, an image whose registry does not answer never counts as fatal.
        leaves: whether a pod is on a node that will be drained.
    """
    all_pods = list(pods)
    present = [pod for pod in all_pods if not pod["metadata"].get("deletionTimestamp")]
    serving = [pod for pod in present if ready_since(pod) is not None]
    ready = len(serving)
    replicas = _replicas(deployment)
    known = RevisionFacts(replicas, ready) if deployment is None else _noted(deployment, replicas, ready)
    known = replace(known, threatened=sum(leaves(pod) for pod in serving), digests=running_images(deployment, present))
    if ready >= replicas:
        return known
    found = [*_refusals(deployment or {})]
    if not all_pods and replicas:
        found.append(_Problem("NoPods: its Deployment has made no pod yet", 0))
    for pod in present:
        if ready_since(pod) is None:
            found += _of_pod(pod, now)
    worst = max(found, key=lambda problem: (problem.fatal, problem.rank), default=_Problem("", 0))
    disrupted = sum(is_disrupted(pod) for pod in all_pods)
    return replace(known, problem=worst.text, fatal=worst.fatal, refused=worst.refused, disrupted=disrupted)


def _replicas(deployment: Manifest | None) -> int:
    if deployment is None:
        return 0
    asked = (deployment.get("spec") or {}).get("replicas")
    return 1 if asked is None else int(asked)


def _noted(deployment: Manifest, replicas: int, ready: int) -> RevisionFacts:
    """What the Deployment says of itself, and whether it is still what it was made as."""
    epoch, asked, declared = (
        number_noted(deployment, note) for note in (EPOCH_ANNOTATION, REPLICAS_ANNOTATION, DECLARED_ANNOTATION)
    )
    return RevisionFacts(
        replicas,
        ready,
        epoch=epoch,
        asked=asked,
        declared=declared,
        spare=number_noted(deployment, SPARE_ANNOTATION) or 0,
        keeps_last=number_noted(deployment, KEEPS_LAST_ANNOTATION) == 1,
        altered=_altered(deployment),
    )


def _altered(deployment: Manifest) -> str:
    """How its pods are not those it was made with, and who wrote them.

    The API server fills in what a template leaves out, so templates are not compared: it keeps the books of who set
    which field, and what was set anew is no longer ours alone.
    """
    try:
        made = json.loads(((deployment.get("metadata") or {}).get("annotations") or {}).get(IMAGES_ANNOTATION) or "{}")
    except ValueError:
        return ""
    now = images_of((deployment.get("spec") or {}).get("template") or {})
    others = [entry for entry in _template_writers(deployment) if entry.get("manager") != MANAGER]
    newest = max(others, key=lambda entry: str(entry.get("time", "")), default=None)
    for name, image in made.items() if isinstance(made, dict) else ():
        if name in now and now[name] != image:
            by = f", written by {newest['manager']}" if newest else ""
            return told(f"container {name} runs {now[name]}, not {image}{by}")
    return told(f"its pod template was changed by {newest['manager']}") if newest and _is_kept(deployment) else ""


def _is_kept(deployment: Manifest) -> bool:
    """Whether the engine's own entry is there: in what was restored from a backup, all is the restorer's."""
    return any(entry.get("manager") == MANAGER for entry in _template_writers(deployment))


def _template_writers(deployment: Manifest) -> Iterator[Manifest]:
    """Entries of who set fields of the pod template."""
    for entry in (deployment.get("metadata") or {}).get("managedFields") or ():
        if "f:template" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            yield entry


def _refusals(deployment: Manifest) -> Iterator[_Problem]:
    """Pods that the API server did not take: quota, pod security, admission."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        said = _short(condition.get("message", ""))
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            fatal = any(sign in said.lower() for sign in _REFUSED_POD)
            refused = fatal or "is forbidden: " in said
            yield _Problem(f"{condition.get('reason', 'FailedCreate')}: {said}", 8, fatal, refused)
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


def _short(text: object) -> str:
    return told(text, _LONGEST)
