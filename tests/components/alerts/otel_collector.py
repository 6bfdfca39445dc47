from __future__ import annotations

from tests.components.alerts.model import Fault, of, one, owner, up

NAME = "otel-collector"
MODES = [
    {"logs": "victorialogs", "traces": "jaeger"},
    {"logs": "victorialogs"},
    {"traces": "jaeger"},
    {"mode": "agent", "logs": "victorialogs"},
]
COMPONENT = {"logs": "victorialogs", "traces": "jaeger"}
WELL = dict(
    [
        up(NAME),
        of(NAME, "otelcol_receiver_refused_log_records_total", "2+0"),
        of(NAME, "otelcol_receiver_refused_spans_total", "2+0"),
        of(NAME, "otelcol_exporter_send_failed_log_records_total", "2+0"),
        of(NAME, "otelcol_exporter_send_failed_spans_total", "2+0"),
        of(NAME, "otelcol_exporter_queue_size", "1000+1", exporter="otlp_http/victorialogs"),
        of(NAME, "otelcol_exporter_queue_capacity", "1000000+0", exporter="otlp_http/victorialogs"),
    ]
)
CASES = {
    "OtelCollectorDown": [
        Fault({'up{namespace="shop",instance_name="otel-collector"': None}, owner(NAME)),
        Fault({'up{namespace="shop",instance_name="otel-collector"': "0+0"}),
    ],
    "OtelCollectorRefuses": [
        Fault({"otelcol_receiver_refused_log_records_total": "3+1"}),
        Fault({'otelcol_receiver_refused_spans_total{namespace="shop",instance_name="otel-collector"': "3+1"}),
    ],
    "OtelCollectorDrops": [
        Fault({"otelcol_exporter_send_failed_log_records_total": "3+1"}),
        Fault({"otelcol_exporter_send_failed_spans_total": "3+1"}),
    ],
    "OtelCollectorQueueFills": [
        Fault({"otelcol_exporter_queue_size": "600000+0"}, one(NAME, exporter="otlp_http/victorialogs")),
    ],
}
