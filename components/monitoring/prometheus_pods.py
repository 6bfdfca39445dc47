"""What a Prometheus of a stack runs: the server, and the sidecar that finds pods where the server cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.pods import SIDECAR, Container, Probe, sleep
from components.model.profiles import Size
from components.monitoring.prometheus_settings import PORT
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from components.model.environment import Environment
    from components.model.pods import Resources
    from components.monitoring.prometheus_settings import PrometheusSettings


def server(environment: Environment, settings: PrometheusSettings, size: Resources) -> Container:
    """The database itself."""
    retention = settings.retention or environment.profile.metrics_retention
    targets = {"/targets": "targets"} if settings.discovery == "sidecar" else {}
    return Container(
        name="prometheus",
        image=environment.image(settings.image),
        args=(
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={duration_of(retention)}",
            f"--storage.tsdb.retention.size={settings.kept_size}",
            f"--web.listen-address=:{PORT}",
        ),
        mounts={"/etc/prometheus": "config", "/etc/prometheus/rules": "rules", "/prometheus": "data", **targets},
        resources=size,
        startup=Probe(PORT, "/-/ready", every_s=1, failures=300),
        readiness=Probe(PORT, "/-/ready"),
        liveness=Probe(PORT, "/-/healthy", every_s=10, failures=6),
        pre_stop=sleep(1),
    )


def discovery(image: str) -> Container:
    """Asks the API server for pods, and writes them where the server reads."""
    alive = Probe(command=("python3", "-c", _FRESH), every_s=15, timeout_s=5)
    return Container(
        name="discovery",
        image=image,
        command=("python3", "/etc/prometheus/discover_pods.py"),
        mounts={"/etc/prometheus": "config", "/targets": "targets"},
        resources=SIDECAR[Size.SMALL],
        readiness=alive,
        liveness=alive,
    )


# The list of pods is no older than a minute.
_FRESH = "import os,sys,time; sys.exit(time.time() - os.stat('/tmp/alive').st_mtime > 60)"
