"""Help and completion cost no import; everything that is promised exists."""

import subprocess
import sys

import pytest

from rollout.cli import COMMANDS, cli
from terminal.exits import Session, run
from terminal.people import whoami
from tests.rollout import samples

BIG = ("aiohttp", "kubernetes", "numpy", "rich", "scipy", "structlog")
HEAVY = ("aiohttp", "kubernetes", "numpy", "pulumi", "pydantic", "rich", "scipy", "structlog", "yaml", "jinja2")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_exists_and_explains_itself(name, capsys):
    assert run(cli, [name, "--help"], prog_name="release", session=Session()) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: release {name} ")


@pytest.mark.parametrize("module", ["rollout.cli", "grayling"])
def test_help_imports_nothing_heavy(module):
    probe = (
        f"import sys; from {module} import cli; cli.main(['--help'], standalone_mode=False);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("arguments", [["list"], ["status", "checkout"], ["history", "checkout"]])
def test_reading_commands_import_no_big_client(world, arguments):
    world.put(samples.manifest(status=samples.stepping()))
    probe = (
        "import sys; from rollout.cli import cli;"
        f"cli.main({arguments!r}, standalone_mode=False);"
        f"print([name for name in {BIG!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "checkout" in done.stdout or "ID" in done.stdout


def completed(world, monkeypatch, words, **environment):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("_RELEASE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        cli.main([], prog_name="release")
    return world.capsys.readouterr().out.split()


def test_completion_of_verbs(world, monkeypatch):
    assert completed(world, monkeypatch, "release pl") == ["plain,plan"]


def test_completion_of_names_asks_the_cluster(world, monkeypatch):
    world.put(samples.manifest())
    world.put(samples.manifest("billing"))
    assert completed(world, monkeypatch, "release status ch") == ["plain,checkout"]


def test_completion_without_a_cluster_is_silent(world, monkeypatch):
    world.server.down = True
    assert completed(world, monkeypatch, "release status ch") == []


def test_nobody_is_somebody(monkeypatch):
    def nobody():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert whoami() == ""


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "rollout", "crd"], capture_output=True, text=True, check=True)
    assert "kind: CustomResourceDefinition" in done.stdout
    wrong = subprocess.run([sys.executable, "-m", "rollout", "list", "--x"], capture_output=True, check=False)
    assert wrong.returncode == 2
