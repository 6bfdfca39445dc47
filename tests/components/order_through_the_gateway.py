"""Runs in the network of the sandbox: one order to a host behind an address, until it is billed. Prints JSON."""

import http.client
import json
import socket
import ssl
import sys
import time


def asked(scheme, address, host, method, path, body=None):
    """Status, version and answer of one request."""
    wire = socket.create_connection((address, 443 if scheme == "https" else 80), timeout=10)
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        wire = context.wrap_socket(wire, server_hostname=host)
    connection = http.client.HTTPConnection(host)
    connection.sock = wire
    try:
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("X-Version"), answer.read()
    finally:
        connection.close()


def until(wanted, *request):
    """The first answer that is as wanted; what is not is tried again for a minute."""
    said = None
    for _ in range(120):
        try:
            said = asked(*sys.argv[1:], *request)
            if wanted(said):
                return said
        except OSError as error:
            said = error
        time.sleep(0.5)
    sys.exit(f"{request}: {said}")


_, version, taken = until(lambda said: said[0] == 201, "POST", "/orders", {"item": "book", "quantity": 1})
path = f"/orders/{json.loads(taken)['id']}"
_, _, shown = until(lambda said: said[0] == 200 and json.loads(said[2])["billed"], "GET", path)
print(json.dumps({"billed": json.loads(shown)["billed"], "version": version}))  # noqa: T201
