"""`ci init`: what is written for the stacks that there are, what is kept, and what it says of mistakes."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.review.ci.project import files, grayling, made

HOSTS = ("github", "gitlab", "jenkins")
TIERS = {"dev": "dev", "staging": "staging", "prod": "prod", "local": "local"}


@pytest.fixture
def project(tmp_path):
    return made(tmp_path / "project", **TIERS)


def init(folder, *arguments, code=0):
    done = grayling(folder, "ci", "init", *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("host", HOSTS)
def test_running_it_twice_changes_nothing(project, host):
    first = init(project, host)
    written = files(project)
    assert set(first.stdout.splitlines()) == {f"{name}: created" for name in written}
    again = init(project, host)
    assert set(again.stdout.splitlines()) == {f"{name}: unchanged" for name in written}
    assert files(project) == written
    assert init(project, host, "--check").stdout == again.stdout


@pytest.mark.parametrize("host", HOSTS)
def test_a_new_stack_makes_them_out_of_date(project, host):
    init(project, host)
    made(project, canary="dev")
    check = init(project, host, "--check", code=3)
    assert {line.partition(": ")[2] for line in check.stdout.splitlines()} == {"out of date"}
    init(project, host)
    init(project, host, "--check")
    assert all("canary" in text for text in files(project).values())


def test_check_writes_nothing_and_says_what_is_missing(project):
    told = init(project, "github", "--check", code=3).stdout
    assert told.splitlines()[0] == ".github/workflows/grayling-preview.yml: missing"
    assert not files(project)


@pytest.mark.parametrize("host", HOSTS)
def test_what_was_edited_by_hand_is_kept(project, host):
    init(project, host)
    path = project / next(iter(files(project)))
    path.write_text(path.read_text() + "# mine\n")
    before = files(project)
    made(project, canary="dev")
    told = init(project, host, code=2).stderr
    assert f"{path} is edited by hand: nothing was written" in told
    assert files(project) == before
    assert "edited by hand" in init(project, host, "--check", code=3).stdout
    assert "written over" in init(project, host, "--force").stdout
    init(project, host, "--check")


@pytest.mark.parametrize(
    ("host", "name"), [("github", ".github/workflows/grayling-apply.yml"), ("jenkins", "Jenkinsfile")]
)
def test_a_file_that_is_not_ours_is_kept_and_none_beside_it_is_written(project, host, name):
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("theirs\n")
    assert "is not written by this command" in init(project, host, code=2).stderr
    assert files(project) == {name: "theirs\n"}


def test_windows_line_ends_are_no_edit(project):
    init(project, "jenkins")
    path = project / "Jenkinsfile"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    init(project, "jenkins", "--check")


def test_a_pipeline_of_the_projects_own_gets_a_part_to_include(project):
    (project / ".gitlab-ci.yml").write_text("build: {script: [make]}\n")
    told = init(project, "gitlab")
    assert told.stdout == ".gitlab/grayling.yml: created\n"
    assert "include: [{local: .gitlab/grayling.yml}]" in told.stderr
    assert "stages" not in yaml.safe_load(files(project)[".gitlab/grayling.yml"])
    init(project, "gitlab", "--check")


def test_stacks_come_in_the_order_of_their_tiers_and_each_tier_waits_for_the_one_before(project):
    made(project, **{"eu.1": "prod"})
    init(project, "github")
    jobs = yaml.safe_load(files(project)[".github/workflows/grayling-apply.yml"])["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "apply-dev": None,
        "apply-staging": ["apply-dev"],
        "apply-eu_1": ["apply-staging"],
        "apply-prod": ["apply-staging"],
    }
    init(project, "gitlab")
    jobs = yaml.safe_load(files(project)[".gitlab-ci.yml"])
    assert jobs["apply eu.1"]["needs"] == ["apply staging"]


def test_a_stack_on_somebodys_own_machine_is_left_out_unless_it_is_named(project):
    init(project, "github", "--stack", "local")
    assert "apply-local" in files(project)[".github/workflows/grayling-apply.yml"]
    only = made(project.with_name("only"), local="local")
    assert "only local of tier local" in init(only, "github", code=2).stderr


def test_a_stack_without_services_has_no_releases_to_watch(tmp_path):
    project = made(tmp_path / "project", data_="dev", dev="dev")
    init(project, "github")
    jobs = yaml.safe_load(files(project)[".github/workflows/grayling-apply.yml"])["jobs"]
    assert [step["name"] for step in jobs["apply-data"]["steps"]][-1] == "Apply"
    assert "Releases" in [step["name"] for step in jobs["apply-dev"]["steps"]]


@pytest.mark.parametrize("host", HOSTS)
def test_the_head_says_how_to_make_it_again(project, host):
    options = ["--way", "pulumi", "--stack", "prod", "--stack", "dev", "--branch", "trunk", "--wait", "30m"]
    init(project, host, *options)
    for text in files(project).values():
        assert text.splitlines()[0].strip("/# ").startswith(f"Written by `grayling ci init {host} {' '.join(options)}`")


def test_one_that_is_a_package_is_installed_without_what_the_lock_has_not(project):
    (project / "pyproject.toml").write_text("[project]\nname = 'shop'\nversion = '1'\n")
    (project / "locked.txt").write_text("a==1 --hash=sha256:00\n")
    init(project, "github", "--requirements", "locked.txt")
    text = files(project)[".github/workflows/grayling-drift.yml"]
    assert "--require-hashes --requirement 'locked.txt'\n" in text
    assert "--no-deps .\n" in text
    (project / "requirements.txt").unlink()
    init(project, "github")
    assert "--disable-pip-version-check .\n" in files(project)[".github/workflows/grayling-drift.yml"]


@pytest.mark.parametrize("host", HOSTS)
def test_it_says_what_to_create_on_the_host(project, host):
    told = init(project, host, "--way", "pulumi").stderr
    for word in ("preview", "prod", "PULUMI_BACKEND_URL", "main" if host != "jenkins" else "GITHUB_REPOSITORY"):
        assert word in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stack", "nope"], "no stack 'nope' in "),
        (["--wait", "soon"], "--wait soon: is no duration; write it like 250ms, 30s, 5m or 1h30m"),
        (["--wait", "6h"], "--wait 6h: write a time up to 5h"),
        (["--cron", "daily"], "--cron 'daily': write five fields"),
        (["--cron", "1 2 3 4 5'"], "--cron "),
        (["--branch", "a b"], "--branch 'a b': name one branch"),
        (["--branch", 'x"]'], "--branch "),
        (["--image", "x y"], "--image 'x y': write NAME:TAG or NAME@sha256:DIGEST"),
        (["--requirements", "gone.txt"], "--requirements gone.txt: no such file at the top of "),
        (["--requirements", "../x"], "--requirements ../x: no such file at the top of "),
        (["--way", "both"], "Invalid value for '--way'"),
    ],
)
def test_an_option_that_is_wrong_is_named_with_the_fix(project, arguments, message):
    assert message in init(project, "github", *arguments, code=2).stderr
    assert not files(project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "config: {grayling:environment: {tier: big, namespace: a}}",
            "grayling:environment.tier is 'big': write one of",
        ),
        ("config: {grayling:environment: {tier: dev}}", "grayling:environment.namespace is None: write the name"),
        (
            "config: {grayling:environment: {tier: dev, namespace: 'a$(b)'}}",
            "grayling:environment.namespace is 'a$(b)'",
        ),
        ("config: [", "stacks/Pulumi.odd.yaml"),
    ],
)
def test_a_stack_that_cannot_be_read_is_named(project, text, message):
    (project / "stacks" / "Pulumi.odd.yaml").write_text(text)
    assert message in init(project, "gitlab", code=2).stderr
    assert not files(project)


def test_no_project_no_repository_and_a_project_below_the_top_are_told(project, tmp_path):
    assert "no Pulumi.yaml" in init(tmp_path, "github", code=2).stderr
    subprocess.run(["rm", "-rf", str(project / ".git")], check=True)
    assert "is in no git repository: run `git init`" in init(project, "github", code=2).stderr
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert "is not the top of its repository" in init(project, "github", code=2).stderr


def test_a_project_that_installs_nothing_is_told(project):
    (project / "requirements.txt").unlink()
    assert "a job could not install Grayling; write `grayling==VERSION`" in init(project, "github", code=2).stderr
    (project / "pyproject.toml").write_text("[[")
    assert "pyproject.toml: " in init(project, "github", code=2).stderr


def test_a_place_that_cannot_be_written_is_told(project):
    (project / ".github").symlink_to("nowhere")
    assert "grayling-preview.yml: File exists: it could not be written" in init(project, "github", code=2).stderr
    (project / "Jenkinsfile").mkdir()
    assert "Jenkinsfile: Is a directory: move it out of the way" in init(project, "jenkins", code=2).stderr


@pytest.mark.parametrize("way", ["apply", "pulumi"])
@pytest.mark.parametrize("host", HOSTS)
def test_every_verify_asks_the_cluster_and_drift_is_attached_for_people(project, host, way):
    """A verdict on a preview of Pulumi alone is refused: what stands on the cluster was not asked."""
    init(project, host, "--way", way)
    text = "\n".join(files(project).values()).replace("\\\n", " ")
    verifies = [line for line in text.splitlines() if "grayling review verify" in line]
    assert verifies
    assert all(("--from" in line) == ("--kubeconfig" in line) == (way == "pulumi") for line in verifies), verifies
    assert not any("--offline" in line for line in verifies)
    (drift, *_) = [line for line in text.splitlines() if "grayling review drift" in line]
    for form in ("markdown", "html", "json"):
        assert f"-o {form}=" in drift
