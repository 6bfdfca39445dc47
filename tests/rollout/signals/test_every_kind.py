"""Every row of the table is taken by everybody who reads it: from the spec to the dashboard."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from components.model.observability import alert_for, panel_for
from rollout.api.crd import definition
from rollout.api.spec import Analysis, Signal
from rollout.forecast.plan import Traffic, plan_of
from rollout.judge import Judge, SignalPolicy, Verdict
from rollout.judge.from_spec import judge_policy_of
from rollout.judge.replay import replay
from rollout.judge.verdict import wording
from rollout.judge.verdict.shown import Counted, Shown
from rollout.records.record import RecordedSignal
from rollout.records.recording import (
    RecordedLook,
    header_line,
    look_line,
    parse,
)
from rollout.signals.kinds import BY_METRIC, SIGNAL_KINDS, Family, SignalKind, SourceName
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.sources.counters import Seen, Tally
from rollout.sources.counting import family_of
from rollout.sources.exposition import Sample
from rollout.sources.pod_roster import PodInfo, Roster
from rollout.view.words import measured
from tests.rollout import samples
from tests.rollout.signals.promql import selected

T = 1_800_000_000.0
EVERY = 15.0
HISTORY, RELEASE = 120, 120
WAYS = [(kind, source) for kind, row in SIGNAL_KINDS.items() for source in sorted(row.sources)]
READ = {
    "gateway": {"namespace": "edge", "selector": {"app": "envoy"}},
    "prometheus": "http://prometheus.monitoring:9090",
}
SERVICE = 'namespace="shop",instance_name="checkout"'


def signal(kind, source, **more) -> Signal:
    needed = {"metric": "x_total"} if SIGNAL_KINDS[kind].needs_metric(source) else {}
    needed |= {"pattern": "ERROR"} if source is SourceName.LOGS else {}
    return Signal.model_validate({"name": "ours", "kind": kind, "source": source, **needed, **more})


def test_the_table_has_every_kind_and_nothing_else():
    assert list(SIGNAL_KINDS) == list(SignalKind)


@pytest.mark.parametrize("kind", SIGNAL_KINDS)
def test_a_row_makes_sense(kind):
    row = SIGNAL_KINDS[kind]
    assert row.sources
    assert row.noun == row.noun.strip() != ""
    assert 0 < row.weight <= 1
    assert row.floor >= 0 <= row.target
    assert (row.unit == "") or row.family is Family.GAUGE, "the others have the unit of their family"
    assert row.guard is None or row.family is Family.COUNT
    assert SourceName.GATEWAY not in row.sources or row.family is Family.FAILURES, "it counts answers by status"
    assert SourceName.LOGS not in row.sources or row.family is Family.COUNT, "it counts lines"
    assert SourceName.KUBERNETES not in row.sources or row.family is Family.COUNT, "it counts incidents"
    assert (row.counted == "crashes") is (row.sources == {SourceName.KUBERNETES})


@pytest.mark.parametrize(("kind", "source"), WAYS)
def test_the_spec_takes_it(kind, source):
    made = signal(kind, source)
    assert (made.kind, made.source) == (kind, source)
    if SIGNAL_KINDS[kind].needs_metric(source):
        with pytest.raises(ValidationError, match=f"kind {kind} has no usual metric"):
            Signal.model_validate({"name": "ours", "kind": kind, "source": source})


@pytest.mark.parametrize("kind", SIGNAL_KINDS)
def test_the_spec_says_where_it_can_be_read(kind):
    allowed = " or ".join(sorted(SIGNAL_KINDS[kind].sources))
    for source in set(SourceName) - SIGNAL_KINDS[kind].sources:
        with pytest.raises(ValidationError, match=f"source {source} has no {kind}; use {allowed} "):
            Signal.model_validate({"name": "ours", "kind": kind, "source": source, "pattern": "x", "metric": "x"})


@pytest.mark.parametrize("kind", SIGNAL_KINDS)
def test_the_api_server_takes_it(kind):
    row, version = SIGNAL_KINDS[kind], definition()["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    signals = spec["properties"]["analysis"]["properties"]["signals"]["items"]
    assert signals["properties"]["kind"]["enum"] == list(SIGNAL_KINDS)
    rules = [each["rule"] for each in signals["x-kubernetes-validations"]]
    (where,) = (rule for rule in rules if rule.startswith(f"self.kind != '{kind}' ||"))
    assert all((f'"{source}"' in where) is (source in row.sources) for source in SourceName)
    (nameless,) = (rule for rule in rules if "has(self.metric) || has(self.query)" in rule)
    assert (f'"{kind}"' in nameless) is (row.metric is None and bool(row.sources & BY_METRIC))
    (statuses,) = (rule for rule in rules if "!has(self.errors)" in rule and rule.startswith("self.kind"))
    assert (f'"{kind}"' in statuses) is (row.family is Family.FAILURES)
    assert f"{kind} {row.weight:g}" in signals["properties"]["weight"]["description"]


@pytest.mark.parametrize(("kind", "source"), WAYS)
def test_the_judge_promises_by_it(kind, source):
    row = SIGNAL_KINDS[kind]
    (asked,) = judge_policy_of(Analysis(signals=[signal(kind, source)])).signals
    assert asked.kind is kind
    assert (asked.effective_weight, asked.effective_floor, asked.effective_target) == (
        row.weight,
        row.floor,
        row.target,
    )
    (own,) = judge_policy_of(Analysis(signals=[signal(kind, source, floor=0.3, weight=0.2)])).signals
    assert own.effective_weight == 0.2
    assert own.effective_floor == (0.3 if row.family is Family.FAILURES else row.floor)


@pytest.mark.parametrize("kind", SIGNAL_KINDS)
def test_the_plan_reckons_with_it(kind):
    found = samples.spec(analysis={"signals": [signal(kind, min(SIGNAL_KINDS[kind].sources)).wire()]}, sources=READ)
    plan = plan_of("checkout", found, samples.promoted(), Traffic(rps=100, error_rate=0.001))
    sees = {step.smallest_ratio is not None for step in plan.steps}
    assert sees == {SIGNAL_KINDS[kind].family is Family.FAILURES}
    assert (plan.worst_case_failed_requests is not None) is (SIGNAL_KINDS[kind].family is Family.FAILURES)
    short = [each for each in plan.warnings if "the policy wants" in each]
    assert len(short) == (SIGNAL_KINDS[kind].family is Family.FAILURES)


def shown(made: Signal, count: int, failed: int, level: float) -> list[Sample]:
    """What a pod shows of it after so many requests or seconds, so many of them bad, and at this level now."""
    name = family_of(made)
    match SIGNAL_KINDS[made.kind].family:
        case Family.FAILURES:
            codes = {"200": count - failed, "500": failed}
            return [Sample(name, {"code": code}, float(number)) for code, number in codes.items()]
        case Family.LATENCY:
            under = {"0.1": count - failed, "1": count, "+Inf": count}
            return [Sample(f"{name}_bucket", {"le": edge}, float(number)) for edge, number in under.items()]
        case Family.COUNT:
            return [Sample(name, {}, float(failed))]
        case Family.GAUGE:
            return [Sample(name, {}, level)]


def looks(made: Signal, *, faulty: bool):
    """Looks as its source makes them: an hour of stable's pods, then a canary beside them."""
    rng, tally, totals = np.random.default_rng(7), Tally(made), {}
    for step in range(HISTORY + RELEASE):
        at, arms = T + EVERY * step, dict.fromkeys("abc", Arm.STABLE)
        if step >= HISTORY:
            arms["z"] = Arm.CANARY
        pods, seen = {}, {}
        for name, arm in arms.items():
            bad = faulty and arm is Arm.CANARY
            count, failed = 200, int(rng.binomial(200, 0.3 if bad else 0.01))
            whole = totals.get(name, (0, 0))
            totals[name] = whole[0] + count, whole[1] + failed
            level = float(rng.normal(0.9 if bad else 0.3, 0.01))
            seen[name] = Seen(at, shown(made, *totals[name], level), T - 9000)
            pods[name] = told(made, arm, count, failed)
        if made.source in BY_METRIC:
            infos = [PodInfo(name, f"c-{arm}", arm, "", T - 9000, T - 9000, ready=True) for name, arm in arms.items()]
            look = tally.look(Roster("shop", "c-stable", "c-canary", tuple(infos)), seen, SourceStatus.OK, at)
        else:
            look = SignalLook(made.name, at, SourceStatus.OK, pods)
        yield step >= HISTORY, look


def told(made: Signal, arm: Arm, count: int, failed: int) -> PodLook:
    """What sources tell that look no series up: incidents, lines, and answers by status."""
    found = PodLook(arm, 9000.0, EVERY, errors={"x": failed})
    if made.source is SourceName.KUBERNETES:
        return PodLook(arm, 9000.0, EVERY, errors=found.errors, crashes=failed)
    return found if made.source is SourceName.LOGS else PodLook(arm, 9000.0, EVERY, count, found.errors)


def judged(made: Signal, *, faulty: bool):
    policy = judge_policy_of(Analysis(signals=[made]))
    judge, lines, said = Judge(policy), [header_line(EVERY, (), 0.0)], None
    for released, look in looks(made, faulty=faulty):
        phase = "release" if released else "history"
        lines.append(look_line(RecordedLook(look.at, phase, look.pods, look.signal, look.edges_seconds)))
        if not released:
            judge.learn([look])
            continue
        said = judge.look(look.at, [look])
        if said.verdict is Verdict.BAD:
            break
    return said, judge.signals()[0], replay(parse(lines), policy)


@pytest.mark.parametrize(("kind", "source"), WAYS)
def test_a_fault_is_read_judged_told_recorded_and_judged_again(kind, source):
    row = SIGNAL_KINDS[kind]
    said, verdict, again = judged(signal(kind, source), faulty=True)
    assert (said.verdict, said.culprits) == (Verdict.BAD, ("ours",)), said
    assert (again.verdict, again.reason) == (said.verdict, said.reason)
    assert verdict.kind is kind
    assert verdict.canary_rate > verdict.stable_rate > 0
    assert row.guard is not None or row.family is not Family.COUNT or f"{row.noun} per pod-hour" in said.reason
    assert row.family is not Family.GAUGE or "%" not in said.reason
    assert row.family is not Family.GAUGE or f"at {row.written(verdict.canary_rate)}" in said.reason
    kept = RecordedSignal(signal="ours", kind=str(verdict.kind), verdict="bad", canary_rate=verdict.canary_rate)
    assert measured(kept.canary_rate, kept.kind) == row.written(verdict.canary_rate)


@pytest.mark.parametrize(("kind", "source"), [way for way in WAYS if SIGNAL_KINDS[way[0]].guard is None])
def test_a_healthy_canary_stays(kind, source):
    said, verdict, _ = judged(signal(kind, source), faulty=False)
    assert said.verdict is not Verdict.BAD
    assert verdict.canary_rate is not None


@pytest.mark.parametrize("kind", SIGNAL_KINDS)
@pytest.mark.parametrize("value", [0.0, 0.003, 0.3, 1.0, 12_345.0])
def test_it_is_written_by_what_it_is_and_not_by_its_size(kind, value):
    row = SIGNAL_KINDS[kind]
    arm = Counted(value, 1.0)
    shown = Shown(arm, arm, arm, (value, value), edge=0.5)
    written, seen = row.written(value), wording.observed(SignalPolicy("ours", kind), shown)
    assert measured(value, kind) == measured(value, str(kind)) == written
    match row.family:
        case Family.FAILURES | Family.LATENCY:
            assert written.endswith("%")
            assert "%" in seen
        case Family.COUNT:
            assert written.endswith(f" {row.noun} per pod-hour")
            assert f"{row.noun} per pod-hour" in seen
        case Family.GAUGE:
            assert written == f"{value:,.4g} {row.unit}".strip()
            assert seen == f"the canary's is at {written}, stable's at {written}"


@pytest.mark.parametrize(("kind", "source"), WAYS)
def test_its_graph_and_its_alert_are_of_this_service_alone(kind, source):
    row = SIGNAL_KINDS[kind]
    made = signal(kind, source, **({"threshold": "500ms"} if row.family is Family.LATENCY else {}))
    panel = panel_for(made, "checkout", SERVICE, "shop")
    series = selected(panel.expr)
    assert series
    assert all(labels.get("namespace") == "shop" for _, labels in series)
    assert all("checkout" in {labels.get("instance_name"), labels.get("name")} for _, labels in series)
    alert = alert_for(made, "checkout", SERVICE)
    if source is SourceName.LOGS:
        assert alert is None, "the service has no series of it"
        return
    assert panel.unit == row.graph_unit
    if row.family is Family.COUNT:
        assert panel.unit == f"suffix: {row.noun} per pod-hour"
    if alert is not None:
        assert selected(alert.expr) == series
        bound = float(alert.expr.rpartition(" > ")[2])
        assert alert.summary == f"checkout: ours above {row.graphed(bound)}"


def test_nothing_of_rollout_stands_below_it():
    told = "import sys, rollout.signals.kinds; print(*[name for name in sys.modules if name.startswith('rollout')])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert all(name == "rollout" or name.startswith("rollout.signals") for name in done.stdout.split())
