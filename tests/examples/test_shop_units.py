"""Settings, faults and orders: what needs no process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop.faults import Fault, FaultError, Faults, InjectedError
from shop.orders import MemoryStore, Order, OrderError
from shop.settings import Settings, SettingsError


def test_settings_of_an_empty_environment():
    settings = Settings.from_environment({"POD_NAME": "checkout-1"})
    assert (settings.version, settings.pod, settings.http_port, settings.admin_port) == ("v1", "checkout-1", 8080, 9000)
    assert (settings.redis_url, settings.amqp_url) == ("", "")


def test_passwords_are_put_into_urls_quoted():
    settings = Settings.from_environment({
        "REDIS_URL": "redis://redis:6379/0", "REDIS_PASSWORD": "a b/c@d",
        "AMQP_URL": "amqp://rabbitmq/", "AMQP_USERNAME": "shop", "AMQP_PASSWORD": "x:y",
    })  # fmt: skip
    assert settings.redis_url == "redis://:a%20b%2Fc%40d@redis:6379/0"
    assert settings.amqp_url == "amqp://shop:x%3Ay@rabbitmq/"


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"DRAIN_SECONDS": "soon"}, "DRAIN_SECONDS=soon"),
        ({"HTTP_PORT": "70000"}, "HTTP_PORT=70000"),
        ({"REDIS_URL": "http://:secret@redis"}, "REDIS_URL"),
        ({"AMQP_URL": "amqp:"}, "AMQP_URL"),
    ],
)
def test_wrong_settings_are_named_and_secrets_are_not_shown(env, named):
    with pytest.raises(SettingsError, match=named) as caught:
        Settings.from_environment(env)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"errors": 1.5}, "errors"),
        ({"errors": True}, "errors"),
        ({"errors": float("nan")}, "errors"),
        ({"delay_seconds": "1"}, "delay_seconds"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"unready": 1}, "unready"),
        ({"crash": None}, "crash"),
        ({"status": 404}, "status"),
        ({"status": True}, "status"),
        ({"status": 503.0}, "status"),
        ({"sleep": 1}, "sleep"),
        ([], "JSON object"),
        (None, "JSON object"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(wish, named):
    with pytest.raises(FaultError, match=named):
        Fault().changed(wish)


def test_a_fault_changes_only_the_keys_named():
    assert Fault(errors=0.5).changed({"delay_seconds": 1}) == Fault(errors=0.5, delay_seconds=1.0)


@given(st.floats(0, 1), st.floats(0, 60), st.booleans())
def test_every_fault_in_range_is_taken(errors, delay, unready):
    wish = {"errors": errors, "delay_seconds": delay, "unready": unready}
    assert Fault().changed(wish) == Fault(errors, delay, unready)


async def test_versions_bring_their_faults():
    assert Faults("v1").now == Faults("v2").now == Faults("v9").now == Fault()
    assert Faults("v3").now.errors == 0.5
    assert Faults("v4").now.delay_seconds == 0.3
    always = Faults("v1")
    always.now = Fault(errors=1.0)
    with pytest.raises(InjectedError):
        await always.strike()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "body"),
        ({}, "item"),
        ({"item": ""}, "item"),
        ({"item": "x" * 101}, "item"),
        ({"item": "tea", "quantity": 0}, "quantity"),
        ({"item": "tea", "quantity": True}, "quantity"),
        ({"item": "tea", "quantity": 2.5}, "quantity"),
    ],
)
def test_a_wrong_order_is_refused_by_name(body, named):
    with pytest.raises(OrderError, match=named):
        Order.wished(body)


def test_an_order_survives_the_queue():
    order = Order.wished({"item": "tea", "quantity": 3})
    assert Order.from_json(order.to_json()) == order


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'"x"', b'{"id": 1, "item": "a", "quantity": "x", "placed_at": 0}']
)
def test_what_is_no_order_is_said_so(text):
    with pytest.raises(OrderError):
        Order.from_json(text)


async def test_memory_keeps_the_newest_and_bills_once(monkeypatch):
    monkeypatch.setattr("shop.orders.MEMORY_ORDERS", 2)
    store = MemoryStore()
    orders = [Order(str(n), "tea", 1, 0.0) for n in range(3)]
    for order in orders:
        await store.keep(order)
    assert await store.find("0") is None
    assert [await store.bill("1"), await store.bill("1")] == [True, False]
    assert await store.find("1") == (orders[1], True)
    assert await store.find("2") == (orders[2], False)
