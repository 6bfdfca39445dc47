"""Runs inside a pod of a service: fills a queue of its RabbitMQ, or takes all that is in it. Prints JSON."""

import asyncio
import json
import os
import ssl
import sys

import aio_pika


async def fill(channel, name, count):
    """So many messages, each confirmed, in a queue of a quorum."""
    queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
    for number in range(count):
        message = aio_pika.Message(str(number).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)


async def take(channel, name):
    """What is in it, in its order."""
    queue, found = await channel.get_queue(name), []
    while (message := await queue.get(fail=False)) is not None:
        found.append(int(message.body))
        await message.ack()
    return found


async def main(what, *arguments):
    trusted = ssl.create_default_context(cafile=os.environ["RABBITMQ_CA_FILE"])
    async with await aio_pika.connect(os.environ["AMQP_URL"], ssl_context=trusted) as connection:
        print(json.dumps(await globals()[what](await connection.channel(), *arguments)))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*json.loads(sys.argv[1])))
