"""Rules in CEL, by model: what the models check themselves, said so that an API server checks it too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rollout.api.patterns import HEAVY
from rollout.api.signal import PORT_TEXT
from rollout.api.sources import LABEL_KEY, LONGEST_LABEL
from rollout.api.spec import TWO_NAMES
from rollout.api.strategy import MOST_STEPS, NO_GATE
from rollout.api.traffic import (
    A_MILLISECOND,
    NO_PATH,
    TOO_SHORT,
    WHOLE_PATH,
)
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

Rule = dict[str, Any]


def rules_of(model: str) -> Iterator[Rule]:
    """The rules of a model, by its name."""
    if model == "Spec":
        yield from _spec_rules()
    elif model == "Strategy":
        yield rule(
            "!has(self.steps) || (self.steps.map(s, s.weight).isSorted() && "
            "self.steps.all(a, self.steps.exists_one(b, b.weight == a.weight)))",
            "steps: weights must rise from step to step",
        )
    elif model == "Signal":
        yield from _source_rules()
    elif model in _OF_SHAPES:
        yield from _OF_SHAPES[model]()


def _spec_rules() -> Iterator[Rule]:
    yield rule("!has(self.record) || !self.record || !has(self.recording)", TWO_NAMES)
    ports = "has(self.workload.ports) && "
    yield rule(
        f"!has(self.traffic) || ({ports}size(self.workload.ports) > 0)",
        "workload.ports: traffic needs a port to go to; name one, for example {name: http, port: 8080}",
    )
    yield rule(
        f"!has(self.traffic) || !has(self.traffic.port) || "
        f"({ports}self.workload.ports.exists(p, p.name == self.traffic.port))",
        "traffic.port: there is no workload port of that name",
    )
    for source, example in (("gateway", "namespace and selector"), ("prometheus", "its URL")):
        yield rule(
            "!has(self.analysis) || !has(self.analysis.signals) || "
            f"!self.analysis.signals.exists(s, s.source == '{source}') || "
            f"(has(self.sources) && has(self.sources.{source}))",
            f"sources.{source}: a signal reads {source}, so it must be given ({example})",
        )


def _source_rules() -> Iterator[Rule]:
    for kind, row in SIGNAL_KINDS.items():
        readable = sorted(source.value for source in row.sources)
        yield rule(
            f"self.kind != '{kind.value}' || self.source in {json.dumps(readable)}",
            f"source: {kind.value} can be read from {' or '.join(readable)}",
        )
    nameless = [kind.value for kind, row in SIGNAL_KINDS.items() if any(map(row.needs_metric, row.sources))]
    yield rule(
        f"!(self.kind in {json.dumps(nameless)}) || !(self.source in {json.dumps(sorted(BY_METRIC))}) || "
        "has(self.metric) || has(self.query)",
        f"metric: {' and '.join(nameless)} have no usual metric; name one, for example metric: x_total",
    )
    yield rule(
        "!has(self.query) || (self.source == 'prometheus' && !has(self.metric))",
        "query: for source prometheus, instead of a metric",
    )
    yield rule(
        "self.source != 'logs' || (has(self.pattern) && size(self.pattern) > 0)",
        "pattern: source logs needs one, for example pattern: ERROR|panic",
    )
    yield from _reading_rules()


def _reading_rules() -> Iterator[Rule]:
    shared = [kind.value for kind in of_family(Family.FAILURES)]
    # a condition, because `||` would swallow the error of an expression that is none
    yield rule(
        "has(self.pattern) ? ('x'.matches(self.pattern) ? true : true) : true",
        "pattern: no regular expression of RE2, which has no (?=…), (?!…), (?<=…) and \\1",
    )
    yield rule(
        f"!has(self.pattern) || !self.pattern.matches({json.dumps(HEAVY)})",
        "pattern: too large; write + or * where it repeats something a hundred times",
    )
    yield rule(
        f"self.kind in {json.dumps(shared)} || !has(self.errors) && (!has(self.label) || self.label == 'code')",
        f"errors, label: for kind {' or '.join(shared)} alone",
    )
    yield rule(
        "self.source != 'gateway' || (!has(self.label) || self.label == 'code') && "
        "(!has(self.errors) || self.errors.all(e, e.matches('^!?[1-5](xx|[0-9][0-9])$')))",
        "errors: the gateway counts HTTP statuses alone; read others at the pods, for gRPC with source: pods, "
        "label: grpc_code, errors: ['!OK']",
    )
    yield rule(
        "!has(self.query) || self.query.matches('[^ \\\\t\\\\r\\\\n]')",
        "query: it is empty; for example sum by (pod) (x_total)",
    )
    yield rule(
        "!has(self.port) || (type(self.port) == int ? self.port >= 1 && self.port <= 65535 : "
        "self.port.size() <= 63 && "
        f"self.port.matches({json.dumps(PORT_TEXT)}))",
        "port: a number from 1 to 65535, or the name of a container port",
    )


def _port_rules() -> Iterator[Rule]:
    yield rule(
        "!has(self.targetPort) || (type(self.targetPort) == int ? "
        f"self.targetPort >= 1 && self.targetPort <= {LAST_PORT} : self.targetPort.size() <= {LONGEST_TARGET} && "
        f"self.targetPort.matches({json.dumps(TARGET_PORT)}))",
        "targetPort: a number from 1 to 65535, or the name of a container port",
    )


def _workload_rules() -> Iterator[Rule]:
    yield rule(
        "!has(self.ports) || self.ports.all(p, self.ports.exists_one(q, q.port == p.port))",
        "ports: every port needs a number of its own",
    )
    yield rule(
        f"!has(self.config) || self.config.all(f, f.matches({json.dumps(FILE_NAME)}) && f != '.' && "
        "!f.startsWith('..'))",
        "config: names of files are made of letters, digits, -, _ and .",
    )
    yield rule(
        f"!has(self.config) || self.config.map(f, size(bytes(self.config[f]))).sum() <= {MOST_CONFIG}",
        f"config: at most {MOST_CONFIG} bytes fit into the cluster's object",
    )
    yield rule("!has(self.maxUnavailable) || self.maxUnavailable >= 1", BLOCKS_DRAINS.format("less than 1"))
    named = "{}.exists(c, has(c.ports) && c.ports.exists(q, has(q.name) && q.name == p.targetPort))"
    yield rule(
        "!has(self.ports) || self.ports.all(p, !has(p.targetPort) || type(p.targetPort) == int || "
        f"{named.format('self.template.spec.containers')} || "
        f"has(self.template.spec.initContainers) && {named.format('self.template.spec.initContainers')})",
        "ports: no container has a port of that targetPort's name; name it in the template, or write its number",
    )
    yield from _room_rules()


def _room_rules() -> Iterator[Rule]:
    """The folder of the configuration files, and the name of their volume, are the engine's."""
    files, pod = "!has(self.config) || size(self.config) == 0 || ", "self.template.spec"
    yield rule(
        f"{files}!has({pod}.volumes) || {pod}.volumes.all(v, v.name != '{CONFIG_VOLUME}')",
        f"template: the volume name {CONFIG_VOLUME} is taken for config",
    )
    apart = (
        "all(c, !has(c.volumeMounts) || c.volumeMounts.all(m, m.mountPath != self.configMountPath && "
        "m.mountPath != self.configMountPath + '/'))"
    )
    taken = "template: a container mounts something where config goes; choose another configMountPath"
    yield rule(f"{files}{pod}.containers.{apart}", taken)
    yield rule(f"{files}!has({pod}.initContainers) || {pod}.initContainers.{apart}", taken)


def _traffic_rules() -> Iterator[Rule]:
    yield rule(
        "!has(self.requestTimeout) || !self.requestTimeout.matches('[1-9]') || "
        f"self.requestTimeout.matches({json.dumps(A_MILLISECOND)})",
        TOO_SHORT,
    )
    namespace, section = (
        f"(has(p.{field}) ? has(q.{field}) && p.{field} == q.{field} : !has(q.{field}))"
        for field in ("__namespace__", "sectionName")  # a word of CEL, escaped as the API server has it
    )
    same = f"p.name == q.name && {namespace}"
    yield rule(
        f"self.parents.all(p, self.parents.exists_one(q, {same} && {section}) && "
        f"(has(p.sectionName) || self.parents.exists_one(q, {same})))",
        "parents: a Gateway that is there twice needs a sectionName each",
    )


def _stats_rules() -> Iterator[Rule]:
    yield rule(
        f"self.selector.all(k, k.size() <= {LONGEST_LABEL} && k.matches({json.dumps(LABEL_KEY)}))",
        "selector: keys of labels, for example app.kubernetes.io/name: envoy",
    )


def _path_rules() -> Iterator[Rule]:
    yield rule(
        "!has(self.value) || has(self.type) && self.type == 'RegularExpression' || "
        f"self.value.matches({json.dumps(WHOLE_PATH)}) && !self.value.matches({json.dumps(NO_PATH)})",
        "path: it begins with / and has no //, /./, /../ and %2f in it",
    )


def _step_rules() -> Iterator[Rule]:
    yield rule("!has(self.approvals) || has(self.gate) && self.gate == 'approval'", NO_GATE)


def _approval_rules() -> Iterator[Rule]:
    yield rule("self == oldSelf", "an Approval never changes: delete it, and approve again")
    yield rule(
        f"type(self.step) == int ? self.step >= 1 && self.step <= {MOST_STEPS} : self.step == 'all'",
        f"step: the number of a step, from 1 to {MOST_STEPS}, or all",
    )


_OF_SHAPES: dict[str, Callable[[], Iterator[Rule]]] = {
    "Step": _step_rules,
    "ApprovalSpec": _approval_rules,
    "Port": _port_rules,
    "Workload": _workload_rules,
    "Traffic": _traffic_rules,
    "GatewayStats": _stats_rules,
    "PathMatch": _path_rules,
}
"""Rules of what a version and its route look like, by model."""


def rule(expression: str, message: str) -> Rule:
    """One rule, and what is told where it is broken."""
    return {"rule": expression, "message": message}
