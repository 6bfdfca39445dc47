"""`release replay`: what the judge would have said, of one recording or of many."""

import gzip
import json

import numpy as np
import pytest
import yaml

from rollout.records.recording import RecordedLook, header_line, look_line
from rollout.signals.looks import Arm, PodLook
from tests.rollout.judge.test_replay import assert_alike

POLICY = {"signals": [{"name": "answers", "kind": "errors", "source": "pods"}], "falseRollbackRate": 0.001}


def recording(path, canary_fails):
    rng = np.random.default_rng(3)
    lines = [header_line(15.0, (), 0.25)]
    for number in range(-40, 40):
        phase = "history" if number < 0 else "release"
        arms = [Arm.STABLE, Arm.STABLE, Arm.STABLE, Arm.CANARY][: 3 if number < 0 else 4]
        pods = {}
        for index, arm in enumerate(arms):
            failed = int(rng.binomial(300, canary_fails if arm is Arm.CANARY else 0.002))
            pods[f"p{index}"] = PodLook(arm, 900.0, 15.0, 300, {"5xx": failed} if failed else {})
        lines.append(look_line(RecordedLook(15.0 * (number + 1), phase, pods)))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    recording(tmp_path / "good.jsonl", 0.002)
    recording(tmp_path / "bad.jsonl", 0.05)
    (tmp_path / "notes.txt").write_text("nothing to judge")
    return tmp_path


def test_a_folder_is_judged_file_by_file(world, folder):
    done = world.grayling("replay", str(folder), "-o", "json")
    assert done.code == 0
    bad, good = json.loads(done.out)
    assert (bad["file"], bad["verdict"], bad["culprits"]) == (str(folder / "bad.jsonl"), "bad", ["errors"])
    assert 0 < bad["at"] <= 600
    assert bad["log_e"] > 4.6
    assert bad["signals"][0]["ratio_low"] > 0.9
    assert good["verdict"] != "bad"
    assert good["looks"] == 40


@pytest.mark.parametrize("most", [10_000_000, 10_000])
def test_many_files_say_the_same_as_one_by_one(world, folder, monkeypatch, most):
    monkeypatch.setattr("rollout.cli.replay.TOGETHER_BYTES", most)
    for number in range(8):
        recording(folder / f"more-{number}.jsonl", 0.002 * 2**number)
    together = json.loads(world.grayling("replay", str(folder), "-o", "json").out)
    alone = [json.loads(world.grayling("replay", each["file"], "-o", "json").out)[0] for each in together]
    for one, other in zip(together, alone, strict=True):
        assert_alike(one, other)


def test_the_table_has_a_line_a_file(world, folder):
    lines = world.grayling("replay", str(folder / "bad.jsonl"), str(folder / "good.jsonl")).out.splitlines()
    assert lines[0].split()[:4] == ["FILE", "VERDICT", "AT", "CULPRITS"]
    assert lines[1].split()[:2] == [str(folder / "bad.jsonl"), "bad"]
    assert len(lines) == 3


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"analysis": it}, lambda it: {"spec": {"analysis": it}}])
def test_a_policy_of_ones_own(world, folder, wrap):
    policy = folder / "policy.yaml"
    policy.write_text(yaml.safe_dump(wrap(POLICY)))
    done = world.grayling("replay", str(folder / "bad.jsonl"), "--policy", str(policy), "-o", "yaml")
    assert yaml.safe_load(done.out)[0]["signals"][0]["signal"] == "answers"
    plain = json.loads(world.grayling("replay", str(folder / "bad.jsonl"), "-o", "json").out)[0]
    assert yaml.safe_load(done.out)[0]["at"] >= plain["at"], "a stricter promise takes no less evidence"


def test_alpha_replaces_the_rate_of_the_policy(world, folder):
    strict = world.grayling("replay", str(folder / "bad.jsonl"), "--alpha", "1e-12", "-o", "json")
    assert json.loads(strict.out)[0]["log_e"] > 27
    for value in ("1.5", "0", "nan", "inf"):
        assert world.grayling("replay", str(folder / "bad.jsonl"), "--alpha", value).code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "policy.yaml"),
        ("signals: [{name: x, kind: dance}]", "analysis.signals.0.kind"),
        ("signals: []", "analysis.signals: there must be one"),
        ("42", "policy.yaml"),
    ],
)
def test_a_policy_that_is_none_is_refused(world, folder, text, told):
    (folder / "policy.yaml").write_text(text)
    done = world.grayling("replay", str(folder / "bad.jsonl"), "--policy", str(folder / "policy.yaml"))
    assert done.code == 2
    assert done.out == ""
    assert told in done.err


@pytest.mark.parametrize("most", [10_000_000, 10_000])
def test_a_recording_that_is_none_is_refused_by_file_and_line(world, folder, monkeypatch, most):
    """Here, and in a process beside."""
    monkeypatch.setattr("rollout.cli.replay.TOGETHER_BYTES", most)
    (folder / "worse.jsonl").write_text(header_line(15.0, (), 0.1) + "\n{}\n")
    done = world.grayling("replay", str(folder))
    assert done.code == 2
    assert done.out == ""
    assert f"{folder / 'worse.jsonl'}: line 2" in done.err


def test_a_link_to_nothing_among_recordings_is_told_by_name(world, folder):
    (folder / "gone.jsonl").symlink_to(folder / "nowhere.jsonl")
    done = world.grayling("replay", str(folder))
    assert done.code == 2
    assert done.out == ""
    assert f"{folder / 'gone.jsonl'}: No such file" in done.err


def test_a_folder_without_recordings_is_an_error(world, tmp_path):
    done = world.grayling("replay", str(tmp_path))
    assert done.code == 2
    assert "no recording in it" in done.err


def test_a_file_that_is_not_there_is_an_error(world, tmp_path):
    done = world.grayling("replay", str(tmp_path / "nothing.jsonl"))
    assert done.code == 2
    assert "does not exist" in done.err


def test_a_file_without_end_is_not_read_on(world, folder, monkeypatch):
    monkeypatch.setattr("rollout.cli.replay.MOST_READ", 1_000)
    done = world.grayling("replay", str(folder / "good.jsonl"))
    assert done.code == 2
    assert f"{folder / 'good.jsonl'}: more than 1,000 characters" in done.err


@pytest.mark.parametrize("line", ['{"t": Infinity, "pods": {}}', "[" * 100_000])
def test_an_impossible_line_is_named_with_its_file(world, folder, line):
    odd = folder / "odd.jsonl"
    odd.write_text(f"{header_line(15.0, (), 0.25)}\n{line}\n")
    done = world.grayling("replay", str(odd))
    assert done.code == 2
    assert f"{odd}: line 2: " in done.err


def test_gzip_is_read_whatever_the_file_is_called_and_found_in_folders(world, folder):
    plain = json.loads(world.grayling("replay", str(folder / "bad.jsonl"), "-o", "json").out)
    packed = gzip.compress((folder / "bad.jsonl").read_bytes())
    for name in ("bad.jsonl.gz", "unnamed"):
        (folder / name).write_bytes(packed)
        found = json.loads(world.grayling("replay", str(folder / name), "-o", "json").out)
        assert [{**each, "file": ""} for each in found] == [{**each, "file": ""} for each in plain]
    found = json.loads(world.grayling("replay", str(folder), "-o", "json").out)
    assert [each["file"].rpartition("/")[2] for each in found] == ["bad.jsonl", "bad.jsonl.gz", "good.jsonl"]


@pytest.mark.parametrize(
    "damage", [lambda it: it[:-300], lambda it: it[:200] + b"\x07" * 40 + it[240:], lambda it: it[:2]]
)
def test_damaged_gzip_is_told_with_what_to_do(world, folder, damage):
    (folder / "odd.jsonl.gz").write_bytes(damage(gzip.compress((folder / "bad.jsonl").read_bytes())))
    done = world.grayling("replay", str(folder / "odd.jsonl.gz"))
    assert (done.code, done.out) == (2, "")
    assert f"{folder / 'odd.jsonl.gz'}: damaged gzip" in done.err
    assert "copy it anew" in done.err


def test_what_is_no_text_is_told(world, folder):
    (folder / "odd.jsonl").write_bytes(b"\xff\xfe")
    assert "a recording is text in UTF-8" in world.grayling("replay", str(folder / "odd.jsonl")).err


def test_a_mark_of_the_byte_order_is_read_over(world, folder):
    (folder / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + (folder / "good.jsonl").read_bytes())
    assert world.grayling("replay", str(folder / "marked.jsonl")).code == 0


def test_keys_that_nobody_knows_are_told_with_their_file(world, folder):
    lines = (folder / "good.jsonl").read_text().splitlines()
    (folder / "odd.jsonl").write_text("\n".join([*lines[:-1], lines[-1].replace('"phase"', '"fase"')]))
    told = world.grayling("replay", str(folder / "odd.jsonl")).err
    assert told == (
        f'{folder / "odd.jsonl"}: 1 line with the key "fase" (did you mean phase?), which no recording has: '
        "it was left out\n"
    )


def test_late_lines_are_told_with_their_file(world, folder):
    lines = (folder / "good.jsonl").read_text().splitlines()
    (folder / "late.jsonl").write_text("\n".join([*lines, lines[-1]]))
    done = world.grayling("replay", str(folder / "late.jsonl"), "-o", "json")
    assert json.loads(done.out)[0]["late_lines"] == 1
    assert f"{folder / 'late.jsonl'}: 1 line late" in done.err


def test_a_gauge_is_named_in_a_policy_as_recordings_name_it(world, folder):
    pods = {"a": {"arm": "stable", "gauges": {"jvm:heap.used_bytes": 5}}}
    (folder / "gauge.jsonl").write_text("\n".join([header_line(15.0, (), 0.1), json.dumps({"t": 1, "pods": pods})]))
    signal = {"name": "jvm:heap.used_bytes", "kind": "gauge", "source": "prometheus", "query": "x"}
    (folder / "policy.yaml").write_text(yaml.safe_dump({"signals": [signal]}))
    done = world.grayling("replay", str(folder / "gauge.jsonl"), "--policy", str(folder / "policy.yaml"), "-o", "json")
    assert done.err == ""
    assert json.loads(done.out)[0]["signals"][0]["signal"] == "jvm:heap.used_bytes"


def test_a_long_value_of_an_analysis_is_cut(world, folder):
    head = json.dumps({"format": "grayling.recording/2", "analysis": {"signals": [{"name": "x" * 10_000}]}})
    (folder / "odd.jsonl").write_text(head)
    done = world.grayling("replay", str(folder / "odd.jsonl"))
    assert "line 1: analysis.signals.0.name" in done.err
    assert len(done.err) < 400
