"""Selectors are told as people write them."""

from __future__ import annotations

import pytest

from review.risks.network import selector_text
from tests.review.risks.building import changes_of, found

REDIS = {"matchLabels": {"app.kubernetes.io/name": "redis"}}


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ({}, "all"),
        ({"matchLabels": {}}, "all"),
        (REDIS, "app.kubernetes.io/name=redis"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "a"),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, "!a"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x, y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}], **REDIS}, "notin (x)"),
        ({"matchLabels": None, "matchExpressions": ["odd", {"key": 5}]}, ""),
    ],
)
def test_a_selector_is_written_as_kubectl_takes_it(selector, told):
    assert told in selector_text(selector)
    assert "{" not in selector_text(selector)


def test_who_may_reach_it_is_told_so():
    peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "billing"}}}
    (risk,) = found(changes_of({"of": "policy", "to": {"spec ingress 0 from 1": peer}}))
    assert "from pods app.kubernetes.io/name=billing on" in risk.text


def test_whom_a_policy_is_for_is_told_so():
    risks = found(changes_of({"of": "policy", "to": {"spec podSelector matchLabels app": "other"}}))
    assert any("→ app=other" in risk.text for risk in risks)
