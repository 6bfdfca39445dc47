"""Camel: routes between systems as YAML in the stack file, brought in and taken back like any service.

A route that fails is tried again and then handed to the dead letters as it came, with the reason; a message that the
dead letters do not take goes back to where it came from. So nothing is lost, and what was not carried on is counted.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.model.observability import AlertRule, Dashboard, Panel, alert_for, gone
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import megabytes
from components.model.standing import real
from components.releases.camel_routes import SEEN, guarded
from components.releases.camel_settings import CamelSettings, written
from components.releases.service import Service
from components.releases.service_settings import CONFIG_PATH
from components.workloads.bindings import variable
from manifests.render import text
from rollout.api.spec import Signal, SignalKind, SourceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.model.component import Component, Scope
    from components.model.pods import Container

SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("500m", "512Mi"),
    Size.LARGE: Resources("1000m", "1Gi"),
}
JARS = "/opt/camel/lib"
MAIN = "org.apache.camel.main.Main"
_TESTS = "tests/catalogue/test_adapters_on_cluster.py::"


class Camel(Service):
    """Adapters: routes between systems as YAML, with dead letters and a count of them."""

    kind = "camel"
    modes = (
        real(
            f"{_TESTS}test_what_is_right_is_carried_on_and_what_is_not_is_a_dead_letter_with_its_reason",
            f"{_TESTS}test_nothing_is_lost_when_it_is_killed_in_the_middle",
        ),
    )
    section = "components"
    Settings = CamelSettings

    def __init__(self, name: str, settings: CamelSettings, scope: Scope) -> None:
        super().__init__(name, settings, scope)
        self.adapter = settings

    def files(self) -> Mapping[str, str]:
        """Routes, what they read, dead letters and Camel's own settings, released with the code."""
        own = self.adapter
        return {
            **own.config,
            **own.schemas,
            **{f"{name}.camel.yaml": written(self._guarded(entries)) for name, entries in own.routes.items()},
            "dead-letters.camel.yaml": self._dead_letters(),
            **self._remembers(),
            "application.properties": self._properties(),
        }

    def check(self) -> None:
        """The parts fit together.

        Raises:
            ValueError: they do not.
        """
        if encrypted := [member.name for member in self._used("rabbitmq") if member.authority()]:
            raise ValueError(
                f"uses: {encrypted[0]} has `tls`, and Camel's client for RabbitMQ takes any certificate; "
                "it is not used with one"
            )
        for kind in ("kafka", "rabbitmq"):
            if len(used := [member.name for member in self._used(kind)]) > 1:
                raise ValueError(f"uses: {' and '.join(used)} are both a {kind}, and an adapter is set up for one")
        if self.adapter.duplicates and not self._used("kafka"):
            raise ValueError("duplicates: are remembered in a Kafka that all pods share; add one to `uses`")
        super().check()

    def main(self) -> Container:
        """Camel, started by Java itself: heap by the memory limit, files of the adapter before the jars."""
        container = super().main()
        heap = int(megabytes(container.resources.memory) * 0.6)
        return replace(
            container,
            command=("java",),
            args=(f"-Xmx{heap}m", "-XX:+ExitOnOutOfMemoryError", "-cp", f"{CONFIG_PATH}:{JARS}/*", MAIN),
        )

    @property
    def sizes(self) -> Sizes:
        """A Java program."""
        return SIZES

    def health(self) -> Iterable[Signal]:
        """As declared; else dead letters and crashes."""
        if self.adapter.analysis.signals:
            return super().health()
        return (
            Signal(name="dead-letters", kind=SignalKind.EVENTS, source=SourceName.PODS, metric="dead_letters_total"),
            Signal(name="crashes", kind=SignalKind.CRASHES, source=SourceName.KUBERNETES),
        )

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, dead letters, a route that stands still, and what follows from other signals."""
        who, mine = f"{self.environment.namespace}/{self.name}", self.metrics_selector
        yield gone("CamelDown", mine, f"{who}: no pod answers")
        dead = f"sum(increase(dead_letters_total{{{mine}}}[10m])) > 0"
        yield AlertRule("CamelDeadLetters", dead, f"{who}: messages are put aside as dead letters", "1m")
        stands = f"camel_routes_running_routes{{{mine}}} < camel_routes_added_routes{{{mine}}}"
        yield AlertRule("CamelRouteStopped", stands, f"{who}: a route of a pod stands still", "2m")
        crashes = (signal for signal in self.health() if signal.kind is SignalKind.CRASHES)
        yield from (found for each in crashes if (found := alert_for(each, "camel", mine)))

    def dashboard(self) -> Dashboard:
        """Messages by route, failures, dead letters, memory."""
        mine = self.metrics_selector
        per_route = f'{mine},eventType="route",routeId!~"grayling-.*"'
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Messages by route", f"sum by (routeId) (rate(camel_exchanges_total{{{per_route}}}[1m]))", "ops"),
                Panel(
                    "Failed by route",
                    f"sum by (routeId) (rate(camel_exchanges_failed_total{{{per_route}}}[1m]))",
                    "ops",
                ),
                Panel("Dead letters", f"sum(dead_letters_total{{{mine}}})"),
                Panel("In flight", f"sum(camel_exchanges_inflight{{{mine}}})"),
                Panel("Heap", f'sum by (pod) (jvm_memory_used_bytes{{{mine},area="heap"}})', "bytes"),
            ),
        )

    def _guarded(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen = self.adapter.duplicates
        return guarded(entries, _bytes(self.adapter.max_bytes), seen.routes if seen else {})

    def _remembers(self) -> Mapping[str, str]:
        """The bean of Camel's that keeps in a topic what came."""
        if (own := self.adapter.duplicates) is None:
            return {}
        client = {**self._client(), "acks": "all"}
        return {"duplicates.camel.yaml": text("camel-duplicates.yaml.j2", bean=SEEN, own=own, client=client)}

    def _dead_letters(self) -> str:
        own = self.adapter.dead_letters
        return text("camel-dead-letters.yaml.j2", to=json.dumps(own.to), retries=own.retries, delay_ms=own.delay_ms)

    def _properties(self) -> str:
        own = self.adapter
        return text(
            "camel.properties.j2",
            name=self.name,
            folder=CONFIG_PATH,
            shutdown_s=max(5, own.drain_seconds + 15),
            port=own.port or 8080,
            admin_port=own.admin_port,
            max_bytes=_bytes(own.dead_letters.max_bytes),
            brokers={**self._kafka(), **self._rabbitmq()},
            extra=own.properties,
        )

    def _used(self, kind: str) -> list[Component]:
        members = (self.scope.members.get(name) for name in self.uses)
        return [member for member in members if member is not None and member.kind == kind]

    def _client(self) -> dict[str, str]:
        """What a client of the Kafka is told, from the variables that its use gives; by Kafka's own names."""
        if not (used := self._used("kafka")):
            return {}
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        account = 'username="{{env:KAFKA_USERNAME}}" password="{{env:KAFKA_PASSWORD}}"'
        said = {
            "bootstrap.servers": "{{env:KAFKA_BOOTSTRAP_SERVERS}}",
            "security.protocol": "{{env:KAFKA_SECURITY_PROTOCOL}}",
            "sasl.mechanism": "{{env:KAFKA_SASL_MECHANISM}}",
            "sasl.jaas.config": f"{login} {account};",
        }
        if used[0].authority():
            authority = variable(used[0].name, "CA_FILE")
            said |= {"ssl.truststore.location": f"{{{{env:{authority}}}}}", "ssl.truststore.type": "PEM"}
        return said

    def _kafka(self) -> dict[str, str]:
        """The same for Camel's endpoints."""
        if not (client := self._client()):
            return {}
        said = {"brokers": client.pop("bootstrap.servers"), **{key.replace(".", "-"): client[key] for key in client}}
        said |= {"request-required-acks": "all", "auto-offset-reset": "earliest", "break-on-first-error": "true"}
        return {f"camel.component.kafka.{key}": value for key, value in said.items()}

    def _rabbitmq(self) -> dict[str, str]:
        """A connection for Camel's client, from the variable that the use of a RabbitMQ gives."""
        if not self._used("rabbitmq"):
            return {}
        factory = "org.springframework.amqp.rabbit.connection.CachingConnectionFactory"
        return {
            "camel.beans.rabbitmq": f"#class:{factory}",
            "camel.beans.rabbitmq.uri": "{{env:AMQP_URL}}",
            "camel.beans.rabbitmq.virtualHost": "/",
            "camel.beans.rabbitmq.publisherConfirmType": "SIMPLE",
            "camel.component.spring-rabbitmq.connectionFactory": "#bean:rabbitmq",
            "camel.component.spring-rabbitmq.autoDeclareProducer": "true",
            "camel.component.spring-rabbitmq.rejectAndDontRequeue": "false",
        }


def _bytes(amount: str) -> int:
    return int(megabytes(amount) * 1024 * 1024)
