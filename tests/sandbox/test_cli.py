import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox import progress
from sandbox.box import Sandbox
from sandbox.cli import cli
from sandbox.errors import RefusedError, UnreachableError
from terminal.exits import ExitCode, Session, run


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def said(*arguments: str) -> int:
    """A command as a shell has it; its exit code."""
    return run(cli, arguments, prog_name="sandbox", session=Session())


def test_a_sandbox_that_never_was_is_absent() -> None:
    told = CliRunner().invoke(cli, ["status", "-o", "json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["state"] == "absent"


@pytest.mark.parametrize("command", [["shell"], ["kubeconfig"], ["images"]])
def test_commands_on_a_sandbox_that_never_was_say_how_to_make_one(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(*command, "--name", "nobody") == ExitCode.ERROR
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "Error: there is no sandbox nobody; make it with `grayling sandbox up --name nobody`\n"


def test_a_sandbox_whose_api_server_does_not_answer_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(*_: object, **__: object) -> None:
        raise UnreachableError("https://10.1.2.3:6443 does not answer")

    monkeypatch.setattr(Sandbox, "down", down)
    assert said("down") == ExitCode.UNREACHABLE
    assert capsys.readouterr().err == "Error: https://10.1.2.3:6443 does not answer\n"


def test_alone_the_group_ends_as_every_command_line_does(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "sandbox", "kubeconfig", "--name", "nobody"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: there is no sandbox nobody;")


def test_logs_of_an_unknown_daemon_list_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Sandbox("x").state.logs
    logs.mkdir(parents=True)
    (logs / "kubelet.log").write_text("one\ntwo\n")
    assert said("logs", "--name", "x", "nothing") == ExitCode.ERROR
    assert "it has: kubelet" in capsys.readouterr().err
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
