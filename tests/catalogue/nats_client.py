"""Runs inside a pod of a service: speaks NATS's own protocol, with nothing but Python. Prints one line of JSON.

Errors of a connection are said by their names; what a server says against it, in its words.
"""

import itertools
import json
import os
import socket
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

STOP, LISTENS = Path("/tmp/stop"), Path("/tmp/listens")  # noqa: S108 - in the pod


class Wire:
    """A connection that is logged in."""

    def __init__(self, url=None, authority=None, *, secure=True, password=None):
        where = urlsplit(url or os.environ["NATS_URL"])
        self.socket = socket.create_connection((where.hostname, where.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # INFO
        if secure:
            context = ssl.create_default_context(cafile=authority or os.environ["NATS_CA_FILE"])
            self.socket = context.wrap_socket(self.socket, server_hostname=where.hostname)
            self.file = self.socket.makefile("rb")
        asked = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python"}
        account = {"user": where.username, "pass": password or where.password, "name": where.username}
        self.inbox = f"_INBOX.{os.urandom(8).hex()}"
        self.send(f"CONNECT {json.dumps({**asked, **account})}\r\nPING\r\n".encode())
        while self.line() != b"PONG":
            pass

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next line of the server that is no news.

        Raises:
            ConnectionError: it says what is wrong, or has gone.
        """
        while True:
            found = self.file.readline()
            if not found:
                raise ConnectionError("closed")
            if found.startswith(b"-ERR"):
                raise ConnectionError(found.decode().strip())
            if found.startswith(b"PING"):
                self.send(b"PONG\r\n")
            elif not found.startswith(b"INFO"):
                return found.strip()

    def subscribe(self, subject, sid=1):
        self.send(f"SUB {subject} {sid}\r\n".encode())

    def message(self):
        """Subject and body of the next message; of one with a status, the status."""
        words = self.line().decode().split()
        if words[0] == "HMSG":
            head, whole = int(words[-2]), int(words[-1])
            data = self.file.read(whole + 2)
            return words[1], data[head:whole] or data[:head].split(b"\r\n")[0]
        return words[1], self.file.read(int(words[-1]) + 2)[:-2]

    def publish(self, subject, body, reply="", **headers):
        body = body if isinstance(body, bytes) else body.encode()
        if not headers:
            self.send(f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n")
            return
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        sizes = f"{len(head)} {len(head) + len(body)}"
        self.send(f"HPUB {subject} {reply} {sizes}\r\n".encode() + head + body + b"\r\n")

    def request(self, subject, body="", **headers):
        """The answer, as JSON."""
        reply = f"{self.inbox}.{os.urandom(6).hex()}"
        self.subscribe(reply, 7)
        self.publish(subject, body, reply, **headers)
        answer = self.message()[1]
        self.send(b"UNSUB 7\r\n")
        return json.loads(answer) if answer.startswith(b"{") else {"status": answer.decode()}


def said(act):
    """What came of it."""
    try:
        return act()
    except (OSError, ValueError) as error:
        return str(error) if type(error) is ConnectionError else type(error).__name__


def ask(subject, body=""):
    """One request."""
    return Wire().request(subject, body)


def asks(subject, times):
    """The last answer of so many requests."""
    wire = Wire()
    return [wire.request(subject) for _ in range(times)][-1]


def doors():
    """Who is let in."""
    return {
        "right": said(lambda: Wire() and "in"),
        "wrong password": said(lambda: Wire(password="wrong") and "in"),
        "unknown authority": said(lambda: Wire(authority="/etc/ssl/certs/ca-certificates.crt") and "in"),
        "plain": said(lambda: Wire(secure=False) and "in"),
    }


def load(subject):
    """Publish numbers until told to stop, each until it is acknowledged; how many were."""
    wire = None
    for number in itertools.takewhile(lambda _: not STOP.exists(), itertools.count()):
        while True:
            try:
                wire = wire or Wire()
                if wire.request(subject, str(number), Nats_Msg_Id=str(number)).get("stream"):
                    break
            except (OSError, ValueError):
                wire = None
            time.sleep(0.05)
    return {"acknowledged": number + 1}


def everything(stream, count):
    """What a new consumer is given of the ``count`` messages of a stream, in its order."""
    wire = Wire()
    wire.subscribe(wire.inbox)
    config = {"deliver_subject": wire.inbox, "ack_policy": "none", "deliver_policy": "all"}
    made = Wire().request(f"$JS.API.CONSUMER.CREATE.{stream}", json.dumps({"stream_name": stream, "config": config}))
    if "error" in made:
        return made
    numbers = [int(wire.message()[1]) for _ in range(count)]
    return {"messages": len(numbers), "in order": numbers == list(range(count))}


def fill(subject, megabytes):
    """Publish that many messages of a mebibyte less some; the last answer."""
    wire, body = Wire(), b"x" * 1_000_000
    return [wire.request(subject, body) for _ in range(megabytes)][-1]


def hear(subject):
    """The first message on a subject."""
    wire = Wire()
    wire.subscribe(subject)
    return wire.message()[1].decode()


def tell(subject, body):
    """One message; the server has it when it answers."""
    wire = Wire()
    wire.publish(subject, body)
    wire.send(b"PING\r\n")
    return wire.line().decode()


def listen(subject):
    """The first message on a subject after being told to stop, when this account says `own` itself."""
    wire = Wire()
    wire.subscribe(subject)
    LISTENS.touch()
    while not STOP.exists():
        time.sleep(0.1)
    wire.publish(subject, "own")
    return wire.message()[1].decode()


if __name__ == "__main__":
    name, *arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[name](*arguments)), flush=True)  # noqa: T201
