import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox import progress
from sandbox.box import Sandbox
from sandbox.cli import cli
from sandbox.errors import RefusedError


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_sandbox_that_never_was_is_absent() -> None:
    told = CliRunner().invoke(cli, ["status", "-o", "json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["state"] == "absent"


@pytest.mark.parametrize("command", [["shell"], ["kubeconfig"], ["images"]])
def test_commands_on_a_sandbox_that_never_was_say_how_to_make_one(command: list[str]) -> None:
    told = CliRunner().invoke(cli, [*command, "--name", "nobody"])
    assert told.exit_code == 1
    assert "grayling sandbox up --name nobody" in told.output
    assert "Traceback" not in told.output


def test_logs_of_an_unknown_daemon_list_the_known_ones() -> None:
    logs = Sandbox("x").state.logs
    logs.mkdir(parents=True)
    (logs / "kubelet.log").write_text("one\ntwo\n")
    told = CliRunner().invoke(cli, ["logs", "--name", "x", "nothing"])
    assert "it has: kubelet" in told.output
    assert CliRunner().invoke(cli, ["logs", "--name", "x", "--lines", "1", "kubelet"]).output == "two\n"


def test_down_of_a_sandbox_that_never_was_changes_nothing(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["down"]).exit_code == 0
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a/b", "..", "x" * 31])
def test_a_name_that_would_make_a_bad_folder_is_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        Sandbox(name)


def test_looking_at_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, sandbox.cli; print([m for m in sys.modules if m in ('yaml','jinja2','cryptography','rich')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_progress_says_how_long_things_usually_take(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.for_terminal() as told, told.step("compiling", 330):
        pass
    assert "compiling (usually 5 min 30 s)" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "said"), [(0.42, "0.4 s"), (12.4, "12 s"), (330, "5 min 30 s")])
def test_lengths_of_time_are_said_as_people_do(seconds: float, said: str) -> None:
    assert progress.duration(seconds) == said
