"""What prepares RabbitMQ's home, run as the kubelet runs it: by nobody in particular, and perhaps twice."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from components.middleware.rabbitmq_settings import (
    HOME,
    OF_A_SERVICE,
    PREPARE,
    user_definitions,
)

NOBODY = 65534


@pytest.fixture
def node():
    """Cookie, definitions and home in a folder that anybody may use."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("home", "cookie", "definitions"):
            (folder / part).mkdir()
        (folder / "cookie" / "cookie").write_text("first")
        (folder / "definitions" / "10-users.json").write_text("{}")
        (folder / "definitions" / "10-users.json").chmod(0o444)
        for part in (folder, folder / "home"):
            part.chmod(0o777)
        yield folder


def prepare(node):
    script = PREPARE.replace(HOME, str(node / "home")).replace("/run/", f"{node}/")
    somebody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=20, **somebody)


def test_a_home_can_be_prepared_twice_and_follows_the_secret(node):
    assert prepare(node).returncode == 0
    (node / "cookie" / "cookie").write_text("second")
    again = prepare(node)
    assert (again.returncode, again.stderr) == (0, "")
    assert (node / "home" / "definitions" / "10-users.json").exists()
    cookie = node / "home" / ".erlang.cookie"
    assert (cookie.read_text(), cookie.stat().st_mode & 0o077) == ("second", 0)


def test_accounts_of_services_are_marked_also_those_of_secrets_that_are_older_and_no_others(node):
    for name in ("10-users", "30-shop"):
        path = node / "definitions" / f"{name}.json"
        path.unlink(missing_ok=True)
        path.write_text(json.dumps(user_definitions("administrator" if name == "10-users" else "")))
        path.chmod(0o444)
    for _ in range(2):
        assert (prepare(node).returncode, prepare(node).stderr) == (0, "")
    tags = {path.stem: json.loads(path.read_text())["users"][0]["tags"] for path in (node / "home").rglob("*.json")}
    assert tags == {"10-users": "administrator", "30-shop": OF_A_SERVICE}
