"""The custom resource definition of GrayRelease, generated from the models so that the two can never disagree.

`python -m rollout crd` prints it; `manifests/crds/grayreleases.yaml` is that output, committed. What is added to the
models here is what only an API server needs: bounds that keep the cost of CEL rules finite, the rules themselves, and
the shape of the pod template that lets several writers own one container each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rollout.api.durations import LONGEST_DURATION, PATTERN, duration_of
from rollout.api.patterns import HEAVY
from rollout.api.pod_template import PodTemplate
from rollout.api.spec import (
    GROUP,
    KIND,
    LABEL_KEY,
    LONGEST_LABEL,
    LONGEST_PORT,
    PORT_TEXT,
    VERSION,
    Spec,
)
from rollout.api.status import Status
from rollout.api.traffic import (
    A_MILLISECOND,
    NO_PATH,
    TOO_SHORT,
    WHOLE_PATH,
)
from rollout.api.wire import LONGEST_NAME
from rollout.api.workload import (
    BLOCKS_DRAINS,
    CONFIG_VOLUME,
    FILE_NAME,
    LAST_PORT,
    LONGEST_TARGET,
    MOST_CONFIG,
    TARGET_PORT,
)
from rollout.signals.kinds import BY_METRIC, SIGNAL_KINDS, Family, of_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

Schema = dict[str, Any]
HEADER = "# Generated from rollout/api/spec.py and rollout/api/status.py by `python -m rollout crd`; do not edit.\n"
PLURAL = "grayreleases"

_DROPPED = {"title", "$defs", "const", "anyOf", "default", "exclusiveMinimum", "exclusiveMaximum"}

_BOUNDS: dict[tuple[str, str], Schema] = {
    ("Signal", "port"): {"maxLength": LONGEST_PORT},
    ("Traffic", "requestTimeout"): {"maxLength": LONGEST_DURATION},
    ("Port", "targetPort"): {"maxLength": LONGEST_TARGET},
}
"""What CEL needs to bound its cost and the models have no word for, by model and property."""

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
            _rule(
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
        if rules := list(_rules(model)):
            made["x-kubernetes-validations"] = rules
        return made | self._default(node)

    def _default(self, node: Schema) -> Schema:
        default = node.get("default")
        if not self._defaults or default is None or isinstance(default, dict | list):
            return {}
        if node.get("pattern") == PATTERN:
            default = duration_of(default)
        return {"default": default}


def _rules(model: str) -> Iterator[Schema]:
    if model == "Spec":
        yield from _spec_rules()
    elif model == "Strategy":
        yield _rule(
            "!has(self.steps) || (self.steps.map(s, s.weight).isSorted() && "
            "self.steps.all(a, self.steps.exists_one(b, b.weight == a.weight)))",
            "steps: weights must rise from step to step",
        )
    elif model == "Signal":
        yield from _source_rules()
    elif model in _OF_SHAPES:
        yield from _OF_SHAPES[model]()


def _spec_rules() -> Iterator[Schema]:
    ports = "has(self.workload.ports) && "
    yield _rule(
        f"!has(self.traffic) || ({ports}size(self.workload.ports) > 0)",
        "workload.ports: traffic needs a port to go to; name one, for example {name: http, port: 8080}",
    )
    yield _rule(
        f"!has(self.traffic) || !has(self.traffic.port) || "
        f"({ports}self.workload.ports.exists(p, p.name == self.traffic.port))",
        "traffic.port: there is no workload port of that name",
    )
    for source, example in (("gateway", "namespace and selector"), ("prometheus", "its URL")):
        yield _rule(
            "!has(self.analysis) || !has(self.analysis.signals) || "
            f"!self.analysis.signals.exists(s, s.source == '{source}') || "
            f"(has(self.sources) && has(self.sources.{source}))",
            f"sources.{source}: a signal reads {source}, so it must be given ({example})",
        )


def _source_rules() -> Iterator[Schema]:
    for kind, row in SIGNAL_KINDS.items():
        readable = sorted(source.value for source in row.sources)
        yield _rule(
            f"self.kind != '{kind.value}' || self.source in {json.dumps(readable)}",
            f"source: {kind.value} can be read from {' or '.join(readable)}",
        )
    nameless = [kind.value for kind, row in SIGNAL_KINDS.items() if any(map(row.needs_metric, row.sources))]
    yield _rule(
        f"!(self.kind in {json.dumps(nameless)}) || !(self.source in {json.dumps(sorted(BY_METRIC))}) || "
        "has(self.metric) || has(self.query)",
        f"metric: {' and '.join(nameless)} have no usual metric; name one, for example metric: x_total",
    )
    yield _rule(
        "!has(self.query) || (self.source == 'prometheus' && !has(self.metric))",
        "query: for source prometheus, instead of a metric",
    )
    yield _rule(
        "self.source != 'logs' || (has(self.pattern) && size(self.pattern) > 0)",
        "pattern: source logs needs one, for example pattern: ERROR|panic",
    )
    yield from _reading_rules()


def _reading_rules() -> Iterator[Schema]:
    shared = [kind.value for kind in of_family(Family.FAILURES)]
    # a condition, because `||` would swallow the error of an expression that is none
    yield _rule(
        "has(self.pattern) ? ('x'.matches(self.pattern) ? true : true) : true",
        "pattern: no regular expression of RE2, which has no (?=…), (?!…), (?<=…) and \\1",
    )
    yield _rule(
        f"!has(self.pattern) || !self.pattern.matches({json.dumps(HEAVY)})",
        "pattern: too large; write + or * where it repeats something a hundred times",
    )
    yield _rule(
        f"self.kind in {json.dumps(shared)} || !has(self.errors) && (!has(self.label) || self.label == 'code')",
        f"errors, label: for kind {' or '.join(shared)} alone",
    )
    yield _rule(
        "self.source != 'gateway' || (!has(self.label) || self.label == 'code') && "
        "(!has(self.errors) || self.errors.all(e, e.matches('^!?[1-5](xx|[0-9][0-9])$')))",
        "errors: the gateway counts HTTP statuses alone; read others at the pods, for gRPC with source: pods, "
        "label: grpc_code, errors: ['!OK']",
    )
    yield _rule(
        "!has(self.query) || self.query.matches('[^ \\\\t\\\\r\\\\n]')",
        "query: it is empty; for example sum by (pod) (x_total)",
    )
    yield _rule(
        "!has(self.port) || (type(self.port) == int ? self.port >= 1 && self.port <= 65535 : "
        "self.port.size() <= 63 && "
        f"self.port.matches({json.dumps(PORT_TEXT)}))",
        "port: a number from 1 to 65535, or the name of a container port",
    )


def _port_rules() -> Iterator[Schema]:
    yield _rule(
        "!has(self.targetPort) || (type(self.targetPort) == int ? "
        f"self.targetPort >= 1 && self.targetPort <= {LAST_PORT} : self.targetPort.size() <= {LONGEST_TARGET} && "
        f"self.targetPort.matches({json.dumps(TARGET_PORT)}))",
        "targetPort: a number from 1 to 65535, or the name of a container port",
    )


def _workload_rules() -> Iterator[Schema]:
    yield _rule(
        "!has(self.ports) || self.ports.all(p, self.ports.exists_one(q, q.port == p.port))",
        "ports: every port needs a number of its own",
    )
    yield _rule(
        f"!has(self.config) || self.config.all(f, f.matches({json.dumps(FILE_NAME)}) && f != '.' && "
        "!f.startsWith('..'))",
        "config: names of files are made of letters, digits, -, _ and .",
    )
    yield _rule(
        f"!has(self.config) || self.config.map(f, size(bytes(self.config[f]))).sum() <= {MOST_CONFIG}",
        f"config: at most {MOST_CONFIG} bytes fit into the cluster's object",
    )
    yield _rule("!has(self.maxUnavailable) || self.maxUnavailable >= 1", BLOCKS_DRAINS.format("less than 1"))
    named = "{}.exists(c, has(c.ports) && c.ports.exists(q, has(q.name) && q.name == p.targetPort))"
    yield _rule(
        "!has(self.ports) || self.ports.all(p, !has(p.targetPort) || type(p.targetPort) == int || "
        f"{named.format('self.template.spec.containers')} || "
        f"has(self.template.spec.initContainers) && {named.format('self.template.spec.initContainers')})",
        "ports: no container has a port of that targetPort's name; name it in the template, or write its number",
    )
    yield from _room_rules()


def _room_rules() -> Iterator[Schema]:
    """The folder of the configuration files, and the name of their volume, are the engine's."""
    files, pod = "!has(self.config) || size(self.config) == 0 || ", "self.template.spec"
    yield _rule(
        f"{files}!has({pod}.volumes) || {pod}.volumes.all(v, v.name != '{CONFIG_VOLUME}')",
        f"template: the volume name {CONFIG_VOLUME} is taken for config",
    )
    apart = (
        "all(c, !has(c.volumeMounts) || c.volumeMounts.all(m, m.mountPath != self.configMountPath && "
        "m.mountPath != self.configMountPath + '/'))"
    )
    taken = "template: a container mounts something where config goes; choose another configMountPath"
    yield _rule(f"{files}{pod}.containers.{apart}", taken)
    yield _rule(f"{files}!has({pod}.initContainers) || {pod}.initContainers.{apart}", taken)


def _traffic_rules() -> Iterator[Schema]:
    yield _rule(
        "!has(self.requestTimeout) || !self.requestTimeout.matches('[1-9]') || "
        f"self.requestTimeout.matches({json.dumps(A_MILLISECOND)})",
        TOO_SHORT,
    )
    namespace, section = (
        f"(has(p.{field}) ? has(q.{field}) && p.{field} == q.{field} : !has(q.{field}))"
        for field in ("__namespace__", "sectionName")  # a word of CEL, escaped as the API server has it
    )
    same = f"p.name == q.name && {namespace}"
    yield _rule(
        f"self.parents.all(p, self.parents.exists_one(q, {same} && {section}) && "
        f"(has(p.sectionName) || self.parents.exists_one(q, {same})))",
        "parents: a Gateway that is there twice needs a sectionName each",
    )


def _stats_rules() -> Iterator[Schema]:
    yield _rule(
        f"self.selector.all(k, k.size() <= {LONGEST_LABEL} && k.matches({json.dumps(LABEL_KEY)}))",
        "selector: keys of labels, for example app.kubernetes.io/name: envoy",
    )


def _path_rules() -> Iterator[Schema]:
    yield _rule(
        "!has(self.value) || has(self.type) && self.type == 'RegularExpression' || "
        f"self.value.matches({json.dumps(WHOLE_PATH)}) && !self.value.matches({json.dumps(NO_PATH)})",
        "path: it begins with / and has no //, /./, /../ and %2f in it",
    )


_OF_SHAPES: dict[str, Callable[[], Iterator[Schema]]] = {
    "Port": _port_rules,
    "Workload": _workload_rules,
    "Traffic": _traffic_rules,
    "GatewayStats": _stats_rules,
    "PathMatch": _path_rules,
}
"""Rules of what a version and its route look like, by model."""


def _rule(rule: str, message: str) -> Schema:
    return {"rule": rule, "message": message}
