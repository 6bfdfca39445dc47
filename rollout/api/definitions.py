"""All that our objects need on a cluster, as the YAML files that are committed; one source, the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.approval_policy import binding, policy
from rollout.api.crd import approval_definition, definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.kinds import Manifest

FILES: dict[str, tuple[str, Callable[[], list[Manifest]]]] = {
    "grayreleases": ("spec.py and rollout/api/status.py", lambda: [definition()]),
    "approvals": ("approval.py", lambda: [approval_definition()]),
    "policy": ("approval_policy.py", lambda: [policy(), binding()]),
}
"""What can be printed: the sources in rollout/api, and the objects."""


def rendered(name: str) -> str:
    """One of the files."""
    import yaml

    sources, objects = FILES[name]
    header = f"# Generated from rollout/api/{sources} by `python -m rollout crd {name}`; do not edit.\n"
    return header + yaml.safe_dump_all(objects(), sort_keys=False, width=120)
