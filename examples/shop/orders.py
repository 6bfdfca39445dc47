"""An order, and where orders are kept: Redis, or this process's memory where no Redis is named."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

log = logging.getLogger("shop.orders")
KEPT_SECONDS = 24 * 3600
MEMORY_ORDERS = 10_000
PATIENCE_SECONDS = 1.0
MOST = 1000


class OrderError(ValueError):
    """The body is no order; the message names the key."""


class StoreUnavailableError(Exception):
    """The store does not answer in time."""


@dataclass(frozen=True, slots=True)
class Order:
    """``placed_at`` is in seconds since the epoch."""

    id: str
    item: str
    quantity: int
    placed_at: float

    @classmethod
    def wished(cls, body: Any) -> Order:
        """A new order from a request's JSON.

        Raises:
            OrderError: a key is missing or wrong.
        """
        if not isinstance(body, dict):
            raise OrderError("body: want a JSON object, for example {'item': 'tea', 'quantity': 2}")
        item, quantity = body.get("item"), body.get("quantity", 1)
        if not isinstance(item, str) or not item or len(item) > 100:  # noqa: PLR2004 - a name, not a novel
            raise OrderError("item: want a name of 1 to 100 characters")
        if type(quantity) is not int or not 1 <= quantity <= MOST:
            raise OrderError(f"quantity: want a whole number from 1 to {MOST}")
        return cls(uuid.uuid4().hex, item, quantity, time.time())

    def to_json(self) -> bytes:
        """As it is kept and published."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Order:
        """As :meth:`to_json` wrote it.

        Raises:
            OrderError: it is something else.
        """
        try:
            found = json.loads(text)
            return cls(str(found["id"]), str(found["item"]), int(found["quantity"]), float(found["placed_at"]))
        except (ValueError, KeyError, TypeError) as error:
            raise OrderError(f"not an order: {error!r}") from error


class Store(Protocol):
    """Where orders and their bills are kept."""

    def waiting(self) -> str:
        """Why it cannot be used yet; empty once it answered."""
        ...

    async def connect(self) -> None:
        """Try until it can be used."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...

    async def keep(self, order: Order) -> None:
        """Keep an order."""
        ...

    async def find(self, order_id: str) -> tuple[Order, bool] | None:
        """The order and whether it is billed, or None."""
        ...

    async def bill(self, order_id: str) -> bool:
        """Bill an order; False where it was billed before, however often it is asked."""
        ...


class MemoryStore:
    """The newest orders, in this process; for running the shop alone."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._billed: dict[str, None] = {}

    def waiting(self) -> str:
        """It never waits."""
        return ""

    async def connect(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def keep(self, order: Order) -> None:
        """Keep it, and forget the oldest above the limit."""
        self._orders[order.id] = order
        if len(self._orders) > MEMORY_ORDERS:
            del self._orders[next(iter(self._orders))]

    async def find(self, order_id: str) -> tuple[Order, bool] | None:
        """As the protocol says."""
        order = self._orders.get(order_id)
        return None if order is None else (order, order_id in self._billed)

    async def bill(self, order_id: str) -> bool:
        """As the protocol says."""
        fresh = order_id not in self._billed
        self._billed[order_id] = None
        if len(self._billed) > MEMORY_ORDERS:
            del self._billed[next(iter(self._billed))]
        return fresh


class RedisStore:
    """Orders in Redis, a day long. A call takes a second at most; what is not answered by then is unavailable."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=32, timeout=PATIENCE_SECONDS, socket_timeout=5.0, socket_connect_timeout=2.0
        )
        self._redis: Redis = Redis(connection_pool=pool)
        self._waiting = "Redis"

    def waiting(self) -> str:
        """``Redis`` until it answered once."""
        return self._waiting

    async def connect(self) -> None:
        """Ask until it answers once."""
        while self._waiting:
            try:
                await self._within(self._redis.ping())
            except StoreUnavailableError as error:
                log.warning("waiting for Redis: %s", error)
                await asyncio.sleep(1.0)
            else:
                self._waiting = ""

    async def close(self) -> None:
        """Drop the connections."""
        await self._redis.aclose()

    async def keep(self, order: Order) -> None:
        """As the protocol says.

        Raises:
            StoreUnavailableError: it may or may not be kept.
        """
        await self._within(self._redis.set(f"order:{order.id}", order.to_json(), ex=KEPT_SECONDS))

    async def find(self, order_id: str) -> tuple[Order, bool] | None:
        """As the protocol says.

        Raises:
            StoreUnavailableError: nobody knows now.
        """
        text, billed = await self._within(self._redis.mget(f"order:{order_id}", f"billed:{order_id}"))
        return None if text is None else (Order.from_json(text), billed is not None)

    async def bill(self, order_id: str) -> bool:
        """As the protocol says: the first to set the key bills.

        Raises:
            StoreUnavailableError: it may or may not be billed; ask again.
        """
        return bool(await self._within(self._redis.set(f"billed:{order_id}", 1, nx=True, ex=KEPT_SECONDS)))

    @staticmethod
    async def _within(call: Any) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailableError(str(error) or type(error).__name__) from error


def store_at(redis_url: str) -> Store:
    """Redis where one is named, else memory."""
    return RedisStore(redis_url) if redis_url else MemoryStore()
