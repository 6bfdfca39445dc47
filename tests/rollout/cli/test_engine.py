"""`release run` and `release controller`: the engine itself is stood in for; it has tests of its own."""

import asyncio
import json
import os
import signal
import sys
from types import ModuleType

import pytest
import structlog

from rollout.cli.engine import configure_logs, until_told_to_stop
from rollout.records.record import config_map_of, record_of
from tests.rollout import samples


@pytest.fixture
def engine(monkeypatch):
    """A module in the place of the real one; it notes how it was called."""
    module = ModuleType("rollout.engine.run")
    module.calls, module.error = [], None

    async def run_foreground(cluster, namespace, name, *, identity):
        module.calls.append((namespace, name, identity))
        if module.error:
            raise module.error
        await asyncio.sleep(60)

    async def run_controller(cluster, namespaces, *, identity, metrics_port, max_in_flight):
        module.calls.append((tuple(namespaces), identity, metrics_port, max_in_flight))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    module.run_foreground, module.run_controller = run_foreground, run_controller
    monkeypatch.setitem(sys.modules, "rollout.engine.run", module)
    yield module
    structlog.reset_defaults()


def quick():
    strategy = {"steps": [{"weight": 5}], "drain": "10ms", "bake": "10ms"}
    return samples.spec(strategy=strategy)


def test_run_ends_with_the_release_and_after_its_record(world, engine):
    world.put(samples.manifest(status=samples.stepping(), the_spec=quick()))
    back = samples.rolled_back()

    def end():
        world.server.put(samples.manifest(status=back, the_spec=quick()))
        world.then(
            1.2,
            lambda: world.server.put(config_map_of(record_of("checkout", "shop", quick(), back.last), {"uid": "u"})),
        )

    world.when_watched(end)
    result = world.grayling("run", "checkout", "--identity", "me", "-o", "json")
    assert result.code == 7
    assert json.loads(result.out)["outcome"] == "rolled-back"
    assert engine.calls == [("shop", "checkout", "me")]
    assert world.server.find("ConfigMap", "checkout-release-k3x9")


def test_run_stops_at_promotion_when_that_is_enough(world, engine):
    world.put(samples.manifest(status=samples.stepping(phase="Baking")))
    assert world.grayling("run", "checkout", "--until", "promoted").code == 0


def test_run_gives_up_in_time(world, engine):
    world.put(samples.manifest(status=samples.stepping()))
    assert world.grayling("run", "checkout", "--timeout", "200ms").code == 10


def test_an_engine_that_fails_ends_the_run(world, engine):
    from kube.errors import ForbiddenError

    world.put(samples.manifest(status=samples.stepping()))
    engine.error = ForbiddenError("leases may not be written")
    result = world.grayling("run", "checkout")
    assert (result.code, result.err.splitlines()[-1]) == (1, "Error: leases may not be written")


def test_the_controller_stops_when_told_to(world, engine):
    result = world.grayling("controller", "-n", "a", "-n", "b", "--metrics-port", "0", "--identity", "me")
    assert result.code == 0
    assert engine.calls == [(("a", "b"), "me", None, 200)]
    world.grayling("controller", "--identity", "me")
    assert engine.calls[-1] == ((None,), "me", 9090, 200)


async def test_work_that_ends_by_itself():
    async def work():
        return None

    await until_told_to_stop(work())


@pytest.mark.parametrize("form", ["json", "console"])
def test_logs_go_to_stderr(form, capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logs(form, "info")
    structlog.get_logger().debug("hidden")
    structlog.get_logger().info("looked", release="shop/checkout")
    said = capsys.readouterr()
    assert said.out == ""
    assert "shop/checkout" in said.err
    assert "\x1b" not in said.err
    if form == "json":
        assert json.loads(said.err)["event"] == "looked"
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_line_cannot_be_forged_and_steers_no_terminal(form: str, capsys: pytest.CaptureFixture[str]):
    configure_logs(form, "info")
    forged = "paused by ann: x\n03:00:00 [info     ] promoted: all is well"
    structlog.get_logger().info(forged, problem="gone \x1b[2J\x1b]0;pwn\x07", release="shop/checkout")
    said = capsys.readouterr().err
    structlog.reset_defaults()
    assert said.count("\n") == 1
    assert "\x1b[2J" not in said
    assert "u001b[2J" not in said
    assert "pwn" not in said
    assert "promoted: all is well" in said


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_values(form: str, capsys: pytest.CaptureFixture[str]):
    configure_logs(form, "info")
    token = "-".join(("s3cr3t", *["of", "a", "request"]))
    try:
        _broken(token)
    except KeyError:
        structlog.get_logger().exception("broke")
    said = capsys.readouterr().err
    structlog.reset_defaults()
    assert "KeyError" in said
    assert "s3cr3t-of-a-request" not in said
    assert not any(line.startswith("03:00:00 [info     ] promoted") for line in said.splitlines())
    assert "\x1b[2J" not in said


def _broken(token: str) -> None:
    raise KeyError(f"\x1b[2J{len(token)}\n03:00:00 [info     ] promoted")
