"""A Kubernetes client as the rooms need it: plain dicts in, plain dicts out, one exception tree.

Certificates, tokens and credentials plugins are read here; what else a kubeconfig may hold is left to the official
``kubernetes`` package. Requests go over one pooled aiohttp session, so that a patch costs one round trip and no model
classes are built. One module each: `connect` and `plugin` find the cluster and the credentials, `requests` and
`answers` carry and read one request, `reading`, `writing`, `discovery` and `pods` are what is asked, `cluster` is all
of it, `once` is as much as a command that shows one thing needs, `cache` is a live copy.
"""

from kube.errors import (
    ClusterUnreachableError,
    ConflictError,
    DeniedError,
    ForbiddenError,
    GraylingError,
    InvalidError,
    KubeError,
    NotFoundError,
    UsageError,
)
from kube.kinds import Kind, Manifest, kind_of

__all__ = [
    "ClusterUnreachableError",
    "ConflictError",
    "DeniedError",
    "ForbiddenError",
    "GraylingError",
    "InvalidError",
    "Kind",
    "KubeError",
    "Manifest",
    "NotFoundError",
    "UsageError",
    "kind_of",
]
