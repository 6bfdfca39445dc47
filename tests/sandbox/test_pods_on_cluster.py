"""What pods find in a sandbox: names, storage, node ports, their images."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.api import Api
from sandbox.catalogue import PREFIX
from sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.box import Sandbox


NAMESPACE = "sandbox-pods"
SCRATCH = "/tmp"  # noqa: S108 - a pod's own
ROOM = f"/api/v1/namespaces/{NAMESPACE}"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 23456,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
NAMES = """
import socket
print(socket.gethostbyname("kubernetes.default.svc.cluster.local"), socket.gethostbyname("kube-dns.kube-system"))
try:
    socket.gethostbyname("example.org")
except OSError as error:
    print("unknown", error.errno)
"""


@pytest.fixture(scope="module")
def api(box: Sandbox) -> Iterator[Api]:
    made = Api(box.address, 6443, box.state.pki)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made.apply(ROOM, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    until(lambda: made.get(f"{ROOM}/serviceaccounts/default"))
    yield made
    made.call("DELETE", ROOM)


def until(look: Any, timeout_s: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = look()
        except ApiError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"still nothing after {timeout_s} s"
        time.sleep(0.2)


def pod(api: Api, name: str, image: str, **container: Any) -> None:
    volumes = [{"name": "tmp", "emptyDir": {}}, *container.pop("volumes", [])]
    mounts = [{"name": "tmp", "mountPath": SCRATCH}, *container.pop("mounts", [])]
    one = {"name": "main", "image": PREFIX + image, "securityContext": RESTRICTED, "volumeMounts": mounts, **container}
    spec = {"containers": [one], "volumes": volumes, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    api.call("POST", f"{ROOM}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def phase(api: Api, name: str) -> str:
    found: str = api.get(f"{ROOM}/pods/{name}")["status"].get("phase", "")
    return found


def finished_log(api: Api, name: str) -> str:
    until(lambda: phase(api, name) in {"Succeeded", "Failed"})
    log = api._exchange("GET", f"{ROOM}/pods/{name}/log", None, "application/json").decode()
    assert phase(api, name) == "Succeeded", log
    return log


def test_names_of_the_cluster_resolve_and_others_fail_at_once(api: Api) -> None:
    pod(api, "names", "python:3.11", args=["-c", NAMES])
    log = finished_log(api, "names").splitlines()
    assert log[0] == "10.96.0.1 10.96.0.10"
    assert log[1].startswith("unknown")


def test_a_claim_is_bound_written_by_any_user_and_gone_when_deleted(api: Api, box: Sandbox) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    api.call("POST", f"{ROOM}/persistentvolumeclaims", claim)
    write = "from pathlib import Path; Path('/data/written').write_text('yes')"
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mount = {"name": "data", "mountPath": "/data"}
    pod(api, "writer", "python:3.11", args=["-c", write], volumes=[volume], mounts=[mount])
    finished_log(api, "writer")
    name = api.get(f"{ROOM}/persistentvolumeclaims/data")["spec"]["volumeName"]
    folder = Path(box.state.volumes, name)
    assert (folder / "written").read_text() == "yes"
    api.call("DELETE", f"{ROOM}/pods/writer")
    api.call("DELETE", f"{ROOM}/persistentvolumeclaims/data")
    until(lambda: not folder.exists())


def test_a_node_port_answers_on_the_boxs_address(api: Api, box: Sandbox) -> None:
    pod(api, "web", "python:3.11", args=["-m", "http.server", "8080", "--directory", SCRATCH])
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    port = api.call("POST", f"{ROOM}/services", service)["spec"]["ports"][0]["nodePort"]
    until(lambda: answers(f"http://{box.address}:{port}/"))


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize(
    ("image", "command"),
    [
        ("redis:7.0", ["redis-server", "--version"]),
        ("redis-exporter:1.45", ["prometheus-redis-exporter", "--version"]),
        ("rabbitmq:3.10", ["rabbitmqctl", "version"]),
        ("prometheus:2.42", ["prometheus", "--version"]),
        ("alertmanager:0.25", ["prometheus-alertmanager", "--version"]),
        ("envoy:1.40.0", ["envoy", "--version"]),
        ("contour:1.33.8", ["contour", "version"]),
        ("coredns:1.12.4", ["/coredns", "-version"]),
        ("grayling:dev", ["python3", "-c", "import rollout, kubernetes, scipy"]),
        ("shop:v1", ["python3", "-c", "import shop, aio_pika, redis"]),
    ],
)
def test_every_image_runs_as_any_user_on_a_read_only_disk(api: Api, image: str, command: list[str]) -> None:
    name = image.partition(":")[0]
    pod(api, f"image-{name}", image, command=command)
    finished_log(api, f"image-{name}")


def test_the_gateway_api_and_contour_are_defined(api: Api) -> None:
    groups = {group["name"] for group in api.get("/apis")["groups"]}
    assert {"gateway.networking.k8s.io", "projectcontour.io"} <= groups
    kinds = {one["kind"] for one in api.get("/apis/gateway.networking.k8s.io/v1alpha2")["resources"]}
    assert "TLSRoute" in kinds


def test_exec_and_logs_reach_the_kubelet(api: Api) -> None:
    pod(api, "speaks", "python:3.11", args=["-c", "print('said')"])
    assert finished_log(api, "speaks") == "said\n"


def test_the_api_server_tells_its_version_and_etcd_is_not_reached_from_outside(api: Api, box: Sandbox) -> None:
    assert api.get("/version")["gitVersion"].startswith("v1.34.")
    assert not answers(f"http://{box.address}:2379/health")
