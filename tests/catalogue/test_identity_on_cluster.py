"""Keycloak by its own processes, over a real PostgreSQL: tokens, refusals, loss of a server, a roll, faults told."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kube.cluster import Cluster
from kube.kinds import POD
from tests.catalogue.brokers import until
from tests.catalogue.discovery import from_client, killed, rolled, told
from tests.catalogue.identity import CODE, ELSEWHERE, SPACE, applied, bring_up, declared, down
from tests.components.on_prometheus import eventually, expected, has_data, wanted

pytestmark = [pytest.mark.long, pytest.mark.extras("keycloak", "envoy-gateway"), pytest.mark.timeout(900)]
SERVERS = "keycloak-server"


@pytest.fixture(scope="module")
def stack(cluster_kubeconfig):
    """The stack, once for all tests here."""

    async def on_cluster(act):
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
            await act(opened)

    asyncio.run(on_cluster(bring_up))
    yield cluster_kubeconfig
    asyncio.run(on_cluster(down))


@pytest.fixture
async def cluster(stack):
    async with await Cluster.open(kubeconfig=stack) as opened:
        yield opened


async def inside(cluster, function, *arguments):
    return await from_client(cluster, CODE, function, *arguments, space=SPACE)


def issuer():
    return next(each for each in declared().components if each.kind == "keycloak")


def decoded(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(token, keys):
    """What a token says, after its signature was held against the published keys."""
    head, body, signature = token.split(".")
    number = json.loads(decoded(head))["kid"]
    (key,) = [each for each in keys["keys"] if each["kid"] == number and each["use"] == "sig"]
    n, e = (int.from_bytes(decoded(key[part])) for part in ("n", "e"))
    public = rsa.RSAPublicNumbers(e, n).public_key()
    public.verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(decoded(body))


async def test_panels_and_rules_have_series(cluster):
    async def left():
        await inside(cluster, "tried")
        found = [
            (what, expr)
            for what, expr in wanted(declared().components)
            if what.startswith("keycloak:") and expected(expr)
        ]
        assert len(found) > 10
        return [
            (what, expr) for what, expr in found if not await has_data(cluster, SPACE, expr, numbers=": panel " in what)
        ]

    assert await eventually(left, seconds=180) == []


async def test_a_token_is_had_for_the_right_secret_and_holds_against_the_published_keys(cluster):
    assert await inside(cluster, "tried") == {
        "right": 200,
        "TLS 1.3": 200,
        "TLS 1.2": "SSLError",
        "wrong secret": 401,
        "unknown client": 401,
        "unknown authority": "SSLCertVerificationError",
        "plain": "RemoteDisconnected",
        "administration": 401,
    }
    had = await inside(cluster, "had")
    said = claims(had["token"], had["keys"])
    assert (said["iss"], said["azp"]) == (had["issuer"], had["client"])
    assert (had["issuer"], had["client"]) == (f"https://keycloak.{SPACE}.svc:8443/realms/{SPACE}", "shop")
    assert "orders" in said["aud"]
    assert "orders-write" in said["realm_access"]["roles"]
    assert "orders-read" not in said["realm_access"]["roles"]
    assert 0 < said["exp"] - time.time() <= 300
    head, body, signature = had["token"].split(".")
    with pytest.raises(InvalidSignature):
        claims(f"{head}.{body[:-4]}AAAA.{signature}", had["keys"])


async def test_a_gateway_lets_in_who_has_a_token_of_it_and_nobody_else(cluster):
    async def lets_in():
        said = await inside(cluster, "through", f"http://gateway-envoy.{SPACE}.svc/")
        return said if said["right"] == 200 else None

    assert await until(lets_in) == {"right": 200, "none": 401, "changed": 401, "none at all": 401}


async def test_tokens_are_had_while_a_server_is_killed_and_all_are_replaced(cluster):
    load = asyncio.create_task(inside(cluster, "loaded"))
    try:
        await killed(cluster, f"{SERVERS}-0", "keycloak", "java", SPACE)
        assert await rolled(cluster, SERVERS, SPACE) == 1
    finally:
        await inside(cluster, "stop")
    had = await load
    assert had["count"] > 100
    assert [said for said in had["others"] if said.isdigit()] == []
    assert had["longest"] < 30


async def test_a_service_that_comes_and_goes_has_a_client_and_restarts_nobody(cluster):
    async def uids():
        return [(await cluster.get(POD, f"{SERVERS}-{each}", SPACE))["metadata"]["uid"] for each in range(2)]

    before = await uids()
    await applied(cluster, ("shop", "billing"))
    assert await inside(cluster, "known", "billing")
    await applied(cluster)
    assert not await inside(cluster, "known", "billing")
    assert await uids() == before


async def test_wrong_secrets_and_a_lost_database_are_told(cluster):
    async def wrong():
        assert await inside(cluster, "wrong", 60) == 0

    await told(cluster, issuer(), "KeycloakLoginFailures", wrong)
    await cluster.delete(POD, "postgres", ELSEWHERE)
    await told(cluster, issuer(), "KeycloakNotReady")
