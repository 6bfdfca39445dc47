"""Public series are read as they are, wrong ones are told with their place, and their course is that of the windows."""

import json
import sys

import numpy as np
import pytest

from bench.judge import public_series
from bench.judge.public_data import Recorded, calm_pairs, everything, issues, spread
from bench.judge.public_series import cells
from bench.judge.public_table import Found, notes, row
from bench.judge.public_worlds import IssueWorld, PublicWorld, quantile_shares, told, windows
from bench.judge.world import EDGES

SITE, SEARCH, RARE = "PetSite", "PetSearch_AWS::ECS::Fargate", "rare_remote"
QUANTILES = {"p50": 0.05, "p90": 0.2, "p95": 0.25, "p99": 0.4}


def petshop(points, begins, levels, stay_away=()):
    """A file of petshop: by component, requests, availability and slowness of each point."""
    columns = [("requests", "Sum"), *(("latency", each) for each in QUANTILES), ("availability", "Average")]
    told = [(name, *each) for name in levels for each in columns if each not in stay_away]
    head = [["microservice", "metric", "statistic"][at] for at in range(3)]
    lines = [",".join([head[at], *(each[at] for each in told)]) for at in range(3)]
    lines.append(",".join(["unix_timestamp", *("" for _ in told)]))
    for point in range(points):
        values = [str(begins + 300.0 * point)]
        for name, metric, statistic in told:
            requests, availability, slower = levels[name](point)
            value = {"requests": requests, "availability": availability}.get(metric)
            values.append(str(QUANTILES[statistic] * slower if value is None else value))
        lines.append(",".join(values))
    return "\n".join(lines) + "\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def hourly(values, labels, form="2018-06-{day:02}T{hour:02}:00:00Z"):
    lines = [
        f"{form.format(day=1 + at // 24, hour=at % 24)},{value},{label}"
        for at, (value, label) in enumerate(zip(values, labels, strict=True))
    ]
    return "\n".join(["TimeStamp,Value,Label", *lines]) + "\n"


@pytest.fixture
def data(tmp_path):
    """A folder as users download it, but small."""
    folder = tmp_path / "data"
    healthy = {
        SITE: lambda at: (600 + 30 * (at % 2), 100 if at % 3 else 99.5, 1),
        RARE: lambda _: (3, 100, 1),
    }
    write(folder / "petshop" / "low_noissue" / "metrics.csv", petshop(40, 1_692_608_400, healthy))
    both = {SITE: lambda _: (700, 100, 1), SEARCH: lambda _: (1100, 100, 0.1)}
    write(folder / "petshop" / "high_noissue" / "metrics.csv", petshop(100, 1_692_608_400, both))
    worse = {
        SITE: lambda at: (700, 96 if at in {2, 3} else 100, 1),
        SEARCH: lambda at: (1100, 100, 2 if at in {2, 3} else 0.1),
    }
    issue = folder / "petshop" / "high_train" / "issue_0"
    write(issue / "metrics.csv", petshop(5, 1_681_350_000, worse))
    target = {
        "target": {"node": SITE, "metric": "availability", "timestamp": 1_681_350_600},
        "root_cause": {"node": SEARCH},
        "metadata": {
            "reproducibility": {"command": "aws ssm put-parameter --name '/petstore/searcherrorpercent' --value '2'"}
        },
    }
    write(issue / "target.json", json.dumps(target))
    cloud = folder / "cloud-monitoring"
    write(
        cloud / "middle-tier-api-dependency-latency" / "outbound-01.csv",
        hourly([80, 90, 0, 100, 110, 120, 900, 100, 100], [0, 0, 0, 0, 0, 0, 1, 0, 0]),
    )
    write(cloud / "ecommerce-api-incoming-rps" / "api-01.csv", hourly([50, 60, 70, 60], [0] * 4))
    write(cloud / "service-unavailable" / "unavail-01.csv", hourly([0, 0, 1, 0], [0] * 4))
    crashes = hourly([10, 20, 30], [0] * 3, "2018-06-{day:02} {hour:02}:00:00")
    write(cloud / "application-crash-rate-1" / "app1-01.csv", crashes + crashes.splitlines()[-1] + "\n")
    return folder


def series(data, dataset):
    (found,) = (each for each in everything(data)[0] if each.dataset == dataset)
    return found


def test_every_series_with_enough_requests_is_read_in_its_units(data):
    found, left = everything(data)
    assert {each.dataset: each.name for each in found if each.name != SEARCH} == {
        "petshop, low load": SITE,
        "petshop, high load": SITE,
        "API latency": "outbound-01",
        "request rate": "api-01",
        "unavailability": "unavail-01",
        "application crashes as errors": "app1-01",
    }
    assert left == {"petshop, low load, fewer than 50 requests in 5 min": [RARE]}
    site = series(data, "petshop, low load")
    assert site.rps[:2] == pytest.approx([2.0, 2.1])
    assert site.errors[:2] == pytest.approx([0.005, 0.0])
    assert site.sigma == pytest.approx(np.log(5) / 1.645)
    assert series(data, "API latency").median[:2] == pytest.approx([0.08, 0.09])
    assert series(data, "unavailability").errors[2] == 1.0
    assert series(data, "application crashes as errors").errors.tolist() == [0.0001, 0.0002, 0.0003]


def test_no_window_has_a_gap_or_a_label(data):
    runs = windows(series(data, "API latency")) - windows(series(data, "request rate"))[0, 0]
    assert runs.tolist() == [[3 * 3600.0, 5 * 3600.0 - 5400.0]]


def test_only_what_counting_does_not_explain_is_noise():
    rng = np.random.default_rng(1)
    counted = rng.poisson(100, 4000).astype(float)
    assert spread(counted, 1 / 100) < 0.03
    wandering = rng.poisson(1e4 * np.exp(0.2 * rng.standard_normal(4000))).astype(float)
    assert spread(wandering, 1e-4) == pytest.approx(0.2, rel=0.15)


def test_a_service_goes_as_recorded_and_its_noise_is_shared():
    at = np.arange(40) * 300.0
    rising = Recorded(
        "made up", "one", at, np.ones(40, bool), 40 + at / 100, np.full(40, 0.1), np.full(40, 0.05), 0.6, {"load": 0.3}
    )
    for rps, mean in ((None, float(rising.rps.mean())), (200.0, 200.0)):
        world = PublicWorld([rising], "errors", 60, 0, rps)
        looks = list(world.looks())
        assert world.around(59, 30.0).endswith(" times the latency for good; the service then 10.0% and 50 ms")
        requests = np.array([look.requests.sum(axis=1) for look in looks])
        assert requests.mean() / 15 == pytest.approx(mean, rel=0.1)
        assert requests[-60:].mean() > 1.2 * requests[:60].mean()
        assert np.std(requests[0] / requests[1]) > 0.3
        stable, canary = looks[-1].requests[:, :9].mean(axis=1), looks[-1].requests[:, 9]
        assert np.std(np.log(stable)) > 0.25
        assert np.corrcoef(stable, canary)[0, 1] > 0.9
        rates = sum(look.failed.sum(axis=0) for look in looks[240:]) / sum(
            look.requests.sum(axis=0) for look in looks[240:]
        )
        assert rates == pytest.approx([0.1] * 9 + [0.12], rel=0.12)


def test_what_no_count_tells_is_known(data):
    site = series(data, "petshop, low load")
    assert told(site, "latency", None)
    assert told(site, "errors", 200.0)
    assert not told(site, "errors", 0.01)


def test_an_issue_is_what_the_component_did_before_and_while_it_lasted(data):
    site, search = issues(data)
    assert (site.kind, site.name, search.name) == ("searcherrorpercent 2", SITE, SEARCH)
    assert (site.before.errors, site.during.errors) == (0.0, pytest.approx(0.04))
    assert search.during.quantiles[:, 0].tolist() == [0.1, 0.1]
    world = IssueWorld([site, search], 10.0, 5, 0)
    assert world.told(site)
    assert world.told(search)
    *_, last = world.looks()
    assert last.at == 600.0
    assert last.requests[:5].mean() == pytest.approx(15 * 700 / 300 * 10, rel=0.1)
    assert not last.failed[:, :9].any()
    assert last.failed[:5, 9].sum() / last.requests[:5, 9].sum() == pytest.approx(0.04, rel=0.5)
    slow = last.buckets[5:, :, np.searchsorted(EDGES, 0.1) + 1 :].sum(axis=2) / last.requests[5:]
    assert slow[:, 9].mean() > 0.4
    assert slow[:, :9].mean() < 0.01
    calm = calm_pairs(data, [SITE], 48)
    assert len(calm) == 2
    assert not IssueWorld(calm, 1.0, 2, 0).told(calm[0])


def test_quantiles_are_the_shares_below_the_edges(data):
    before = issues(data)[0].before
    below = quantile_shares(np.ones((2, 3)), before)[1, 2].cumsum()
    assert below[list(EDGES).index(0.05)] == pytest.approx(0.5)
    assert below[list(EDGES).index(0.25)] == pytest.approx(0.95)
    assert below[-1] == pytest.approx(1.0)
    twice = quantile_shares(np.full((1, 1), 2.0), before)[0, 0].cumsum()
    assert twice[list(EDGES).index(0.1)] == pytest.approx(0.5)


def cloud_only(data):
    """The smallest folder of which a page can be made."""
    for file in data.glob("*/*/*.csv"):
        if file.parent.name != "service-unavailable":
            file.unlink()
    (data / "petshop" / "high_train" / "issue_0" / "target.json").unlink()


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["public_series.py", *map(str, words)])
    return public_series.main()


def test_a_page_is_made_and_chunks_are_kept(data, tmp_path, monkeypatch, capsys):
    cloud_only(data)
    monkeypatch.setattr(public_series, "LEAST", 2)
    monkeypatch.setattr(public_series, "CHUNK", 2)
    words = [
        "--data",
        data,
        "--keep",
        tmp_path / "kept",
        "--out",
        tmp_path / "page.md",
        "--replicates",
        2,
        "--faulty",
        2,
    ]
    assert run(monkeypatch, *words) == 0
    page = (tmp_path / "page.md").read_text()
    assert "- date: " in page
    assert "| unavailability | 200 a second | 1 | 2 | 0.0 % (≤ 77.6) | " in page
    assert "| 0% of 2; 0% of 2, median " in page
    assert capsys.readouterr().out.count(" of a core\n") == 3
    assert run(monkeypatch, *words) == 0
    assert " of a core" not in capsys.readouterr().out
    (tmp_path / "kept" / "unavailability-200-a-second-healthy+0.json").write_text(
        json.dumps({"series": ["another"], "times": [1, 2], "good": [True, True], "by": ["", ""]})
    )
    assert run(monkeypatch, *words) == 0
    assert capsys.readouterr().out.count(" of a core\n") == 1, "what is of other series is played anew"
    assert str(data) not in page


def test_rows_say_who_was_taken_back_and_what_was_missed(data):
    cell = next(each for each in cells(everything(data)[0]) if each.words == "request rate, as recorded")
    why = [""] * 49 + ["unlucky"]
    healthy = Found(["api-01"] * 50, [np.inf] * 49 + [30.0], [True] * 40 + [False] * 10, [""] * 49 + ["errors"], why)
    faulty = Found(["api-01"] * 4, [15.0, 45.0, 60.0, np.inf], [False] * 4, ["errors"] * 3 + [""], [""] * 4)
    found = {"healthy": healthy, "errors": faulty, "latency": faulty}
    missed = "25% of 4; 25% of 4, median 52 s, mean 480 s"
    assert row(cell, found) == f"| request rate | as recorded | 1 | 50 | 2.0 % (≤ 9.1) | 80% | {missed} | {missed} |"
    note = "- api-01 (request rate, as recorded): 1 of 50, by errors after 30 s (unlucky)"
    assert notes([(cell, found)]) == [note]
    healthy.times[-1] = np.inf
    assert notes([(cell, found)]) == ["- none"]


METRICS, API = "petshop/low_noissue/metrics.csv", "cloud-monitoring/ecommerce-api-incoming-rps/api-01.csv"


@pytest.mark.parametrize(
    ("file", "old", "new", "told_"),
    [
        (
            API,
            "T01:00:00Z,60",
            "T01:00:00Z,many",
            "line 3, column Value: 'many' is no number; make it a number, or nothing",
        ),
        (
            API,
            "T01:00:00Z,60",
            "T01:00:00Z,nan",
            "line 3, column Value: 'nan' is no number; make it a number, or nothing",
        ),
        (
            API,
            "2018-06-01T01",
            "June T01",
            "line 3, column TimeStamp: 'June T01:00:00Z' is no time; make it like 2018-06",
        ),
        (
            API,
            "Value,Label",
            "Values,Label",
            "line 1: no column Value (there are: TimeStamp, Values, Label); take the file",
        ),
        (API, "TimeStamp,Value", "Time,Value", "line 1: begins with 'Time', not with TimeStamp; take the file anew"),
        (API, ",60,0", ",60", "line 3: 2 columns, line 1 has 3; make them as many"),
        (METRICS, "requests", "calls", "component PetSite: no column requests Sum (there are: calls Sum, latency p50"),
        (METRICS, "630,0.05", "630,fast", "line 6, column PetSite latency p50: 'fast' is no number; make it a number"),
        (METRICS, "1692608700.0", "1692608400.0", "line 6: not later than the line before; sort the lines by time"),
        (METRICS, "1692608700.0", "", "line 6, column the first: '' is no number; make it seconds since 1970"),
        ("petshop/high_train/issue_0/target.json", "1681350600", "1681390000", "timestamp: 1681390000 is not within"),
        (
            "petshop/high_train/issue_0/target.json",
            "root_cause",
            "cause",
            "KeyError('root_cause'); it needs target, root",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(data, monkeypatch, capsys, tmp_path, file, old, new, told_):
    text = (data / file).read_text()
    assert old in text
    (data / file).write_text(text.replace(old, new))
    assert run(monkeypatch, "--data", data, "--out", tmp_path / "page.md") == 2
    told_line = capsys.readouterr().err
    assert told_line.startswith(f"{data / file}: {told_}")
    assert told_line.count("\n") == 1
    assert not (tmp_path / "page.md").exists()


def test_a_folder_that_is_not_there_or_has_no_series_is_told(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "--data", tmp_path / "none") == 2
    assert capsys.readouterr().err == (
        f"{tmp_path / 'none'}: no such folder; give one with petshop/ or cloud-monitoring/ of the repositories\n"
    )
    assert run(monkeypatch, "--data", tmp_path) == 2
    assert capsys.readouterr().err.startswith(
        f"{tmp_path}: no series in it; it needs one of petshop/*_noissue/metrics.csv, "
    )
