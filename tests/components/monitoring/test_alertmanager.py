"""What a stack file says of receivers and owners, as Alertmanager itself reads it; and what is refused."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from components.model.mistakes import StackError
from tests.components import kind_examples
from tests.components.conftest import program, read

HOOK = {"webhook": {"url": "https://hooks.example.com/x"}}
TOLD = {"receivers": {"team": HOOK}, "default": ["team"]}
OWNERS = ["platform", 'a "team" \\ of its own', "Büro"]


def platform(teams=("platform",), **alertmanager):
    environment = {"tier": "prod", "namespace": "shop", "owners": list(teams)}
    return read(environment=environment, components={"alertmanager": {**TOLD, **alertmanager}, "prometheus": {}})


def of(found, kind, name):
    return next(each for each in found.manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))


def configuration(found):
    return of(found, "ConfigMap", "alertmanager-config")["data"]["alertmanager.yml"]


@pytest.fixture(scope="module")
def amtool(tmp_path_factory):
    return program("amtool", tmp_path_factory.mktemp("amtool"))


def asked(amtool, folder, found, *arguments):
    path = folder / "alertmanager.yml"
    path.write_text(configuration(found))
    done = subprocess.run([amtool, *arguments, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def receiver_of(amtool, folder, found, **labels):
    """Who would hear of an alert with these labels."""
    path = folder / "alertmanager.yml"
    path.write_text(configuration(found))
    matching = [f'{name}="{value}"' for name, value in labels.items()]
    command = [amtool, "config", "routes", "test", f"--config.file={path}", *matching]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


EVERY_WAY = {
    "mail": {
        "email": {
            "to": ["a@example.com", "b@example.com"],
            "from": "c@example.com",
            "smarthost": "smtp.example.com:587",
            "username": "c",
            "password": {"secret": "smtp", "key": "password"},
        }
    },
    "hook": {"webhook": {"url": "https://hooks.example.com/x", "token": {"secret": "hook", "key": "token"}}},
    "hidden": {"webhook": {"url": {"secret": "hook", "key": "url"}, "reaches": "hook.tools.svc:8080"}},
    "chat": {"slack": {"url": {"secret": "chat", "key": "url"}, "channel": "#shop"}},
    "pager": {"pagerduty": {"routingKey": {"secret": "pager", "key": "key"}}},
}


def test_every_way_is_taken_by_alertmanager(amtool, tmp_path):
    ways = {name: way for name, way in EVERY_WAY.items() if name != "hidden"}  # needs 0.26
    found = platform(receivers=ways, default=list(ways), watchdog={"receiver": "hook", "every": "10s"})
    said = asked(amtool, tmp_path, found, "check-config")
    assert "SUCCESS" in said
    assert "3 receivers" in said


@pytest.mark.parametrize("size", ["minimal", "production"])
def test_the_examples_are_taken_by_alertmanager(amtool, tmp_path, size):
    assert "SUCCESS" in asked(amtool, tmp_path, kind_examples.declared("alertmanager", size), "check-config")


def test_no_value_of_a_secret_is_in_the_configuration_and_each_is_a_file_of_a_mounted_secret():
    found = platform(receivers=EVERY_WAY, default=list(EVERY_WAY))
    made = yaml.safe_load(configuration(found))["receivers"][0]
    assert made["email_configs"][0]["auth_password_file"] == "/etc/alertmanager/secrets/smtp/password"
    assert made["webhook_configs"][1]["url_file"] == "/etc/alertmanager/secrets/hook/url"
    assert made["slack_configs"][0]["api_url_file"] == "/etc/alertmanager/secrets/chat/url"
    assert made["pagerduty_configs"][0]["routing_key_file"] == "/etc/alertmanager/secrets/pager/key"
    pod = of(found, "StatefulSet", "alertmanager")["spec"]["template"]["spec"]
    mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    for secret in ("smtp", "hook", "chat", "pager"):
        assert volumes[mounts[f"/etc/alertmanager/secrets/{secret}"]]["secret"]["secretName"] == secret


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"owner": "platform", "severity": "warning"}, "owner platform"),
        ({"owner": "platform", "severity": "critical"}, "owner platform, critical"),
        ({"owner": OWNERS[2], "severity": "critical"}, f"owner {OWNERS[2]}"),
        ({"owner": "somebody", "severity": "critical"}, "everybody else"),
        ({"severity": "critical"}, "everybody else"),
        ({"alertname": "Watchdog", "owner": "platform", "severity": "none"}, "nobody"),
    ],
)
def test_who_hears_of_what(amtool, tmp_path, labels, told):
    routes = {owner: {"receivers": ["team"]} for owner in OWNERS}
    routes["platform"]["critical"] = ["team"]
    assert receiver_of(amtool, tmp_path, platform(OWNERS, owners=routes), **labels) == told


def test_prometheus_tells_every_member_and_both_may_talk():
    found = platform()
    made = yaml.safe_load(of(found, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"])
    (group,) = made["alerting"]["alertmanagers"]
    (static,) = group["static_configs"]
    assert static["targets"] == [f"alertmanager-{n}.alertmanager-nodes.shop.svc:9093" for n in range(3)]
    way = {
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "prometheus"}
        }
    }
    ingress = of(found, "NetworkPolicy", "alertmanager")["spec"]["ingress"]
    assert {"from": [way], "ports": [{"port": 9093, "protocol": "TCP"}]} in ingress
    names = {alert.name for member in found.components for alert in member.alerts()}
    assert {"Watchdog", "PrometheusAlertsLost"} <= names


def test_members_follow_the_tier_and_gossip_by_tcp_and_udp():
    sets = of(platform(), "StatefulSet", "alertmanager")["spec"]
    assert sets["replicas"] == 3
    gossip = [each for each in of(platform(), "NetworkPolicy", "alertmanager")["spec"]["egress"] if "9094" in str(each)]
    assert {each["ports"][0]["protocol"] for each in gossip} == {"TCP", "UDP"}
    (server,) = of(read(components={"alertmanager": TOLD}), "StatefulSet", "alertmanager")["spec"]["template"]["spec"][
        "containers"
    ]
    assert "--cluster.listen-address=" in server["args"]


def test_another_environment_is_let_in():
    ingress = of(platform(namespaces=["team-b"]), "NetworkPolicy", "alertmanager")["spec"]["ingress"]
    whom = [each["from"][0].get("namespaceSelector") for each in ingress]
    assert {"matchLabels": {"kubernetes.io/metadata.name": "team-b"}} in whom


def test_alerts_have_the_owner_of_their_component():
    environment = {"tier": "local", "namespace": "shop", "owners": ["platform", "shop"]}
    own = {"Mine": {"expr": "vector(1)", "summary": "x", "owner": "shop"}}
    found = read(environment=environment, components={"redis": {"owner": "shop"}, "prometheus": {"alerts": own}})
    files = of(found, "ConfigMap", "prometheus-rules")["data"]
    owners = {
        rule["alert"]: rule["labels"]["owner"]
        for text in files.values()
        for rule in yaml.safe_load(text)["groups"][0]["rules"]
    }
    assert (owners["RedisDown"], owners["PrometheusDown"], owners["Mine"]) == ("shop", "platform", "shop")


REFUSED = [
    ({"default": ["tema"]}, "default: no receiver 'tema'; did you mean 'team'?"),
    ({"owners": {"platform": {"receivers": ["nobody"]}}}, "no receiver 'nobody'"),
    ({"owners": {"platfrom": {"receivers": ["team"]}}}, "is no owner of the environment"),
    ({"watchdog": {"receiver": "dog"}}, "watchdog.receiver"),
    ({"receivers": {"team": {}}}, "give email, webhook, slack or pagerduty"),
    ({"receivers": {"team": {"webhook": {"url": "hooks.example.com"}}}}, "is no URL"),
    ({"receivers": {"team": {"webhook": {"url": "https://a:b@hooks.example.com"}}}}, "has a password in it"),
    ({"receivers": {"team": {"webhook": {"url": "https://hooks.example.com:99999"}}}}, "is no"),
    ({"receivers": {"team": {"email": {"to": ["a"], "from": "b@c", "smarthost": "d:25"}}}}, "is no mailbox"),
    (
        {"receivers": {"team": {"email": {"to": ["a@b"], "from": "b@c", "smarthost": "d:25", "username": "u"}}}},
        "it goes with a password",
    ),
    (
        {
            "image": "quay.io/prometheus/alertmanager:v0.25.0",
            "receivers": {"team": {"webhook": {"url": {"secret": "s", "key": "k"}}}},
        },
        "reads no URL from a Secret",
    ),
    ({"storage": "1Mi"}, "is too little"),
    ({"groupBy": ["a b"]}, "is no name"),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED)
def test_what_is_refused_says_why(settings, said):
    with pytest.raises(StackError) as caught:
        platform(**settings)
    assert said in str(caught.value)
    assert "alertmanager" in str(caught.value)


def test_an_owner_that_the_environment_does_not_have_is_refused():
    for components in (
        {"redis": {"owner": "platfrom"}},
        {"prometheus": {"alerts": {"A": {"expr": "vector(1)", "summary": "x", "owner": "platfrom"}}}},
    ):
        with pytest.raises(StackError, match=r"owner: .*is no owner of the environment.*did you mean 'platform'"):
            read(components=components)
