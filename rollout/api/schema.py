"""From a model to the structural schema that an API server takes: no references, no titles, no unions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.api.durations import LONGEST_DURATION, PATTERN, duration_of
from rollout.api.pod_template import PodTemplate
from rollout.api.rules import rules_of
from rollout.api.signal import LONGEST_PORT
from rollout.api.workload import LONGEST_TARGET

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = {"title", "$defs", "const", "anyOf", "default", "exclusiveMinimum", "exclusiveMaximum"}

_BOUNDS: dict[tuple[str, str], Schema] = {
    ("Signal", "port"): {"maxLength": LONGEST_PORT},
    ("Traffic", "requestTimeout"): {"maxLength": LONGEST_DURATION},
    ("Port", "targetPort"): {"maxLength": LONGEST_TARGET},
    ("ApprovalSpec", "step"): {"maxLength": len("all")},
}
"""What CEL needs to bound its cost and the models have no word for, by model and property."""


def structural(model: type[BaseModel], *, defaults: bool) -> Schema:
    """The structural schema of a model: no references, no titles, no unions, with bounds and rules.

    Args:
        model: the root.
        defaults: keep the defaults of single values. Those of whole objects are left to the models: the API server
            would write them into every object and freeze them there.
    """
    schema = model.model_json_schema(by_alias=True)
    found: Schema = _Flattening(schema.get("$defs", {}), defaults=defaults).of(schema, model.__name__)
    return found


class _Flattening:
    """One walk over a JSON schema, with its definitions at hand."""

    def __init__(self, definitions: Schema, *, defaults: bool) -> None:
        self._definitions, self._defaults = definitions, defaults

    def of(self, node: Schema, model: str = "") -> Schema:
        """The node as Kubernetes takes it."""
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            beside = {key: value for key, value in node.items() if key != "$ref"}
            return self.of(self._definitions[name] | beside, name)
        if choices := [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]:
            chosen = {} if node.get("x-kubernetes-int-or-string") else choices[0]
            return self.of(chosen | {key: value for key, value in node.items() if key != "anyOf"}, model)
        return self._plain(node, model)

    def _plain(self, node: Schema, model: str) -> Schema:
        made = {key: value for key, value in node.items() if key not in _DROPPED}
        if "const" in node:
            made["enum"] = [node["const"]]
        for edge in ("Minimum", "Maximum"):
            if f"exclusive{edge}" in node:
                made[edge.lower()], made[f"exclusive{edge}"] = node[f"exclusive{edge}"], True
        if made.get("additionalProperties") is True:  # a part of the status, whose newer fields and words are kept
            made["x-kubernetes-preserve-unknown-fields"] = True
        if not isinstance(made.get("additionalProperties"), dict):
            made.pop("additionalProperties", None)
        else:
            made["additionalProperties"] = self.of(made["additionalProperties"])
        if "items" in made:
            made["items"] = self.of(made["items"])
        if "properties" in made:
            made["properties"] = {
                key: self.of(value) | _BOUNDS.get((model, key), {}) for key, value in made["properties"].items()
            }
        if model == "Workload":
            made["properties"]["template"] |= structural(PodTemplate, defaults=False)
        if rules := list(rules_of(model)):
            made["x-kubernetes-validations"] = rules
        return made | self._default(node)

    def _default(self, node: Schema) -> Schema:
        default = node.get("default")
        if not self._defaults or default is None or isinstance(default, dict | list):
            return {}
        if node.get("pattern") == PATTERN:
            default = duration_of(default)
        return {"default": default}
