"""Dashboards as Grafana reads them, built with its own Foundation SDK: a field that Grafana does not have is an error.

Importing the SDK takes a moment, so this module is imported where a dashboard is written, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueColorMode, DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from components.model.observability import Dashboard, Panel

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
"""Chosen on the page, so that the same dashboard goes into anybody's Grafana."""

WIDTHS = {"graph": 12, "number": 6, "list": 12}
HEIGHTS = {"graph": 8, "number": 4, "list": 8}
Builder = timeseries.Panel | stat.Panel | table.Panel


def written(dashboard: Dashboard, uid: str) -> str:
    """As Grafana imports it; the same text for the same panels."""
    made = (
        build.Dashboard(dashboard.title)
        .uid(uid)
        .tags(["grayling"])
        .editable()
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    for panel in dashboard.panels:
        made = made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build())


def _panel(panel: Panel) -> Builder:
    """Two graphs or lists in a row, or four numbers."""
    made = _view(panel).title(panel.title).datasource(SOURCE).unit(panel.unit).with_target(_query(panel))
    made = made.span(WIDTHS[panel.view]).height(HEIGHTS[panel.view])
    if panel.about:
        made = made.description(panel.about)
    if panel.limits:
        steps = [model.Threshold(value, colour) for value, colour in panel.limits]
        made = made.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.words:
        words = {str(value): model.ValueMappingResult(text=text) for value, text in panel.words}
        made = made.mappings([model.ValueMap(words)])
    return made


def _view(panel: Panel) -> Builder:
    if panel.view == "number":
        newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
        return stat.Panel().reduce_options(newest).color_mode(BigValueColorMode.BACKGROUND)
    if panel.view == "list":
        gone = {"Time": True, "__name__": True}
        return table.Panel().with_transformation(
            model.DataTransformerConfig(id_val="organize", options={"excludeByName": gone})
        )
    return timeseries.Panel()


def _query(panel: Panel) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(panel.expr).ref_id("A").datasource(SOURCE)
    if panel.names:
        made = made.legend_format(panel.names)
    if panel.view == "list":
        return made.instant().format(PromQueryFormat.TABLE)
    return made.instant() if panel.view == "number" else made.range()
