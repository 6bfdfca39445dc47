"""Runs beside a VictoriaLogs: a copy of its days, the store without them, and the copy put back; see its runbook."""

import base64
import json
import os
import shutil
import ssl
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

DAYS, KEPT, ASIDE = Path("/data/partitions"), Path("/tmp/copy"), Path("/data/aside")  # noqa: S108 - of the pod
TLS = ssl.create_default_context(cafile="/run/tls/ca.crt")
LOGIN = base64.b64encode(f"{os.environ['USERNAME']}:{os.environ['PASSWORD']}".encode()).decode()


def ask(path):
    request = urllib.request.Request("https://localhost:9428/internal/partition/" + path)
    request.add_header("Authorization", f"Basic {LOGIN}")
    return urllib.request.urlopen(request, context=TLS).read()


def copy():
    for path in map(Path, json.loads(ask("snapshot/create"))):
        shutil.copytree(path, KEPT / path.parent.parent.name)
        ask(f"snapshot/delete?path={path}")


def lose():
    for day in KEPT.iterdir():
        ask(f"detach?name={day.name}")
        shutil.rmtree(DAYS / day.name)


def put_back():
    """Beside the store first, then in its place by a rename; what came for the day meanwhile is set aside."""
    for day in KEPT.iterdir():
        ready, place = ASIDE / f"{day.name}.copy", DAYS / day.name
        shutil.copytree(day, ready)
        while ready.exists():
            if place.exists():
                ask(f"detach?name={day.name}")
                place.rename(ASIDE / f"{day.name}.{time.time_ns()}")
            with suppress(OSError):  # a line came for the day just now, and it is there again
                ready.rename(place)
        ask(f"attach?name={day.name}")
