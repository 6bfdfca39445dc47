"""A Kubernetes client as the rooms need it: plain dicts in, plain dicts out, one exception tree.

The authentication and TLS of the official ``kubernetes`` package are used as they are; requests go over one pooled
aiohttp session, so that a patch costs one round trip and no model classes are built.
"""

from kube.errors import (
    ClusterUnreachableError,
    ConflictError,
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
