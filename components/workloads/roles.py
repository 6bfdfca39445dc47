"""What the pods of a component may do in its own namespace: a Role, and its binding to their account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.model.component import Component
    from kube.kinds import Manifest

RBAC = "rbac.authorization.k8s.io"


def granted(owner: Component, rules: Sequence[dict[str, Any]]) -> Iterable[Manifest]:
    """Role and RoleBinding of the account that the component's workload runs under."""
    subject = {"kind": "ServiceAccount", "name": owner.name, "namespace": owner.environment.namespace}
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": owner.name},
        "rules": [dict(each) for each in rules],
    }
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": owner.name},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": owner.name},
        "subjects": [subject],
    }


def rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> dict[str, Any]:
    """One rule of a Role."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
