"""Says which daemons make a node, how each is started, and in which order.

This is the whole of the node's process table in one place: the supervisor reads
it and knows nothing of Kubernetes itself. All daemons use their default ports,
for the box has a network of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.address import API_PORT, POD_RANGE, SERVICE_RANGE

if TYPE_CHECKING:
    from sandbox.layout import State
    from sandbox.record import Record

ETCD_PORT = 2379
ETCD = f"http://127.0.0.1:{ETCD_PORT}"
SOCKET = "/run/containerd/containerd.sock"
ZONE = "topology.kubernetes.io/zone"
"""Pods that must be spread over zones run on no node without one."""

PARKED_S = 5
KUBERNETES_NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


@dataclass(frozen=True)
class Daemon:
    """One program of the node. ``after`` names what must answer before it is started."""

    name: str
    argv: tuple[str, ...]
    after: str = ""
    grace_s: float = 5.0


def plan(record: Record, state: State) -> tuple[Daemon, ...]:
    """Return the daemons in the order they start; they stop in the opposite order."""
    return (
        Daemon("etcd", _etcd(state)),
        Daemon("containerd", ("containerd", "--config", str(state.etc / "containerd.toml"))),
        Daemon("kube-apiserver", _api_server(record, state), after="etcd", grace_s=1.0),
        Daemon("kube-controller-manager", _controllers(state), after="api"),
        Daemon("kube-scheduler", _scheduler(state), after="api"),
        Daemon("kube-proxy", _proxy(record, state), after="api"),
        Daemon("kubelet", _kubelet(record, state), after="api"),
    )


def _etcd(state: State) -> tuple[str, ...]:
    """Etcd without fsync: a sandbox may lose its last second when the machine dies."""
    return (
        "etcd",
        *("--name", "sandbox", "--data-dir", str(state.etcd)),
        *("--listen-client-urls", ETCD, "--advertise-client-urls", ETCD),
        *("--listen-peer-urls", "http://127.0.0.1:2380", "--initial-advertise-peer-urls", "http://127.0.0.1:2380"),
        *("--initial-cluster", "sandbox=http://127.0.0.1:2380"),
        "--unsafe-no-fsync",
        *("--auto-compaction-retention", "10m"),
        *("--logger", "zap", "--log-level", "warn"),
    )


def _api_server(record: Record, state: State) -> tuple[str, ...]:
    pki = state.pki
    return (
        str(state.bin / "kube-apiserver"),
        f"--etcd-servers={ETCD}",
        f"--advertise-address={record.link.node}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--client-ca-file={pki / 'ca.crt'}",
        *_serving(pki / "apiserver"),
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-account.key'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
    )


def _controllers(state: State) -> tuple[str, ...]:
    pki = state.pki
    return (
        str(state.bin / "kube-controller-manager"),
        *_client(state, "controller-manager"),
        *_hurry(),
        f"--cluster-cidr={POD_RANGE}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--use-service-account-credentials=true",
    )


def _scheduler(state: State) -> tuple[str, ...]:
    """Return the scheduler's command.

    On a busy machine it may park a pod whose claim is bound already: the event came while its copy of the claim was
    still the old one. Parked pods are looked at again only after five minutes, unless something else happens.
    """
    parked = f"--pod-max-in-unschedulable-pods-duration={PARKED_S}s"
    return (str(state.bin / "kube-scheduler"), *_client(state, "scheduler"), *_hurry(), parked)


def _proxy(record: Record, state: State) -> tuple[str, ...]:
    config = state.etc / "kube-proxy.yaml"
    return (str(state.bin / "kube-proxy"), f"--config={config}", f"--hostname-override={record.node}")


def _kubelet(record: Record, state: State) -> tuple[str, ...]:
    return (
        str(state.bin / "kubelet"),
        f"--config={state.etc / 'kubelet.yaml'}",
        f"--kubeconfig={state.pki / 'kubelet.kubeconfig'}",
        f"--hostname-override={record.node}",
        f"--node-ip={record.link.node}",
        f"--node-labels={ZONE}={record.node}",
        f"--root-dir={state.kubelet}",
    )


def _serving(base: object) -> tuple[str, str]:
    """Return the flags of a serving certificate whose files start with ``base``."""
    return (f"--tls-cert-file={base}.crt", f"--tls-private-key-file={base}.key")


def _client(state: State, user: str) -> tuple[str, ...]:
    """Return the flags by which a controller reaches the API server and trusts its answers."""
    kubeconfig = state.pki / f"{user}.kubeconfig"
    return tuple(
        f"--{flag}={kubeconfig}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    )


def _hurry() -> tuple[str, ...]:
    """Return flags for a lone replica that nobody shares the API server with."""
    return ("--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400")
