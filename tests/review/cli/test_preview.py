"""`grayling review preview`: forms on stdout and in files, exit codes of the table, mistakes named with their fix."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import grayling
from terminal.exits import Session, run
from tests.review.previews import RECORDED, manifest, preview, step, written

ROOT = Path(__file__).parents[3]
IMAGE = str(RECORDED / "update-grayrelease-image.json.gz")
STACK = (
    "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [a]}\n"
    "  grayling:components:\n    redis: {image: 'registry.example.com/redis:7.0'}\n"
)


def told(capsys, *arguments: str):
    code = run(grayling.cli, ["review", "preview", *arguments], prog_name="grayling", session=Session())
    return code, capsys.readouterr()


def test_each_form_goes_where_it_is_asked_for(capsys, tmp_path):
    wanted = {form: tmp_path / form for form in ("text", "yaml", "markdown", "html", "sarif", "junit")}
    flags = [part for form, path in wanted.items() for part in ("-o", f"{form}={path}")]
    code, said = told(capsys, "h5", "--from", IMAGE, "-o", "json", *flags)
    assert code == 0
    data = json.loads(said.out)
    assert data["counts"]["update"] == 1
    assert {**yaml.safe_load(wanted["yaml"].read_text()), "created": ""} == {**data, "created": ""}
    assert wanted["html"].read_text().startswith("<!DOCTYPE html>")
    assert wanted["markdown"].read_text().startswith("<!-- grayling.review/1 ")
    assert "\x1b" not in wanted["text"].read_text()
    assert json.loads(wanted["sarif"].read_text())["version"] == "2.1.0"


@pytest.mark.parametrize("option", ["--rps", "--error-rate"])
@pytest.mark.parametrize("value", ["0", "nan", "inf"])
def test_traffic_is_a_number_that_can_be(capsys, option, value):
    code, said = told(capsys, "--from", IMAGE, option, value)
    assert (code, said.out) == (2, "")
    assert f"Invalid value for '{option}': " in said.err


def test_the_terminal_gets_text_without_colours_where_it_is_none(capsys):
    code, said = told(capsys, "--from", IMAGE)
    assert code == 0
    assert said.out.startswith("grayling/h5: ")
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (preview(), 0),
        (preview(step("same", manifest("ConfigMap", "a"), manifest("ConfigMap", "a"))), 0),
        (preview(step("create", None, manifest("ConfigMap", "a"))), 3),
        (preview(diagnostics=[{"severity": "error", "message": "no"}]), 3),
        (preview() | {"changeSummary": None}, 3),
    ],
)
def test_changes_and_previews_that_nobody_can_believe_are_told_by_the_exit_code(capsys, tmp_path, data, code):
    path = written(tmp_path, data)
    assert told(capsys, "--from", str(path), "--detailed-exitcode")[0] == code
    assert told(capsys, "--from", str(path))[0] == 0


@pytest.mark.parametrize("asked", ["prod", "stacks/Pulumi.prod.yaml", "me/grayling/prod"])
def test_a_preview_of_another_stack_is_a_mistake(capsys, asked):
    code, said = told(capsys, asked, "--from", IMAGE)
    assert code == 2
    assert "is a preview of stack 'h5' of project 'grayling', and 'prod' was asked for" in said.err
    assert "name h5, or pass the preview of prod" in said.err
    assert said.out == ""


@pytest.mark.parametrize("asked", ["h5", "stacks/Pulumi.h5.yaml", "me/grayling/h5"])
def test_the_same_stack_by_its_other_names(capsys, asked):
    assert told(capsys, asked, "--from", IMAGE)[0] == 0


def test_an_empty_preview_is_of_the_stack_that_is_named_and_says_so(capsys, tmp_path):
    path = written(tmp_path, preview())
    code, said = told(capsys, "prod", "--from", str(path), "-o", "json")
    data = json.loads(said.out)
    assert (code, data["stack"]) == (0, "prod")
    assert "no-stack" in [each["id"] for each in data["doubts"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the STACK to preview, or pass a preview of Pulumi with --from FILE"),
        (("--from", IMAGE, "--offline", "--context", "c"), "--offline asks no cluster, and c names one"),
        (("prod", "--probe", "p.json"), "--probe p.json: speaks for a preview in a file"),
        (("--from", IMAGE, "--probe", "p", "--context", "c"), "--probe p: was made before, and c would look again"),
        (("--from", IMAGE, "--probe", "missing.json"), "--probe missing.json: No such file"),
        (("--from", "missing.json"), "missing.json: No such file"),
        (("--from", IMAGE, "-o", "word"), "'word' is not one of text, json"),
        (("--from", IMAGE, "--limit", "100"), "--limit"),
        (("--from", IMAGE, "-o", "html=/nowhere/x.html"), "-o html=/nowhere/x.html"),
        (("--from", IMAGE, "--base", "no-such-commit"), "no commit 'no-such-commit'"),
    ],
)
def test_mistakes_are_named_with_their_fix(capsys, arguments, said):
    code, heard = told(capsys, *arguments)
    assert code == 2
    assert said in heard.err
    assert "Traceback" not in heard.err


def test_markdown_is_cut_at_the_limit_that_is_given(capsys):
    code, said = told(capsys, "--from", str(RECORDED / "create-all.json.gz"), "-o", "markdown", "--limit", "4000")
    assert code == 0
    assert len(said.out) <= 4001
    assert '"truncated": true' in said.out


def test_standard_input_in_a_process_of_its_own():
    packed = Path(IMAGE).read_bytes()
    line = [sys.executable, "-m", "grayling", "review", "preview", "--from", "-", "-o", "json"]
    done = subprocess.run(line, input=packed, capture_output=True, check=True)
    assert json.loads(done.stdout)["releases"][0]["after"] == "sandbox.grayling.dev/shop:v2"


def test_two_runs_tell_the_same(capsys):
    one, other = (json.loads(told(capsys, "--from", IMAGE, "-o", "json")[1].out) for _ in range(2))
    assert {**one, "created": ""} == {**other, "created": ""}


def test_a_preview_of_our_own_on_a_cluster(person, capsys):
    path = person.stack("shop", STACK)
    code, said = told(capsys, path, "--kubeconfig", person.kubeconfig, "-o", "json", "--detailed-exitcode")
    assert code == 3
    data = json.loads(said.out)
    assert (data["source"], data["stack"], data["project"]) == ("render", "shop", "grayling")
    assert data["counts"]["create"] > 3
    assert "context test" in data["cluster"]
    assert person.apply(path).code == 0
    again = told(capsys, path, "--kubeconfig", person.kubeconfig, "-o", "json", "--detailed-exitcode")
    assert again[0] == 0, again[1].out
    assert json.loads(again[1].out)["counts"]["unchanged"] > 3


def test_a_cluster_that_cannot_be_reached_is_no_preview(person, capsys, tmp_path):
    path = person.stack("shop", STACK)
    code, said = told(capsys, path, "--kubeconfig", str(tmp_path / "none"))
    assert code != 0
    assert said.out == ""


def git(folder, *arguments: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True, capture_output=True)


def test_a_preview_of_our_own_between_two_commits(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    file = project / "stacks" / "Pulumi.shop.yaml"
    file.write_text(STACK)
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    file.write_text(STACK.replace("redis:7.0", "redis:7.2"))
    code, said = told(capsys, "shop", "--offline", "--base", "HEAD", "-o", "json")
    assert code == 0, said.err
    data = json.loads(said.out)
    assert [each["object"] for each in data["changes"]] == ["StatefulSet shop/redis"]
    assert data["commit"] == data["base"] != ""
    assert data["owners"][0]["owner"]


def test_a_preview_of_pulumi_is_held_against_the_cluster_that_is_named(person, capsys, tmp_path):
    after = manifest("ConfigMap", "settings", data={"a": "b"})
    path = str(written(tmp_path, preview(step("create", None, after))))
    arguments = ("--from", path, "--kubeconfig", person.kubeconfig, "-o", "json")
    data = json.loads(told(capsys, *arguments)[1].out)
    assert "context test" in data["cluster"]
    assert "not-probed" not in [each["id"] for each in data["doubts"]]
    assert data["assessment"] != "not-trustworthy"


def test_a_probe_of_another_preview_is_a_mistake(capsys, tmp_path):
    other = {"schema": "grayling.probe/1", "preview": "0" * 64, "cluster": "c", "made": "2026-11-28T18:00:00Z"}
    probe = written(tmp_path, other | {"objects": {}}, "probe.json")
    code, said = told(capsys, "--from", IMAGE, "--probe", str(probe))
    assert code == 2
    assert "preview: is of another file" in said.err


def test_offline_outside_git_says_what_to_name(capsys, tmp_path):
    for name in ("Pulumi.yaml", "__main__.py", "stacks/Pulumi.dev.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    code, said = told(capsys, str(tmp_path / "stacks" / "Pulumi.dev.yaml"), "--offline")
    assert code == 2
    assert "--offline compares the stack with a commit, and there is none; name a cluster" in said.err
