"""What the pods of a component may do: a Role or a ClusterRole, and its binding to their account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kube.kinds import Manifest

RBAC = "rbac.authorization.k8s.io"


def granted(
    kind: str, meta: Mapping[str, str], own: str, account: str, rules: Sequence[dict[str, Any]]
) -> Iterable[Manifest]:
    """A role of this ``kind``, and its binding to an account of the namespace ``own``."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": own}
    yield {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": dict(meta), "rules": [dict(each) for each in rules]}
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(meta),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": meta["name"]},
        "subjects": [subject],
    }


def rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> dict[str, Any]:
    """One rule of a role."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
