"""What the demo tells and how it runs commands, without a cluster."""

import sys
from pathlib import Path

import demo
import pytest
from load.answers import Answer
from trial.commands import CommandFailedError, Grayling
from trial.traffic import Traffic, TrafficError, shares


def answer(at: float, version: str, status: int = 200) -> Answer:
    return Answer(at, at, at + 0.01, status, version=version)


def traffic_of(*answers: Answer) -> Traffic:
    traffic = Traffic("http://127.0.0.1:1/", "", Path("unused"))
    traffic.answers += answers
    return traffic


def test_numbers_tell_the_reaction_of_the_bad_version_alone():
    told = demo.numbers(
        traffic_of(
            answer(1.0, "v1"), answer(2.0, "v2", 500), answer(10.0, "v3"), answer(10.1, "v3", 500), answer(10.5, "v3"),
            answer(11.0, "v2"),
        ), 5.0,
    )  # fmt: skip
    assert "v3 gave 3 answers, 1 of them bad, of 4 requests since it was asked for" in told
    assert "reaction: 0.40 s from its first bad answer to its last answer" in told
    assert told[-1].endswith("brought in: 1")


def test_numbers_without_a_bad_answer_say_so():
    assert demo.numbers(traffic_of(answer(1.0, "v1")), 0.5)[-1] == "v3 gave no bad answer"


def test_the_stack_files_are_copied_once_and_again_when_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    origin = tmp_path / "stacks" / "Pulumi.local.yaml"
    origin.parent.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (tmp_path / name).write_text(name)
    origin.write_text("image: v1")
    showing = demo.Demo("x")
    showing._copy_project()
    copy = showing.project / "stacks" / "Pulumi.local.yaml"
    copy.write_text("image: v3")
    showing._copy_project()
    assert copy.read_text() == "image: v3"
    origin.write_text("image: v1, changed")
    showing._copy_project()
    assert copy.read_text() == origin.read_text() == "image: v1, changed"


def test_shares_are_told_in_percent():
    answers = [answer(1, "v1"), answer(1, "v1"), answer(1, "v2"), Answer(1, 1, 1, 503)]
    assert shares(answers) == "nobody 25 %, v1 50 %, v2 25 %, 1 failed"


@pytest.fixture
def program(monkeypatch):
    """Commands run this Python instead of grayling."""
    monkeypatch.setattr("trial.commands._program", lambda: [sys.executable])
    return Grayling("none")


async def test_a_command_is_shown_line_by_line(program):
    seen = []
    code = "import os, sys; print('a'); print('b', file=sys.stderr); print(os.environ['KUBECONFIG']); sys.exit(7)"
    done = await program.run("-c", code, expect=(7,), show=seen.append)
    assert (done.code, sorted(seen)) == (7, sorted(["a", "b", program.kubeconfig]))
    assert done.out.startswith("a\n")


async def test_an_unexpected_exit_code_says_what_was_said(program):
    with pytest.raises(CommandFailedError, match="exit code 3:\nno such thing"):
        await program.run("-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)")


async def test_traffic_is_read_as_it_comes(start, tmp_path):
    pod = start("checkout")
    async with Traffic(pod.http + "/", "", tmp_path / "answers.jsonl", rate=50, orders_every=5) as traffic:
        assert traffic.answers
        at = traffic.answers[-1].scheduled
    assert traffic.since(at)[0].scheduled == at
    assert traffic.summary().failed == 0
    with pytest.raises(TrafficError):
        traffic.poll()


async def test_traffic_that_cannot_start_is_told(tmp_path):
    with pytest.raises(TrafficError, match="ended with 2"):
        async with Traffic("http://192.0.2.1:80/", "", tmp_path / "answers.jsonl"):
            pass
