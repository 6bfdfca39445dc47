"""The custom resource definitions of our objects, generated from the models so that the two can never disagree.

`python -m rollout crd grayreleases` prints one; `manifests/crds/grayreleases.yaml` is that output, committed. What is
added to the models here is what only an API server needs: bounds that keep the cost of CEL rules finite, the rules
themselves, and the shape of the pod template that lets several writers own one container each.
"""

from __future__ import annotations

from typing import Any

from rollout.api import approval
from rollout.api.approval import ApprovalSpec
from rollout.api.rules import rule
from rollout.api.schema import Schema, structural
from rollout.api.spec import GROUP, KIND, VERSION, Spec
from rollout.api.status import Status
from rollout.api.wire import LONGEST_NAME

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


_APPROVAL_COLUMNS = (
    ("Release", "string", ".spec.release", "what is approved", 0),
    ("Revision", "string", ".spec.revision", "and which version of it", 0),
    ("Step", "string", ".spec.step", "number of the step, or all", 0),
    ("Approver", "string", ".spec.approver", "who approved", 0),
    ("Expires", "date", ".spec.expires", "when it counts no more", 1),
    ("Age", "date", ".metadata.creationTimestamp", "", 0),
)


def definition() -> Schema:
    """The CustomResourceDefinition of GrayReleases, as a manifest."""
    return defined(KIND, PLURAL, ["gr"], _version())


def approval_definition() -> Schema:
    """The CustomResourceDefinition of Approvals, as a manifest."""
    root: Schema = {
        "type": "object",
        "description": "A person's yes to a step of a release; the API server holds the name against who sent it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(ApprovalSpec, defaults=True),
        },
    }
    columns = [column(*each) for each in _APPROVAL_COLUMNS]
    version = {"name": VERSION, "served": True, "storage": True, "additionalPrinterColumns": columns}
    made = {**version, "schema": {"openAPIV3Schema": root}}
    return defined(approval.KIND, approval.PLURAL, ["gra"], made)


def defined(kind: str, plural: str, short: list[str], version: Schema) -> Schema:
    """A definition of our group with one version."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "grayling"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                **({"shortNames": short} if short else {}),  # an empty list is not kept, and would differ forever
                "categories": ["grayling"],
            },
            "versions": [version],
        },
    }


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
        "additionalPrinterColumns": [column(*each) for each in _COLUMNS],
        "schema": {"openAPIV3Schema": root},
    }


def _any_words(node: Any) -> Any:
    """A schema that takes words it does not know: those of a newer engine must outlive an older definition."""
    if isinstance(node, list):
        return [_any_words(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _any_words(value) for key, value in node.items() if key != "enum"}


def column(name: str, kind: str, path: str, description: str, priority: int) -> Schema:
    """A column of what `kubectl get` prints."""
    made: Schema = {"name": name, "type": kind, "jsonPath": path}
    if description:
        made["description"] = description
    return made | ({"priority": priority} if priority else {})
