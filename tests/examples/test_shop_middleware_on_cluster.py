"""The shop as processes of this machine, with a real Redis and a real RabbitMQ: pods of the sandbox, at node ports."""

from __future__ import annotations

import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

import aio_pika
import pytest
from load import Load, Request
from shop.broker import QUEUE
from shop.orders import Order

from sandbox.api import Api
from sandbox.catalogue import PREFIX
from sandbox.errors import ApiError
from tests.examples.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.box import Sandbox

NAMESPACE = f"shop-middleware-{secrets.token_hex(3)}"  # one that a run before has left takes its time to go
ROOM = f"/api/v1/namespaces/{NAMESPACE}"
HOME = "/tmp"  # noqa: S108 - a pod's own
BROKER = {"RABBITMQ_MNESIA_BASE": f"{HOME}/mnesia", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit loopback_users []"}


@pytest.fixture(scope="module")
def api(box: Sandbox) -> Iterator[Api]:
    """The sandbox, with a namespace for the servers."""
    made = Api(box.address, 6443, box.state.pki)
    made.apply(ROOM, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield made
    made.call("DELETE", ROOM)


@pytest.fixture(scope="module")
def redis_url(api: Api) -> str:
    """A Redis with a password, made for these tests."""
    args = ["--bind", "0.0.0.0", "--requirepass", "pass word", "--save", "", "--dir", HOME]  # noqa: S104 - in its pod
    return f"redis://{served(api, 'redis', 'redis:7.0', 6379, args=args)}/0"


@pytest.fixture(scope="module")
def amqp_url(api: Api) -> str:
    """A RabbitMQ node of its own whose first user may come from elsewhere."""
    env = [{"name": name, "value": value} for name, value in BROKER.items()]
    return f"amqp://guest:guest@{served(api, 'rabbitmq', 'rabbitmq:3.10', 5672, env=env)}/"


def served(api: Api, name: str, image: str, port: int, **container: Any) -> str:
    """Run one server in a pod; the address at which this machine reaches it."""
    for path, manifest in objects(name, image, port, container):
        patiently(60, lambda path=path, manifest=manifest: api.apply(f"{ROOM}/{path}/{name}", manifest))
    node_port = api.get(f"{ROOM}/services/{name}")["spec"]["ports"][0]["nodePort"]
    try:
        patiently(120, lambda: socket.create_connection((api.host, node_port), timeout=2).close())
    except OSError as error:
        raise AssertionError(f"{name} does not answer: {api.get(f'{ROOM}/pods/{name}')['status']}") from error
    return f"{api.host}:{node_port}"


def objects(name: str, image: str, port: int, container: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A pod and its node port."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    one = {"name": "main", "image": PREFIX + image, "securityContext": {"runAsUser": 65532}, **container}
    pod = {"containers": [one], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    yield "pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
    service = {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": port}]}
    yield "services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service}


def patiently(seconds: float, act: Any) -> None:
    """Try until it works: a namespace has no account at first, a server does not listen at once."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            act()
        except (ApiError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


async def test_an_order_is_kept_published_and_billed_once(start, redis_url, amqp_url):
    env = {"REDIS_URL": redis_url, "REDIS_PASSWORD": "pass word", "AMQP_URL": amqp_url}
    checkout, billing = start("checkout", **env), start("billing", **env)
    await checkout.ready()
    await billing.ready()
    _, order = await checkout.post(f"{checkout.http}/orders", {"item": "tea", "quantity": 2})

    async def billed():
        return (await checkout.get(f"{checkout.http}/orders/{order['id']}"))[1]["billed"]

    await until(billed)
    await _send(amqp_url, Order(order["id"], "tea", 2, 0.0).to_json(), b"nonsense")

    async def all_taken():
        return await _outcomes(billing) == {"billed": 1, "duplicate": 1, "rejected": 1}

    await until(all_taken)
    assert (await billing.metrics())["message_age_seconds_count"] == 2


async def test_a_failing_consumer_gives_messages_back_until_they_are_billed(start, redis_url, amqp_url):
    env = {"REDIS_URL": redis_url, "REDIS_PASSWORD": "pass word", "AMQP_URL": amqp_url}
    checkout, billing = start("checkout", **env), start("billing", **env)
    await checkout.ready()
    await billing.ready()
    await billing.fault(errors=1)
    async with Load(checkout.http, rate=50, seconds=0.5, requests=[Request("POST", "/orders", {"item": "a"})]) as load:
        await load.finished()
    assert {answer.status for answer in load.answers} == {201}

    async def some_failed():
        return (await _outcomes(billing)).get("failed", 0) >= 10

    await until(some_failed)
    await billing.fault(errors=0)

    async def all_billed():
        return (await _outcomes(billing)).get("billed") == len(load.answers)

    await until(all_billed)
    assert (await checkout.metrics())["messages_buffered"] == 0


async def test_readiness_does_not_ask_redis_again(start, redis_url):
    pod = start("checkout", REDIS_URL=redis_url, REDIS_PASSWORD="pass word")
    await pod.ready()
    wrong = start("checkout", REDIS_URL=redis_url, REDIS_PASSWORD="wrong")
    assert (await wrong.get(f"{wrong.admin}/readyz"))[0] == 503
    assert (await pod.get(f"{pod.admin}/readyz"))[0] == 200


async def _outcomes(billing) -> dict[str, int]:
    found = {k: v for k, v in (await billing.metrics()).items() if k.startswith("messages_consumed_total{")}
    return {name.split('"')[1]: int(count) for name, count in found.items()}


async def _send(url: str, *bodies: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for body in bodies:
            await channel.default_exchange.publish(aio_pika.Message(body), QUEUE)
