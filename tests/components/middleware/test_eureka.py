"""What a Eureka is told: its peers, its accounts, and no word of a password."""

from __future__ import annotations

import pytest
import yaml

from components.model.mistakes import StackError
from tests.components.conftest import read
from tests.components.model.values import IMAGE


def declared(services=(), **settings):
    """The registry of a stack, and its objects by kind and name."""
    platform = read(
        components={"controller": {"image": IMAGE}, "eureka": {"image": IMAGE, **settings}},
        services={name: {"image": IMAGE, "uses": ["eureka"]} for name in services},
    )
    (registry,) = [each for each in platform.components if each.kind == "eureka"]
    return registry, {(each["kind"], each["metadata"]["name"]): each for each in platform.manifests()}


def documents(objects):
    """Of the configuration: what is for all members, then what is for each."""
    return list(yaml.safe_load_all(objects["ConfigMap", "eureka-config"]["data"]["application.yml"]))


def configuration(objects):
    return documents(objects)[0]


def pod(objects):
    return objects["StatefulSet", "eureka"]["spec"]["template"]["spec"]


def test_an_image_is_asked_for_since_there_is_none_to_take():
    with pytest.raises(StackError, match=r"eureka\.image"):
        read(components={"eureka": {}})


@pytest.mark.parametrize(("tls", "scheme"), [({}, "http"), ({"tls": {}}, "https")])
@pytest.mark.parametrize(
    ("replicas", "peers"), [(1, {0: [0]}), (2, {0: [1], 1: [0]}), (3, {0: [1, 2], 1: [0, 2], 2: [0, 1]})]
)
def test_members_copy_from_each_other_and_no_password_is_in_a_file_of_the_stack(tls, scheme, replicas, peers):
    _, objects = declared(replicas=replicas, **tls)
    account = "grayling-peer:${registry.accounts.grayling-peer}"
    assert {
        each["spring"]["config"]["activate"]["on-profile"]: each["eureka"]["client"]["service-url"]["defaultZone"]
        for each in documents(objects)[1:]
    } == {
        f"eureka-{member}": ",".join(
            f"{scheme}://{account}@eureka-{other}.eureka-nodes.shop.svc:8761/eureka/" for other in others
        )
        for member, others in peers.items()
    }
    (server,) = pod(objects)["containers"]
    (profile,) = [each for each in server["env"] if each["name"] == "SPRING_PROFILES_ACTIVE"]
    assert profile["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_a_member_is_ready_when_it_has_what_its_peers_know():
    _, objects = declared(replicas=2)
    health = configuration(objects)["management"]["endpoint"]["health"]
    assert health["group"]["readiness"]["include"] == "readinessState,registry"


def test_with_tls_the_plain_port_is_off_and_the_jvm_trusts_its_own_authority():
    _, plain = declared()
    _, encrypted = declared(tls={})
    assert configuration(plain)["eureka"]["instance"]["non-secure-port-enabled"] is True
    assert "initContainers" not in pod(plain)
    told = configuration(encrypted)
    assert (told["eureka"]["instance"]["non-secure-port-enabled"], told["server"]["ssl"]) == (False, {"bundle": "own"})
    assert told["spring"]["ssl"]["bundle"]["pem"]["own"]["options"] == {"enabled-protocols": "TLSv1.3"}
    (first,) = pod(encrypted)["initContainers"]
    assert "keytool -importcert" in first["command"][-1]


def test_each_service_has_an_account_of_its_own_and_nobody_else_has_one():
    registry, objects = declared(services=("billing", "shop"), replicas=2)
    (accounts,) = [each["projected"] for each in pod(objects)["volumes"] if each["name"] == "accounts"]
    known = {item["secret"]["items"][0]["path"]: item["secret"]["name"] for item in accounts["sources"]}
    assert known == {
        "registry/accounts/grayling-peer": "eureka-auth",
        "registry/accounts/billing": "eureka-billing-auth",
        "registry/accounts/shop": "eureka-shop-auth",
    }
    assert registry.binding("shop")["EUREKA_URL"].secret == "eureka-shop-auth"


def test_one_alone_has_no_peers_to_miss():
    names = [{alert.name for alert in declared(replicas=count)[0].alerts()} for count in (1, 2)]
    assert names[1] - names[0] == {"EurekaPeersMissing"}
