"""Writers that are no persons and no stacks: what they write on an object is theirs, and no drift."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from review.model.managers import Writer

CONTROLLERS = (
    r"kube-[a-z-]+",  # the control plane, autoscaling of pods among it
    r"kubelet",
    r"cloud-controller-manager",
    r"cluster-autoscaler",
    r"(cert-manager|cainjector).*",
    r"contour.*",
    r"envoy-gateway.*",
    r"(istiod|pilot)-.*",
    r"keda.*",
    r"(vpa|vertical-pod)-.*",
    r"prometheus-?operator.*",
    r"strimzi.*",
    r"rabbitmq-cluster-operator.*",
    r"grayling-(engine|stack-fence)",
    r"(aws|azure|gce|gke|eks|aks)-.*",
)
"""Patterns of managers' names, as these programs call themselves."""
_KNOWN = re.compile("|".join(CONTROLLERS))


def is_controller(writer: Writer) -> bool:
    """Whether a writer is a controller; a status is always written by one."""
    return writer.subresource == "status" or _KNOWN.fullmatch(writer.manager) is not None
