"""Releases of a service that misbehaves as it is told, for the tests that need a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kube.kinds import Manifest

NAMESPACE = "shop"
IMAGE = "sandbox.grayling.dev/python:3.11"
SERVER = Path(__file__).with_name("crooked_server.py").read_text()
ENVOY = {"app.kubernetes.io/instance": "gateway", "app.kubernetes.io/component": "envoy"}
AT_GATEWAY = {"name": "errors", "kind": "errors", "source": "gateway"}
AT_PODS = {"name": "errors", "kind": "errors", "source": "pods"}
CRASHES = {"name": "crashes", "kind": "crashes", "source": "kubernetes"}
SMALL = {"requests": {"cpu": "2m", "memory": "48Mi"}, "limits": {"memory": "48Mi"}}
HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def release(
    name: str, env: Mapping[str, str] | None = None, change: Callable[[Manifest], Any] = lambda _: None
) -> Manifest:
    """A GrayRelease of the crooked service with short steps; ``change`` is given its spec."""
    port = int((env or {}).get("PORT", "8080"))
    spec = {
        "workload": {
            "replicas": 1,
            "template": {"spec": _pod(env or {}, port)},
            "config": {"server.py": SERVER},
            "ports": [{"name": "http", "port": 80, "targetPort": port}],
        },
        "traffic": {"parents": [{"name": "gateway", "namespace": NAMESPACE}], "hostnames": [host_of(name)]},
        "strategy": {
            "steps": [{"weight": 30, "hold": "3s"}, {"weight": 60, "hold": "3s"}],
            "bake": "2s",
            "drain": "1s",
            "readyDeadline": "40s",
            "verifyDeadline": "20s",
        },
        "analysis": {"signals": [AT_GATEWAY, CRASHES], "sampling": {"young": "250ms", "settled": "250ms"}},
        "sources": {"gateway": {"namespace": NAMESPACE, "selector": dict(ENVOY)}},
    }
    change(spec)
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "grayling.dev/v1alpha1", "kind": "GrayRelease", "metadata": meta, "spec": spec}


def host_of(name: str) -> str:
    """Where it is reached."""
    return f"{name}.crooked"


def _pod(env: Mapping[str, str], port: int) -> Manifest:
    container = {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/etc/service/server.py"],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"name": "http", "containerPort": port}, {"name": "metrics", "containerPort": 9000}],
        "resources": SMALL,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "metrics"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "securityContext": HARDENED,
    }
    return {
        "containers": [container],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    }
