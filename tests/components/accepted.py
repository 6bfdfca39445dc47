"""What an API server would say to an object: Kubernetes' own schemas, and the rules that stand in its code alone.

The schemas are those that Kubernetes publishes (in the package kubernetes-validate), of the oldest release that stacks
are for and of the newest; unknown fields are refused as with `--validate=strict`. Of our own kinds it is the CRD.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

import jsonschema
import yaml
from referencing import Registry, Resource

from rollout.api.spec import Spec
from tests.components.conftest import ROOT

VERSIONS = ("1.30.0", "1.37.0")
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
LONG_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LONG_LABEL}(\.{LONG_LABEL})*"
QUALIFIED = rf"({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
PORT_NAME = r"(?=.*[a-z])[a-z0-9](-?[a-z0-9]){0,14}"
ENV_NAME = r"[-._a-zA-Z][-._a-zA-Z0-9]*"
DATA_KEY = r"[-._a-zA-Z0-9]{1,253}"
QUANTITY = r"(\d+(\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|m|k|M|G|T|P|E)?"
PATH_SEGMENT = r"(?!\.{1,2}$)[^/%]+"
RIGHTS = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
OTHERS = {
    "Gateway", "GatewayClass", "EnvoyProxy", "SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy",
    "EnvoyExtensionPolicy", "Certificate", "Kafka", "KafkaNodePool", "KafkaUser", "RabbitmqCluster",
    "BackendTLSPolicy", "HTTPRoute", "PodMonitor", "PrometheusRule", "Probe", "ScrapeConfig",
}  # fmt: skip
OBJECT_BYTES = 1024 * 1024
SHORT_NAMES = {"Service": 63, "Job": 63, "StatefulSet": 52, "Namespace": 63, "GrayRelease": 42}


def refusals(manifest) -> list[str]:
    """Why the API server would not take it; empty where it would."""
    return [*_by_schema(manifest), *_by_rules(manifest)]


def _by_schema(manifest):
    kind = manifest["kind"]
    if kind in OTHERS:
        return
    if kind == "Topology":
        for error in _own("topologies").iter_errors({key: manifest[key] for key in ("apiVersion", "kind", "spec")}):
            yield f"{_path(error)}: {error.message[:200]}"
        return
    if kind == "GrayRelease":
        for error in _own("grayreleases").iter_errors({key: manifest[key] for key in ("apiVersion", "kind", "spec")}):
            yield f"{_path(error)}: {error.message[:200]}"
        Spec.model_validate(manifest["spec"])
        template = {"apiVersion": "v1", "kind": "Pod", **manifest["spec"]["workload"]["template"]}
        yield from _by_schema(template)
        return
    for version in VERSIONS:
        for error in _kubernetes(version, manifest["apiVersion"], kind).iter_errors(manifest):
            yield f"{version} {_path(error)}: {error.message[:200]}"


def _path(error):
    return ".".join(str(part) for part in error.absolute_path)


@cache
def _kubernetes(version, api_version, kind):
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = json.loads((folder / f"{kind.lower()}-{group}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))


@cache
def _definitions(version):
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    definitions = Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))
    return definitions @ Registry()


@cache
def _own(plural):
    definition = yaml.safe_load((ROOT / "manifests" / "crds" / f"{plural}.yaml").read_text())
    schema = _strict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return jsonschema.Draft202012Validator({**schema, "additionalProperties": True})


def _strict(node):
    """Unknown fields refused, numbers that may be texts taken as both."""
    made = dict(node)
    if made.pop("exclusiveMinimum", False):  # a flag in OpenAPI, a number in JSON Schema
        made["exclusiveMinimum"] = made.pop("minimum")
    if node.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if "properties" in node:
        made["properties"] = {key: _strict(each) for key, each in node["properties"].items()}
        made.setdefault("additionalProperties", bool(node.get("x-kubernetes-preserve-unknown-fields")))
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            made[key] = _strict(node[key])
    return made


def _by_rules(manifest):
    """What `pkg/apis/*/validation` says beyond the schemas, as far as stacks reach it."""
    kind, meta = manifest["kind"], manifest["metadata"]
    yield from _names(kind, meta)
    if kind in {"ConfigMap", "Secret"}:
        data = manifest.get("data") or {}
        yield from (f"data: {key!r}" for key in data if not _is(DATA_KEY, key) or key == "." or key.startswith(".."))
        if sum(len(key) + len(text.encode()) for key, text in data.items()) > OBJECT_BYTES:
            yield "data: larger than 1 MiB"
    spec = {} if kind in OTHERS else manifest.get("spec") or {}
    template = (spec.get("workload") or {}).get("template") if kind == "GrayRelease" else spec.get("template")
    if template is not None:
        yield from _names("Pod", {"name": "of-a-template", **template["metadata"]})
        yield from _pod(template["spec"], {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())})
    if kind == "Service":
        yield from _twice("ports", [port["name"] for port in spec["ports"]])
        yield from _twice("ports", [str(port["port"]) for port in spec["ports"]])
    for claim in spec.get("volumeClaimTemplates", ()):
        yield from _quantities(claim["spec"]["resources"])


def _names(kind, meta):
    name = meta["name"]
    pattern = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?" if kind == "Service" else SUBDOMAIN
    if not _is(PATH_SEGMENT if kind in RIGHTS else pattern, name):
        yield f"metadata.name: {name!r}"
    if len(name) > SHORT_NAMES.get(kind, 253):
        yield f"metadata.name: {name!r} is longer than {SHORT_NAMES.get(kind, 253)}"
    if "namespace" in meta and not _is(LABEL, meta["namespace"]):
        yield f"metadata.namespace: {meta['namespace']!r}"
    for key, value in (meta.get("labels") or {}).items():
        if not _is(QUALIFIED, key) or not _is(LABEL_VALUE, value):
            yield f"metadata.labels: {key}={value!r}"
    yield from (f"metadata.annotations: {key!r}" for key in meta.get("annotations") or {} if not _is(QUALIFIED, key))
    if sum(len(key) + len(value) for key, value in (meta.get("annotations") or {}).items()) > OBJECT_BYTES // 4:
        yield "metadata.annotations: larger than 256 KiB"


def _pod(spec, claims):
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    volumes = [volume["name"] for volume in spec.get("volumes", ())]
    yield from _twice("volumes", [*volumes, *claims])
    yield from _twice("containers", [container["name"] for container in containers])
    yield from _twice(
        "port numbers", [str(port["containerPort"]) for each in containers for port in each.get("ports", ())]
    )
    yield from (f"volumes: {name!r}" for name in volumes if not _is(LABEL, name))
    for container in containers:
        where = container["name"]
        if not _is(LABEL, where):
            yield f"containers: {where!r}"
        if container["image"] != container["image"].strip() or not container["image"]:
            yield f"{where}: image {container['image']!r}"
        variables = [each["name"] for each in container.get("env", ())]
        yield from (f"{where}: env {name!r}" for name in variables if not _is(ENV_NAME, name))
        yield from _twice(f"{where}: port names", [port["name"] for port in container.get("ports", ())])
        for port in container.get("ports", ()):
            if not _is(PORT_NAME, port["name"]) or not 1 <= port["containerPort"] <= 65535:
                yield f"{where}: port {port}"
        yield from _mounts(where, container.get("volumeMounts", ()), {*volumes, *claims})
        yield from _quantities(container["resources"])
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            yield from _probe(where, container.get(probe) or {})


def _mounts(where, mounts, volumes):
    yield from _twice(f"{where}: mounts", [mount["mountPath"] for mount in mounts])
    for mount in mounts:
        sub = mount.get("subPath", "")
        if mount["name"] not in volumes or ":" in mount["mountPath"] or ".." in sub.split("/"):
            yield f"{where}: mount {mount}"


def _probe(where, probe):
    port = probe.get("httpGet", probe.get("tcpSocket", {})).get("port", 1)
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield f"{where}: probe port {port}"
    if "httpGet" in probe and not probe["httpGet"]["path"]:
        yield f"{where}: probe without a path"


def _quantities(resources):
    for side in ("requests", "limits"):
        for name, amount in resources.get(side, {}).items():
            if not _is(QUANTITY, amount) or not re.search("[1-9]", amount):
                yield f"{side}.{name}: {amount!r}"


def _twice(what, names):
    if len(set(names)) != len(names):
        yield f"{what}: {sorted(names)} has one twice"


def _is(pattern, text):
    return re.fullmatch(pattern, text) is not None and "\n" not in text
