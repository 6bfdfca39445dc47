"""The program of the policy pack, with a stand-in for the package that it registers with."""

from __future__ import annotations

import runpy
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from components.policy.pack import per_resource, per_stack
from components.policy.table import BY_ID
from tests.components.conftest import ROOT
from tests.components.policy.cases import OF_ALL, OF_OBJECTS


@dataclass
class Policy:
    """What the package is told of one rule."""

    name: str
    description: str
    validate: Any
    level: str
    config: Any


@pytest.fixture
def pack(monkeypatch):
    made = {}
    stand_in = ModuleType("pulumi_policy")
    stand_in.EnforcementLevel = SimpleNamespace(MANDATORY="mandatory", ADVISORY="advisory")
    stand_in.PolicyConfigSchema = lambda properties: properties
    stand_in.ResourceValidationPolicy = stand_in.StackValidationPolicy = Policy
    stand_in.PolicyPack = lambda name, policies: made.update({name: policies})
    monkeypatch.setitem(sys.modules, "pulumi_policy", stand_in)
    runpy.run_path(str(ROOT / "policy" / "__main__.py"))
    (policies,) = made.values()
    return {policy.name: policy for policy in policies}


def test_it_registers_every_rule_with_its_level(pack):
    assert pack.keys() == {rule.id for rule in (*per_resource(), *per_stack())}
    for name, policy in pack.items():
        assert policy.level == ("mandatory" if BY_ID[name].mandatory else "advisory")
        assert "prod" in policy.config["tier"]["enum"]
    assert yaml.safe_load((ROOT / "policy" / "PulumiPolicy.yaml").read_text())["runtime"] == "python"


def resource(manifest):
    return SimpleNamespace(resource_type=f"kubernetes:apps/v1:{manifest['kind']}", props=manifest)


@pytest.mark.parametrize("tier", ["prod", None, "local"])
def test_it_reports_what_is_broken_in_the_tier_that_it_is_told(pack, tier):
    config = {"tier": tier} if tier else {}
    told: list[str] = []
    single = resource(OF_OBJECTS["house-single-replica"][0])
    single.get_config = lambda: config
    pack["house-single-replica"].validate(single, told.append)
    everything = SimpleNamespace(resources=[resource(each) for each in OF_ALL["house-alerts"][0]])
    everything.get_config = lambda: config
    pack["house-alerts"].validate(everything, told.append)
    assert len(told) == (0 if tier == "local" else 2), told
