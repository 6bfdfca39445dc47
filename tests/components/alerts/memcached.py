from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, one, owner, up

MODES = [{}, {"replicas": 3}]
COMPONENT = {"replicas": 2}
GET = {"command": "get"}
HITS = of("memcached", "memcached_commands_total", "", **GET, status="hit")[0]
MISSES = of("memcached", "memcached_commands_total", "", **GET, status="miss")[0]
WELL = dict(
    [
        up("memcached"),
        *(of("memcached", "memcached_up", "1+0", pod) for pod in "01"),
        of("memcached", "memcached_current_bytes", "1000+10"),
        of("memcached", "memcached_limit_bytes", "100000+0"),
        of("memcached", "memcached_items_evicted_total", "7+0"),
        of("memcached", "memcached_current_connections", "12+0"),
        of("memcached", "memcached_max_connections", "1024+0"),
        of("memcached", "memcached_connections_rejected_total", "3+0"),
        (HITS, "0+100"),
        (MISSES, "0+10"),
    ]
)
CASES = {
    "MemcachedDown": [
        Fault({"memcached_up": None}, owner("memcached")),
        Fault({'memcached_up{namespace="shop",instance_name="memcached",pod="memcached-1"': None}),
        Fault({'memcached_up{namespace="shop",instance_name="memcached",pod="memcached-0"': "0+0"}),
    ],
    "MemcachedMemoryHigh": [Fault({"memcached_current_bytes": "95000+0"}, one("memcached"))],
    "MemcachedEvictions": [Fault({"memcached_items_evicted_total": "8+60"}, one("memcached"))],
    "MemcachedConnectionsHigh": [Fault({"memcached_current_connections": "900+0"}, one("memcached"))],
    "MemcachedRejectsConnections": [Fault({"memcached_connections_rejected_total": "4+1"}, one("memcached"))],
    "MemcachedHitRateLow": [Fault({MISSES: "1200+300"})],
    "MemcachedConnectionsFill": [fills("memcached", "connections", {"memcached_current_connections": "512+1.2"})],
}
