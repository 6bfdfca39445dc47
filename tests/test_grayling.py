"""The front door: rooms that are there are mounted, none is imported before it is called."""

import subprocess
import sys
from types import ModuleType

import pytest

import grayling
from terminal.exits import Session, run


def said(capsys, *arguments):
    code = run(grayling.cli, arguments, prog_name="grayling", session=Session())
    return code, capsys.readouterr()


def test_help_lists_rooms_and_completion(capsys):
    code, told = said(capsys, "--help")
    assert code == 0
    for name in (*grayling.rooms(), "completion"):
        assert f"\n  {name}" in told.out
    assert {"release", "ci"} <= grayling.rooms().keys()


def test_a_room_that_is_not_there_is_not_offered(monkeypatch, capsys):
    monkeypatch.setitem(grayling.ROOMS, "attic", ("no_such_room.cli:cli", "Dust."))
    monkeypatch.setitem(grayling.ROOMS, "cellar", ("review.no_such_part.cli:cli", "Dust."))
    assert {"attic", "cellar"}.isdisjoint(grayling.rooms())


def test_the_release_group_is_mounted(capsys):
    code, told = said(capsys, "release", "crd")
    assert code == 0
    assert "CustomResourceDefinition" in told.out


def test_an_unknown_command(capsys):
    code, told = said(capsys, "dance")
    assert code == 2
    assert "No such command 'dance'" in told.err


def test_version(capsys, monkeypatch):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda _: "1.2.3")
    assert said(capsys, "--version")[1].out == "grayling 1.2.3\n"


def test_version_of_a_checkout(capsys, monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert said(capsys, "--version")[1].out == "grayling (not installed: run from a checkout)\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(capsys, shell):
    code, told = said(capsys, "completion", shell)
    assert code == 0
    assert "_GRAYLING_COMPLETE" in told.out


@pytest.mark.parametrize(("entry", "name"), [("main", "grayling"), ("kubectl_plugin", "kubectl grayling")])
def test_entry_points(monkeypatch, capsys, entry, name):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as left:
        getattr(grayling, entry)()
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"Usage: {name} ")


@pytest.mark.parametrize(
    ("entry", "variable", "words", "offered"),
    [
        ("main", "_GRAYLING_COMPLETE", "grayling rel", "plain,release\n"),
        ("kubectl_plugin", "_KUBECTL_GRAYLING_COMPLETE", "kubectl-grayling pau", "plain,pause\n"),
    ],
)
def test_completion_at_work(monkeypatch, capsys, entry, variable, words, offered):
    monkeypatch.setattr(sys, "argv", ["grayling"])
    monkeypatch.setenv(variable, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        getattr(grayling, entry)()
    assert capsys.readouterr().out == offered


def test_the_declaring_half_is_reached_through_its_contract(monkeypatch, tmp_path):
    versions = ModuleType("components.stack.versions")
    versions.set_image = lambda file, service, image: (file, service, image) == (tmp_path, "checkout", "x:2")
    session = ModuleType("components.deploy.session")
    session.render_service = lambda file, service, image: iter([{"file": file, "service": service + image}])
    monkeypatch.setitem(sys.modules, "components.stack.versions", versions)
    monkeypatch.setitem(sys.modules, "components.deploy.session", session)
    stacks = grayling.Stacks()
    assert stacks.set_image(tmp_path, "checkout", "x:2") is True
    assert stacks.render_service(tmp_path, "checkout") == [{"file": tmp_path, "service": "checkout"}]
    assert stacks.render_service(tmp_path, "checkout", ":v2") == [{"file": tmp_path, "service": "checkout:v2"}]


def test_one_room_brings_commands_into_the_group_of_another_and_none_is_imported_for_help():
    asked = "import sys, grayling; from terminal.exits import Session, run\n"
    asked += "run(grayling.cli, ['stack', '--help'], prog_name='grayling', session=Session())\n"
    asked += "print(sorted(name for name in sys.modules if name.startswith('review.promotion')))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    for name, (_, line) in grayling.MOUNTED["stack"].items():
        assert f"\n  {name}" in done.stdout
        assert line in done.stdout
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("command", [["promote"], ["waves"], ["waves", "start"], ["waves", "stop"]])
def test_what_is_mounted_answers(capsys, command):
    code, told = said(capsys, "stack", *command, "--help")
    assert (code, told.out.startswith(f"Usage: grayling stack {' '.join(command)} ")) == (0, True)


def test_nothing_is_mounted_from_a_room_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setitem(grayling.MOUNTED, "stack", {"dust": ("no_such_room.cli:cli", "Dust.")})
    assert "dust" not in said(capsys, "stack", "--help")[1].out
