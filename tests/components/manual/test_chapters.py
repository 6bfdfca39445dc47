"""What the chapters say: who is called, what fails with what, what is at risk and by which rule."""

from __future__ import annotations

import copy
import datetime as dt

import pytest

from components.manual.contingency import contingency
from components.manual.document import Code, Link
from components.manual.manual import manual_of
from components.manual.markdown import markdown
from components.manual.people import alerts_of
from components.manual.risks import RULES, impact
from components.manual.subject import Subject
from components.stack.stackfile import find
from tests.components.manual.subjects import IMAGE, SHOP, TODAY, environment, ours, project_in, subject_of

ENGINE = {"controller": {"image": "registry.example.com/platform/grayling:1.0.0"}}


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_of(project_in(tmp_path_factory.mktemp("chapters") / "project"), "shop", SHOP)


def told(words):
    return "".join(each if isinstance(each, str) else each.text for each in words)


def plan(subject, name):
    found = next(each for each in contingency(subject).inner if each.title == f"When {name} fails")
    return [told(each) for each in found.blocks[0].items]


def found_by(subject, rule):
    return {tuple(each) for each in next(each for each in RULES if each.id == rule).find(subject)}


def test_what_fails_with_a_member_is_who_needs_it_however_far(tmp_path):
    sections = {
        "environment": environment(),
        "components": {**ENGINE, "redis": {}},
        "services": {
            "store": {"image": IMAGE, "uses": ["redis"]},
            "front": {"image": IMAGE, "uses": ["store"]},
            "other": {"image": IMAGE},
        },
    }
    subject = subject_of(project_in(tmp_path / "p"), "far", sections)
    assert subject.touched("redis") == {"store": 1, "front": 2}
    assert plan(subject, "redis")[0] == "Needed by: store (use it themselves); front (by way of those)."
    assert plan(subject, "other")[0] == "Needed by: no member."


def test_members_that_need_each_other_are_counted_once(tmp_path):
    services = {"a": {"image": IMAGE, "uses": ["b"]}, "b": {"image": IMAGE, "uses": ["a"]}}
    sections = {"environment": environment(), "components": ENGINE, "services": services}
    subject = subject_of(project_in(tmp_path / "p"), "ring", sections)
    assert subject.touched("a") == {"b": 1}
    assert markdown(manual_of(subject)).startswith("# Integration manual: ring\n")


def test_an_external_names_whom_to_call(subject):
    said = plan(subject, "erp")
    assert "Who acts: sap-team, by sap@example.com." in said[2]
    assert said[1] == "Told by: no alert: you hear of it from those who need it."


def test_an_adapter_says_where_its_messages_are(subject):
    said = "adapter cannot hand on billing: after its retries a message goes to kafka:orders.dead."
    assert said in plan(subject, "rabbitmq")


def test_every_alert_has_its_owner_and_its_page(subject):
    for member in subject.members.values():
        for each in alerts_of(subject, member):
            assert each.owner in {"platform", "shop"}
            assert isinstance(each.page, Link)
            assert each.page.target.startswith("docs/runbooks/")


def test_a_url_of_runbooks_is_taken(tmp_path):
    sections = copy.deepcopy(SHOP)
    sections["components"]["prometheus"] = {"runbooks": "https://wiki.example.com/runbooks"}
    subject = subject_of(project_in(tmp_path / "p"), "shop", sections)
    (page, *_) = [each.page for each in alerts_of(subject, subject.members["redis"])]
    assert page.target == "https://wiki.example.com/runbooks/redis.md#redisdown"


def test_runbooks_are_found_from_where_the_manual_stands(tmp_path):
    project = project_in(tmp_path / "p")
    subject_of(project, "shop", SHOP)
    away = Subject.of(find("shop", project), project / "out" / "manuals", TODAY)
    assert away.runbooks == "../../docs/runbooks"


def test_one_pod_and_no_copy_are_risks(subject):
    assert ("checkout", "one pod") not in found_by(subject, "single-pod")
    assert ("redis", "one pod") in found_by(subject, "single-pod")
    kept = {name for name, _ in found_by(subject, "no-backup")}
    assert "rabbitmq" in kept
    assert "redis" not in kept  # it keeps nothing: storage: null


def test_what_nobody_asks_and_nobody_hears_are_risks(subject):
    assert {name for name, _ in found_by(subject, "not-probed")} == {"erp"}
    assert found_by(subject, "alerts-unheard") == {("prometheus", "tells nobody of its alerts")}


def test_certificates_say_who_renews_them(tmp_path):
    sections = {
        "environment": environment(),
        "components": {
            "redis": {"tls": {}},
            "rabbitmq": {"tls": {"secret": "given", "issuer": {"name": "house"}}},
            "eureka": {"image": IMAGE, "tls": {"secret": "theirs"}},
        },
    }
    subject = subject_of(project_in(tmp_path / "p"), "certs", sections)
    assert found_by(subject, "certificate") == {
        ("redis", "its certificate is made once, for ten years"),
        ("eureka", "its certificate is in the Secret theirs, which others renew"),
    }


def test_what_is_worse_stands_first(subject):
    register = next(each for each in manual_of(subject).sections if each.title == "Risk register").blocks[1]
    order = ("high", "medium", "low", "not rated")
    assert [order.index(told(row[3])) for row in register.rows] == sorted(
        order.index(told(row[3])) for row in register.rows
    )


def test_a_deviation_that_this_stack_does_not_make_is_no_risk(tmp_path):
    telemetry = {"kind": "otel-collector", "traces": "jaeger", "logs": "victorialogs"}
    agent = {"kind": "otel-collector", "mode": "agent", "gateway": "telemetry"}
    components = {"jaeger": {}, "victorialogs": {}, "telemetry": telemetry, "agent": agent}
    made = subject_of(project_in(tmp_path / "p"), "x", {"environment": environment(), "components": components})
    assert {name for name, _ in found_by(made, "deviation")} == {"agent"}


def test_deviations_and_served_kinds_are_told_with_their_reason(subject, tmp_path):
    assert any("token" in text and "watches Topology" in text for _, text in found_by(subject, "deviation"))
    sections = {"environment": environment(), "components": {"loki": {}}}
    served = subject_of(project_in(tmp_path / "p"), "served", sections)
    assert {name for name, _ in found_by(served, "never-run")} == {"loki"}


WAIVERS = """schema: grayling.policy/1
waivers:
  - rule: house-single-replica
    object: StatefulSet integration/redis
    reason: sessions may be lost, said the shop
    until: '2026-04-01'
    by: shop
  - rule: house-single-replica
    object: StatefulSet integration/prometheus
    reason: sessions may be lost, said the shop
    until: '2026-02-01'
    by: shop
"""


def test_waivers_are_told_with_their_day_and_ended_ones_too(tmp_path):
    project = project_in(tmp_path / "p")
    (project / ".grayling").mkdir()
    (project / ".grayling" / "review.yaml").write_text(WAIVERS)
    place = environment(tier="prod", namespace="integration")
    sections = {"environment": place, "components": {"redis": {"mode": "standalone"}, "prometheus": {}}}
    subject = subject_of(project, "prod", sections)
    told = dict(found_by(subject, "waiver"))
    assert "accepted until 2026-04-01 by shop: sessions may be lost" in told["StatefulSet integration/redis"]
    assert (
        told["StatefulSet integration/prometheus"]
        == "the waiver of house-single-replica ended on 2026-02-01; shop gave it"
    )
    later = Subject(subject.file, subject.platform, subject.runbooks, dt.date(2026, 5, 1))
    assert "ended on 2026-04-01" in dict(found_by(later, "waiver"))["StatefulSet integration/redis"]


def test_findings_of_the_house_are_in_the_register():
    found = found_by(ours("staging"), "house")
    assert any("is not encrypted (house-tls-off)" in text for _, text in found)


def test_how_bad_it_is_follows_from_who_needs_it(tmp_path):
    users = {f"s{index}": {"image": IMAGE, "uses": ["redis"]} for index in range(3)}
    sections = {
        "environment": environment(),
        "components": {**ENGINE, "gateway": {}, "redis": {}, "redis-two": {"kind": "redis"}, "rabbitmq": {}},
        "services": {**users, "x": {"image": IMAGE, "uses": ["rabbitmq"]}},
    }
    subject = subject_of(project_in(tmp_path / "p"), "bad", sections)
    assert {name: impact(subject, name) for name in ("redis", "rabbitmq", "redis-two", "gateway")} == {
        "redis": "high",
        "rabbitmq": "medium",
        "redis-two": "low",
        "gateway": "high",
    }
    assert impact(subject, "StatefulSet shop/redis") == "high"
    assert impact(subject, "StatefulSet shop/redis-two") == "low"
    assert impact(subject, "Job shop/of-nobody") == "not rated"


DICTIONARY = """terms:
  id: {meaning: the number of an order}
  email: {meaning: where the customer is written to, personal: true, owner: shop, retention: 30d}
  phone: {meaning: where the customer is called, personal: true, owner: shop, retention: 30d}
"""
OPENAPI = """openapi: 3.1.0
info: {title: Orders, version: 2.3.0}
paths:
  /orders/{id}:
    get:
      summary: One order
      responses:
        "200":
          description: it
          content:
            application/json:
              schema:
                type: object
                properties: {id: {type: string}, email: {type: string}, phone: {type: string}}
"""
PART = OPENAPI.replace("One order", "What we read")
ASYNCAPI = """asyncapi: 3.0.0
info: {title: Events, version: 1.0.0}
channels:
  placed: {address: orders.placed, messages: {order: {name: OrderPlaced, payload: {type: object}}}}
operations:
  tell: {action: send, channel: {$ref: '#/channels/placed'}}
"""


def test_contracts_and_the_dictionary_are_told_in_short(tmp_path):
    project = project_in(tmp_path / "p")
    (project / "contracts").mkdir()
    for name, text in (("o.yaml", OPENAPI), ("e.yaml", ASYNCAPI), ("part.yaml", PART), ("words.yaml", DICTIONARY)):
        (project / "contracts" / name).write_text(text)
    orders = {"provides": ["contracts/o.yaml", "contracts/e.yaml"]}
    sections = {
        "environment": environment(),
        "components": {
            **ENGINE,
            "jaeger": {},
            "telemetry": {"kind": "otel-collector", "traces": "jaeger", "mask": ["email"]},
        },
        "services": {
            "orders": {"image": IMAGE, "contract": orders},
            "words": {
                "image": IMAGE,
                "contract": {"provides": ["contracts/o.yaml"], "dictionary": "contracts/words.yaml"},
            },
            "front": {
                "image": IMAGE,
                "uses": ["orders"],
                "contract": {"consumes": [{"service": "orders", "file": "contracts/part.yaml"}]},
            },
        },
    }
    subject = subject_of(project, "contracts", sections)
    text = markdown(manual_of(subject))
    assert "| orders | <code>contracts/o.yaml</code> | openapi | 2.3.0 | Orders |" in text
    assert "| <code>GET /orders/&#123;id&#125;</code> | One order |" in text
    assert "| sends | <code>orders.placed</code> | order |" in text
    assert "| front | orders | <code>contracts/part.yaml</code> | fits |" in text
    assert (
        "| <code>email</code> | words | where the customer is written to | any | yes | shop | 30 days | telemetry |"
        in text
    )
    assert found_by(subject, "personal-field") == {("words", "phone is about a person, and no collector masks it")}


def test_other_stacks_stand_beside():
    made = manual_of(ours("prod"), [ours("local")])
    chapter = next(each for each in made.sections if each.title == "Configuration")
    redis = next(each for each in chapter.inner if each.title == "Settings of redis").blocks[0]
    assert redis.head == ("setting", "prod", "local")
    rows = {told(row[0]): tuple(told(cell) for cell in row[1:]) for row in redis.rows}
    assert rows["storage"] == ("20Gi", "256Mi")
    assert rows["mode"] == ("replication", "default")
    gateway = next(each for each in chapter.inner if each.title == "Settings of checkout").blocks[0]
    assert isinstance(gateway.rows[0][0][0], Code)
