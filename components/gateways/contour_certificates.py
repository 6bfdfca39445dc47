"""The certificates between control plane and proxies: made once in the cluster by a Job, never seen outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.endpoints import API_SERVER
from components.model.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
)
from components.model.profiles import Size
from components.workloads.baseline import account, pod_template, workload_name
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component
    from kube.kinds import Manifest

CERTGEN = "certgen"
RBAC = "rbac.authorization.k8s.io"
LIFETIME_DAYS = 3650


def certificate_job(owner: Component, image: str) -> Iterable[Manifest]:
    """The Job, the right to create Secrets (not to read or change them), and its policy."""
    name = workload_name(owner, CERTGEN)
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": owner.environment.namespace}
    yield account(owner, CERTGEN)
    yield {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": [rule]}
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [subject],
    }
    yield policy(owner, [API_SERVER], part=CERTGEN)
    yield _job(owner, name, image)


def _job(owner: Component, name: str, image: str) -> Manifest:
    container = Container(
        name=CERTGEN,
        image=image,
        command=("contour",),
        args=(
            "certgen",
            "--kube",
            "--incluster",
            "--secrets-format=compact",
            f"--secrets-name-suffix=-{owner.name}",
            f"--certificate-lifetime={LIFETIME_DAYS}",
            "--namespace=$(POD_NAMESPACE)",
        ),
        env={"POD_NAMESPACE": FieldPath("metadata.namespace")},
        resources=SIDECAR[Size.SMALL],
    )
    template = pod_template(owner, Pod(containers=(container,), token=True), CERTGEN)
    template["spec"]["restartPolicy"] = "OnFailure"
    spec = {"backoffLimit": 6, "template": template}
    meta = {"name": name, "labels": owner.labels(CERTGEN)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
