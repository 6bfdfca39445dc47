from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}, {"members": 3}]
COMPONENT = {"members": 3, "storage": "1Gi"}
WELL = dict(
    [
        up("nats"),
        *(of("nats", "nats_up", "1+0", pod) for pod in "012"),
        *(of("nats", "nats_healthy", "1+0", pod) for pod in "012"),
        *(of("nats", "nats_jetstream_meta_leader_known", "1+0", pod) for pod in "012"),
        of("nats", "nats_jetstream_storage_bytes", "1000+1000"),
        of("nats", "nats_jetstream_max_storage_bytes", "858783744+0"),
        of("nats", "nats_slow_consumers_total", "3+0"),
        of("nats", "nats_jetstream_api_errors_total", "5+0"),
    ]
)
CASES = {
    "NatsDown": [
        Fault({"nats_up": None}, owner("nats")),
        Fault({'nats_up{namespace="shop",instance_name="nats",pod="nats-2"': "0+0"}),
        Fault({'nats_up{namespace="shop",instance_name="nats",pod="nats-2"': None}),
    ],
    "NatsNoQuorum": [
        Fault({'nats_jetstream_meta_leader_known{namespace="shop",instance_name="nats",pod="nats-1"': "0+0"}),
        Fault({"nats_jetstream_meta_leader_known": None}, owner("nats")),
    ],
    "NatsMemberBehind": [Fault({'nats_healthy{namespace="shop",instance_name="nats",pod="nats-1"': "0+0"})],
    "NatsStoreFull": [Fault({"nats_jetstream_storage_bytes": "700000000+0"})],
    "NatsVolumeFull": [Fault({"nats_jetstream_storage_bytes": "830000000+0"})],
    "NatsSlowConsumers": [Fault({"nats_slow_consumers_total": "4+1"})],
    "NatsApiErrors": [Fault({"nats_jetstream_api_errors_total": "5+3"})],
    "NatsStoreFills": [fills("nats", "store", {"nats_jetstream_storage_bytes": "430000000+1000000"})],
}
