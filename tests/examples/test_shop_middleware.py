"""The shop with a real Redis and a real RabbitMQ, where the machine has them."""

import aio_pika
from load import Load, Request
from shop.broker import QUEUE
from shop.orders import Order

from tests.examples.processes import until


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
