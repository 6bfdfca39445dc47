"""Specs that are refused, and such as are taken: by the models and by the API server alike.

Each case is a change of the wire form of :func:`tests.rollout.samples.spec`. `tests/rollout/api/test_spec_cases.py`
holds the models to it, `tests/rollout/api/test_crd_on_cluster.py` a real API server.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.rollout import samples

Wire = dict[str, Any]
Change = Callable[[Wire], object]


def workload(**changes: object) -> Change:
    """Other fields of `workload`."""
    return lambda spec: spec["workload"].update(changes)


def traffic(**changes: object) -> Change:
    """Other fields of `traffic`."""
    return lambda spec: spec["traffic"].update(changes)


def strategy(**changes: object) -> Change:
    """Other fields of `strategy`."""
    return lambda spec: spec["strategy"].update(changes)


def analysis(**changes: object) -> Change:
    """Other fields of `analysis`."""
    return lambda spec: spec["analysis"].update(changes)


def signal(**changes: object) -> Change:
    """One more signal, read at the pods where nothing else is said."""
    made = {"name": "more", "kind": "errors", "source": "pods", **changes}
    return lambda spec: spec["analysis"]["signals"].append(made)


def gateway_pods(labels: dict[str, str]) -> Change:
    """Which pods are the gateway's."""
    return lambda spec: spec.update(
        sources={**spec.get("sources", {}), "gateway": {"namespace": "g", "selector": labels}}
    )


def match(**changes: object) -> Change:
    """One match of the route."""
    return traffic(matches=[changes])


def path(value: str, kind: str = "PathPrefix") -> Change:
    """A match by path."""
    return match(path={"type": kind, "value": value})


def port(**changes: object) -> Change:
    """One port of the workload."""
    return workload(ports=[{"name": "http", "port": 80, **changes}])


def pods(**changes: object) -> Change:
    """Other fields of the pod template's spec."""
    return lambda spec: spec["workload"]["template"]["spec"].update(changes)


def container(**changes: object) -> Change:
    """Other fields of the one container."""
    return lambda spec: spec["workload"]["template"]["spec"]["containers"][0].update(changes)


def both(*changes: Change) -> Change:
    """Several changes at once."""

    def change(spec: Wire) -> None:
        for each in changes:
            each(spec)

    return change


def changed(change: Change) -> Wire:
    """The wire form of a spec after a change."""
    wire = deepcopy(samples.spec().wire())
    change(wire)
    return wire


FILES = workload(config={"app.yaml": "a: 1"})
BIG = "x" * 250_000
HEADER = {"name": "x-a", "value": "1"}

REFUSED: dict[str, Change] = {
    "approvals without their gate": strategy(steps=[{"weight": 5, "approvals": {"count": 2}}]),
    "approvals of a manual gate": strategy(steps=[{"weight": 5, "gate": "manual", "approvals": {"count": 2}}]),
    "approvals of nobody": strategy(steps=[{"weight": 5, "gate": "approval", "approvals": {"count": 0}}]),
    "approvals of a group without a name": strategy(
        steps=[{"weight": 5, "gate": "approval", "approvals": {"group": ""}}]
    ),
    "recorded by both names": lambda spec: spec.update(record=True, recording=True),
    "recorded by one name and not by the other": lambda spec: spec.update(record=True, recording=False),
    "no pods": workload(replicas=0),
    "too many pods": workload(replicas=1001),
    "pods out of none": workload(maxUnavailable=-1),
    "a floor of no pod": workload(minReplicas=0),
    "no pod may go": workload(maxUnavailable=0),
    "template without spec": workload(template={}),
    "template without containers": workload(template={"spec": {"containers": []}}),
    "container without image": workload(template={"spec": {"containers": [{"name": "a"}]}}),
    "container with an empty image": container(image=""),
    "container with a name that is none": container(name="Main"),
    "containers of one name": workload(template={"spec": {"containers": [{"name": "a", "image": "i"}] * 2}}),
    "init container without name": pods(initContainers=[{"image": "i"}]),
    "volume without name": pods(volumes=[{"emptyDir": {}}]),
    "mount without path": container(volumeMounts=[{"name": "a"}]),
    "volume that the files need": both(FILES, pods(volumes=[{"name": "grayling-config", "emptyDir": {}}])),
    "mount where the files go": both(FILES, container(volumeMounts=[{"name": "a", "mountPath": "/etc/service"}])),
    "the same with a slash": both(FILES, container(volumeMounts=[{"name": "a", "mountPath": "/etc/service/"}])),
    "the same in an init container": both(
        FILES,
        pods(initContainers=[{"name": "b", "volumeMounts": [{"name": "a", "mountPath": "/etc/service"}]}]),
    ),
    "file with a folder": workload(config={"a/b": "x"}),
    "file without a name": workload(config={"": "x"}),
    "file called ..": workload(config={"..": "x"}),
    "file called .": workload(config={".": "x"}),
    "file that begins with two dots": workload(config={"..a": "x"}),
    "file with a line end in its name": workload(config={"a\n": "x"}),
    "file with a long name": workload(config={"a" * 254: "x"}),
    "file that is too long": workload(config={"a": "x" * 262_145}),
    "files that are too long together": workload(config=dict.fromkeys("abcde", BIG)),
    "long in bytes alone": workload(config=dict.fromkeys("abc", "é" * 200_000)),
    "too many files": workload(config={f"f{number}": "x" for number in range(65)}),
    "file that is no text": workload(config={"a": 1}),
    "folder that is not absolute": workload(configMountPath="etc"),
    "folder that is the root": workload(configMountPath="/"),
    "folder that leaves": workload(configMountPath="/etc/../bin"),
    "folder with a slash at its end": workload(configMountPath="/etc/service/"),
    "folder with a colon": workload(configMountPath="/etc:/x"),
    "port 0": port(port=0),
    "port beyond the last": port(port=65536),
    "port with a name that is none": port(name="HTTP"),
    "port with a long name": port(name="a" * 43),
    "ports of one name": workload(ports=[{"name": "http", "port": 80}, {"name": "http", "port": 81}]),
    "ports of one number": workload(ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 80}]),
    "target port 0": port(targetPort=0),
    "target port beyond the last": port(targetPort=65536),
    "target port as a text of digits": port(targetPort="80"),
    "target port with a long name": port(targetPort="a" * 16),
    "target port with two dashes": port(targetPort="a--b"),
    "empty target port": port(targetPort=""),
    "target port that no container has": port(targetPort="web"),
    "target port that is another's": both(
        port(targetPort="web"), container(ports=[{"name": "wab", "containerPort": 1}])
    ),
    "protocol that is none": port(appProtocol="a b"),
    "no parent": traffic(parents=[]),
    "parent without a name": traffic(parents=[{"name": ""}]),
    "parent with a name that is none": traffic(parents=[{"name": "Edge"}]),
    "parent in a namespace that is none": traffic(parents=[{"name": "edge", "namespace": "a.b"}]),
    "parent with a listener that is none": traffic(parents=[{"name": "edge", "sectionName": "A"}]),
    "parent twice": traffic(parents=[{"name": "edge"}] * 2),
    "parent twice, one without a listener": traffic(parents=[{"name": "edge"}, {"name": "edge", "sectionName": "a"}]),
    "parent twice with one listener": traffic(parents=[{"name": "edge", "sectionName": "a"}] * 2),
    "too many parents": traffic(parents=[{"name": f"e{number}"} for number in range(17)]),
    "host name with a port": traffic(hostnames=["shop.test:80"]),
    "host name in capitals": traffic(hostnames=["Shop.test"]),
    "host name with a star inside": traffic(hostnames=["a.*.test"]),
    "empty host name": traffic(hostnames=[""]),
    "long host name": traffic(hostnames=["a" * 254]),
    "too many host names": traffic(hostnames=[f"h{number}.test" for number in range(17)]),
    "too many matches": traffic(matches=[{"method": "GET"}] * 65),
    "match by what is unknown": match(cookie="a"),
    "method that is none": match(method="get"),
    "path without a slash": path("a"),
    "path with two slashes": path("/a//b"),
    "path that leaves": path("/a/../b"),
    "path that ends with two dots": path("/a/.."),
    "path with a dot": path("/./a", "Exact"),
    "path with a hidden slash": path("/a%2Fb"),
    "path with a fragment": path("/a#b"),
    "path with a space": path("/a b"),
    "long path": path("/" + "a" * 1024),
    "path of a kind that is none": path("/a", "Prefix"),
    "header without a value": match(headers=[{"name": "x-a"}]),
    "header with an empty value": match(headers=[{"name": "x-a", "value": ""}]),
    "header with a space in its name": match(headers=[{"name": "x a", "value": "1"}]),
    "header twice": match(headers=[HEADER, HEADER]),
    "header of a kind that is none": match(headers=[{**HEADER, "type": "Prefix"}]),
    "too many headers": match(headers=[{"name": f"x-{number}", "value": "1"} for number in range(17)]),
    "parameter twice": match(queryParams=[HEADER, HEADER]),
    "parameter with a long value": match(queryParams=[{"name": "a", "value": "x" * 1025}]),
    "traffic without a port": lambda spec: spec["workload"].pop("ports"),
    "traffic to a port that is not there": traffic(port="grpc"),
    "time-out that is none": traffic(requestTimeout="soon"),
    "time-out of less than a millisecond": traffic(requestTimeout="0.9ms"),
    "time-out of less than a millisecond in seconds": traffic(requestTimeout="0s0.0009s"),
    "time-out of less than a millisecond in minutes": traffic(requestTimeout="0.00001m"),
    "tolerance of everything": signal(tolerance=1001),
    "margin of everything": analysis(promotionMargin=1001),
    "budget of everything": analysis(blastBudget=1_000_000_001),
    "gateway of no pods": gateway_pods({}),
    "gateway with a label that is none": gateway_pods({"app": "a b"}),
    "gateway with a long label": gateway_pods({"app": "a" * 64}),
    "gateway with a key that is none": gateway_pods({"-app": "envoy"}),
    "gateway with a key of two parts": gateway_pods({"a/b/c": "envoy"}),
    "gateway with an empty key": gateway_pods({"": "envoy"}),
    "unknown driver": strategy(driver="mesh"),
    "no step": strategy(steps=[]),
    "too many steps": strategy(steps=[{"weight": number + 1} for number in range(33)]),
    "step without a weight": strategy(steps=[{"hold": "1m"}]),
    "weight 0": strategy(steps=[{"weight": 0}]),
    "weight 101": strategy(steps=[{"weight": 101}]),
    "weights that fall": strategy(steps=[{"weight": 20}, {"weight": 5}]),
    "weights that stay": strategy(steps=[{"weight": 20}, {"weight": 20}]),
    "gate that is none": strategy(steps=[{"weight": 20, "gate": "person"}]),
    "bake that is no duration": strategy(bake="5 minutes"),
    "negative bake": strategy(bake="-5m"),
    "bake without a unit": strategy(bake="5"),
    "empty bake": strategy(bake=""),
    "endless bake": strategy(bake="9999999999d"),
    "bake of many parts": strategy(bake="1s" * 6),
    "rate of none": analysis(falseRollbackRate=0),
    "rate of all": analysis(falseRollbackRate=0.5),
    "margin of one": analysis(promotionMargin=1),
    "budget of none": analysis(blastBudget=0),
    "policy that is none": analysis(noData={"action": "ignore"}),
    "policy that ends in a hold": analysis(noData={"then": "hold"}),
    "signals of one name": analysis(signals=[{"name": "a", "kind": "errors", "source": "pods"}] * 2),
    "too many signals": analysis(
        signals=[{"name": f"s{number}", "kind": "errors", "source": "pods"} for number in range(33)]
    ),
    "signal with a name that is none": signal(name="A"),
    "signal of a kind that is none": signal(kind="speed"),
    "latency of the gateway": signal(kind="latency", source="gateway"),
    "counter without a name": signal(kind="events"),
    "tolerance below one": signal(tolerance=0.5),
    "floor above one": signal(floor=1.5),
    "weight of a signal above one": signal(weight=2),
    "page without a slash": signal(path="metrics"),
    "page of another host": signal(path="@host/metrics"),
    "page that leaves": signal(path="/a/../../b"),
    "metric that is none": signal(metric="a-b"),
    "container that is none": signal(kind="events", source="logs", pattern="x", container="A"),
    "logs without a pattern": signal(kind="events", source="logs"),
    "pattern that is none": signal(kind="events", source="logs", pattern="*panic*"),
    "threshold that is none": signal(kind="latency", threshold="fast"),
    "prometheus without an address": signal(source="prometheus"),
    "gateway without an address": lambda spec: spec.pop("sources"),
    "address that is none": lambda spec: spec["sources"].update(prometheus="prometheus:9090"),
    "deletion that is none": lambda spec: spec.update(deletion="Keep"),
    "no history": lambda spec: spec.update(history=0),
    "unknown field": lambda spec: spec.update(stategy={}),
    "no workload": lambda spec: spec.pop("workload"),
}
"""What neither takes, by what is wrong with it."""

TAKEN: dict[str, Change] = {
    "recorded": lambda spec: spec.update(recording=True),
    "recorded by the old name": lambda spec: spec.update(record=True),
    "recorded, where an older definition wrote its default": lambda spec: spec.update(record=False, recording=True),
    "as it is": lambda _spec: None,
    "a gate of approvals": strategy(steps=[{"weight": 5, "gate": "approval"}]),
    "approvals of a group": strategy(
        steps=[{"weight": 5, "gate": "approval", "approvals": {"count": 2, "group": "oidc:sre"}}]
    ),
    "time-out of a millisecond": traffic(requestTimeout="1ms"),
    "time-out of no limit": traffic(requestTimeout="0s"),
    "time-out of parts": traffic(requestTimeout="0h0.5m0.25s2ms"),
    "labels of a gateway": gateway_pods({"app.kubernetes.io/name": "envoy", "empty": "", "x_Y.z": "a_B.c"}),
    "no more than a workload": lambda spec: [spec.pop(key) for key in list(spec) if key != "workload"],
    "files and where they go": both(FILES, workload(configMountPath="/srv/.conf/a_b+c")),
    "names of files": workload(config=dict.fromkeys(("a", ".env", "A-b_c.yaml", "a..b"), "x")),
    "a million bytes of files": workload(config=dict.fromkeys("abcd", BIG)),
    "volumes and mounts of its own": both(
        FILES,
        pods(volumes=[{"name": "tmp", "emptyDir": {}}], initContainers=[{"name": "b", "image": "i"}]),
        container(volumeMounts=[{"name": "tmp", "mountPath": "/etc/service2"}]),
    ),
    "nulls in the template": both(
        workload(template={"metadata": {"labels": None}, "spec": {"containers": [{"name": "a", "image": "i"}]}}),
        pods(nodeSelector=None),
        container(command=None),
    ),
    "ports of all sorts": both(
        workload(
            ports=[
                {"name": "http", "port": 80, "targetPort": "web-1"},
                {"name": "grpc", "port": 65535, "targetPort": 9090, "appProtocol": "kubernetes.io/h2c"},
                {"name": "admin", "port": 1, "appProtocol": "http"},
                {"name": "side", "port": 2, "targetPort": "side"},
            ]
        ),
        container(ports=[{"containerPort": 1}, {"name": "web-1", "containerPort": 8080}]),
        pods(initContainers=[{"name": "s", "image": "i", "ports": [{"name": "side", "containerPort": 9}]}]),
    ),
    "parents": traffic(
        parents=[
            {"name": "edge", "sectionName": "a"},
            {"name": "edge", "sectionName": "b"},
            {"name": "edge", "namespace": "gateway"},
            {"name": "in.side"},
        ]
    ),
    "host names": traffic(hostnames=["*.shop.test", "shop", "1.shop-2.test"]),
    "matches of all sorts": traffic(
        matches=[
            {"path": {"type": "Exact", "value": "/"}, "method": "GET"},
            {"path": {"value": "/a/b%20c/~x.y/"}, "headers": [HEADER, {**HEADER, "name": "X_b"}]},
            {"path": {"type": "RegularExpression", "value": "^/v[0-9]+//x"}, "queryParams": [HEADER]},
            {"headers": [{**HEADER, "type": "RegularExpression", "value": "a|b"}]},
            {},
        ]
    ),
    "durations": strategy(bake="1d2h3m4.5s6ms", drain="0s", steps=[{"weight": 100, "hold": "1.5h"}]),
    "signals": both(
        signal(kind="events", metric="dead_letters_total"),
        signal(name="grpc", label="grpc_code", errors=["!OK"], port="admin", path="/v1/metrics?x=1"),
        signal(name="lines", kind="events", source="logs", pattern="ERROR|panic", container="app"),
    ),
}
"""What both take."""
