"""docs/reference/alerts.md has every alert that a stack can yield, with a test that is there and a case of its own."""

from __future__ import annotations

import ast
import itertools
import re

import pytest

from tests.components import alert_cases
from tests.components.alerts.model import ALWAYS
from tests.components.conftest import ROOT, read
from tests.components.model.values import IMAGE

ROW = re.compile(r"^\| `(?P<alert>[\w<>]+)` \| (?P<says>.+?) \| (?P<fault>.+?) \| (?P<shown>.+?) \|$", re.MULTILINE)
TABLE = {row["alert"]: row for row in ROW.finditer((ROOT / "docs" / "reference" / "alerts.md").read_text())}
SHOWN_IN = [
    ROOT / "tests" / "components" / "monitoring" / "test_alerts_on_cluster.py",
    *(ROOT / "tests" / "catalogue").glob("test_*.py"),
]

MODES = {kind: module.MODES for kind, module in alert_cases.OF_KIND.items()}
SIGNALS = [
    {"name": kind, "kind": kind, "source": source, **more}
    for kind, source, more in (
        ("errors", "gateway", {}),
        ("latency", "pods", {"threshold": "1s"}),
        ("crashes", "kubernetes", {}),
    )
]
SERVICES = [
    {},
    {"traffic": {}},
    {"port": None},
    {"traffic": {}, "analysis": {"signals": SIGNALS}},
]


def stacks():
    """Every mode of every kind at least once, in every tier, without and with a gateway beside the services."""
    rounds = max(len(modes) for modes in [*MODES.values(), SERVICES])
    for tier, number in itertools.product(("local", "dev", "staging", "prod"), range(rounds)):
        components = {kind: modes[number % len(modes)] for kind, modes in MODES.items()}
        service = {"image": IMAGE, **SERVICES[number % len(SERVICES)]}
        environment = {**alert_cases.ENVIRONMENT, "tier": tier}
        for beside in alert_cases.apart(components):
            yield read(environment=environment, components=beside, services={"shop": service})
    yield read(services={"shop": {"image": IMAGE, "traffic": {}}})


def row_of(alert):
    return re.sub("^Shop", "<Service>", alert)


@pytest.fixture(scope="module")
def yielded():
    return {name for found in stacks() for name in alert_cases.alerts(found)}


def test_the_table_has_exactly_the_alerts_there_are(yielded):
    assert {row_of(name) for name in yielded} == TABLE.keys()


def test_every_alert_has_a_case_of_its_fault(yielded):
    assert yielded - {*ALWAYS} == alert_cases.CASES.keys()
    assert yielded == alert_cases.alerts(alert_cases.platform()).keys()


def test_every_row_names_tests_that_are_there():
    tests = {
        node.name
        for file in SHOWN_IN
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    }
    for row in TABLE.values():
        named = set(re.findall(r"`(\w+)`", row["shown"]))
        assert named, row["alert"]
        assert named <= tests, row["alert"]


def test_a_case_changes_series_that_are_there():
    for name, faults in alert_cases.CASES.items():
        for fault in faults:
            assert alert_cases.series(fault) != alert_cases.series(None), name
