from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, one, owner, up

MODES = [{}, {"storage": None, "eviction": "noeviction"}, {"mode": "replication"}]
COMPONENT = {"mode": "replication", "storage": "1Gi", "eviction": "noeviction"}
WELL = dict(
    [
        up("redis"),
        *(of("redis", "redis_up", "1+0", pod) for pod in "01"),
        of("redis", "redis_aof_current_size_bytes", "1000+1000"),
        of("redis", "redis_memory_used_bytes", "1000+0"),
        of("redis", "redis_memory_max_bytes", "100000+0"),
        of("redis", "redis_rejected_connections_total", "7+0"),
        of("redis", "redis_connected_slaves", "1+0"),
        of("redis", "redis_connected_slaves", "0+0", "1"),
    ]
)
CASES = {
    "RedisDown": [
        Fault({"redis_up": None}, owner("redis")),
        Fault({'redis_up{namespace="shop",instance_name="redis",pod="redis-1"': None}),
        Fault({'redis_up{namespace="shop",instance_name="redis",pod="redis-0"': "0+0"}),
    ],
    "RedisVolumeFull": [Fault({"redis_aof_current_size_bytes": "900000000+0"})],
    "RedisMemoryHigh": [Fault({"redis_memory_used_bytes": "95000+0"}, one("redis"))],
    "RedisRejectsConnections": [Fault({"redis_rejected_connections_total": "8+1"}, one("redis"))],
    "RedisReplicaMissing": [
        Fault({"redis_connected_slaves": None}, owner("redis")),
        Fault({"redis_connected_slaves": "0+0"}),
    ],
    "RedisMemoryFills": [fills("redis", "memory", {"redis_memory_used_bytes": "50000+120"})],
    "RedisVolumeFills": [fills("redis", "volume", {"redis_aof_current_size_bytes": "500000000+1300000"})],
}
