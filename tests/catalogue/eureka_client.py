"""Runs inside a pod of a service: registers instances at members of a Eureka, and looks for them at others."""

import base64
import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

URL = urlsplit(os.environ["EUREKA_URL"])
CONTEXT = ssl.create_default_context(cafile=os.environ["EUREKA_CA_FILE"])
MEMBERS = [f"eureka-{each}.eureka-nodes.{URL.hostname.split('.', 1)[1]}" for each in range(2)]


def ask(path, *, host=URL.hostname, method="GET", body=None, password=URL.password, context=CONTEXT, scheme="https"):
    """Status and body of an answer."""
    account = base64.b64encode(f"{URL.username}:{password}".encode()).decode() if password else ""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if account:
        headers["Authorization"] = f"Basic {account}"
    data = json.dumps(body).encode() if body else None
    made = urllib.request.Request(
        f"{scheme}://{host}:{URL.port}/eureka/{path}", data=data, headers=headers, method=method
    )
    try:
        with urllib.request.urlopen(made, timeout=20, context=context if scheme == "https" else None) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, None


def register(number, host):
    """Status of an instance's registration at one member."""
    instance = {
        "instanceId": f"shop-{number}",
        "app": "SHOP",
        "hostName": f"shop-{number}.example",
        "ipAddr": "192.0.2.1",
        "status": "UP",
        "port": {"$": 8080, "@enabled": "true"},
        "vipAddress": "shop",
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
    }
    return ask("apps/SHOP", host=host, method="POST", body={"instance": instance})[0]


def registered(member, first, last):
    """The statuses of several."""
    return [register(number, MEMBERS[member]) for number in range(first, last)]


def known(member, count):
    """Numbers of the instances that a member knows."""
    host = MEMBERS[member]
    return [number for number in range(count) if ask(f"apps/SHOP/shop-{number}", host=host)[0] == 200]


def refused(act):
    """What came of it, in a few words."""
    try:
        return act()[0]
    except urllib.error.URLError as error:
        return type(error.reason).__name__
    except OSError as error:
        return type(error).__name__


def tried():
    """What the right account may do, and what the wrong ones are told."""
    return {
        "right": refused(lambda: ask("apps")),
        "protocol": protocol(),
        "wrong password": refused(lambda: ask("apps", password="wrong")),
        "no account": refused(lambda: ask("apps", password="")),
        "unknown authority": refused(lambda: ask("apps", context=ssl.create_default_context())),
        "plain": refused(lambda: ask("apps", scheme="http")),
    }


def protocol():
    """What is agreed on."""
    with CONTEXT.wrap_socket(
        socket.create_connection((URL.hostname, URL.port), timeout=20), server_hostname=URL.hostname
    ) as wire:
        return wire.version()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
