"""For each rule an object, or a stack of them, that breaks it; what mends it; and an entry where the file says it."""

from __future__ import annotations


def deployment(**container):
    """One that keeps every rule, with something else in its container."""
    whole = {
        "name": "app",
        "image": f"registry.example.com/shop/app@sha256:{'a' * 64}",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **container,
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [whole],
    }
    return made("Deployment", {"replicas": 2, "template": {"metadata": {}, "spec": pod}})


def made(kind, spec=None, *, labels=None, **annotations):
    notes = {f"grayling.dev/{key}": value for key, value in annotations.items()}
    meta = {
        "name": "app",
        "namespace": "shop",
        "labels": {"app.kubernetes.io/instance": "app", **(labels or {})},
        "annotations": notes,
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec or {}}


def watching(*names, ending):
    own = {"app.kubernetes.io/name": "prometheus"}
    return {**made("ConfigMap", labels=own), "data": {f"{name}{ending}": "" for name in names}}


def replicas(count):
    found = deployment()
    found["spec"]["replicas"] = count
    return found


def root():
    found = deployment()
    found["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] = False
    return found


def egress(*rules):
    return made("NetworkPolicy", {"egress": list(rules)}, labels={"app.kubernetes.io/name": "service"})


OPEN = {"ports": [{"port": 443}]}
OF_OBJECTS = {
    "house-image-moves": (deployment(image="registry.example.com/shop/app:latest"), deployment()),
    "house-image-digest": (deployment(image="registry.example.com/shop/app:1.2.3"), deployment()),
    "house-single-replica": (replicas(1), replicas(2)),
    "house-limits": (deployment(resources={}), deployment()),
    "house-restricted": (root(), deployment()),
    "house-plain-secret": (
        deployment(env=[{"name": "DB_PASSWORD", "value": "hunter2"}]),
        deployment(env=[{"name": "DB_PASSWORD_FILE", "value": "/run/x"}, {"name": "TOKEN", "valueFrom": {}}]),
    ),
    "house-owner": (made("Namespace"), made("Namespace", owners="shop")),
    "house-external-contract": (
        made("Service", system="erp", owners="sap"),
        made("Service", system="erp", owners="sap", contract="erp.yaml"),
    ),
    "house-external-open": (egress(OPEN), egress({**OPEN, "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})),
}
OF_ALL = {
    "house-alerts": ([deployment()], [deployment(), watching("app", ending=".yml")]),
    "house-dashboard": ([deployment()], [deployment(), watching("app", ending=".json")]),
}
OF_ENTRIES = {"house-tls-off": [("redis", {}, {"tls": {}})]}
OF_ENTRIES["house-tls-off"].append(
    ("external", {"url": "http://erp.example.com"}, {"url": "https://erp.example.com"}),
)
