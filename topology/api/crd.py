"""The definition of Topologies, generated from the models (`python -m topology crd`)."""

from __future__ import annotations

from rollout.api.crd import column, defined
from rollout.api.schema import Schema, structural
from rollout.api.wire import VERSION
from topology.api.spec import KIND, PLURAL, TopologySpec
from topology.api.status import TopologyStatus

_COLUMNS = (
    ("System", "string", ".spec.system", "what holds it", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "whether it is as declared", 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "why", 0),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', "what is wrong", 1),
    ("Observed", "date", ".status.observedAt", "when the system was last seen whole", 0),
    ("Age", "date", ".metadata.creationTimestamp", "", 0),
)


def topology_definition() -> Schema:
    """The CustomResourceDefinition, as a manifest."""
    root: Schema = {
        "type": "object",
        "description": "What a system should hold (queues, exchanges, users), and how far that is true.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(TopologySpec, defaults=True),
            "status": structural(TopologyStatus, defaults=False),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column(*each) for each in _COLUMNS],
        "schema": {"openAPIV3Schema": root},
    }
    return defined(KIND, PLURAL, [], version)


def rendered() -> str:
    """The committed file."""
    import yaml

    header = "# Generated from topology/api by `python -m topology crd`; do not edit.\n"
    return header + yaml.safe_dump(topology_definition(), sort_keys=False, width=120)
