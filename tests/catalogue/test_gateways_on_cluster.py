"""Envoy Gateway itself, with every rule switched on: who gets in, what is refused, what is written, and releases."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections import Counter
from types import SimpleNamespace

import aiohttp
import pytest
import yaml
from trial.place import switch_fault

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import DEPLOYMENT, GRAY_RELEASE, KNOWN, NAMESPACE, NODE, POD, SERVICE
from tests.catalogue.tokens import Issuer, certificate, serial
from tests.components.conftest import ROOT
from tests.components.on_prometheus import all_is_well, eventually, series

pytestmark = [pytest.mark.long, pytest.mark.extras("envoy-gateway", "cert-manager"), pytest.mark.timeout(600)]
SPACE, HOST = "edge-test", "shop.local"
INVENTORY, PATIENCE = Inventory(SPACE, SPACE), Patience(240)
DEFINITION = KNOWN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
IMAGE = "sandbox.grayling.dev/shop:"
SECONDS = 180
ISSUER, STRANGER = Issuer("https://id.example.com/realms/shop"), Issuer("https://id.example.com/realms/shop")
ORIGIN = "https://shop.example.com"
PROXIES = f"gateway.envoyproxy.io/owning-gateway-namespace={SPACE}"


def declared(*, definitions):
    """The production example with keys that are here, behind a node port, and a service under release."""
    overlay = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())
    sections = yaml.safe_load((ROOT / "examples" / "kinds" / "envoy-gateway" / "production.yaml").read_text())
    gateway = sections["components"]["gateway"]
    gateway["jwt"][0] |= {"issuer": ISSUER.name, "jwks": ISSUER.jwks()}
    del gateway["jwt"][0]["jwksUri"]
    gateway |= {
        "exposure": {"type": "NodePort"},
        "rateLimits": [{"requests": 5, "per": "hour", "header": "X-Key"}],
        "envoyReplicas": 2,
        "drainSeconds": 5,
    }
    steps = [{"weight": 20, "hold": "4s"}, {"weight": 50, "hold": "4s"}]
    signals = [{"name": "errors", "kind": "errors", "source": "gateway"}]
    service = {
        "image": f"{IMAGE}v1",
        "args": ["checkout"],
        "replicas": 2,
        "traffic": {"hostnames": [HOST]},
        "strategy": {"steps": steps, "bake": "4s", "drain": "2s"},
        "analysis": {"signals": signals, "sampling": {"young": "250ms", "settled": "250ms"}},
    }
    engine = {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": definitions}
    watch = {"scrapeInterval": "1s", "storage": None, "discovery": "sidecar", "retentionSize": "200MB"}
    environment = {
        "tier": "local",
        "namespace": SPACE,
        "owners": ["platform"],
        "images": overlay["images"],
        "gateway": {"class": f"envoy-{SPACE}"},
    }
    components = {"gateway": gateway, "controller": engine, "prometheus": watch}
    everything = {"environment": environment, "components": components, "services": {"shop": service}}
    secrets = {"shop-certificate": certificate(HOST)}
    return Platform.read({**everything, "secrets": secrets}, stack=SPACE, source="test")


def listener(values):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    meta = {"name": "shop-certificate", "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "data": data}


@pytest.fixture(scope="module")
def stack():
    return SimpleNamespace(platform=None, fresh=True)


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


@pytest.fixture
async def edge(cluster, stack):
    """The stack, brought up by the first test that wants it."""
    if stack.platform is None:
        missing = await cluster.find(DEFINITION, "grayreleases.grayling.dev", None) is None
        made = declared(definitions=missing)
        await Applier(cluster, INVENTORY, patience=PATIENCE).apply(made.manifests())
        stack.platform = made
    (node, *_) = (await cluster.list(NODE)).items
    address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    ports = (await cluster.get(SERVICE, "gateway-envoy", SPACE))["spec"]["ports"]
    found = {each["port"]: each["nodePort"] for each in ports}
    urls = {scheme: f"{scheme}://{address}:{found[port]}" for scheme, port in (("http", 80), ("https", 443))}
    limit = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=limit) as client:
        made = SimpleNamespace(cluster=cluster, urls=urls, client=client, platform=stack.platform)
        assert await eventually(lambda: unready(made), SECONDS) == []
        if stack.fresh:
            await released(made, f"{IMAGE}v1", serves("v1"))  # one that comes sooner would be the first
            stack.fresh = False
        yield made


async def unready(edge):
    try:
        said = await ask(edge)
    except (aiohttp.ClientError, TimeoutError) as error:
        return [str(error)]
    return [] if said.status == 200 else [said]


async def ask(edge, method="GET", path="/", *, token="", headers=(), body=None, client=None):
    """One answer; with a token that is right, if nothing else is said."""
    right = ISSUER.token() if token == "" else token
    told = {"Host": HOST, **({"Authorization": f"Bearer {right}"} if right else {}), **dict(headers)}
    session, url = client or edge.client, edge.urls["http"] + path
    async with session.request(method, url, headers=told, data=body) as answer:
        return SimpleNamespace(status=answer.status, headers=answer.headers.copy(), body=await answer.read())


async def test_a_token_lets_in_and_nothing_else_does(edge):
    good = ISSUER.token()
    head, body, signature = good.split(".")
    other = ISSUER.token(sub="eve").split(".")[1]
    tried = {
        "right": good,
        "none": None,
        "expired": ISSUER.token(exp=1_000_000_000),
        "of another issuer": ISSUER.token(iss="https://elsewhere.example.com"),
        "by another key": STRANGER.token(),
        "made for others": ISSUER.token(aud="bank"),
        "changed": f"{head}.{other}.{signature}",
        "unsigned": f"{head}.{body}.",
    }
    said = {name: (await ask(edge, token=token)).status for name, token in tried.items()}
    refused = dict.fromkeys(tried.keys() - {"right", "made for others"}, 401)
    assert said == {"right": 200, "made for others": 403, **refused}


async def test_older_tls_is_refused(edge):
    async def spoken(version):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        told = {"Host": HOST, "Authorization": f"Bearer {ISSUER.token()}"}
        async with edge.client.get(edge.urls["https"], headers=told, ssl=context, server_hostname=HOST) as answer:
            return answer.status

    assert await spoken(ssl.TLSVersion.TLSv1_3) == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        await spoken(ssl.TLSVersion.TLSv1_2)


async def test_what_is_too_large_and_what_is_too_much_is_refused(edge):
    order = json.dumps({"item": "book", "quantity": 1})
    kind = {"Content-Type": "application/json"}
    assert (await ask(edge, "POST", "/orders", headers=kind, body=order)).status == 201
    assert (await ask(edge, "POST", "/orders", headers=kind, body=order + " " * 2_000_000)).status == 413

    said = Counter([(await ask(edge, headers={"X-Key": "one"})).status for _ in range(20)])
    assert said[200] <= 2 * 5  # each of two proxies counts for itself
    assert said == {200: said[200], 429: 20 - said[200]}
    assert (await ask(edge, headers={"X-Key": "two"})).status == 200


async def test_a_page_of_an_origin_that_is_named_may_ask(edge):
    async def preflight(origin):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return (await ask(edge, "OPTIONS", "/orders", token=None, headers=asked)).headers

    said = await preflight(ORIGIN)
    assert said["Access-Control-Allow-Origin"] == ORIGIN
    assert said["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in said["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Origin" not in await preflight("https://elsewhere.example.com")


async def test_only_what_may_be_sent_twice_is_tried_again(edge):
    """Half of the answers are 503: of three tries one in eight fails three times. Bounds are five deviations off."""
    asked, half, eighth = 200, (65, 135), (3, 48)
    kind, order = {"Content-Type": "application/json"}, json.dumps({"item": "book", "quantity": 1})
    own = {"X-Envoy-Retry-On": "5xx", "X-Envoy-Max-Retries": "5"}

    async def failed(*what, **more):
        said = Counter([(await ask(edge, *what, headers={**kind, **more}, body=order)).status for _ in range(asked)])
        assert said.keys() <= {200, 201, 503}
        return said[503]

    async with fault(edge, errors=0.5, status=503):
        least, most = half
        assert least < await failed("POST", "/orders") < most
        assert least < await failed("POST", "/orders", **own) < most
        least, most = eighth
        assert least < await failed("GET", "/") < most
        assert least < await failed("POST", "/orders", **{"Idempotency-Key": "one"}) < most


@contextlib.asynccontextmanager
async def fault(edge, **wish):
    """In every pod of the service."""

    async def told(wish):
        for pod in (await edge.cluster.list(POD, SPACE, labels="app.kubernetes.io/instance=shop")).items:
            await switch_fault(edge.cluster, SPACE, pod["metadata"]["name"], wish)

    await told(wish)
    try:
        yield
    finally:
        await told({"errors": 0, "status": 500})


async def log_of_proxies(cluster):
    pods = (await cluster.list(POD, SPACE, labels=PROXIES)).items
    return "".join([await cluster.logs(SPACE, pod["metadata"]["name"], container="envoy", tail=2000) for pod in pods])


async def test_the_log_says_who_asked_for_what_and_no_secret(edge):
    token = ISSUER.token(jti="one-of-its-own")
    told = {"Cookie": "session=hidden-cookie", "X-Request-Id": "0b5bd1c2-5c0b-4f35-9a3c-1a2b3c4d5e6f"}
    path = "/orders/not-there?page=seventeen&card=hidden-number&token=hidden-query"
    assert (await ask(edge, path=path, token=token, headers=told)).status == 404

    async def unwritten():
        return [] if "seventeen" in await log_of_proxies(edge.cluster) else ["no line"]

    assert await eventually(unwritten, SECONDS) == []
    log = await log_of_proxies(edge.cluster)
    (line,) = (json.loads(each) for each in log.splitlines() if "seventeen" in each)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/orders/not-there", 404)
    assert line["query_page"] == "seventeen"
    for secret in ("hidden", token, token.split(".")[2]):
        assert secret not in log


async def loaded(edge, stop, answers):
    """Asks until told otherwise; what could not be asked is an answer too."""
    while not stop.is_set():
        try:
            answers.append((await ask(edge)).status)
        except (aiohttp.ClientError, TimeoutError) as error:
            answers.append(type(error).__name__)
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def load(edge):
    """Requests side by side, counted by what came of them."""
    stop, answers = asyncio.Event(), []
    tasks = [asyncio.create_task(loaded(edge, stop, answers)) for _ in range(4)]
    try:
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def serves(version):
    """The release has ended with this version."""
    return lambda status: status.get("phase") == "Idle" and status["stable"]["image"] == IMAGE + version


async def released(edge, image, holds):
    """Ask for a version, and wait for what is to become of it."""
    path = "/spec/workload/template/spec/containers/0/image"
    change = [{"op": "replace", "path": path, "value": image}]
    await edge.cluster.json_patch(GRAY_RELEASE, "shop", SPACE, change, manager="test")

    async def not_yet():
        release = await edge.cluster.get(GRAY_RELEASE, "shop", SPACE)
        status = release.get("status") or {}
        told = status.get("observedGeneration") == release["metadata"]["generation"]
        return [] if told and holds(status) else [json.dumps(status)[:3000]]

    assert await eventually(not_yet, SECONDS) == []
    return (await edge.cluster.get(GRAY_RELEASE, "shop", SPACE))["status"]


async def test_a_good_canary_is_promoted_and_a_bad_one_taken_back(edge):
    async with load(edge) as answers:
        status = await released(edge, f"{IMAGE}v2", serves("v2"))
        assert status["last"]["outcome"] in {"promoted", "promoted-not-proven"}
        assert Counter(answers) == {200: len(answers)}
        answers.clear()
        status = await released(edge, f"{IMAGE}v3", lambda said: said.get("phase") == "RolledBack")
        assert status["last"]["outcome"] == "rolled-back"
        assert "errors" in status["last"]["outcomeReason"]
        said = Counter(answers)
        assert 0 < said[500] < said[200]
        answers.clear()
        await asyncio.sleep(2)
    assert Counter(answers) == {200: len(answers)}


async def test_a_renewed_certificate_is_served_and_no_request_is_lost(edge):
    renewed = certificate(HOST)

    async def shown():
        host, port = edge.urls["https"].removeprefix("https://").split(":")
        return serial(await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)), timeout=10))

    assert await shown() != serial(renewed["tls.crt"])
    async with load(SimpleNamespace(**{**vars(edge), "urls": edge.urls})) as answers:
        await edge.cluster.apply(listener(renewed), manager="test", force=True)

        async def old():
            return [] if await shown() == serial(renewed["tls.crt"]) else ["the old one is served"]

        assert await eventually(old, SECONDS) == []
        # One proxy after the other is taken away, and what it has under way is answered.
        (pod, *_) = (await edge.cluster.list(POD, SPACE, labels=PROXIES)).items
        await edge.cluster.delete(POD, pod["metadata"]["name"], SPACE)

        async def gone():
            return await edge.cluster.find(POD, pod["metadata"]["name"], SPACE) or []

        assert await eventually(gone, SECONDS) == []
    assert len(answers) > 20
    assert Counter(answers) == {200: len(answers)}


async def test_metrics_panels_and_alerts_tell_of_a_fault(edge):
    async with load(edge):
        await ask(edge, headers={"X-Key": "three"})
        await all_is_well(edge.cluster, edge.platform)
        gateway = next(each for each in edge.platform.components if each.kind == "envoy-gateway")
        alerts = {alert.name: alert.expr for alert in gateway.alerts()}
        await edge.cluster.merge_patch(
            DEPLOYMENT, "gateway-controller", SPACE, {"spec": {"replicas": 0}}, manager="test"
        )
        wanted = ("EnvoyGatewayControlPlaneDown", "EnvoyGatewayWithoutControlPlane")

        async def unseen():
            return [name for name in wanted if not await series(edge.cluster, SPACE, alerts[name])]

        assert await eventually(unseen, SECONDS) == []
        assert (await ask(edge)).status == 200  # proxies go on with what they know
    await edge.cluster.merge_patch(DEPLOYMENT, "gateway-controller", SPACE, {"spec": {"replicas": 1}}, manager="test")

    async def away():
        return (
            []
            if (await edge.cluster.get(DEPLOYMENT, "gateway-controller", SPACE))["status"].get("readyReplicas")
            else ["away"]
        )

    assert await eventually(away, SECONDS) == []


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
async def test_an_api_server_takes_certificates_of_an_issuer(edge, tier):
    issuer = {"name": "letters", "kind": "ClusterIssuer"}
    listeners = {"tlsSecret": "front", "tlsIssuer": issuer}
    places = {"redis": {"tls": {"issuer": issuer}}, "rabbitmq": {"tls": {"issuer": issuer}}}
    environment = {"tier": tier, "namespace": SPACE, "owners": ["platform"], "gateway": {"class": "of-both"}}
    for kind in ("gateway", "envoy-gateway"):
        everything = {"environment": environment, "components": {**places, "front": {"kind": kind, **listeners}}}
        made = Platform.read(everything, stack=SPACE, source="test").manifests()
        found = [each for each in made if each["kind"] == "Certificate"]
        assert {each["metadata"]["name"] for each in found} == {"front", "redis-tls", "rabbitmq-tls"}
        for each in found:
            await edge.cluster.apply(each, manager="test", dry_run=True)


async def test_it_leaves_nothing_behind(cluster):
    plan = await plan_teardown(cluster, INVENTORY)
    await tear_down(cluster, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
    assert await cluster.find(NAMESPACE, SPACE) is None
