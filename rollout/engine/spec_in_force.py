"""Which spec a release goes by: the newest valid one, even after a restart in the middle of a mistake.

What the API server took and the model refuses is told and changes nothing: the last valid spec stays in force. A
process that starts while the spec is not valid finds the last valid one on the revision's own Deployment, where the
engine notes it; and where nobody noted any, the version that serves is the one that is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rollout.api.approval import digest_of
from rollout.api.pair import Own, pair_of
from rollout.api.revision import image_of, policy_of, revision_of
from rollout.api.spec import (
    ParentRef,
    Port,
    Spec,
    Traffic,
    Workload,
)
from rollout.api.texts import clean
from rollout.api.wire import said_of
from rollout.decide.capabilities import plan_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest
    from rollout.api.pair import Pair
    from rollout.api.status import Status

MOST_WORDS = 300
LAST_VALID = "the last valid spec stays in force"
AS_IT_IS = "no valid spec is known: what serves stays as it is, and nothing new begins"
NO_SPEC = "there is no valid spec yet, and nothing begins before one"


@dataclass(frozen=True, slots=True)
class InForce:
    """A spec and where it is from.

    Attributes:
        spec: what the release goes by.
        revision: that it wants.
        image: and the image people know it by.
        generation: of the spec; 0 where that is not known.
        pair: images and configuration of it; None where it stands for one that nobody knows whole.
        complete: whether the route's shape and the pods can be made from it; else only weights and scale are known.
        spec_known: whether it was once a valid spec; else it stands for one that nobody knows.
        digest: of the whole spec, which approvals name; empty where not all of it is known.
    """

    spec: Spec
    revision: str
    image: str
    generation: int
    complete: bool = True
    spec_known: bool = True
    digest: str = ""
    pair: Pair | None = None


@dataclass(slots=True)
class SpecReader:
    """Reads the spec of one release.

    Attributes:
        name: of the release.
        namespace: of the release.
        newest: generation of the newest spec that was read, valid or not.
        in_force: what the release goes by; None before the first.
        mistake: why the newest spec is not in force; empty where it is.
    """

    name: str
    namespace: str = ""
    newest: int = -1
    in_force: InForce | None = None
    mistake: str = ""

    def read(self, manifest: Manifest, status: Status, deployments: Mapping[str, Manifest]) -> bool:
        """Take in a GrayRelease; whether another spec is in force than before."""
        generation = int(manifest["metadata"].get("generation", 0))
        if generation == self.newest:
            return False
        self.newest = generation
        try:
            spec = Spec.model_validate(manifest.get("spec"))
            wrong = "; ".join(plan_problems(spec))
        except ValidationError as error:
            wrong = _first_of(error)
        if not wrong:
            self.mistake = ""
            named = revision_of(self.name, spec), image_of(spec)
            pair = pair_of(spec, Own(self.name, self.namespace))
            self.in_force = InForce(spec, *named, generation, digest=digest_of(spec), pair=pair)
            return True
        before, instead = self.in_force, self._instead(status, deployments, manifest.get("spec"))
        self.mistake = clean(f"spec.{wrong}; {instead}", most=MOST_WORDS)
        return self.in_force is not before

    def _instead(self, status: Status, deployments: Mapping[str, Manifest], spec: Any) -> str:
        """Put in force what there is instead of a spec that is not valid, and say what that is."""
        valid = self.in_force or _last_valid(status, deployments)
        self.in_force = valid or _as_it_is(status, deployments, spec)
        if self.in_force is None:
            return NO_SPEC
        return LAST_VALID if self.in_force.spec_known else AS_IT_IS

    def for_route(self) -> Spec:
        """The spec as the driver knows it: where the route's shape is not known, it has none.

        Raises:
            LookupError: no spec was ever valid.
        """
        known = self.in_force
        if known is None:
            raise LookupError(f"{self.name} has no valid spec")
        return known.spec if known.complete else known.spec.model_copy(update={"traffic": None})


def _first_of(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {said_of(first)}{more}"


def _last_valid(status: Status, deployments: Mapping[str, Manifest]) -> InForce | None:
    """The spec under which the version in flight, or else the one that serves, was wanted last."""
    for version in (status.canary, status.stable):
        noted = policy_of(deployments[version.revision]) if version and version.revision in deployments else None
        if version and noted is not None and not plan_problems(noted):
            return InForce(noted, version.revision, version.image, status.spec_generation, complete=False)
    return None


def _as_it_is(status: Status, deployments: Mapping[str, Manifest], spec: Any) -> InForce | None:
    """Nothing is known but the status and what runs: what serves stays as it is, what is in flight is taken back."""
    if status.stable is None:
        return None
    running = (deployments.get(status.stable.revision) or {}).get("spec") or {}
    replicas = max(1, int(running.get("replicas") or 1))
    orphan = isinstance(spec, dict) and spec.get("deletion") == "Orphan"
    known = unknown_spec(status.stable.image, replicas, orphan=orphan)
    return InForce(known, status.stable.revision, status.stable.image, 0, complete=False, spec_known=False)


def unknown_spec(image: str = "", replicas: int = 1, *, orphan: bool = False) -> Spec:
    """What stands for a spec where none is known: traffic of a shape that nobody knows, and nothing to be judged by."""
    template: dict[str, Any] = {"spec": {"containers": [{"name": "main", "image": image or "unknown"}]}}
    work = Workload(replicas=replicas, template=template, ports=[Port(name="http", port=80)])
    traffic = Traffic(parents=[ParentRef(name="unknown")])
    return Spec(workload=work, traffic=traffic, deletion="Orphan" if orphan else "Delete")
