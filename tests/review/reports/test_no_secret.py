"""Secrets of every kind, planted wherever an object can hold one, appear in no form of a report."""

from __future__ import annotations

import base64
import json

import pytest

from review.model.risk import Risk, Severity
from review.reports.forms import FORMS, writers
from tests.review.previews import manifest, preview, read, reviewed, step

B64 = base64.b64encode(b"opened-sesame-42").decode()
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAq7BFUpkGp3\nkLmNoPqRsTuVwXyZ\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
RANDOM = "q7Zr9XvB2mKp4WtY8sLdN6cHfJ3gT5aE"

PLANTED = {
    "secret data": "b3BlbmVkLXNlc2FtZS00Mg==",
    "secret data, decoded": "opened-sesame-42",
    "secret stringData": "plain-in-string-data",
    "environment literal": "hunter2-in-env",
    "second environment literal": "p4ss-other-name",
    "address": "s3cr3t-in-url",
    "key": "MIIEowIBAAKCAQEAq7BFUpkGp3",
    "key, inner line": "kLmNoPqRsTuVwXyZ",
    "token": "dozjgNryP4J3jVmNHl0w5N",
    "configuration of the stack": "config-section-secret",
    "configuration of the program": "plainconfigpw99",
    "in a file": "requirepass-value-1",
    "in an argument": "flag-password-77",
    "in an argument of its own": "next-argument-88",
    "diagnostic": "diag-pw-123456",
    "annotation": "AKIAIOSFODNN7EXAMPLE",
    "random": RANDOM,
    "bearer": "abcdef0123456789.bearer",
    "github": "ghp_0123456789abcdefABCDEF0123456789abcd",
    "slack": "xoxb-123456789012-abcdefghijklm",
    "yaml of a chart": "chart-admin-pw",
    "docker": "ZG9ja2VyOmRvY2tlci1wdw==",
    "json in a text": "json-inner-pw",
    "dsn": "dsn-pw-5544",
    "address with an at sign": "ss-after-at",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "stripe": "sk_live_abcdefghijklmnop1234",
    "slack hook": "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "azure": "azure+account+key+0123456789==",
    "client secret": "client-secret-value-3",
    "pgp": "lQOYBFz0abcDEFghijkl",
    "drawn in one case": "k3j4h5g6f7d8s9a0q1w2e3r4t5z6u7i8",
    "long in base64": "Zm9vYmFyabcDEF012345/ghiJKL678901mnoPQR/234567stuVWX890123/yzABCD45678x",
    "bcrypt": "$2y$10$N9qo8uLOickgx2ZMRZoMye",
    "number": "8675309123",
    "number as a text": "4711471147",
    "encoded again": base64.b64encode(b"plain-in-string-data").decode(),
    "basic": "dXNlcjpiYXNpYy1wdy05OTk=",
}


def planted(mark: str) -> list[dict]:
    """Steps that hold everything in ``PLANTED``; ``mark`` makes two versions differ everywhere."""
    secret = manifest(
        "Secret", "db", data={"key": B64}, stringData={"value": "plain-in-string-data" + mark}, type="Opaque"
    )
    docker = json.dumps({"auths": {"registry": {"auth": PLANTED["docker"]}}})
    container = {
        "name": "web",
        "image": "registry.example.com/web:1" + mark,
        "args": ["--password=flag-password-77" + mark, "--db-password", "next-argument-88" + mark],
        "env": [
            {"name": "DB_PASSWORD", "value": "hunter2-in-env" + mark},
            {"name": "SECRET_KEY", "value": "p4ss-other-name" + mark},
            {"name": "AMQP_URL", "value": f"amqp://user:s3cr3t-in-url{mark}@rabbit:5672/"},
            {"name": "COPY", "value": "opened-sesame-42"},
            {"name": "SEED", "value": RANDOM + mark},
            {"name": "CONFIG", "value": '{"user": "a", "password": "json-inner-pw' + mark + '"}'},
            {"name": "ADMIN_PASSWORD", "value": "4711471147" + mark.replace("-next", "1")},
            {"name": "HASHED_PASSWORD", "value": PLANTED["bcrypt"] + mark},
            {"name": "AT", "value": f"amqp://user:p@ss-after-at{mark}@rabbit:5672/"},
            {"name": "DSN", "value": f"host=db user=app password=dsn-pw-5544{mark} dbname=app"},
        ],
    }
    deployment = manifest(
        "Deployment",
        "web",
        version="apps/v1",
        metadata={"annotations": {"note": f"key AKIAIOSFODNN7EXAMPLE {mark}", "hook": PLANTED["slack"] + mark}},
        spec={"replicas": 1, "template": {"spec": {"containers": [container]}}},
    )
    config = manifest(
        "ConfigMap",
        "files",
        data={
            "redis.conf": f"maxmemory 1\nrequirepass requirepass-value-1{mark}\n",
            "tls.key": PEM + mark,
            "token": JWT + mark,
            "curl": f"curl -H 'Authorization: Bearer abcdef0123456789.bearer{mark}' x",
            "basic": f"Authorization: Basic {PLANTED['basic']} {mark}",
            "git": f"git clone https://{PLANTED['github']}@github.com/a/b {mark}",
            "google": f"key {PLANTED['google']} {mark}",
            "stripe": f"stripe {PLANTED['stripe']} {mark}",
            "hook": f"https://hooks.slack.com/services/{PLANTED['slack hook']} {mark}",
            "azure": f"AccountName=a;AccountKey={PLANTED['azure']};{mark}",
            "oauth.json": '{"clientSecret": "client-secret-value-3' + mark + '"}',
            "pgp": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{PLANTED['pgp']}{mark}",
            "drawn": f"id {PLANTED['drawn in one case']} {mark}",
            "long": f"blob {PLANTED['long in base64']} {mark}",
            "again": f"x {PLANTED['encoded again']} {mark}",
            "docker.json": docker + mark,
            "values.yaml": f"adminPassword: chart-admin-pw{mark}\nreplicas: 2\n",
        },
    )
    number = 8675309123 if not mark else 86753091234
    chart = manifest("Thing", "chart", version="x.io/v1", spec={"values": {"auth": {"adminPassword": number}}})
    return [secret, deployment, config, chart]


def changes_with_secrets(tmp_path):
    olds, news = planted(""), planted("-next")
    steps = [step("update", old, new) for old, new in zip(olds, news, strict=True)]
    steps += [step("create", None, each | {"metadata": {"name": "new", "namespace": "shop"}}) for each in news]
    steps += [step("delete", each | {"metadata": {"name": "old", "namespace": "shop"}}) for each in olds]
    steps += [step("refresh", old, new) for old, new in zip(olds, news, strict=True)]
    config = {
        "shop:secrets": json.dumps({"payment": {"token": "config-section-secret"}}),
        "shop:dbPassword": "plainconfigpw99",
    }
    said = "error: could not log in to postgres://app:diag-pw-123456@db:5432 with opened-sesame-42"
    return read(tmp_path, preview(*steps, config=config, diagnostics=[{"severity": "error", "message": said}]))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    changes = changes_with_secrets(tmp_path_factory.mktemp("planted"))
    risks = [
        Risk(f"rule-{number}", Severity.HIGH, str(change.ref), f"{edit.text}: {edit.before} -> {edit.after}")
        for number, change in enumerate(changes.changes)
        for edit in change.edits
    ]
    review = reviewed(changes, risks)
    return {form: write() for form, write in writers(review, limit=10_000_000, width=100).items()}


def test_all_forms_are_tried(outputs):
    assert set(outputs) == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", PLANTED)
def test_no_form_shows_it(outputs, form, kind):
    text = outputs[form].replace("\\n", "\n").replace("\n", "").replace(" ", "")
    assert PLANTED[kind].replace(" ", "") not in text


def test_that_they_change_is_told(outputs):
    assert "env[DB_PASSWORD].value" in outputs["json"]
    assert "(hidden) changed" in outputs["markdown"]


READABLE = [
    "sha256:3f4c8a1b9d2e7f60514c8a1b9d2e7f603f4c8a1b9d2e7f60514c8a1b9d2e7f60",
    "registry.example.com/team/service@sha256:3f4c8a1b9d2e7f60514c8a1b9d2e7f603f4c8a1b9d2e7f60514c8a1b9d2e7f60",
    "registry.example.com:5000/shop/checkout:v1.2.3-rc.1",
    "49836d8088181401",
    "973e27dd-7e3d-4ab0-88ec-66ab0d72debe",
    "integration-platform-rabbitmq-headless.shop.svc.cluster.local",
    "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "topology.kubernetes.io/zone",
    "http://prometheus.h5.svc:9090/api/v1/query",
    "2026-11-28T18:00:00Z",
    "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "sum(rate(http_requests_total{status=~'5..'}[1m]))",
    "basic auth is off",
    "the bearer of this name",
    "x509: certificate signed by unknown authority",
    "password is read from the file",
    "the password must have twelve characters",
    "a token may be used once",
    "basic authentication",
    "ssh://git@github.com/team/repository.git",
    "passwordSecretRef: rabbitmq-auth",
    "--tls-min-version=1.2",
    "a" * 64,
    "checkout-5d9c7b8f6d-x2k4p",
]


@pytest.mark.parametrize("text", READABLE)
def test_what_is_no_secret_stays_readable(tmp_path, text):
    before, after = (manifest("ConfigMap", "c", data={"text": each}) for each in ("x", text))
    (change,) = read(tmp_path, preview(step("update", before, after))).changes
    assert change.edits[0].after == text
