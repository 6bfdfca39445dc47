"""The release workflow: least rights, pinned actions, and commands that exist; the tests beside this run them."""

from __future__ import annotations

import re

from tests.packaging.conftest import ROOT, workflow

TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text()


def test_actions_are_named_by_commit_with_their_version_beside_it():
    lines = re.findall(r"^ *- ?uses: (.+)$", TEXT, re.MULTILINE)
    assert len(lines) == sum("uses" in step for job in workflow()["jobs"].values() for step in job["steps"])
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in lines)
    pins = dict(line.split(" # ") for line in lines)
    assert len({name.partition("@")[0] for name in pins}) == len(pins), "one version of each"


def test_nothing_is_allowed_but_what_a_job_says():
    found = workflow()
    assert found["permissions"] == {}
    rights = {name: job["permissions"] for name, job in found["jobs"].items()}
    assert rights == {
        "image": {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
        "files": {"contents": "write", "id-token": "write", "attestations": "write"},
    }
    checkouts = [step for job in found["jobs"].values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_a_tag_makes_a_release_and_one_at_a_time():
    found = workflow()
    assert found[True] == {"push": {"tags": ["v*"]}}
    assert found["concurrency"] == {"group": "release", "cancel-in-progress": False}


def test_nothing_of_an_event_is_pasted_into_a_shell_and_secrets_stay_in_the_environment():
    steps = [step for job in workflow()["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands
    assert not [command for command in commands if "${{" in command or "secrets." in command]


def test_every_command_of_the_project_that_it_calls_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(line for line in TEXT.splitlines() if "#" not in line)))
    assert called == {"release", "release-check"}
    assert called <= targets
    scripts = set(re.findall(r"python (\S+\.py) (\w+)", TEXT))
    assert scripts == {("packaging/release.py", "notes")}


def test_the_image_is_built_as_the_containerfile_asks():
    given = set(re.findall(r"--build-arg (\w+)=", TEXT))
    assert given == set(re.findall(r"^ARG (\w+)", (ROOT / "Containerfile").read_text(), re.MULTILINE))
    assert "--file Containerfile" in TEXT
