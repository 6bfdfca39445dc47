"""What somebody is told of a Grafana, and what its own page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel, gone

if TYPE_CHECKING:
    from collections.abc import Iterable


def alerts(who: str, own: str) -> Iterable[AlertRule]:
    """Gone, failing, or without its data; ``own`` selects its series."""
    yield gone("GrafanaDown", own, f"{who} does not answer")
    every = f"sum(rate(grafana_http_request_duration_seconds_count{{{own}}}[5m]))"
    failed = f'sum(rate(grafana_http_request_duration_seconds_count{{status_code=~"5..",{own}}}[5m]))'
    yield AlertRule("GrafanaRequestErrors", f"{failed} / {every} > 0.1", f"{who}: over 10 % of pages fail", "10m")
    lost = f'sum by (datasource) (increase(grafana_datasource_request_total{{code!~"2..|4..",{own}}}[5m])) > 5'
    yield AlertRule("GrafanaSourceFails", lost, f"{who}: a source of data does not answer", "5m")


def panels(own: str) -> tuple[Panel, ...]:
    """Pages, questions to its sources, memory."""
    pages = f"sum by (status_code) (rate(grafana_http_request_duration_seconds_count{{{own}}}[5m]))"
    asked = f"sum by (datasource, code) (rate(grafana_datasource_request_total{{{own}}}[5m]))"
    return (
        Panel("Pages", pages, "reqps", names="{{status_code}}"),
        Panel("Questions to its sources", asked, "reqps", names="{{datasource}} {{code}}"),
        Panel("Memory", f"process_resident_memory_bytes{{{own}}}", "bytes", names="{{pod}}"),
    )
