"""Every type of value: what is one is kept in one form, what is none is told with its place and the way out."""

from __future__ import annotations

import pytest

from components.model.environment import Environment
from components.model.mistakes import StackError
from components.stack.platform import Platform
from tests.components.conftest import read, small
from tests.components.model.values import IMAGE, of, pod, said, service


@pytest.mark.parametrize(
    ("written", "kept"),
    [(2, "2"), (0.5, "500m"), ("0.5", "500m"), ("500m", "500m"), ("1000m", "1"), (1.0, "1"), ("2.25", "2250m")],
)
def test_cpu_in_one_form(written, kept):
    container = pod(read(**service(resources={"cpu": written, "memory": "64Mi"})))["containers"][0]
    assert container["resources"]["requests"]["cpu"] == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("512M", "512M"),
        ("1Gi", "1Gi"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        (536870912, "536870912"),
        ("2000M", "2G"),
    ],
)
def test_memory_in_one_form(written, kept):
    container = pod(read(**service(resources={"cpu": 1, "memory": written})))["containers"][0]
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"] == kept


VALUES = [
    ({"resources": {"cpu": "0", "memory": "64Mi"}}, "resources.cpu: is too little (found '0'); from 1m"),
    ({"resources": {"cpu": -1, "memory": "64Mi"}}, "resources.cpu: is no amount of CPU (found -1); write it like 500m"),
    ({"resources": {"cpu": True, "memory": "64Mi"}}, "resources.cpu: is no amount of CPU"),
    ({"resources": {"cpu": float("nan"), "memory": "64Mi"}}, "resources.cpu: is no amount of CPU (found nan)"),
    ({"resources": {"cpu": float("inf"), "memory": "64Mi"}}, "resources.cpu: is no amount of CPU (found inf)"),
    ({"resources": {"cpu": "0.0001", "memory": "64Mi"}}, "resources.cpu: is finer than 1m"),
    ({"resources": {"cpu": "9999999", "memory": "64Mi"}}, "resources.cpu: is more than there is"),
    ({"resources": {"cpu": 1, "memory": "0Mi"}}, "resources.memory: is too little (found '0Mi')"),
    ({"resources": {"cpu": 1, "memory": "512m"}}, "resources.memory: is no size (found '512m'); write it like 512Mi"),
    ({"resources": {"cpu": 1, "memory": 512}}, "resources.memory: is too little (found 512)"),
    ({"resources": {"cpu": 1, "memory": "9Pi"}}, "resources.memory: is more than there is"),
    ({"resources": {"cpu": 1, "memory": [1]}}, "resources.memory: is no size"),
    ({"env": {"DEBUG": True}}, "; quote it: 'true'"),
    ({"env": {"LEVEL": 5}}, "env.LEVEL: is no text (found 5); quote it: '5'"),
    ({"env": {"NUL": None}}, "env.NUL: is empty; give it a value"),
    ({"env": {"X": ["a"]}}, "env.X: is no text (found ['a']); write {secret: name, key: of-it}"),
    ({"env": {"X": {"secret": "s"}}}, "env.X: is neither a text nor the key of a Secret"),
    ({"env": {"X": {"secret": "s", "key": "a b"}}}, "env.X.key: is no key of a Secret (found 'a b')"),
    ({"env": {"X": {"secret": "S", "key": "a"}}}, "env.X.secret: is no name of an object (found 'S')"),
    ({"env": {"X": {"secrt": "s", "key": "a"}}}, "env.X.secrt: no such key (found 's'); did you mean 'secret'?"),
    ({"env": {"MY VAR=1": "x"}}, "is no name of a variable (found 'MY VAR=1'); use letters, digits, _"),
    ({"env": {"": "x"}}, "is no name of a variable (found '')"),
    ({"env": {"1ST": "x"}}, "is no name of a variable (found '1ST')"),
    ({"config": {"a/b.yaml": "x"}}, "is no name of a file in one folder (found 'a/b.yaml')"),
    ({"config": {"..": "x"}}, "is no name of a file in one folder (found '..')"),
    ({"config": {"a": 1}}, "config.a: is no text (found 1); quote it: '1'"),
    ({"config": {"a": "x" * 300_000}}, "config.a: is too long (found "),
    ({"config": {str(i): "ä" * 200_000 for i in range(3)}}, "config: is 1200003 bytes together, and one object takes"),
    ({"args": [8080]}, "args.0: is no text (found 8080); quote it: '8080'"),
    ({"replicas": True}, "replicas: is no number"),
    ({"replicas": "many"}, "replicas: is no number (found 'many'); write one"),
    ({"uses": "redis"}, "uses: is no list (found 'redis'); write it in brackets: [redis]"),
    ({"uses": {}}, "uses: is no list (found {}); write one"),
    ({"resources": "small"}, "resources: is no map of keys and values (found 'small'); write some under it"),
    ({"config": ["a"]}, "config: is no map of keys and values (found ['a'])"),
    ({"replicas": None}, "replicas: is empty; give it a value, or leave the key out"),
    ({"port": True}, "port: is no number"),
    ({"port": 0}, "port: is too little (found 0); at least 1"),
    ({"image": "A B"}, "image: is no image reference (found 'A B'); write it like registry.example/team/app:1.4.2"),
    ({"image": "a/B:1"}, "image: is no image reference (found 'a/B:1'); write it like"),
    ({"image": "a/b:1@sha256:12"}, "is no image reference"),
    (
        {"image": "a/b:stable"},
        "image: does not name one build (tag 'stable' moves) (found 'a/b:stable'); give an exact",
    ),
    ({"traffic": None}, "traffic: is empty; write {} for the defaults"),
    ({"traffic": {"hostnames": ["http://Shop.Example.com/x"]}}, "hostnames.0: is no hostname"),
    ({"traffic": {"hostnames": ["Shop.example.com"]}}, "did you mean 'shop.example.com'?"),
    ({"traffic": {"hostnames": [""]}}, "hostnames.0: is no hostname (found ''); write it like shop.example.com"),
    ({"traffic": {"hostnames": ["a.*.com"]}}, "hostnames.0: is no hostname"),
    ({"traffic": {"hostnames": ["10.0.0.1"]}}, "hostnames.0: is no hostname"),
    ({"traffic": {"hostnames": ["a" * 64 + ".com"]}}, "hostnames.0: is no hostname"),
    ({"traffic": {"matches": [{"pth": {"value": "/"}}]}}, "matches.0.pth: no such key"),
    ({"traffic": {"matches": [{"path": {"type": "Prefix"}}]}}, "matches.0.path.type: "),
    ({"traffic": {"matches": [{"path": {"value": "admin"}}]}}, "'admin' is no path; it begins with /"),
    ({"traffic": {"matches": [{"method": "get"}]}}, "matches.0.method: "),
    (
        {"traffic": {"requestTimeout": "10 seconds"}},
        "Timeout: is no duration (found '10 seconds'); write it like 250ms",
    ),
    ({"traffic": {"requestTimeout": 10}}, "requestTimeout: a duration has a unit (found 10); write it like 10s"),
    ({"traffic": {"requestTimeout": "0.1ms"}}, "requestTimeout: is less than a millisecond (found '0.1ms')"),
    ({"traffic": {"requestTimeout": "99999h"}}, "requestTimeout: is no limit that a route may have"),
    ({"strategy": {"bake": 90}}, "strategy.bake: a duration has a unit (found 90); write it like 90s or 5m"),
    ({"strategy": {"bake": -5}}, "strategy.bake: a duration has a unit (found -5)"),
    ({"strategy": {"bake": float("inf")}}, "strategy.bake: a duration has a unit (found inf)"),
    ({"strategy": {"bake": True}}, "strategy.bake: is no duration"),
    ({"strategy": {"bake": "1:30"}}, "strategy.bake: is no duration (found '1:30'); write it like"),
    ({"strategy": {"bake": "-5s"}}, "strategy.bake: is no duration (found '-5s'); write it like"),
    ({"strategy": {"steps": [{"weight": 5, "hold": 90}]}}, "strategy.steps.0.hold: a duration has a unit (found 90)"),
    ({"strategy": {"steps": [{"weight": True}]}}, "strategy.steps.0.weight: is no number"),
    ({"strategy": {"steps": [{"weight": i + 1} for i in range(100)]}}, "strategy.steps: has too many entries"),
    ({"analysis": {"blastBudget": None}}, "analysis.blastBudget: is empty"),
    ({"analysis": {"promotionMargin": float("inf")}}, "analysis.promotionMargin: is no number (found inf)"),
    ({"probes": {"liveness": "healthz"}}, "is no path (found 'healthz'); write it like /healthz"),
    ({"volumes": {"Work": {"secret": "a"}}}, "is no name (found 'Work')"),
    ({"volumes": {"work": {"scratch": {"size": "0Gi"}}}}, "volumes.work.scratch.size: is too little"),
    ({"volumes": {"work": {"secret": "a"}}, "mounts": {"/a/../b": "work"}}, "is no path in a container"),
    ({"volumes": {"work": {"secret": "a"}}, "mounts": {"/a": "work#../x"}}, "is no volume (found 'work#../x')"),
    ({"ports": [{"name": "Debug", "port": 1}]}, "ports.0.name: is no name of a port (found 'Debug')"),
    ({"ports": [{"name": "a--b", "port": 1}]}, "ports.0.name: is no name of a port"),
    ({"ports": [{"name": "debug", "port": 70000}]}, "ports.0.port: is too much (found 70000); at most 65535"),
    ({"ports": [{"name": "debug", "port": 1, "appProtocol": "/h2c"}]}, "ports.0.appProtocol: is no protocol"),
    ({"port": 9000}, "port: 9000 is the number of adminPort too; containers of one pod share its ports"),
    ({"adminPort": 8080}, "adminPort: 8080 is the number of port too"),
    ({"probes": {"liveness": {"port": 1234}}}, "probes.liveness.port: 1234 is none of the service's ports; declare"),
    ({"port": None, "probes": {"readiness": {"port": 8080}}}, "probes.readiness.port: 8080 is none of"),
    ({"port": 1.5}, "port: is no whole number (found 1.5); write one"),
    ({"port": [80]}, "port: is no whole number (found [80]); write one"),
    ({"args": ["x"] * 1001}, "args: has too many entries"),
    ({"env": {f"V{i}": "x" for i in range(1001)}}, "env: has too many entries"),
    ({"uses": [f"s{i}" for i in range(501)]}, "uses: has too many entries"),
    ({"ports": [{"name": f"p{i}", "port": i + 1} for i in range(101)]}, "ports: has too many entries"),
    ({"args": [["a"]]}, "args.0: is no text (found ['a']); write one"),
    ({"uses": [{"a": "b"}]}, "uses.0: is no text (found {'a': 'b'}); write one"),
    ({"probes": {"liveness": 5}}, "probes.liveness: is no map of keys and values (found 5); write some under it"),
    ({"recording": "maybe"}, "recording: is neither true nor false (found 'maybe'); write one of the two"),
    ({"recording": "yes"}, "recording: is neither true nor false (found 'yes'); write one of the two"),
    ({"recording": 1}, "recording: is neither true nor false (found 1)"),
    ({"podAnnotations": {"a": "ä" * 100_000}}, "podAnnotations: is 200001 bytes together, and one object takes 200000"),
    ({"nodeSelector": {"a b": "x"}}, "is no name of a label (found 'a b'); write it like example.com/name"),
    ({"traffic": {"matches": [{"method": "get"}]}}, "; did you mean 'GET'?"),
    ({"traffic": {"matches": [{"path": {"value": "a"}}]}}, "matches.0.path.value: 'a' is no path; it begins with /"),
    (
        {"traffic": {"matches": [{"path": {"type": "RegularExpression", "value": "/(["}}]}},
        "traffic.matches.0.path.value: '/([' is no regular expression (missing ]: [); the gateway reads RE2",
    ),
    (
        {"traffic": {"matches": [{"headers": [{"name": "X", "value": "(?=a)", "type": "RegularExpression"}]}]}},
        "traffic.matches.0.headers.0.value: '(?=a)' is no regular expression",
    ),
    (
        {"traffic": {"matches": [{}, {"queryParams": [{"name": "x", "value": "a\nb"}]}]}},
        "traffic.matches.1.queryParams.0.value: no request has 'a\\nb'; leave out",
    ),
    (
        {"traffic": {"matches": [{"headers": [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]}]}},
        "traffic.matches.0.headers: x-a is there twice, capitals do not count; keep one",
    ),
    ({"traffic": {"matches": [{"headers": [{"name": "X:", "value": "1"}]}]}}, "headers.0.name: is not written as it"),
    ({"init": [{"name": "x", "env": {"A": 1}}]}, "init.0.env.A: is no text (found 1); quote it: '1'"),
]


@pytest.mark.parametrize(("settings", "expected"), VALUES, ids=[str(index) for index in range(len(VALUES))])
def test_of_a_service(settings, expected):
    (line,) = said(**service(**settings))
    assert line.startswith("grayling:services.a.")
    assert expected in line


COMPONENTS = [
    ({"gateway": {"requestTimeout": "banana"}}, "gateway.requestTimeout: is no duration (found 'banana'); write"),
    ({"gateway": {"requestTimeout": 30}}, "gateway.requestTimeout: a duration has a unit (found 30)"),
    ({"gateway": {"exposure": {"annotations": {"a b": "x"}}}}, "is no name of an annotation (found 'a b')"),
    ({"gateway": {"tlsSecret": "A_B"}}, "gateway.tlsSecret: is no name of an object (found 'A_B')"),
    ({"gateway": {"envoyImage": "envoy"}}, "envoyImage: does not name one build (it has no tag) (found 'envoy'); give"),
    ({"prometheus": {"retention": 30}}, "prometheus.retention: a duration has a unit (found 30); write it like 30s"),
    ({"prometheus": {"retention": 0}}, "prometheus.retention: is too little (found 0); at least 1m"),
    ({"prometheus": {"scrapeInterval": "10m"}}, "prometheus.scrapeInterval: is too much (found '10m'); at most 2m"),
    ({"prometheus": {"retentionSize": "0GB"}}, "prometheus.retentionSize: is no size to retain (found '0GB')"),
    ({"prometheus": {"retentionSize": 5}}, "prometheus.retentionSize: is no size to retain (found 5)"),
    ({"prometheus": {"retentionSize": "180GB"}}, "is more than nine tenths of storage 2Gi (found '180GB'); give less"),
    ({"prometheus": {"alertmanager": "http://am:9093/x"}}, "prometheus.alertmanager: is no host:port"),
    (
        {"prometheus": {"alertmanager": "https://am.mon.svc:9093"}},
        "is no host:port (found 'https://am.mon.svc:9093'); write it like alertmanager.monitoring.svc:9093, without",
    ),
    ({"prometheus": {"alertmanager": "am"}}, "prometheus.alertmanager: is no host:port (found 'am')"),
    ({"prometheus": {"alertmanager": "am:0"}}, "prometheus.alertmanager: is no host:port"),
    ({"prometheus": {"namespaces": ["NOT_A_NS"]}}, "prometheus.namespaces.0: is no namespace (found 'NOT_A_NS')"),
    ({"controller": {"image": IMAGE, "namespaces": ["-a"]}}, "controller.namespaces.0: is no namespace"),
    ({"redis": {"storage": "-1Gi"}}, "redis.storage: is no size (found '-1Gi')"),
    ({"redis": {"replicas": 5}}, "redis.replicas: a standalone store has one pod (found 5); set mode: replication"),
    ({"redis": {"mode": "replication", "storage": None}}, "redis.storage: a primary without a volume comes back empty"),
    ({"redis": {"authSecret": "A"}}, "redis.authSecret: is no name of an object"),
    ({"redis": None}, "redis: is empty; write {} for the defaults"),
    ({"redis": {"kind": ["x"]}}, "redis: no component ['x']"),
    ({"rabbitmq": {"members": True}}, "rabbitmq.members: is no number"),
    ({"rabbitmq": {"storage": None}}, "rabbitmq.storage: is empty"),
    (
        {"rabbitmq": {"resources": {"cpu": 1, "memory": "4Mi"}}},
        "rabbitmq.resources.memory: is too little (found '4Mi'); from 256Mi to 1Pi, for example 1Gi",
    ),
    (
        {"rabbitmq": {"resources": {"cpu": 0, "memory": "1Gi"}}},
        "resources.cpu: is too little (found 0); from 1m",
    ),
    ({"rabbitmq": {"storage": "1Mi"}}, "rabbitmq.storage: is too little (found '1Mi'); from 256Mi"),
    ({"redis": {"resources": {"cpu": 1, "memory": "16Mi"}}}, "redis.resources.memory: is too little (found '16Mi')"),
    ({"redis": {"storage": "1Mi"}}, "redis.storage: is too little (found '1Mi'); from 64Mi"),
    (
        {"redis": {"extraConfig": {"maxmemory": "9gb"}}},
        "redis.extraConfig.maxmemory: is set by Grayling",
    ),
    ({"prometheus": {"resources": {"cpu": 1, "memory": "64Mi"}}}, "is too little (found '64Mi'); from 128Mi"),
    ({"prometheus": {"storage": "1Mi"}}, "prometheus.storage: is too little (found '1Mi'); from 256Mi"),
    (
        {"gateway": {"envoyResources": {"cpu": 1, "memory": "8Mi"}}},
        "envoyResources.memory: is too little",
    ),
    ({"gateway": {"contourResources": {"cpu": 1, "memory": "8Mi"}}}, "contourResources.memory: is too little"),
]


@pytest.mark.parametrize(("components", "expected"), COMPONENTS, ids=[str(index) for index in range(len(COMPONENTS))])
def test_of_a_component(components, expected):
    (line,) = said(components=components)
    assert expected in line


ENVIRONMENTS = [
    (
        {"namespace": "kube-system"},
        "environment.namespace: is the cluster's own (found 'kube-system'); use another, or",
    ),
    ({"namespace": "default"}, "environment.namespace: is the cluster's own"),
    ({"namespace": "a.b"}, "environment.namespace: is no namespace (found 'a.b')"),
    ({"tier": "production"}, "environment.tier: is no tier (found 'production'); did you mean 'prod'?"),
    ({"tier": "moon"}, "environment.tier: is no tier (found 'moon'); there are local, dev, staging, prod"),
    ({"pullSecrets": ["A_B"]}, "environment.pullSecrets.0: is no name of an object"),
    ({"gateway": {"hostnameSuffix": "*.x"}}, "environment.gateway.hostnameSuffix: is no end of a hostname"),
    ({"gateway": {"hostnameSuffix": "http://x"}}, "environment.gateway.hostnameSuffix: is no end of a hostname"),
    ({"images": {"docker.io/": "http://x/"}}, "is no registry and folder (found"),
    ({"images": {"docker.io": "x.example.com"}}, "'docker.io' is no image but a registry (found"),
    ({"images": {"registry.example.com:5000": "x.example.com"}}, "is no image but a registry"),
    ({"createNamespace": "no"}, "createNamespace: is neither true nor false (found 'no'); write one of the two"),
    (
        {"images": {"redis": "a/b", "docker.io/library/redis": "c/d"}},
        "'docker.io/library/redis' is there twice, once by its short name",
    ),
    ({"profile": {"metricsRetention": 30}}, "environment.profile.metricsRetention: a duration has a unit (found 30)"),
    ({"createNamespace": None}, "environment.createNamespace: is empty"),
]


@pytest.mark.parametrize(("changed", "expected"), ENVIRONMENTS, ids=[str(index) for index in range(len(ENVIRONMENTS))])
def test_of_the_environment(changed, expected):
    (line,) = said(environment={**small()["environment"], **changed})
    assert expected in line


def test_a_stack_has_so_many_members_and_nothing_follows_from_more():
    many = {f"s{index}": {"kind": "redis"} for index in range(2001)}
    (line,) = said(components=many, services={"a": {"image": IMAGE, "uses": ["s1"]}})
    assert line == "grayling:components: has 2001 entries, and a stack at most 2000; split the stack"


def test_nothing_follows_from_a_tier_that_is_none():
    environment = {"tier": "production", "namespace": "shop", "owners": ["platform"], "profile": {"replcas": 3}}
    assert [line.split(":")[1] for line in said(environment=environment)] == [
        "environment.profile.replcas",
        "environment.tier",
    ]


def test_nothing_follows_from_a_component_that_cannot_be_read():
    (line,) = said(components={"redis": {"storge": "1Gi"}}, **service(uses=["redis"]))
    assert "redis.storge" in line


@pytest.mark.parametrize("section", ["components", "services", "secrets"])
def test_a_section_left_empty(section):
    assert said(**{section: None}) == [f"grayling:{section}: is empty; write {{}} for none"]


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({"Payment_Token": {"a": "hunter2"}}, "grayling:secrets.Payment_Token: is no name of an object"),
        ({"payment": {"key with space": "hunter2"}}, "is no key of a Secret (found 'key with space')"),
        ({"P": {"k e y": "hunter2"}}, None),
        ({"payment": {"token": ""}}, "grayling:secrets.payment.token: is empty (found (hidden)); seal a value"),
        ({"payment": {"token": 4711}}, "grayling:secrets.payment.token: is no text (found (hidden)); quote it"),
        ({"payment": {"token": None}}, "grayling:secrets.payment.token: is empty"),
        ({"payment": {}}, "grayling:secrets.payment: has too few entries (found (hidden)); at least 1"),
        ({"payment": "hunter2"}, "grayling:secrets.payment: is no map of keys and values (found (hidden))"),
        ({"payment": {"token": "hunter2" * 200_000}}, "1400005 bytes together; one Secret takes"),
    ],
)
def test_of_a_secret_nothing_is_shown(secrets, expected):
    lines = said(secrets=secrets)
    assert len(lines) == (1 if expected else 2)  # a name and a key are two mistakes
    assert (expected or "").partition(" bytes")[0] in lines[0]
    assert not any("hunter2" in line or "4711" in line for line in lines)


def test_a_namespace_of_the_system_by_a_word_of_consent():
    environment = {**small()["environment"], "namespace": "kube-system", "inSystemNamespace": True}
    assert Environment.model_validate(environment).namespace == "kube-system"


@pytest.mark.parametrize("duration", [0, "0s", "infinity", "30s"])
def test_no_limit_and_limits(duration):
    assert read(components={"gateway": {"requestTimeout": duration}}).manifests()


def test_a_plain_value_whatever_it_begins_with():
    made = pod(read(**service(env={"FILTER": "field:price > 10"})))["containers"][0]["env"]
    assert made == [{"name": "FILTER", "value": "field:price > 10"}]


def test_null_takes_away_what_would_be_there():
    found = read(components={"redis": {"storage": None}}, **service(port=None))
    assert "ports" not in of(found, "GrayRelease", "a")["spec"]["workload"]


def test_all_values_of_one_component_at_once():
    lines = said(
        components={"prometheus": {"storage": "1Gi", "retentionSize": "180GB", "alertmanager": "x", "image": "a"}}
    )
    assert len(lines) == 3


def test_the_environment_is_read_whatever_shape_it_has():
    for odd in ("text", ["list"], 5):
        with pytest.raises(StackError):
            Platform.read({"environment": odd}, stack="s", source="f")
