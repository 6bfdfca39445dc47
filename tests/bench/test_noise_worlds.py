"""The worlds of noise.yaml are what they are called."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from bench.judge import noise_results, noise_run, noise_worlds
from bench.judge.noise_results import load, save
from bench.judge.noise_run import Played, kept, play, row
from bench.judge.noise_worlds import NoiseWorld, cells

ALL = cells()


def looks_of(key, replicates=40, seed=0):
    return list(NoiseWorld(ALL[key], replicates, seed).looks())


@pytest.mark.parametrize("key", ["rps20", "pods300", "rps20k-many"])
def test_requests_go_to_all_pods_alike(key):
    last, said = looks_of(key, 5)[-1], ALL[key].said
    assert last.requests.sum(axis=1) == pytest.approx(np.full(5, 15.0 * said["rps"]), rel=0.3)
    share = said["canary_pods"] / (said["pods"] + said["canary_pods"])
    assert last.requests[:, -1].sum() / last.requests.sum() == pytest.approx(share, rel=0.3)
    assert last.buckets.sum(axis=2) == pytest.approx(last.requests)


def test_neighbours_last_as_long_as_they_are_said_to():
    looks = looks_of("burst120-2k")
    failed = np.stack([look.failed[:, :9] / np.maximum(look.requests[:, :9], 1) for look in looks[:240]])
    hit = failed > 2 * np.median(failed, axis=0)
    assert hit.mean() == pytest.approx(0.08, abs=0.04)
    assert (hit[1:] & hit[:-1]).sum() / hit[:-1].sum() > 0.7


def test_a_fault_is_the_canarys_alone_and_an_outage_is_not():
    before, after = looks_of("F-late")[250:290], looks_of("F-late")[-30:]
    rates = [
        sum(look.failed.sum(axis=0) for look in part) / sum(look.requests.sum(axis=0) for look in part)
        for part in (before, after)
    ]
    assert rates[1][-1] > 7 * rates[0][-1]
    assert rates[1][:-1] == pytest.approx(rates[0][:-1], rel=0.5)
    first = looks_of("outage", 5)[240]
    assert first.at > 0
    assert (first.failed.sum(axis=0) / first.requests.sum(axis=0) > 0.1).all()


def test_a_dependency_reaches_the_canary_when_it_is_said_to():
    for key, worse in (("dep-first", True), ("dep-last", False)):
        first = next(look for look in looks_of(key) if look.at > 600)
        canary, stable = first.failed[:, -1].sum(), first.failed[:, :-1].mean(axis=1).sum()
        assert canary > 2 * stable if worse else canary < 0.5 * stable


def test_the_same_seed_gives_the_same_looks():
    one, other = looks_of("cron", 3)[-1], looks_of("cron", 3)[-1]
    assert (one.failed == other.failed).all()
    assert (one.failed != looks_of("cron", 3, seed=1)[-1].failed).any()


def test_unknown_keys_are_refused(monkeypatch, tmp_path):
    wrong = tmp_path / "noise.yaml"
    wrong.write_text("defaults: {rps: 1, spread: {errors: 0}}\nhealthy: {x: {name: x, spread: {eror: 1}}}\n")
    monkeypatch.setattr(noise_worlds, "__file__", str(tmp_path / "noise_worlds.py"))
    with pytest.raises(ValueError, match="x has unknown keys \\['eror'\\]"):
        cells()


def test_a_chunk_is_kept_and_told(tmp_path):
    played = play(ALL["F-20k"], 4, 0)
    assert all(at == 15.0 for at in played.times), "three times the errors of a big service go at the first look"
    folder = tmp_path / "now"
    folder.mkdir()
    (folder / "F-20k+0.json").write_text(json.dumps(asdict(played)))
    found = kept(tmp_path)["F-20k"]["now"]
    assert found == [played]
    assert "missed 0.0 %" in row(ALL["F-20k"], {"now": found}, ["now"])
    healthy = Played([None] * 99 + [30.0], [True] * 100)
    assert "1.0 % (≤ 4.7); good 100%" in row(ALL["cron"], {"now": [healthy]}, ["now"])
    assert noise_run.CHUNK == 100


def test_chunks_go_on_elsewhere_as_far_as_they_are_of_the_same_judge(tmp_path, monkeypatch):
    folder, other, file = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "results.json"
    folder.mkdir()
    other.mkdir()
    played = Played([None, 615.0, None, 30.0], [True, False, False, False])
    noise_run.keep(folder / "cron+0.json", played)
    save(file, folder)
    assert load(file, other) == 1
    assert kept(tmp_path)["cron"] == {"here": [played], "elsewhere": [played]}
    assert load(file, other) == 0, "what is there stays"
    (other / "cron+0.json").unlink()
    monkeypatch.setattr(noise_results, "digest", lambda: "of another judge")
    assert load(file, other) == 0
    assert load(tmp_path / "none.json", other) == 0


def test_what_was_measured_is_of_a_changed_judge_where_every_cell_comes_to_the_same(tmp_path, monkeypatch, capsys):
    file, two = tmp_path / "results.json", [ALL["cron"], ALL["F-20k"]]
    played = {cell.key: Played([None, float(at)], [True, False]) for at, cell in enumerate(two, start=15)}
    for cell in two:
        noise_run.keep(tmp_path / f"{cell.key}+0.json", played[cell.key])
    save(file, tmp_path)
    before = file.read_text()
    monkeypatch.setattr(noise_results, "digest", lambda: "of a changed judge")
    monkeypatch.setattr(noise_run, "play", lambda cell, _replicates, _seed: played[cell.key])
    kept, played["cron"] = played["cron"], Played([None, None], [True, False])
    assert not noise_run.confirmed(file, two)
    assert "all has to be run: cron" in capsys.readouterr().err
    assert file.read_text() == before
    played["cron"] = kept
    assert noise_run.confirmed(file, [*two, ALL["slow"]]), "one that was never measured is left alone"
    assert json.loads(file.read_text()) == json.loads(before) | {"judge": "of a changed judge"}
    assert not noise_run.confirmed(tmp_path / "none.json", two)
    assert "nothing was measured" in capsys.readouterr().err
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(
    ("path", "text", "same"),
    [
        ("evidence/a.py", '"""Of it."""\n\n\ndef one():\n    """One."""\n    return 2\n', False),
        ("evidence/b.py", "", False),
        ("evidence/a.py", '"""Better words."""\n\n\ndef one():\n    """It."""\n    # so it is\n    return 1\n', True),
        ("verdict/wording.py", "SAID = 'otherwise'\n", True),
    ],
)
def test_a_judge_that_computes_otherwise_is_another(tmp_path, path, text, same):
    for room in ("evidence", "verdict"):
        (tmp_path / room).mkdir()
    (tmp_path / "evidence" / "a.py").write_text('"""Of it."""\n\n\ndef one():\n    """One."""\n    return 1\n')
    before = noise_results.digest(tmp_path)
    (tmp_path / path).write_text(text)
    assert (noise_results.digest(tmp_path) == before) is same


def test_what_people_wrote_beside_and_below_the_figures_stays():
    rows = "| a: x | 6 % | 1 % |\n| b: y | 7 % | 2 % |"
    text = f"# T\n\n| cell | before | now |\n| --- | ---: | ---: |\n{rows}\n\nOf old.\n\n{rows}\n"
    found = noise_run.renewed(text, {"a: x": "| a: x | 0.5 % |"})
    assert found == text.replace("| 6 % | 1 % |", "| 6 % | 0.5 % |", 1)
