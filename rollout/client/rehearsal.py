"""Asking an API server whether it would take the objects of a revision, before anybody starts a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import DeniedError, InvalidError, KubeError
from rollout.api.revision import MANAGER, manifests_of

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.spec import Spec


async def rehearse(cluster: Cluster, name: str, namespace: str, spec: Spec) -> str:
    """Apply the objects of a revision without changing anything; why it could not be asked, or empty where it was.

    Schema, quotas of objects, webhooks and policies have their say; quotas of pods do not, because no pod is made.

    Raises:
        InvalidError: an object would not be taken: its schema or a policy.
        DeniedError: an object would not be taken: a quota or a webhook.
    """
    for manifest in manifests_of(name, namespace, "", spec, replicas=1):
        try:
            await cluster.apply(_without_owner(manifest), manager=MANAGER, force=True, dry_run=True)
        except (InvalidError, DeniedError):
            raise
        except KubeError as error:
            return str(error)
    return ""


def _without_owner(manifest: Manifest) -> Manifest:
    """Whose it will be is not known yet, and no object may name an owner that has no uid."""
    meta = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
    return {**manifest, "metadata": meta}
