import json
import os
import sys
import time
from pathlib import Path

import pytest

from sandbox.daemons import Daemon, plan
from sandbox.layout import State
from sandbox.record import Record
from sandbox.supervisor import LAST_BACKOFF_S, Child, Supervisor, backoff_s


def test_a_daemon_that_keeps_dying_is_started_ever_later() -> None:
    waits = [backoff_s(failures) for failures in range(1, 10)]
    assert waits[0] == 0.5
    assert waits == sorted(waits)
    assert waits[-1] == LAST_BACKOFF_S


def test_a_daemon_that_ran_long_is_forgiven() -> None:
    child = Child(Daemon("d", ("d",)), pid=1, started_at=0.0, failures=5)
    child.died(now=100.0)
    assert (child.failures, child.pid, child.state()) == (1, 0, "backoff")


def test_every_daemon_waits_for_one_before_it() -> None:
    names = [daemon.name for daemon in plan(Record("x", 0, "k"), State(Path("/s")))]
    assert names[0] == "etcd"
    assert names.index("kube-apiserver") < names.index("kubelet")
    assert len(names) == 7


@pytest.fixture
def one(tmp_path: Path) -> Supervisor:
    def supervise(*daemons: Daemon, **probes: bool) -> Supervisor:
        answers = {name: (lambda value=value: value) for name, value in probes.items()}
        return Supervisor(daemons, answers, tmp_path, tmp_path / "health.json")

    return supervise  # type: ignore[return-value]


def sleeper(name: str, after: str = "") -> Daemon:
    return Daemon(name, (sys.executable, "-c", "import time; time.sleep(60)"), after, grace_s=2)


def test_a_pod_that_the_scheduler_parked_is_looked_at_again_in_seconds() -> None:
    (scheduler,) = (each for each in plan(Record("x", 0, "k"), State(Path("/s"))) if each.name == "kube-scheduler")
    assert "--pod-max-in-unschedulable-pods-duration=5s" in scheduler.argv


def test_only_what_may_start_is_started(one, tmp_path: Path) -> None:
    supervisor = one(sleeper("first"), sleeper("second", after="api"), api=False)
    supervisor._start_ready(time.monotonic())
    assert [child.state() for child in supervisor.children] == ["running", "waiting"]
    supervisor.probes["api"] = lambda: True
    supervisor._start_ready(time.monotonic())
    assert [child.state() for child in supervisor.children] == ["running", "running"]
    supervisor.stop()
    assert all(child.pid == 0 for child in supervisor.children)
    told = json.loads((tmp_path / "health.json").read_text())
    assert [entry["name"] for entry in told] == ["first", "second"]


def test_a_dead_daemon_is_reaped_and_started_again(one) -> None:
    supervisor = one(sleeper("d"))
    supervisor._start_ready(time.monotonic())
    first = supervisor.children[0].pid
    os.kill(first, 9)
    deadline = time.monotonic() + 5
    while supervisor.children[0].pid and time.monotonic() < deadline:
        supervisor._reap(time.monotonic())
    supervisor._start_ready(time.monotonic() + 1)
    assert supervisor.children[0].pid not in (0, first)
    assert supervisor.children[0].restarts == 1
    supervisor.stop()


def test_a_long_log_keeps_one_older_part(one, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.supervisor.LOG_LIMIT", 10)
    (tmp_path / "d.log").write_text("x" * 11)
    one(sleeper("d"))._shorten_logs()
    assert (tmp_path / "d.log").read_text() == ""
    assert (tmp_path / "d.log.1").read_text() == "x" * 11
