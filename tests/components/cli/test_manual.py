"""``grayling stack manual``: where its forms go, and what it says where it cannot write one."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from components.cli import cli
from kube.errors import UsageError
from tests.components.conftest import ROOT

LOCAL = str(ROOT / "stacks" / "Pulumi.local.yaml")


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(ROOT)


def run(*arguments):
    return CliRunner().invoke(cli, ["manual", *map(str, arguments)])


def refusal(*arguments):
    result = run(*arguments)
    assert isinstance(result.exception, UsageError)
    return str(result.exception)


def test_markdown_is_the_usual_form_and_stdout_has_nothing_else():
    result = run("local")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Integration manual: local\n")
    assert result.stdout == run("local", "-o", "markdown").stdout
    assert "](docs/runbooks/redis.md#redisdown)" in result.stdout


def test_the_picture_alone():
    ET.fromstring(run("local", "-o", "svg").stdout)  # noqa: S314 - our own


def test_to_a_folder(tmp_path):
    result = run(LOCAL, "-o", "html", "--to", tmp_path)
    assert result.stdout == ""
    assert (tmp_path / "manual-local.html").read_text().startswith("<!DOCTYPE html>")
    assert result.stderr == f"wrote {tmp_path}/manual-local.html\n"


def test_to_a_file_with_runbooks_as_seen_from_there(tmp_path):
    target = tmp_path / "m.md"
    assert run("local", "--to", target).exit_code == 0
    first = target.read_bytes()
    assert b"docs/runbooks/redis.md#redisdown" in first
    assert b"](docs/" not in first  # from another folder it is a way up
    assert run("local", "--to", target).exit_code == 0
    assert target.read_bytes() == first


def test_a_form_may_name_its_file(tmp_path):
    assert run("local", "-o", f"html={tmp_path}/x.html").exit_code == 0
    assert (tmp_path / "x.html").exists()


def test_under_an_overlay_it_is_another_stack():
    result = run("dev", "--overlay", "stacks/overlays/sandbox.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Integration manual: dev-sandbox\n")


def test_an_unknown_stack():
    assert "no stack 'locl' in" in refusal("locl")
    assert "did you mean 'local'" in refusal("locl")
    assert "no stack 'prodd'" in refusal("local", "--beside", "prodd")


def test_an_unknown_form():
    result = run("local", "-o", "pdf")
    assert result.exit_code == 2
    assert "'pdf' is not one of markdown, html, svg" in result.stderr


def test_a_place_that_cannot_be_written(tmp_path):
    missing = f"{tmp_path}/none/m.md"
    said = refusal("local", "--to", missing)
    assert said == f"--to {missing}: {missing}: No such file or directory; name a place that can be written"
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refusal("local", "--to", tmp_path / "file" / "m.md")
    assert "No such file or directory" in refusal("local", "-o", f"html={tmp_path}/none/x.html")


def test_two_forms_need_a_place_each(tmp_path):
    result = run("local", "-o", "html", "-o", "markdown", "--to", tmp_path)
    assert result.exit_code == 2
    assert "give the others a path: -o json=FILE" in result.stderr
    assert run("local", "-o", f"html={tmp_path}/a.html", "-o", f"markdown={tmp_path}/a.md").exit_code == 0
    assert {each.name for each in tmp_path.iterdir()} == {"a.html", "a.md"}


def test_two_places_for_one_form(tmp_path):
    said = refusal("local", "-o", f"html={tmp_path}/x.html", "--to", tmp_path)
    assert said == "--to: -o names a place of its own; give one of the two"
