"""The configuration file of a collector: where data comes in, what is done with it, and where it goes.

Nothing is acknowledged before it is in a queue on disk, so there is no batch processor: exporters batch what their
queues hold. A sink that is away is asked again for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.monitoring.otel_collector_masking import processors
from components.monitoring.otel_collector_settings import (
    GRPC_PORT,
    HEALTH_PORT,
    HTTP_PORT,
    METRICS_PORT,
    POD_LOGS,
    QUEUE,
    SIEM,
)
from components.workloads.encryption import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.monitoring.otel_collector_settings import Match, Rule

CLASS, DAYS = "grayling.class", "grayling.retention_days"
OTHER = "other"
STORE = "file_storage/queue"
CHECKPOINTS = "file_storage/read"
_LEAST = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
# Of syslog, facility `user`: from the worst on.
_PRIORITIES = ((21, 10), (17, 11), (13, 12), (9, 14), (0, 15))


@dataclass(frozen=True)
class Plan:
    """What a collector's file is made of: exporters, and which of them take traces and which classes of lines."""

    mask: Sequence[str]
    exporters: Mapping[str, Mapping[str, Any]]
    traces: str = ""
    logs: str = ""
    rules: Sequence[Rule] = ()
    sinks: Mapping[str, str] = field(default_factory=dict)
    tokens: Sequence[str] = ()
    encrypted: bool = False
    reads: Sequence[str] = ()


def configuration(plan: Plan) -> dict[str, Any]:
    """The file, as data."""
    masked = processors(plan.mask)
    sorts = bool(plan.rules)
    return {
        "extensions": _extensions(plan),
        "receivers": _receivers(plan),
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 25},
            **({"transform/origin": _ORIGIN} if plan.reads else {}),
            **masked,
            **(_sorting(plan) if sorts else {}),
        },
        **({"connectors": {"forward/sorted": {}}} if sorts else {}),
        "exporters": {name: dict(exporter) for name, exporter in plan.exporters.items()},
        "service": {
            "extensions": [*_extensions(plan)],
            "telemetry": _TELEMETRY,
            "pipelines": _pipelines(plan, [*masked]),
        },
    }


_TELEMETRY = {
    "logs": {"encoding": "json", "level": "info"},
    "metrics": {
        "readers": [
            {"pull": {"exporter": {"prometheus": {
                "host": "0.0.0.0", "port": METRICS_PORT, "without_type_suffix": False, "without_units": False,  # noqa: S104 - of the pod
            }}}}
        ]
    },
}  # fmt: skip
_SERVICE = 'resource.attributes["service.name"]'
_NUMBER = "log.severity_number"
_SAID = 'log.cache["said"]["level"]'
_LEVELS = (
    r'set(log.cache["said"], ParseJSON(log.body)) where IsString(log.body) and IsMatch(log.body, "^\\s*[{]")',
    f"set(log.severity_text, {_SAID}) where IsString({_SAID})",
    *(
        f'set({_NUMBER}, {least}) where {_NUMBER} == 0 and IsMatch(log.severity_text, "(?i)^{word}")'
        for word, least in (
            ("(fatal|crit|panic|emerg|alert)", 21), ("err", 17), ("warn", 13), ("(info|notice)", 9), ("debug", 5)
        )
    ),
)  # fmt: skip
_ORIGIN = {
    "error_mode": "silent",
    "log_statements": [
        {
            "context": "resource",
            "statements": [
                f'set({_SERVICE}, resource.attributes["k8s.container.name"]) where {_SERVICE} == nil',
            ],
        },
        {"context": "log", "statements": [*_LEVELS]},
    ],
}


def _extensions(plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = {
        "health_check": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"},
        STORE: {"directory": f"{QUEUE}/queue", "create_directory": True, "fsync": True},
    }
    if plan.reads:
        made[CHECKPOINTS] = {"directory": f"{QUEUE}/read", "create_directory": True, "fsync": True}
    else:
        made["bearertokenauth"] = {"tokens": [f"${{env:{name}}}" for name in plan.tokens]}
    return made


def _receivers(plan: Plan) -> dict[str, Any]:
    if plan.reads:
        return {"file_log": _pod_logs(plan.reads)}
    tls = {"cert_file": f"{FOLDER}/tls.crt", "key_file": f"{FOLDER}/tls.key", "min_version": "1.3"}
    common = {"auth": {"authenticator": "bearertokenauth"}, **({"tls": tls} if plan.encrypted else {})}
    ports = {"grpc": GRPC_PORT, "http": HTTP_PORT}
    return {"otlp": {"protocols": {name: {"endpoint": f"0.0.0.0:{port}", **common} for name, port in ports.items()}}}


def _pod_logs(namespaces: Iterable[str]) -> dict[str, Any]:
    """All containers of these namespaces but collectors, which would read of what they read."""
    return {
        "include": [f"{POD_LOGS}/{each}_*/*/*.log" for each in namespaces],
        "exclude": [f"{POD_LOGS}/*/otel-collector/*.log"],
        "start_at": "beginning",
        "include_file_path": True,
        "storage": CHECKPOINTS,
        "retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"},
        "operators": [{"type": "container"}],
    }


def _pipelines(plan: Plan, masked: Sequence[str]) -> dict[str, Any]:
    comes = ["file_log"] if plan.reads else ["otlp"]
    first = ["memory_limiter", *(["transform/origin"] if plan.reads else []), *masked]
    made: dict[str, Any] = {}
    if plan.traces:
        made["traces"] = {"receivers": comes, "processors": first, "exporters": [plan.traces]}
    if plan.logs and not plan.rules:
        made["logs"] = {"receivers": comes, "processors": first, "exporters": [plan.logs]}
    if plan.rules:
        made["logs"] = {"receivers": comes, "processors": [*first, "transform/class"], "exporters": ["forward/sorted"]}
        for name, exporter in plan.sinks.items():
            shape = ["transform/siem"] if exporter.startswith("syslog") else []
            steps = [f"filter/{name}", *shape]
            made[f"logs/{name}"] = {"receivers": ["forward/sorted"], "processors": steps, "exporters": [exporter]}
    return made


def _sorting(plan: Plan) -> dict[str, Any]:
    made: dict[str, Any] = {
        "transform/class": {
            "error_mode": "propagate",
            "log_statements": [{"context": "log", "statements": [*_classes(plan.rules)]}],
        }
    }
    for name, exporter in plan.sinks.items():
        classes = [str(index + 1) for index, rule in enumerate(plan.rules) if name in rule.to]
        classes += [OTHER] if exporter == plan.logs else []
        ours = " or ".join(f'log.attributes["{CLASS}"] == "{each}"' for each in classes)
        made[f"filter/{name}"] = {"error_mode": "propagate", "logs": {"log_record": [f"not ({ours})"]}}
    if any(exporter.startswith("syslog") for exporter in plan.sinks.values()):
        made["transform/siem"] = {
            "error_mode": "propagate",
            "log_statements": [{"context": "log", "statements": [*_syslog()]}],
        }
    return made


def _classes(rules: Sequence[Rule]) -> Iterable[str]:
    """Marks each line with its class; a mark that somebody sends along counts for nothing."""
    for name in (CLASS, DAYS):
        yield f'delete_key(log.attributes, "{name}")'
    for index, rule in enumerate(rules):
        unmarked = f'log.attributes["{CLASS}"] == nil'
        yield f'set(log.attributes["{CLASS}"], "{index + 1}") where {unmarked} and {_condition(rule.match)}'
        yield f'set(log.attributes["{DAYS}"], {rule.days}) where log.attributes["{CLASS}"] == "{index + 1}"'
    yield f'set(log.attributes["{CLASS}"], "{OTHER}") where log.attributes["{CLASS}"] == nil'


def _condition(match: Match) -> str:
    found = []
    if match.services:
        names = (f'resource.attributes["service.name"] == {_text(each)}' for each in match.services)
        found.append(f"({' or '.join(names)})")
    if match.severity:
        found.append(f"log.severity_number >= {_LEAST[match.severity]}")
    found += [f"log.attributes[{_text(name)}] == {_text(value)}" for name, value in sorted(match.attributes.items())]
    return " and ".join(found)


def _text(value: str) -> str:
    return json.dumps(value).replace("$", "$$")


def _syslog() -> Iterable[str]:
    """The parts of a message as RFC 5424 has them, from a line's own."""
    yield 'set(log.attributes["message"], String(log.body))'
    yield 'set(log.attributes["appname"], resource.attributes["service.name"])'
    yield 'set(log.attributes["hostname"], resource.attributes["k8s.pod.name"])'
    yield 'set(log.attributes["hostname"], resource.attributes["host.name"]) where log.attributes["hostname"] == nil'
    yield 'delete_key(log.attributes, "priority")'
    for least, priority in _PRIORITIES:
        unset = 'log.attributes["priority"] == nil'
        yield f'set(log.attributes["priority"], {priority}) where {unset} and log.severity_number >= {least}'
    said = f'{{"class": log.attributes["{CLASS}"], "days": String(log.attributes["{DAYS}"])}}'
    yield f'set(log.attributes["structured_data"], {{"grayling@32473": {said}}})'


def exporter(name: str, **more: Any) -> dict[str, Any]:
    """What every exporter has: a queue on disk that is sent in batches, and patience without end."""
    batch = {"flush_timeout": "500ms", "sizer": "bytes", "min_size": 500_000, "max_size": 2_000_000}
    room = more.pop("queue_bytes")
    waits = {"storage": STORE, "sizer": "bytes", "queue_size": room, "batch": batch, "num_consumers": 4}
    again = {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"}
    timeout = {} if name == SIEM else {"timeout": "15s"}
    return {**more, **timeout, "retry_on_failure": again, "sending_queue": {"enabled": True, **waits}}
