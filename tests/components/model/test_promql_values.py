"""A query of a signal is PromQL, or its place and the way out are told."""

from __future__ import annotations

import pytest

from tests.components.conftest import read
from tests.components.model.values import said, service

QUERY = {"name": "lost", "kind": "events", "source": "prometheus"}


@pytest.mark.parametrize(
    "query",
    [
        'sum by (pod) (x_total{namespace="$namespace",pod=~"$pods"})',
        'topk(5, x_total{pod=~"${pods}"}) # all',
        "(sum without (code) (x_total))",
    ],
)
def test_promql(query):
    assert read(components={"prometheus": {}}, **service(analysis={"signals": [{**QUERY, "query": query}]}))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sum(x_total", "is no PromQL: unclosed left parenthesis; try it in Prometheus"),
        ("rate(x_total)", "is no PromQL: expected type matrix"),
        ("foo(x)", "is no PromQL: unknown"),
        ("sum by (pod) (x_total or $pods)", "is no PromQL"),
        ("x_total[5m]", "gives a matrix, not a value for each series; write it like rate(x_total[1m])"),
        ("sum(x_total)[5m:1m]", "gives a matrix"),
        ("scalar(x_total)", "gives a scalar"),
        ("'x'", "gives a string"),
        ('x_total{pod=~"$pdos"}', "has $pdos in it, which nothing fills in; did you mean 'pods'?"),
        ("rate(x_total[${window}])", "has $window in it, which nothing fills in"),
        ("sum(x_total)", "its result has no label pod; write sum by (pod) (…)"),
        ("(max by (code) (x_total))", "its result has no label pod; write max by (pod) (…)"),
        ("avg without (pod) (x_total)", "its result has no label pod"),
    ],
)
def test_no_promql(query, why):
    signals = [{**QUERY, "query": query}]
    (line,) = said(components={"prometheus": {}}, **service(analysis={"signals": signals}))
    assert "services.a.analysis.signals.0.query: " in line
    assert why in line
