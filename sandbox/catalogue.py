"""Says which images the sandbox has: names, layers, and how each is started.

Pure data over layers that others made. Names carry a prefix that no registry
answers to, so a pod that asks for an image the sandbox lacks fails at once and
is never sent to the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import builds, pypi
from sandbox.archive import Image

if TYPE_CHECKING:
    from sandbox.archive import Layer

PREFIX = "sandbox.grayling.dev/"
PAUSE = f"{PREFIX}pause:1"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Debian's wrapper on the usual path insists on its own user; the broker's own scripts do not.
RABBITMQ = {"PATH": f"/usr/lib/rabbitmq/bin:{SYSTEM_PATH}", "RABBITMQ_LOGS": "-", "RABBITMQ_LOG_BASE": "/tmp"}  # noqa: S108
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - a pod's own /tmp
SHOP_VERSIONS = ("v1", "v2", "v3", "v4", "v5")


@dataclass(frozen=True)
class BaseLayers:
    """What all images are made of, apart from our own sources."""

    pause: Layer
    coredns: Layer
    contour: Layer
    debian: Layer
    envoy: Layer

    def all(self) -> tuple[Layer, ...]:
        """Return every layer."""
        return (self.pause, self.coredns, self.contour, self.debian, self.envoy)


def coredns_name() -> str:
    """Return the full name of the CoreDNS image."""
    return f"{PREFIX}coredns:{builds.COREDNS.version.lstrip('v')}"


def base_images(layers: BaseLayers) -> tuple[Image, ...]:
    """Return the images of the node itself and of the middleware."""
    return (
        Image(PAUSE, (layers.pause,), ("/pause",)),
        Image(coredns_name(), (layers.coredns,), ("/coredns",)),
        Image(
            f"{PREFIX}contour:{builds.CONTOUR.version.lstrip('v')}",
            (layers.contour,),
            ("/bin/contour",),
            env={"PATH": "/bin"},
        ),
        _debian(f"envoy:{pypi.ENVOY_VERSION}", layers.debian, "/usr/local/bin/envoy", above=(layers.envoy,)),
        _debian("redis:7.0", layers.debian, "redis-server"),
        _debian("redis-exporter:1.45", layers.debian, "/usr/bin/prometheus-redis-exporter"),
        _debian("rabbitmq:3.10", layers.debian, "rabbitmq-server", env=RABBITMQ),
        _debian("prometheus:2.42", layers.debian, "/usr/bin/prometheus"),
        _debian("alertmanager:0.25", layers.debian, "/usr/bin/prometheus-alertmanager"),
        _debian("python:3.11", layers.debian, "python3"),
    )


def engine_image(debian: Layer, wheels: Layer, sources: Layer) -> Image:
    """Return the image of the release engine."""
    return _python("grayling:dev", (debian, wheels, sources), "rollout", {})


def shop_images(debian: Layer, wheels: Layer, sources: Layer, shop: Layer) -> tuple[Image, ...]:
    """Return the sample shop once per version; they differ in one variable."""
    layers = (debian, wheels, sources, shop)
    return tuple(_python(f"shop:{version}", layers, "shop", {"SHOP_VERSION": version}) for version in SHOP_VERSIONS)


def _debian(
    name: str, debian: Layer, program: str, env: dict[str, str] | None = None, above: tuple[Layer, ...] = ()
) -> Image:
    return Image(PREFIX + name, (debian, *above), (program,), env={**ENVIRONMENT, **(env or {})})


def _python(name: str, layers: tuple[Layer, ...], module: str, env: dict[str, str]) -> Image:
    python = {"PYTHONPATH": "/opt/site-packages:/opt/grayling:/opt", "PYTHONUNBUFFERED": "1"}
    return Image(PREFIX + name, layers, ("python3", "-m", module), env={**ENVIRONMENT, **python, **env})
