"""RabbitMQ: the one queue, a connection that comes when it can, and a publisher that never keeps a caller waiting."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aio_pika
from aio_pika.exceptions import AMQPError

from shop.metrics import BUFFERED, PUBLISHED

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractQueue, AbstractRobustConnection

    from shop.orders import Order

log = logging.getLogger("shop.broker")
QUEUE = "orders"
CONFIRM_SECONDS = 5.0
BATCH = 64
TROUBLE = (AMQPError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)


async def connect(url: str) -> AbstractRobustConnection:
    """Try until it works; from then on the connection mends itself."""
    while True:
        try:
            return await aio_pika.connect_robust(url, timeout=CONFIRM_SECONDS)
        except TROUBLE as error:
            log.warning("waiting for RabbitMQ: %s", error or type(error).__name__)
            await asyncio.sleep(1.0)


async def declare(channel: AbstractChannel) -> AbstractQueue:
    """The queue of orders: durable, and replicated where the broker is a cluster."""
    return await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


class Publisher:
    """A bounded buffer in front of the broker: orders wait here, callers do not.

    An order leaves the buffer when the broker confirmed it. What is still in it when the process is killed (not
    stopped) is not published; the order itself is in the store.
    """

    def __init__(self, url: str, *, room: int = 1000) -> None:
        self._url, self._room = url, room
        self._buffer: asyncio.Queue[Order] = asyncio.Queue()
        self._waiting = "RabbitMQ" if url else ""

    def waiting(self) -> str:
        """``RabbitMQ`` until it answered once."""
        return self._waiting

    def full(self) -> bool:
        """Whether no order should be taken now."""
        return bool(self._url) and self._buffer.qsize() >= self._room

    def put(self, order: Order) -> None:
        """Publish it soon."""
        if self._url:
            self._buffer.put_nowait(order)
            BUFFERED.inc()

    async def run(self) -> None:
        """Publish until cancelled."""
        if not self._url:
            return
        async with await connect(self._url) as connection:
            channel = await connection.channel(publisher_confirms=True)
            await declare(channel)
            self._waiting = ""
            while True:
                orders = [await self._buffer.get()]
                while len(orders) < BATCH and not self._buffer.empty():
                    orders.append(self._buffer.get_nowait())
                await asyncio.gather(*(self._publish(channel, order) for order in orders))

    async def flush(self, seconds: float) -> None:
        """Wait until the buffer is empty, ``seconds`` at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._buffer.join()
        except TimeoutError:
            log.error("%d orders were not published", self._buffer.qsize())  # noqa: TRY400 - the number says it all

    async def _publish(self, channel: AbstractChannel, order: Order) -> None:
        message = aio_pika.Message(
            order.to_json(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=order.id,
        )
        while True:
            try:
                await channel.default_exchange.publish(message, QUEUE, timeout=CONFIRM_SECONDS)
            except TROUBLE as error:
                PUBLISHED.labels("retried").inc()
                log.warning("order %s not confirmed, once more: %s", order.id, error or type(error).__name__)
                await asyncio.sleep(0.5)
            else:
                PUBLISHED.labels("confirmed").inc()
                BUFFERED.dec()
                self._buffer.task_done()
                return
