"""Real processes on loopback: the shop itself, and Redis and RabbitMQ where this machine has them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

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


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """A Redis with a password, made for these tests."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not on PATH")
    port, home = free_port(), tmp_path_factory.mktemp("redis")
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "pass word", "--save", ""]
    process = subprocess.Popen(argv, cwd=home, stdout=subprocess.DEVNULL)
    wait_for_port(port, process, 10.0)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def amqp_url(tmp_path_factory):
    """A RabbitMQ node of its own, with its own name and its own port mapper."""
    server = shutil.which("rabbitmq-server") and Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not server or not server.exists():
        pytest.skip("rabbitmq-server is not installed")
    port, home = free_port(), tmp_path_factory.mktemp("rabbitmq")
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{port}\n")
    (home / "plugins").write_text("[].\n")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(home), "RABBITMQ_NODENAME": f"shop{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"), "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1",
    }  # fmt: skip
    process = subprocess.Popen([str(server)], env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_for_port(port, process, 60.0)
    yield f"amqp://guest:guest@127.0.0.1:{port}/"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(["epmd", "-port", env["ERL_EPMD_PORT"], "-kill"], check=False, stdout=subprocess.DEVNULL)
