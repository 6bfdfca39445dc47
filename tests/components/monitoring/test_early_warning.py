"""The warning of exhaustion, by promtool: before the end of what fills, and not at all for what comes and goes."""

from __future__ import annotations

import json
import math
import subprocess

import pytest
import yaml

from components.model.exhaustion import MEASURED, RATIO, REAL, SIMULATED
from components.monitoring.rules import groups_of
from components.releases.drift import MEASURED as DRIFT_MEASURED
from rollout.engine.drift import FALSE_ALARMS
from tests.components import alert_cases
from tests.components.conftest import ROOT, read

STEP, DAY = 300, 288
DAYS = 5
STEADY = ("steady", "daily cycle", "weekly cycle")


def redis():
    found = read(
        components={"redis": {"storage": "1Gi", "eviction": "noeviction"}},
        environment={"tier": "local", "namespace": "shop", "owners": ["platform"]},
    )
    return next(each for each in found.components if each.name == "redis")


def daily(at):
    return 0.55 + 0.35 * math.sin(2 * math.pi * at / DAY)


def collected(at):
    """A garbage collection each hour and a quarter."""
    return 0.3 + 0.6 * (at % 15) / 15


def retained(at):
    """The oldest are deleted once a day."""
    return 0.4 + 0.5 * (at % DAY) / DAY


def deployed(at):
    """Another level at once, in the fourth day."""
    return 0.55 if at < 3.5 * DAY else 0.9


def warmed(at):
    """A version that fills its cache within two hours, and then no more."""
    return 0.55 + (0.3 * (1 - math.exp((3.5 * DAY - at) / 6)) if at >= 3.5 * DAY else 0.0)


def compacted(at):
    """Twice as much while a compaction runs, twice a day."""
    return 0.45 + (0.45 if at % 144 < 8 else 0.0)


QUIET = [daily, collected, retained, deployed, warmed, compacted]


def filling(hours):
    """Half full and steady for four days, full so many hours later."""
    return lambda at: 0.5 + max(0.0, at - 4 * DAY) / (hours * 12) * 0.5


def trial(shape, checks):
    """One test of promtool on the memory of a Redis."""
    where = '{namespace="shop",instance_name="redis",pod="redis-0"}'
    used = " ".join(f"{shape(at) * 1e6:.0f}" for at in range(DAYS * DAY))
    inputs = [
        {"series": f"redis_memory_used_bytes{where}", "values": used},
        {"series": f"redis_memory_max_bytes{where}", "values": f"1000000x{DAYS * DAY}"},
    ]
    return {"interval": f"{STEP}s", "input_series": inputs, **checks}


def test_of(promtool, folder, *tests):
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups_of(redis())[1:]}))
    body = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}s", "tests": list(tests)}
    (folder / "tests.yml").write_text(yaml.safe_dump(body))
    line = [promtool, "test", "rules", "tests.yml"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


test_of.__test__ = False


def at(slots):
    return f"{round(slots) * STEP}s"


def silent(slots):
    return [{"eval_time": at(each), "alertname": "RedisMemoryFills", "exp_alerts": []} for each in slots]


@pytest.mark.parametrize("shape", QUIET, ids=lambda shape: shape.__name__)
def test_what_comes_and_goes_is_not_told(promtool, tmp_path, shape):
    checks = {"alert_rule_test": silent(range(DAY, DAYS * DAY, 6))}
    done = test_of(promtool, tmp_path, trial(shape, checks))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(("hours", "before"), [(4, 1), (8, 1), (23, 6)])
def test_what_fills_is_told_before_its_end_and_not_while_it_is_steady(promtool, tmp_path, hours, before):
    labels = {"namespace": "shop", "instance_name": "redis", "resource": "memory"}
    rule = next(each for each in groups_of(redis())[1]["rules"] if each.get("alert") == "RedisMemoryFills")
    told = {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": rule["annotations"]}
    end = 4 * DAY + hours * 12
    fires = {"eval_time": at(end - before * 12), "alertname": "RedisMemoryFills", "exp_alerts": [told]}
    checks = {"alert_rule_test": [*silent([2 * DAY, 3 * DAY, 4 * DAY + 2]), fires]}
    done = test_of(promtool, tmp_path, trial(filling(hours), checks))
    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_is_told_of_what_is_not_known_for_a_day(promtool, tmp_path):
    checks = {"alert_rule_test": silent(range(6, DAY, 6))}
    done = test_of(promtool, tmp_path, trial(lambda slot: 0.5 + 0.5 * slot / DAY, checks))
    assert done.returncode == 0, done.stdout[-3000:]


def test_each_resource_is_recorded_once_under_its_name():
    for member in alert_cases.platform().components:
        resources = list(member.resources())
        rules = [rule for group in groups_of(member) for rule in group["rules"]]
        recorded = [rule["labels"]["resource"] for rule in rules if rule.get("record") == RATIO]
        assert recorded == [each.name for each in resources]
        assert len({*recorded}) == len(recorded)
        alerts = {rule.get("alert"): rule for rule in rules}
        for each in resources:
            assert f'resource="{each.name}"' in alerts[each.alert]["expr"], each
            assert alerts[each.alert]["annotations"]["description"] == MEASURED


def results(name):
    return json.loads((ROOT / "bench" / "results" / f"{name}.json").read_text())


def test_what_warnings_say_of_themselves_was_measured():
    found = results("early-warning")
    for kind, most in (("simulated", SIMULATED), ("real", REAL)):
        rows = found[kind].values()
        weeks = sum(row[0] for row in rows)
        assert sum(row[0] * row[1] for row in rows) / weeks <= most, kind
        assert sum(row[0] * row[2] for row in rows) / weeks > 3 * most, kind
    assert [found["simulated"][each][1] for each in STEADY] == [0, 0, 0]
    assert f"{SIMULATED:g} in a week" in MEASURED
    assert f"{REAL:g} of real" in MEASURED
    same = found["agreement"]
    assert same["differ"] <= same["steps"] / 10_000 < same["true"]
    assert same["alarms by Prometheus"] == same["alarms by the arrays"] > 0


def test_what_the_alert_of_drift_says_of_itself_was_measured():
    found = results("drift")
    assert f"at most {7 * FALSE_ALARMS:g} in a week" in DRIFT_MEASURED
    bursts = found["quiet"].pop("bursts")
    assert sum(found["quiet"].values()) == 0
    assert f"none in {len(found['quiet']) * found['weeks']} simulated" in DRIFT_MEASURED
    assert f"{bursts / found['weeks']:g} where errors come in bursts" in DRIFT_MEASURED
    real = found["real"]
    assert f"{real['quiet told'] / (real['quiet'] / 7):.1f} for crashes of real applications" in DRIFT_MEASURED
    for name, each in found["delay"].items():
        assert each["missed"] == 0, name
