"""Systems that a box has only when somebody asks for them: brokers, gateways, collectors that cost time to make.

`grayling sandbox up --with kafka` makes and imports what is asked for; everybody else pays nothing for it.
A new one is a module in this folder and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.errors import RefusedError
from sandbox.extras import (
    camel,
    cert_manager,
    envoy_gateway,
    eureka,
    exporters,
    flink,
    jaeger,
    kafka,
    keycloak,
    kube_state_metrics,
    memcached,
    mqtt,
    nats,
    otel_collector,
    prometheus_operator,
    rabbitmq_operator,
    strimzi,
    victorialogs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.extras.model import Extra

EXTRAS: dict[str, Extra] = {
    extra.name: extra
    for extra in (
        camel.EXTRA,
        cert_manager.EXTRA,
        envoy_gateway.EXTRA,
        eureka.EXTRA,
        exporters.EXTRA,
        flink.EXTRA,
        jaeger.EXTRA,
        kafka.EXTRA,
        keycloak.EXTRA,
        kube_state_metrics.EXTRA,
        memcached.EXTRA,
        mqtt.EXTRA,
        nats.EXTRA,
        otel_collector.EXTRA,
        prometheus_operator.EXTRA,
        rabbitmq_operator.EXTRA,
        strimzi.EXTRA,
        victorialogs.EXTRA,
    )
}
"""By name: the kind of the component that runs it, or what several kinds share."""


def named(names: Iterable[str]) -> list[Extra]:
    """Return the extras of these names, each once, in their order.

    Raises:
        RefusedError: there is none of such a name.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in EXTRAS:
            raise RefusedError(f"the sandbox has no extra {name!r}; it has: {', '.join(sorted(EXTRAS)) or 'none'}")
    return [EXTRAS[name] for name in wanted]
