"""The examples of each kind, as a stack of a tier."""

from __future__ import annotations

import yaml

from components.stack.kinds import every_kind
from components.stack.platform import Platform
from tests.components.conftest import ROOT

EXAMPLES = ROOT / "examples" / "kinds"
ALL = [(kind, size) for kind in every_kind() for size in ("minimal", "production")]
TIERS = {"minimal": "local", "production": "prod"}


def path_of(kind, size):
    return EXAMPLES / kind / f"{size}.yaml"


def declared(kind, size, *, tier=None, namespace=None):
    """What the example declares, in the tier that it is for, or in another."""
    sections = yaml.safe_load(path_of(kind, size).read_text())
    environment = {
        "tier": tier or TIERS[size],
        "namespace": namespace or f"kind-{kind}-{size}",
        "owners": ["platform"],
        **sections.pop("environment", {}),
    }
    return Platform.read({"environment": environment, **sections}, stack=kind, source=str(path_of(kind, size)))
