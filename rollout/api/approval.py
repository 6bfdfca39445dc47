"""`Approval`: a person's yes to one step of one attempt at a release, and the digest that binds it to exactly that.

Who approved is not for this object to say: the API server holds `spec.approver` and `spec.groups` against who really
sent it (:mod:`rollout.api.approval_policy`).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from rollout.api.status import Time
from rollout.api.strategy import MOST_STEPS, GroupName
from rollout.api.wire import INT_OR_STRING, Model, Name

if TYPE_CHECKING:
    from rollout.api.spec import Spec

KIND = "Approval"
PLURAL = "approvals"
ALL_STEPS = "all"
MOST_GROUPS = 32
DIGEST = r"^sha256:[0-9a-f]{64}$"


class ApprovalSpec(Model):
    """`spec` of an Approval; it never changes. To take it back, delete the object."""

    release: Name = Field(description="name of the GrayRelease, in the same namespace")
    attempt: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="`status.release.id`: this attempt and no other; one more try needs approvals of its own"
    )
    revision: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="`status.canary.revision`: the version that is approved"
    )
    digest: Annotated[str, Field(pattern=DIGEST, max_length=71)] = Field(
        description="`status.specDigest`: the spec that is approved, with its steps and what it is judged by"
    )
    step: Annotated[int, Field(ge=1, le=MOST_STEPS)] | Literal["all"] = Field(
        description="number of the step, the first is 1; or all", json_schema_extra=INT_OR_STRING
    )
    approver: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="user name of who approves; the API server takes no other"
    )
    groups: Annotated[list[GroupName], Field(max_length=MOST_GROUPS)] = Field(
        default_factory=list, description="groups for which it is said; the API server takes those of the sender alone"
    )
    reason: Annotated[str, Field(max_length=1000)] = Field(default="", description="why; kept in the record")
    expires: Time | None = Field(default=None, description="from then on it does not count; never if not given")


def digest_of(spec: Spec) -> str:
    """The digest of a spec. The number of pods is left out: an autoscaler writes it, and changes nothing else by it."""
    wire = spec.wire()
    wire["workload"] = {key: each for key, each in wire["workload"].items() if key != "replicas"}
    canonical = json.dumps(wire, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def same_person(one: str, other: str) -> bool:
    """Whether two names may be of one person: a login name is held against `oidc:ann@example.com` as well.

    Who asked for a version wrote that name himself, in his own way. Two people who share a name are taken for one.
    """
    return bool(one) and _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return name.rsplit(":", 1)[-1].partition("@")[0].strip().casefold()
