"""Everything that comes from Debian: the node's own programs and the images' root file system.

Host packages are named before they are installed and only what is missing is
asked for. The root file system is made once per package list; all images of
middleware share it as one layer, which is why a cluster with a broker, a cache
and a monitor needs one unpacking only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import PackageError
from sandbox.layers import LayerStore, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.archive import Layer

SUITE = "bookworm"
HOST_PROGRAMS = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
CNI_PLUGINS = Path("/usr/lib/cni")
CNI_PACKAGE = "containernetworking-plugins"
ROOTFS_PACKAGES = (
    "ca-certificates",
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-redis-exporter",
    "python3",
    "rabbitmq-server",
    "redis-server",
)
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/share/javascript/moment-timezone/data/unpacked/*",
)
# Java's install script links its manual pages, which are left out, into a folder that must be there.
BEFORE = ('mkdir -p "$1/usr/share/man/man1"',)
# One user that owns nothing; and no secret that every cluster would share.
HOOKS = (
    'echo "nonroot:x:65532:65532:nonroot:/tmp:/usr/sbin/nologin" >> "$1/etc/passwd"',
    'echo "nonroot:x:65532:" >> "$1/etc/group"',
    'rm -rf "$1/var/lib/rabbitmq/.erlang.cookie" "$1/etc/machine-id" "$1/var/log/"*.log "$1/var/cache/ldconfig"',
)
POLICY = Path("/usr/sbin/policy-rc.d")
REFUSE_SERVICES = "#!/bin/sh\nexit 101\n"
EXECUTABLE = 0o755
USUAL_ROOTFS_S = 60
USUAL_INSTALL_S = 20


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs this machine does not have."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    missing = {package for program, package in HOST_PROGRAMS.items() if shutil.which(program, path=path) is None}
    if not (CNI_PLUGINS / "bridge").exists():
        missing.add(CNI_PACKAGE)
    return sorted(missing)


def install(packages: list[str], log: Path) -> None:
    """Install ``packages`` with apt-get, without letting any of them start a service."""
    if shutil.which("apt-get") is None:
        raise PackageError(
            f"this machine lacks {', '.join(packages)} and has no apt-get to install them. "
            "Install their programs by your system's own means, or use a cluster you have with --context."
        )
    with services_held():
        if not _apt(["install", *packages], log):
            _apt(["update"], log)
            if not _apt(["install", *packages], log):
                raise PackageError(f"apt-get could not install {', '.join(packages)}; see {log}")


@contextmanager
def services_held(policy: Path = POLICY) -> Iterator[None]:
    """Keep Debian's install scripts from starting daemons; a policy that exists is left alone."""
    if policy.exists():
        yield
        return
    policy.write_text(REFUSE_SERVICES)
    policy.chmod(EXECUTABLE)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def rootfs_key(packages: Sequence[str] = ROOTFS_PACKAGES) -> str:
    """Return the key of a layer of ``packages``: it changes with them and with what is left out."""
    return key_of(SUITE, *packages, *LEFT_OUT, *HOOKS, *_before(packages))


def _before(packages: Sequence[str]) -> tuple[str, ...]:
    return BEFORE if any("jre" in package for package in packages) else ()


def rootfs(store: LayerStore, log: Path, packages: Sequence[str] = ROOTFS_PACKAGES, name: str = "debian") -> Layer:
    """Return the layer with these packages and what they need, making it on first use.

    Without a list of packages it is the one that all middleware of a box shares.
    """

    def fill(path: Path) -> None:
        command = ["mmdebstrap", "--mode=root", "--variant=essential", f"--include={','.join(packages)}"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        command += [f"--essential-hook={hook}" for hook in _before(packages)]
        command += [f"--customize-hook={hook}" for hook in HOOKS]
        with log.open("ab") as sink:
            ended = subprocess.run(
                [*command, SUITE, str(path)], stdout=sink, stderr=sink, env=_environment(), check=False
            )
        if ended.returncode != 0:
            raise PackageError(f"mmdebstrap could not make the images' root file system; see {log}")

    return store.make(name, rootfs_key(packages), fill)


def _apt(arguments: list[str], log: Path) -> bool:
    command = ["apt-get", "--yes", "--quiet", "--no-install-recommends", *arguments]
    with log.open("ab") as sink:
        environment = {**_environment(), "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(command, stdout=sink, stderr=sink, env=environment, check=False).returncode == 0


def _environment() -> dict[str, str]:
    """Return an environment in which the same packages give the same files."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1700000000"}
