from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

MODES = [
    {},
    {"store": "memory"},
    {"store": "index", "index": {"urls": ["https://opensearch.example.com:9200"]}},
]
COMPONENT = {}
WELL = dict(
    [
        up("jaeger"),
        of("jaeger", "otelcol_receiver_refused_spans_total", "2+0"),
        of("jaeger", "otelcol_receiver_failed_spans_total", "2+0"),
        of("jaeger", "jaeger_storage_requests_total", "0+10", result="ok"),
        of("jaeger", "jaeger_storage_requests_total", "2+0", result="err"),
    ]
)
CASES = {
    "JaegerDown": [
        Fault({'up{namespace="shop",instance_name="jaeger"': None}, owner("jaeger")),
        Fault({'up{namespace="shop",instance_name="jaeger"': "0+0"}),
    ],
    "JaegerRefusesSpans": [
        Fault({'otelcol_receiver_refused_spans_total{namespace="shop",instance_name="jaeger"': "3+1"}),
        Fault({"otelcol_receiver_failed_spans_total": "3+1"}),
    ],
    "JaegerStoreFails": [
        Fault(
            {'jaeger_storage_requests_total{namespace="shop",instance_name="jaeger",pod="jaeger-0",result="err"': "3+1"}
        )
    ],
}
