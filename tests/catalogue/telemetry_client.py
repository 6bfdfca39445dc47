"""Runs in a pod of a service: prints lines, sends telemetry as OpenTelemetry's libraries do, asks the stores."""

import base64
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from urllib.parse import quote, urlsplit

OTLP = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
AUTHORITY = os.environ["OTEL_EXPORTER_OTLP_CERTIFICATE"]
HEADERS = dict(each.split("=", 1) for each in os.environ["OTEL_EXPORTER_OTLP_HEADERS"].replace("%20", " ").split(","))
SERVICE = os.environ["OTEL_SERVICE_NAME"]


def said(value):
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [said(each) for each in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def attributes(values):
    return [{"key": key, "value": said(value)} for key, value in values.items()]


def resource():
    return {"attributes": attributes({"service.name": SERVICE})}


def post(path, body, headers=None, address=OTLP):
    """The status, or the name of what went wrong."""
    tls = ssl.create_default_context(cafile=AUTHORITY) if address.startswith("https") else None
    sent = {"Content-Type": "application/json", **(HEADERS if headers is None else headers)}
    request = urllib.request.Request(address + path, json.dumps(body).encode(), sent)
    try:
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return type(getattr(error, "reason", error)).__name__


def lines(records, **more):
    """Sends ``(body, severity, attributes)``."""
    now = time.time_ns()
    made = [
        {"timeUnixNano": str(now + at), "severityNumber": severity, "body": said(body), "attributes": attributes(extra)}
        for at, (body, severity, extra) in enumerate(records)
    ]
    return post("/v1/logs", {"resourceLogs": [{"resource": resource(), "scopeLogs": [{"logRecords": made}]}]}, **more)


def span(name, extra, events=(), message="", **more):
    now = time.time_ns()
    made = {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
        "attributes": attributes(extra),
        "status": {"code": 2, "message": message},
        "events": [{"timeUnixNano": str(now), "name": each, "attributes": attributes(about)} for each, about in events],
    }
    return post("/v1/traces", {"resourceSpans": [{"resource": resource(), "scopeSpans": [{"spans": [made]}]}]}, **more)


def counted(prefix, first, last, size=0):
    """Sends numbered lines in batches until each is acknowledged; how many were, and how often it was refused."""
    refused = 0
    for start in range(first, last, 100):
        batch = [(f"{prefix}-{number} {'x' * size}", 9, {}) for number in range(start, min(start + 100, last))]
        while lines(batch) != 200:
            refused += 1
            time.sleep(0.5)
    return last - first, refused


def ask(url, path, authority, login=None):
    """The text that a store answers, or the status."""
    parts = urlsplit(url)
    login = base64.b64encode((login or f"{parts.username}:{parts.password}").encode()).decode()
    request = urllib.request.Request(f"{parts.scheme}://{parts.hostname}:{parts.port}{path}")
    request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(
            request, context=ssl.create_default_context(cafile=authority), timeout=20
        ) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code


def store(name):
    return os.environ[f"{name}_URL"], os.environ[f"{name}_CA_FILE"]


def logs(name, query):
    url, authority = store(name)
    found = ask(url, f"/select/logsql/query?query={quote(query)}", authority)
    return [json.loads(line) for line in found.splitlines()]


def traces(path):
    return json.loads(ask(os.environ["TRACES_URL"], path, os.environ["JAEGER_CA_FILE"]))


if __name__ == "__main__":
    for line in json.loads(os.environ["LINES"]):
        print(line, flush=True)  # noqa: T201 - what the agent reads
    time.sleep(100_000)
