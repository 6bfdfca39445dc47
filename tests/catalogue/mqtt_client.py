"""Runs inside a pod of a service: speaks MQTT 3.1.1 to its broker, with nothing but Python. Prints one line of JSON."""

import itertools
import json
import os
import socket
import ssl
import struct
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

STOP, ENOUGH, SENT, LISTENS = (Path("/tmp", name) for name in ("stop", "enough", "sent", "listens"))  # noqa: S108
CONNACK, PUBACK, SUBACK, PUBLISH = 0x20, 0x40, 0x90, 0x30


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


class Wire:
    """A session with the broker; one of a name outlives its connection."""

    def __init__(self, name="", *, url=None, authority=None, secure=True, password=None, clean=False):
        where = urlsplit(url or os.environ["MQTT_URL"])
        self.socket = socket.create_connection((where.hostname, where.port), timeout=15)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            context = ssl.create_default_context(cafile=authority or os.environ["MQTT_CA_FILE"])
            self.socket = context.wrap_socket(self.socket, server_hostname=where.hostname)
        self.file = self.socket.makefile("rb")
        flags = 0xC0 if name and not clean else 0xC2
        account = text(where.username) + text(password or where.password)
        self.send(0x10, text("MQTT") + bytes([4, flags, 0, 0]) + text(name) + account)
        kind, answer = self.packet()
        if kind != CONNACK or answer[1]:
            raise ConnectionError(f"refused {answer[1]}")

    def send(self, kind, body):
        size, head = len(body), bytes([kind])
        while True:
            head += bytes([size % 128 | (128 if size > 127 else 0)])
            size //= 128
            if not size:
                break
        self.socket.sendall(head + body)

    def packet(self):
        """Kind and body of the next one.

        Raises:
            ConnectionError: there is none any more.
        """
        kind = self.file.read(1)
        if not kind:
            raise ConnectionError("closed")
        size = shift = 0
        while True:
            (byte,) = self.file.read(1)
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind[0], self.file.read(size)

    def publish(self, topic, body, number=1, *, kept=False):
        """Until it is acknowledged; a message that is ``kept`` is retained by the broker."""
        self.send(PUBLISH | 2 | kept, text(topic) + struct.pack(">H", number) + body.encode())
        while self.packet()[0] != PUBACK:
            pass

    def subscribe(self, pattern):
        """The quality that is granted; 128 for none."""
        self.send(0x82, b"\0\1" + text(pattern) + b"\1")
        while True:
            kind, body = self.packet()
            if kind == SUBACK:
                return body[2]

    def message(self):
        """The next one, acknowledged: topic and body."""
        while True:
            kind, body = self.packet()
            if kind & 0xF0 == PUBLISH:
                end = 2 + struct.unpack(">H", body[:2])[0]
                if kind & 0x06:
                    self.send(PUBACK, body[end : end + 2])
                    return body[2:end].decode(), body[end + 2 :].decode()
                return body[2:end].decode(), body[end:].decode()


def said(act):
    """What came of it."""
    try:
        return act()
    except OSError as error:
        return str(error) if type(error) is ConnectionError else type(error).__name__


def doors():
    """Who is let in."""
    return {
        "right": said(lambda: Wire() and "in"),
        "wrong password": said(lambda: Wire(password="wrong") and "in"),
        "unknown authority": said(lambda: Wire(authority="/etc/ssl/certs/ca-certificates.crt") and "in"),
        "plain": said(lambda: Wire(secure=False) and "in"),
    }


def at(place, name=""):
    """A connection to the broker that a service knows under this name."""
    return Wire(name, url=os.environ[f"{place}_URL"], authority=os.environ[f"{place}_CA_FILE"])


def session(place, name, pattern):
    """Make a session that outlives this connection; what it is granted."""
    return at(place, name).subscribe(pattern)


def leave(place, name):
    """A session ends: nothing waits for it any more."""
    Wire(name, url=os.environ[f"{place}_URL"], authority=os.environ[f"{place}_CA_FILE"], clean=True)


def hear(pattern):
    """Topic of the first message."""
    wire = Wire()
    wire.subscribe(pattern)
    LISTENS.touch()
    return wire.message()[0]


def say(*topics):
    """One message on each."""
    wire = Wire()
    for topic in topics:
        wire.publish(topic, "0")


def keep(topic, body):
    """Have the broker retain this message; an empty one ends that."""
    Wire().publish(topic, body, kept=True)


def kept(topic):
    """The message that is retained; nothing if none comes at once."""
    wire = Wire()
    wire.subscribe(topic)
    wire.socket.settimeout(3)
    return said(lambda: wire.message()[1])


def load(topic):
    """Publish numbers until told to stop, each until it is acknowledged; how many were."""
    wire = None
    for number in itertools.takewhile(lambda _: not STOP.exists(), itertools.count()):
        while True:
            try:
                wire = wire or Wire()
                wire.publish(topic, str(number), 1 + number % 60000)
                break
            except OSError:
                wire = None
                time.sleep(0.05)
        SENT.write_text(str(number + 1))
    return number + 1


def some(topic, count):
    """Publish so many numbers."""
    wire = Wire()
    for number in range(count):
        wire.publish(topic, str(number), 1 + number)


def gather(place, name):
    """What a session is given, over new connections where one breaks, until it has as many as it is told to have.

    Which of these numbers are missing, once nothing comes any more.
    """
    found, wire = set(), None
    while not (ENOUGH.exists() and found >= set(range(int(ENOUGH.read_text())))):
        try:
            wire = wire or at(place, name)
            found.add(int(wire.message()[1]))
        except TimeoutError:
            wire = None
            if ENOUGH.exists():
                break
        except OSError:
            wire = None
            time.sleep(0.1)
    return sorted(set(range(int(ENOUGH.read_text()))) - found)


if __name__ == "__main__":
    name, *arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[name](*arguments)), flush=True)  # noqa: T201
