"""A system that others run, as a stack file says it and as it is rendered."""

from __future__ import annotations

import json

import pytest

from components.model.mistakes import StackError
from tests.components.conftest import read
from tests.components.model.values import IMAGE

ERP = {"kind": "external", "system": "erp", "url": "https://erp.example.com/api", "owner": "sap-team"}
ENGINE = {"controller": {"image": IMAGE}}


def platform(settings, uses=("erp",), **more):
    services = {"shop": {"image": IMAGE, "uses": list(uses)}}
    return read(components={**ENGINE, "erp": {**ERP, **settings}}, services=services, **more)


def found(settings, kind, name, **more):
    made = [each for each in platform(settings, **more).manifests() if each["kind"] == kind]
    return next(each for each in made if each["metadata"]["name"] == name)


def variables(settings):
    release = found(settings, "GrayRelease", "shop")
    container = release["spec"]["workload"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_by_name_it_is_a_service_of_that_name_and_the_url_stays():
    service = found({"contract": "https://erp.example.com/openapi.yaml", "contact": "+49 1"}, "Service", "erp")
    assert service["spec"]["externalName"] == "erp.example.com"
    notes = service["metadata"]["annotations"]
    assert notes["grayling.dev/owners"] == "sap-team"
    assert notes["grayling.dev/contract"] == "https://erp.example.com/openapi.yaml"
    assert notes["grayling.dev/contact"] == "+49 1"
    assert variables({})["ERP_URL"] == "https://erp.example.com/api"


def test_by_address_it_has_an_endpoint_and_users_one_name():
    his = {"url": "mllp://10.20.0.7:2575", "system": "his"}
    assert "selector" not in found(his, "Service", "erp")["spec"]
    piece = found(his, "EndpointSlice", "erp-1")
    assert piece["metadata"]["labels"]["kubernetes.io/service-name"] == "erp"
    assert piece["endpoints"][0]["addresses"] == ["10.20.0.7"]
    assert piece["addressType"] == "IPv4"
    assert [each["port"] for each in piece["ports"]] == [2575]
    assert variables(his)["ERP_URL"] == "mllp://erp.shop.svc:2575"
    six = found({"url": "tcp://[fd00::7]:99"}, "EndpointSlice", "erp-1")
    assert (six["addressType"], six["endpoints"][0]["addresses"]) == ("IPv6", ["fd00::7"])


def test_a_certificate_or_a_host_header_needs_the_own_name():
    assert variables({"url": "https://10.20.0.7"})["ERP_URL"] == "https://10.20.0.7"
    assert variables({"url": "http://10.20.0.7/x"})["ERP_URL"] == "http://erp.shop.svc:80/x"
    assert variables({"url": "http://erp.example.com/x"})["ERP_URL"] == "http://erp.example.com/x"


def test_credentials_and_further_addresses_become_variables():
    given = {"credentials": {"secret": "erp-login"}, "endpoints": {"events": "amqps://mq.example.com"}}
    got = variables(given)
    assert got["ERP_EVENTS_URL"] == "amqps://mq.example.com"
    assert got["ERP_USERNAME"] == {"secretKeyRef": {"name": "erp-login", "key": "username"}}
    assert got["ERP_PASSWORD"] == {"secretKeyRef": {"name": "erp-login", "key": "password"}}
    keys = {"credentials": {"secret": "erp-login", "keys": ["api-key"]}}
    assert variables(keys)["ERP_API_KEY"]["secretKeyRef"]["key"] == "api-key"


def ways_out(settings, name="shop"):
    return found(settings, "NetworkPolicy", name)["spec"].get("egress", [])


def test_egress_is_its_address_its_networks_or_honestly_open():
    port = {"port": 443, "protocol": "TCP"}
    assert ways_out({}) == [{"ports": [port]}]
    assert ways_out({}, "erp-prober") == [{"ports": [port]}]
    nets = ways_out({"networks": ["10.20.0.0/16"]})
    assert nets == [{"ports": [port], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]}]
    alone = ways_out({"url": "tcp://10.20.0.7:99"})
    assert alone == [{"ports": [{"port": 99, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.20.0.7/32"}}]}]


def test_who_does_not_use_it_has_no_way_to_it():
    made = found({}, "NetworkPolicy", "shop", uses=())
    assert "egress" not in made["spec"]


def targets(settings):
    return json.loads(found(settings, "ConfigMap", "erp-prober")["data"]["targets.json"])


@pytest.mark.parametrize(
    ("url", "how"),
    [
        ("https://erp.example.com", "http"),
        ("mllps://his.example.com", "mllp"),
        ("opc.tcp://plc.example.com", "opcua"),
        ("postgresql://db.example.com/orders", "tcp"),
    ],
)
def test_the_scheme_says_how_it_is_asked(url, how):
    assert targets({"url": url})[0]["how"] == how


def test_what_is_said_of_health_reaches_the_prober():
    health = {"path": "/health?deep=1", "statuses": [200], "interval": "30s", "timeout": "3s"}
    given = {"health": health, "authority": {"secret": "corp-ca"}, "endpoints": {"b": "tcp://x.example.com:1"}}
    main, other = targets(given)
    assert (main["path"], main["statuses"], main["every"], main["timeout"]) == ("/health?deep=1", [200], 30, 3)
    assert (other["endpoint"], other["how"]) == ("b", "tcp")
    pod = found(given, "Deployment", "erp-prober")["spec"]["template"]["spec"]
    assert {"name": "ca", "secret": pod["volumes"][1]["secret"]} in pod["volumes"]
    assert main["authority"] == "/etc/prober-ca/ca.crt"
    assert variables(given)["ERP_CA_FILE"].endswith("/ca.crt")


def test_nobody_asks_where_health_is_null():
    made = platform({"health": None})
    assert not [each for each in made.manifests() if each["metadata"]["name"].endswith("prober")]
    member = next(each for each in made.components if each.name == "erp")
    assert not [*member.alerts()]
    assert not member.dashboard().panels


def test_an_alert_says_whom_to_call():
    member = next(each for each in platform({}).components if each.name == "erp")
    assert all("call sap-team" in alert.summary for alert in member.alerts())
    assert len(member.dashboard().panels) == 4


def test_what_has_no_certificate_has_no_alert_of_one():
    member = next(each for each in platform({"url": "tcp://x.example.com:1"}).components if each.name == "erp")
    assert [alert.name for alert in member.alerts()] == ["ExternalDown", "ExternalSlow"]
    assert len(member.dashboard().panels) == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "erp.example.com"}, "components.erp.url: is no URL"),
        (
            {"url": "gopher://erp.example.com"},
            "has the scheme 'gopher' (found 'gopher://erp.example.com'); there are amqp",
        ),
        ({"url": "https://user:pw@erp.example.com"}, "components.erp.url: holds credentials; name a Secret"),
        ({"url": "https://erp.example.com?api_key=pw"}, "components.erp.url: holds credentials; name a Secret"),
        ({"endpoints": {"b": "tcp://u:pw@x:1"}}, "components.erp.endpoints.b: holds credentials; name a Secret"),
        ({"url": "https://erp"}, "erp is no full name (found 'https://erp'); write it out"),
        ({"url": "https://erp.other.svc"}, "erp.other.svc is no full name"),
        ({"url": "https://127.0.0.1"}, "127.0.0.1 is an address of the machine itself"),
        ({"url": "https://[fe80::1]"}, "fe80::1 is an address of the machine itself"),
        ({"url": "https://"}, "has no host"),
        ({"url": "https://*.example.com"}, "has no host"),
        ({"url": "https://[::1"}, "is no URL"),
        ({"url": "https://erp.example.com:99999"}, "is no URL"),
        ({"url": "tcp://erp.example.com"}, "has no port, and tcp has none of its own"),
        ({"system": "erpp"}, "components.erp.system: is no system (found 'erpp'); did you mean 'erp'?"),
        ({"owner": ""}, "components.erp.owner: is no owner"),
        ({"endpoints": {"main": "tcp://x.example.com:1"}}, "main: is the name of `url`"),
        ({"networks": ["10.0.0.1/8"]}, "is no network"),
        ({"health": {"interval": "2s"}}, "timeout: is longer than the interval"),
        ({"health": {"kind": "ping"}}, "is none of tcp, http, mllp, opcua"),
        ({"url": "tcp://x.example.com:1", "health": {"kind": "http"}}, "the URL speaks no HTTP"),
        ({"url": "tcp://x.example.com:1", "authority": {"secret": "ca"}}, "no address begins with TLS"),
        ({"credentials": {"secret": "x", "keys": []}}, "has too few entries"),
    ],
)
def test_mistakes_are_told_with_their_key_and_the_way_out(settings, said):
    with pytest.raises(StackError) as error:
        platform(settings).manifests()
    assert said in str(error.value), error.value
    assert "grayling:components.erp" in str(error.value)
    assert "pw" not in str(error.value)


def test_without_an_engine_somebody_names_the_image():
    with pytest.raises(StackError, match="no controller whose image could look at it; name the engine's image"):
        read(components={"erp": ERP})
    assert read(components={"erp": {**ERP, "image": IMAGE}}).manifests()


def test_a_secret_of_the_stack_has_the_keys_that_are_named():
    with pytest.raises(StackError, match=r"erp\.credentials\.secret: Secret erp-login has no password"):
        platform({"credentials": {"secret": "erp-login"}}, secrets={"erp-login": {"username": "u"}})


@pytest.mark.parametrize("system", ["apigee", "mulesoft", "talend"])
def test_products_that_others_run_are_named(system):
    service = found({"system": system}, "Service", "erp")
    assert service["metadata"]["annotations"]["grayling.dev/system"] == system


def test_a_service_of_the_stack_that_answers_for_it_has_an_address_and_lets_its_users_and_the_prober_in():
    def made(host):
        erp = {**ERP, "url": f"http://{host}:8080"}
        services = {
            "shop": {"image": IMAGE, "uses": ["erp"]},
            "other": {"image": IMAGE},
            "erp-system": {"image": IMAGE},
        }
        everything = read(components={**ENGINE, "erp": erp}, services=services).manifests()
        return {(each["kind"], each["metadata"]["name"]): each for each in everything}

    standing = made("erp-system.shop.svc.cluster.local")
    assert ("Service", "erp-system") in standing
    assert ("Service", "other") not in standing
    ways = standing["NetworkPolicy", "erp-system"]["spec"]["ingress"]
    let_in = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] for way in ways for peer in way["from"]]
    assert {"shop", "erp"} <= set(let_in)
    assert "other" not in let_in
    assert ("Service", "erp-system") not in made("erp-system.elsewhere.svc.cluster.local")
