"""The policy by which an API server takes no forged Approval, and the question whether it stands as it should.

An Approval is only as true as the policy that stood when it was made. So the policy's name holds the hash of what it
says, and it is believed only while it is exactly that, and was never anything else since it was made (its generation is
the first): whoever edits it, or makes it anew, has made every older Approval worthless.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rollout.api.approval import PLURAL
from rollout.api.wire import GROUP

if TYPE_CHECKING:
    from kube.kinds import Manifest

API = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
PREFIX = f"{PLURAL}.{GROUP}-"
SETTLED_SECONDS = 10.0
"""API servers enforce a new policy a moment after it was made."""

_AUTHORIZED = (
    f"authorizer.group('{GROUP}').resource('grayreleases').subresource('status')"
    ".namespace(request.namespace).check('update').allowed()"
)
_SENDER = "has(request.userInfo.username) && !(request.userInfo.username in ['', 'system:anonymous'])"
_IN_GROUP = "has(request.userInfo.groups) && g in request.userInfo.groups"
_CREATED = "request.operation != 'CREATE' || "
_VALIDATIONS: tuple[tuple[str, str], ...] = (
    (
        "request.operation != 'UPDATE' || object.spec == oldObject.spec",
        "an Approval never changes: delete it, and approve again",
    ),
    (
        f"{_CREATED}{_SENDER} && object.spec.approver == request.userInfo.username",
        "spec.approver: it must be the user name of who sends it; nobody approves for somebody else",
    ),
    (
        f"{_CREATED}!has(object.spec.groups) || object.spec.groups.all(g, {_IN_GROUP})",
        "spec.groups: who sends it is not in all of these groups",
    ),
    (
        f"{_CREATED}!request.userInfo.username.startsWith('system:serviceaccount:') || !{_AUTHORIZED}",
        "spec.approver: a service account that may write the status of releases is an engine, and approves none",
    ),
)


def _spec() -> dict[str, Any]:
    """With all that a server would fill in: what is there can so be compared."""
    watched = {
        "apiGroups": [GROUP],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [PLURAL, f"{PLURAL}/*"],
        "scope": "*",
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": [watched],
        },
        "validations": [{"expression": rule, "message": message} for rule, message in _VALIDATIONS],
    }


NAME = PREFIX + hashlib.sha256(json.dumps(_spec(), sort_keys=True).encode()).hexdigest()[:8]


def policy() -> Manifest:
    """The policy, as a manifest."""
    return {"apiVersion": API, "kind": POLICY, "metadata": _meta(), "spec": _spec()}


def binding() -> Manifest:
    """What puts it in force, in every namespace."""
    spec = {"policyName": NAME, "validationActions": ["Deny"]}
    return {"apiVersion": API, "kind": BINDING, "metadata": _meta(), "spec": spec}


def _meta() -> Manifest:
    return {"name": NAME, "labels": {"app.kubernetes.io/part-of": "grayling"}}


def is_ours(manifest: Manifest) -> bool:
    """Whether an object is this policy or its binding, of whatever version."""
    return manifest["kind"] in {POLICY, BINDING} and str(manifest["metadata"]["name"]).startswith(PREFIX)


def why_distrusted(live: Manifest | None, bound: Manifest | None) -> str:
    """Why no Approval can be believed now, with the way out; empty where the policy stands as it should."""
    for wanted, found in ((policy(), live), (binding(), bound)):
        label = f"{wanted['kind']} {NAME}"
        if found is None or found["metadata"].get("deletionTimestamp"):
            return (
                f"{label} is not on the cluster, so that anybody could approve in any name: apply the stack that "
                "keeps the definitions, or `grayling release crd | kubectl apply -f -`"
            )
        if place := _other(wanted["spec"], found.get("spec"), "spec"):
            return f"{label} is not as it should be ({place}): delete it, and apply it again"
        if found["metadata"].get("generation") != 1:
            return f"{label} was edited since it was made: delete it, and apply it again"
    return ""


def trusted_since(live: Manifest, bound: Manifest) -> float:
    """From when on an Approval can be believed: what was made before was held against nothing.

    Raises:
        ValueError: one of the two has no time that can be read.
    """
    made = [
        datetime.fromisoformat(str(each["metadata"].get("creationTimestamp"))).timestamp() for each in (live, bound)
    ]
    return max(made) + SETTLED_SECONDS


def _other(wanted: Any, found: Any, place: str) -> str:
    """Where the two differ; empty where they do not. What is not wanted may be there, if it says nothing."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        more = (f"{place}.{key}" for key, each in found.items() if key not in wanted and each not in ({}, [], "", None))
        less = (_other(each, found.get(key), f"{place}.{key}") for key, each in wanted.items())
        return next(more, "") or next(filter(None, less), "")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        each = (_other(*pair, f"{place}[{at}]") for at, pair in enumerate(zip(wanted, found, strict=True)))
        return next(filter(None, each), "")
    return "" if wanted == found else place
