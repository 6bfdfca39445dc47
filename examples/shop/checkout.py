"""``checkout``: takes orders over HTTP, keeps them in Redis, and tells billing through RabbitMQ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from shop.answers import failed, signed
from shop.broker import Publisher
from shop.faults import Faults
from shop.orders import Order, OrderError, Store, StoreUnavailableError, store_at
from shop.serving import Service, beside
from shop.tracing import tracer

if TYPE_CHECKING:
    from shop.settings import Settings

FLUSH_SECONDS = 5.0


class Checkout:
    """The three routes."""

    def __init__(self, version: str, store: Store, publisher: Publisher) -> None:
        self._version, self._store, self._publisher = version, store, publisher
        self._greeting: dict[str, Any] = {"shop": "Grayling tea and fish", "version": version}
        if version != "v1":  # what is new in v2
            self._greeting["today"] = "smoked grayling, 20 % off"

    def routes(self) -> list[web.RouteDef]:
        """What to serve."""
        return [
            web.get("/", self.greet),
            web.post("/orders", self.take_order),
            web.get("/orders/{id}", self.show_order),
        ]

    async def greet(self, _: web.Request) -> web.Response:
        """Needs nothing but this process."""
        return web.json_response(self._greeting)

    async def take_order(self, request: web.Request) -> web.Response:
        """201 once the order is kept; 503 while it could be neither kept nor passed on."""
        try:
            order = Order.wished(await request.json())
        except OrderError as error:
            return failed(400, str(error))
        except json.JSONDecodeError as error:
            return failed(400, f"body: not JSON: {error}")
        if self._publisher.full():
            return failed(503, "too many orders are waiting for the broker")
        try:
            await self._store.keep(order)
        except StoreUnavailableError as error:
            return failed(503, f"the order could not be kept: {error}")
        self._publisher.put(order)
        return web.json_response(
            {"id": order.id, "item": order.item, "quantity": order.quantity, **self._news()},
            status=201,
            headers={"Location": f"/orders/{order.id}"},
        )

    async def show_order(self, request: web.Request) -> web.Response:
        """The order and whether it is billed."""
        try:
            found = await self._store.find(request.match_info["id"])
        except StoreUnavailableError as error:
            return failed(503, f"orders cannot be read now: {error}")
        if found is None:
            return failed(404, "no such order")
        order, billed = found
        return web.json_response(
            {"id": order.id, "item": order.item, "quantity": order.quantity, "billed": billed, **self._news()}
        )

    def _news(self) -> dict[str, str]:
        return {} if self._version == "v1" else {"currency": "EUR"}


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    store, publisher = store_at(settings.redis_url), Publisher(settings.amqp_url)
    faults = Faults(settings.version)
    service = Service("checkout", settings, faults, lambda: store.waiting() or publisher.waiting())
    spans = tracer()
    app = web.Application(middlewares=[spans.middleware(), signed(service)])
    app.add_routes(Checkout(settings.version, store, publisher).routes())
    async with beside(store.connect(), publisher.run(), spans.run()):
        await service.run(app)
        await publisher.flush(FLUSH_SECONDS)
    await store.close()
