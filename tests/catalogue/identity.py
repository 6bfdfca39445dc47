"""The stack of the tests of an issuer of tokens: its production example, small, and the PostgreSQL that others run."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from pathlib import Path

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.refusal import NothingThereError
from components.stack.platform import Platform
from kube.kinds import NAMESPACE
from tests.catalogue.brokers import until
from tests.catalogue.discovery import OVERLAY, PATIENCE, client, example, ready, take_down
from tests.catalogue.tokens import certificate

SPACE, ELSEWHERE = "identity-test", "identity-database"
INVENTORY = Inventory(SPACE, SPACE)
CODE = (Path(__file__).parent / "identity_client.py").read_text()
HOST = f"postgres.{ELSEWHERE}.svc.cluster.local"
TOKENS = {"name": "accounts", "keycloak": "keycloak", "audiences": ["orders"]}
SMALL = {"envoyReplicas": 1, "controlReplicas": 1}
LOGIN = {"username": "keycloak", "password": "of-the-database"}
START = """\
umask 077
if [ ! -s /data/pg/PG_VERSION ]; then
  initdb -D /data/pg -U keycloak --pwfile=/run/login/password -A scram-sha-256 --locale=C -E UTF8
  echo 'hostssl all all all scram-sha-256' > /data/pg/pg_hba.conf
  echo 'CREATE DATABASE keycloak;' | postgres --single -D /data/pg postgres
fi
exec postgres -D /data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp -c ssl=on \
  -c ssl_cert_file=/run/tls/tls.crt -c ssl_key_file=/run/tls/tls.key
"""


def declared(services=("shop",)):
    """The stack, in the tier of its example and as small as the sandbox."""
    sections = example("keycloak")["components"]
    sections["identity"] |= {"url": f"postgresql://{HOST}/keycloak", "networks": [], "health": None}
    components = {
        **sections,
        "gateway": {"kind": "envoy-gateway", "exposure": {"type": "ClusterIP"}, **SMALL, "jwt": [TOKENS]},
        "prometheus": {"discovery": "sidecar", "scrapeInterval": "1s", "storage": None},
        "controller": {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False},
    }
    environment = {
        "tier": "prod",
        "namespace": SPACE,
        "owners": ["platform", "database-team"],
        "images": OVERLAY["images"],
        "gateway": {"class": f"envoy-{SPACE}"},
        "profile": {"size": "small", "data": "Delete"},
    }
    service = {
        "image": "sandbox.grayling.dev/python:3.11",
        "command": ["python3", "-m", "http.server", "8080", "--directory", "/tmp"],  # noqa: S108 - in the pod
        "uses": ["keycloak"],
    }
    everything = {
        "environment": environment,
        "components": components,
        "services": dict.fromkeys(services, service),
        "secrets": {"identity-login": LOGIN, "database-ca": {"ca.crt": KEYS["tls.crt"]}},
    }
    return Platform.read(everything, stack=SPACE, source="test")


KEYS = certificate(HOST)


def secret(name, values):
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": ELSEWHERE}, "data": data}


def database():
    """A PostgreSQL with a certificate, in a namespace that the stack has nothing to do with."""
    labels = {"app": "postgres"}
    meta = {"name": "postgres", "namespace": ELSEWHERE, "labels": labels}
    mounts = {"/data": "data", "/tmp": "tmp", "/run/tls": "tls", "/run/login": "login"}  # noqa: S108 - in the pod
    container = {
        "name": "postgres",
        "image": "sandbox.grayling.dev/postgresql:15",
        "command": ["sh", "-c", START],
        "env": [{"name": "PATH", "value": "/usr/lib/postgresql/15/bin:/usr/bin:/bin"}],
        "volumeMounts": [{"name": name, "mountPath": path} for path, name in mounts.items()],
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
    }
    files = {name: {"secret": {"secretName": name, "defaultMode": 0o440}} for name in ("tls", "login")}
    volumes = {"data": {"emptyDir": {}}, "tmp": {"emptyDir": {}}, **files}
    spec = {
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
        "containers": [container],
        "volumes": [{"name": name, **source} for name, source in volumes.items()],
    }
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}}
    yield secret("tls", KEYS)
    yield secret("login", LOGIN)
    ports = {"selector": labels, "ports": [{"port": 5432}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": ports}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def route(parent):
    """From the gateway to the client's pod, which shows an empty folder to whoever is let in."""
    labels = {"app.kubernetes.io/name": "service", "app.kubernetes.io/instance": "shop"}
    meta = {"name": "shop-route", "namespace": SPACE}
    to = {"selector": labels, "ports": [{"port": 8080}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": to}
    spec = {"parentRefs": [{"name": parent}], "rules": [{"backendRefs": [{"name": "shop-route", "port": 8080}]}]}
    yield {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


async def applied(cluster, services=("shop",)):
    """The stack as declared for these services, without its engine; the release of the first."""
    made = [each for each in declared(services).manifests() if of(each) != "controller"]
    releases = [each for each in made if each["kind"] == "GrayRelease"]
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply([each for each in made if each not in releases])
    return next(each for each in releases if each["metadata"]["name"] == "shop")


def of(manifest):
    """Which component it is of."""
    return (manifest["metadata"].get("labels") or {}).get("app.kubernetes.io/instance")


async def gone(cluster):
    """The database and its namespace."""
    if await cluster.find(NAMESPACE, ELSEWHERE):
        await cluster.delete(NAMESPACE, ELSEWHERE)
    await until(lambda: nothing(cluster))


async def nothing(cluster):
    return await cluster.find(NAMESPACE, ELSEWHERE) is None


async def bring_up(cluster):
    """All of it, ready, and its client."""
    with contextlib.suppress(NothingThereError):
        await take_down(cluster, INVENTORY)  # what a run that was cut off has left
    await gone(cluster)
    for each in database():
        await cluster.apply(each, manager="test")
    await until(lambda: ready(cluster, "postgres", ELSEWHERE))
    release = await applied(cluster)
    await cluster.create(client(release, SPACE), manager="test")
    for each in route("gateway"):
        await cluster.apply(each, manager="test")
    await until(lambda: ready(cluster, "client", SPACE))


async def down(cluster):
    """Nothing of it is left."""
    await asyncio.gather(take_down(cluster, INVENTORY), gone(cluster))
