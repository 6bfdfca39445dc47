"""Runs beside a VictoriaLogs: a copy of its days, the store without them, and the copy put back; see its runbook."""

import base64
import json
import os
import shutil
import ssl
import urllib.request
from pathlib import Path

DAYS, KEPT = Path("/data/partitions"), Path("/tmp/copy")  # noqa: S108 - of the pod
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
    for day in KEPT.iterdir():
        shutil.copytree(day, DAYS / day.name)
        ask(f"attach?name={day.name}")
