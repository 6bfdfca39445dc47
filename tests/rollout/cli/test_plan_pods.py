"""`release plan` where stable's pods differ: what was said of it, what a recording shows, and what is refused."""

import gzip
import json

import pytest

from rollout.records.recording import RecordedLook, header_line, look_line
from rollout.signals.looks import Arm, PodLook
from tests.rollout import samples


@pytest.fixture
def served(world):
    world.put(samples.manifest(status=samples.promoted().model_copy(update={"stable": samples.STABLE})))
    return world


def recording(pods=9, looks=60):
    """Pods that fail now and then, every second one twice as often."""
    each = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, 3000, {"5xx": 10 * (1 + i % 2)}) for i in range(pods)}
    lines = [header_line(15.0, (), 0.1)] + [look_line(RecordedLook(15.0 * k, "history", each)) for k in range(looks)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def planned(world, *options):
    result = world.grayling("plan", "checkout", "--rps", "2000", *options)
    assert result.code == 0, result.err
    return result.out


def test_it_is_assumed_said_or_shown(served, tmp_path):
    file, packed = tmp_path / "k3x9.jsonl", tmp_path / "k3x9.jsonl.gz"
    file.write_text(recording())
    packed.write_bytes(gzip.compress(recording().encode()))
    assert "  pods differ:   by 30 % (assumed: say --spread or --recording)\n" in planned(served)
    assert "  pods differ:   by 12 % (as --spread says)\n" in planned(served, "--spread", "0.12")
    shown = [planned(served, "--recording", str(each)) for each in (file, packed)]
    assert "% (as k3x9.jsonl shows)" in shown[0]
    assert "% (as k3x9.jsonl.gz shows)" in shown[1]
    pods = json.loads(planned(served, "--recording", str(file), "-o", "json"))["pods"]
    assert 0.25 < pods["spread"] < 0.5, "the standard deviation of 0 and log 2 is 0.35"


@pytest.mark.parametrize(
    ("options", "text", "told"),
    [
        (
            ("--spread", "0.1"),
            recording(),
            "--spread and --recording both say how far pods are apart; give one of them",
        ),
        ((), recording(pods=1), "tells nothing of stable's pods: it takes failures of two or more of them"),
        ((), "nonsense", "x.jsonl: line 1"),
    ],
)
def test_what_tells_nothing_is_refused(served, tmp_path, options, text, told):
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    result = served.grayling("plan", "checkout", "--recording", str(file), *options)
    assert result.code == 2
    assert told in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("spread", ["0", "-1", "4", "nan"])
def test_pods_cannot_differ_by_that(served, spread):
    assert served.grayling("plan", "checkout", "--spread", spread).code == 2


@pytest.mark.parametrize("option", ["--spread", "--recording"])
def test_how_pods_fail_is_not_said_where_failures_are_not_judged(world, tmp_path, option):
    (tmp_path / "x.jsonl").write_text(recording())
    crashes = [each for each in samples.spec().wire()["analysis"]["signals"] if each["kind"] == "crashes"]
    world.put(samples.manifest(the_spec=samples.spec(analysis={"signals": crashes})))
    value = {"--spread": "0.1", "--recording": str(tmp_path / "x.jsonl")}[option]
    result = world.grayling("plan", "checkout", option, value)
    assert (result.code, result.out) == (2, "")
    assert f"{option} says how far pods that fail are apart, and this release judges no signal that" in result.err
    assert "(analysis.signals: crashes); leave it out, or add one of kind errors" in result.err
    assert world.grayling("plan", "checkout").code == 0
