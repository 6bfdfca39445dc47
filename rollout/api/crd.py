"""The custom resource definition of GrayRelease, generated from the models so that the two can never disagree.

`python -m rollout crd` prints it; `manifests/crds/grayreleases.yaml` is that output, committed. What is added to the
models here is what only an API server needs: bounds that keep the cost of CEL rules finite, the rules themselves, and
the shape of the pod template that lets several writers own one container each.
"""

from __future__ import annotations

from typing import Any

from rollout.api.rules import rule
from rollout.api.schema import Schema, structural
from rollout.api.spec import GROUP, KIND, VERSION, Spec
from rollout.api.status import Status
from rollout.api.wire import LONGEST_NAME

HEADER = "# Generated from rollout/api/spec.py and rollout/api/status.py by `python -m rollout crd`; do not edit.\n"
PLURAL = "grayreleases"

_COLUMNS = (
    ("Phase", "string", ".status.phase", "where the release stands", 0),
    ("Step", "integer", ".status.step", "step under way, from 0", 0),
    ("Weight", "integer", ".status.weight.written", "percent of requests that the route gives the canary", 0),
    ("Stable", "string", ".status.stable.image", "version that serves", 0),
    ("Canary", "string", ".status.canary.image", "version that is coming in", 0),
    ("Verdict", "string", ".status.analysis.verdict", "what the judge says of the canary", 0),
    ("Observed", "number", ".status.weight.observed", "percent of requests seen at the canary", 1),
    ("Holder", "string", ".status.holder", "the engine in charge", 1),
    ("Age", "date", ".metadata.creationTimestamp", "", 0),
)


def definition() -> Schema:
    """The CustomResourceDefinition, as a manifest."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "grayling"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["gr"],
                "categories": ["grayling"],
            },
            "versions": [_version()],
        },
    }


def rendered() -> str:
    """The definition as the YAML file that is committed."""
    import yaml

    return HEADER + yaml.safe_dump(definition(), sort_keys=False, width=120)


def _version() -> Schema:
    root: Schema = {
        "type": "object",
        "description": "A service under gray release: what should run, how it is brought in, and how that stands.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(Spec, defaults=True),
            "status": _any_words(structural(Status, defaults=False)),
        },
        "x-kubernetes-validations": [
            rule(
                f"self.metadata.name.matches('^[a-z]([-a-z0-9]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?$')",
                "metadata.name begins the names of Services: at most 42 lower-case letters, digits and dashes, "
                "a letter first",
            )
        ],
    }
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.workload.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
        "schema": {"openAPIV3Schema": root},
    }


def _any_words(node: Any) -> Any:
    """A schema that takes words it does not know: those of a newer engine must outlive an older definition."""
    if isinstance(node, list):
        return [_any_words(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _any_words(value) for key, value in node.items() if key != "enum"}


def _column(name: str, kind: str, path: str, description: str, priority: int) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    if description:
        column["description"] = description
    return column | ({"priority": priority} if priority else {})
