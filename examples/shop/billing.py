"""``billing``: takes orders from the queue and bills each of them once, however often it is delivered."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from shop import broker
from shop.faults import Faults, InjectedError
from shop.metrics import AGE, CONSUMED
from shop.orders import Order, OrderError, Store, StoreUnavailableError, store_at
from shop.serving import Service, beside

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

    from shop.settings import Settings

log = logging.getLogger("shop.billing")
PREFETCH = 50
PAUSE_SECONDS = 0.5


class Billing:
    """What is done with one message.

    Outcomes: ``billed``, ``duplicate`` (delivered again), ``rejected`` (no order: dropped or dead-lettered), and
    ``failed`` (given back to the queue after a pause).
    """

    def __init__(self, store: Store, faults: Faults, amqp_url: str = "") -> None:
        self._store, self._faults, self._amqp_url = store, faults, amqp_url
        self._connected = not amqp_url

    def waiting(self) -> str:
        """What readiness waits for."""
        return self._store.waiting() or ("" if self._connected else "RabbitMQ")

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Bill one message and say so to the broker."""
        outcome = await self._bill(message.body)
        CONSUMED.labels(outcome).inc()
        if outcome == "rejected":
            await message.reject(requeue=False)
        elif outcome == "failed":
            await asyncio.sleep(PAUSE_SECONDS)
            await message.nack(requeue=True)
        else:
            await message.ack()

    async def _bill(self, body: bytes) -> str:
        try:
            order = Order.from_json(body)
            await self._faults.strike()
            fresh = await self._store.bill(order.id)
        except OrderError as error:
            log.error("dropped: %s", error)  # noqa: TRY400 - the message is the news, not the place
            return "rejected"
        except (InjectedError, StoreUnavailableError) as error:
            log.error("given back: %s", error)  # noqa: TRY400 - as above
            return "failed"
        AGE.observe(max(0.0, time.time() - order.placed_at))
        return "billed" if fresh else "duplicate"

    async def consume(self) -> None:
        """Take messages until cancelled; the broker gives messages in hand to somebody else then."""
        if not self._amqp_url:
            return
        async with await broker.connect(self._amqp_url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await broker.declare(channel)
            await queue.consume(self.take)
            self._connected = True
            await asyncio.Event().wait()


async def run(settings: Settings) -> None:
    """Consume until SIGTERM."""
    store, faults = store_at(settings.redis_url), Faults(settings.version)
    billing = Billing(store, faults, settings.amqp_url)
    service = Service("billing", settings, faults, billing.waiting)
    async with beside(store.connect(), billing.consume()):
        await service.run()
    await store.close()
