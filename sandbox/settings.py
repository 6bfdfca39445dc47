"""Renders the configuration files of the daemons from the templates folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox import address, catalogue, daemons, debian, provisioner

if TYPE_CHECKING:
    from sandbox.layout import State
    from sandbox.record import Record

TEMPLATES = Path(__file__).parent / "templates"
FILES = {
    "containerd.toml.j2": "containerd.toml",
    "kubelet.yaml.j2": "kubelet.yaml",
    "kube-proxy.yaml.j2": "kube-proxy.yaml",
    "cni.conflist.j2": "cni/10-sandbox.conflist",
}
SYSTEM_MANIFESTS = ("storage.yaml.j2", "coredns.yaml.j2")


def write(record: Record, state: State) -> None:
    """Write the configuration of every daemon of a box below its state folder."""
    for template, target in FILES.items():
        path = state.etc / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(template, record, state))
    (state.etc / "resolv.conf").write_text("# the box has no way out and so no name server above its own\n")


def render(template: str, record: Record, state: State) -> str:
    """Return one template filled with the facts of a box; an unknown name in it is an error."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.get_template(template).render(**_facts(), record=record, state=state)


def system_manifests(record: Record, state: State) -> list[dict[str, Any]]:
    """Return the objects of the name server and the storage class."""
    return [
        document for template in SYSTEM_MANIFESTS for document in yaml.safe_load_all(render(template, record, state))
    ]


def _facts() -> dict[str, str]:
    return {
        "socket": daemons.SOCKET,
        "pause_image": catalogue.PAUSE,
        "coredns_image": catalogue.coredns_name(),
        "cni_plugins": str(debian.CNI_PLUGINS),
        "pod_range": address.POD_RANGE,
        "dns_address": address.DNS_ADDRESS,
        "storage_class": provisioner.STORAGE_CLASS,
        "provisioner": provisioner.PROVISIONER,
    }
