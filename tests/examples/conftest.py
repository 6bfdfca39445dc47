"""The shop as real processes on loopback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.examples.processes import EXAMPLES, Pod, free_port, wait_for_port


@pytest.fixture
def start(tmp_path):
    """``start("checkout", SHOP_VERSION="v2")`` runs a service until the test ends."""
    pods: list[Pod] = []

    def run(service: str, **env: str) -> Pod:
        http, admin = free_port(), free_port()
        given = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(EXAMPLES), "PYTHONDONTWRITEBYTECODE": "1",
            "HTTP_PORT": str(http), "ADMIN_PORT": str(admin), "POD_NAME": f"pod-{len(pods)}", "DRAIN_SECONDS": "0.5",
        }  # fmt: skip
        log = tmp_path / f"{service}-{len(pods)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "shop", service], env=given | env, stdout=out, stderr=subprocess.STDOUT, cwd="/"
            )
        pods.append(Pod(process, f"http://127.0.0.1:{http}", f"http://127.0.0.1:{admin}", log))
        wait_for_port(admin, process, 15.0)
        return pods[-1]

    yield run
    for pod in pods:
        pod.process.kill()
        pod.process.wait()
