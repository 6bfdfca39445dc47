"""Clients of a Kafka: its own tools, set up in the pod of a service by nothing but what the service is given."""

from __future__ import annotations

import json
import re

from kube.kinds import POD
from tests.catalogue import brokers
from tests.catalogue.brokers import SPACE
from tests.components.inside import run

IMAGE = "sandbox.grayling.dev/kafka:4.3.1"
RATE = 200
MESSAGE = re.compile(r"(7\.)?[0-9]+")
"""Whatever else a tool says on its output is none."""

CLIENT = """\
cat >/tmp/client.properties <<END
security.protocol=$KAFKA_SECURITY_PROTOCOL
sasl.mechanism=$KAFKA_SASL_MECHANISM
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="$KAFKA_USERNAME" password="$KAFKA_PASSWORD";
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_CA_FILE
default.api.timeout.ms=20000
request.timeout.ms=10000
END
tool() {
  class=$1
  shift
  java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' org.apache.kafka.tools.$class \
    --bootstrap-server $KAFKA_BOOTSTRAP_SERVERS --command-config /tmp/client.properties "$@"
}
"""
LIST = "tool TopicCommand --list 2>&1 || true"
SEND = f"""
tool VerifiableProducer --topic orders --value-prefix 7 --throughput {RATE} >/tmp/sent 2>&1 || true
tail -n 1 /tmp/sent
"""
STOP = """
for each in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <$each/cmdline) in java*Verifiable*) kill ${each#/proc/} ;; esac
done
"""
# Of a topic with at least that many messages, those from the offsets of the group on, of which so many were taken. The
# tool leaves out a partition whose leader it does not find at once, as after a roll. The consumer that took them has
# ended before it knew every partition's beginning: of those the group has no offset, and begins there.
READ = """
for try in 1 2 3 4 5 6; do
  ends=$(tool GetOffsetShell --topic orders | sed 's/.*://')
  all=0
  for each in $ends; do all=$((all + each)); done
  [ $all -ge %s ] && break
  sleep 5
done
left=$((all - %s))
tool consumer.ConsoleConsumer --topic orders --group billing --from-beginning --max-messages $left \\
  --timeout-ms 60000 2>/tmp/told || true
"""
TOLD = "tail -n 40 /tmp/told"
BEGIN = """
tool consumer.ConsoleConsumer --topic orders --group billing --from-beginning --max-messages %s 2>/dev/null
"""


async def shell(cluster, service, script):
    """What a script says in the pod of a service."""
    return await brokers.shell(cluster, service, "bash", "-c", CLIENT + script)


async def begin(cluster, count):
    """The first so many messages, taken by a consumer that stops then."""
    return (await shell(cluster, "billing", BEGIN % count)).split()


async def rest(cluster, taken, least):
    """All further messages of a topic that has at least so many."""
    lines = (await shell(cluster, "billing", READ % (least, len(taken)))).splitlines()
    found = [line for line in lines if MESSAGE.fullmatch(line)]
    told = await shell(cluster, "billing", TOLD)
    others = [line for line in lines if not MESSAGE.fullmatch(line)]
    assert f"Processed a total of {len(found)} messages" in told, (len(found), told, others)
    assert "TimeoutException" not in told, told
    return found


async def acknowledged(cluster):
    """Values of the messages that brokers said to have."""
    lines = (await shell(cluster, "orders", "grep producer_send_success /tmp/sent")).splitlines()
    return {json.loads(line)["value"] for line in lines}


async def sent(cluster, count):
    """Whether so many messages were acknowledged."""
    told = await brokers.shell(cluster, "orders", "sh", "-c", "touch /tmp/sent; grep -c _success /tmp/sent || true")
    return int(told) >= count


async def administer(cluster, tool, *arguments):
    """What one of Kafka's own tools says to its administrator."""
    pods = (await cluster.list(POD, SPACE, labels="app.kubernetes.io/component=exporter")).items
    name = next(each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"])
    java = ("java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/opt/kafka/libs/*")
    server = f"--bootstrap-server kafka.{SPACE}.svc:9093 --command-config /etc/kafka/grayling/admin.properties"
    argv = (*java, f"org.apache.kafka.tools.{tool}", *server.split(), *arguments)
    return await run(cluster, SPACE, name, "accounts", *argv)
