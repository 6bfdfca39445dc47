"""Runs inside a pod of a service: what its account may do on a store, and what happens without TLS. Prints JSON."""

import json
import os
import socket
import ssl
import struct
import sys
import time
from urllib.parse import urlsplit


def opened(url, authority, *, secure=True):
    """A connection to the host of ``url``."""
    plain = socket.create_connection((url.hostname, url.port), timeout=10)
    plain.settimeout(10)
    if not secure:
        return plain
    context = ssl.create_default_context(cafile=authority) if authority else ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=url.hostname)


def said(act):
    """What came of it, in a few words."""
    try:
        return act()
    except (OSError, ValueError) as error:
        return type(error).__name__


def redis(url, authority, *commands, password=None, secure=True):
    """The first word of the answer to each command, after logging in."""
    with opened(url, authority, secure=secure) as wire:
        answers = []
        for words in (("AUTH", url.username, password or url.password), *commands):
            parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
            wire.sendall(f"*{len(words)}\r\n{parts}".encode())
            answer = wire.recv(4096)
            if not answer:
                raise ConnectionError
            answers.append(answer.decode().split()[0])
        return answers


def amqp(url, authority, *, password=None, secure=True):
    """Class and method of the broker's answer to a login: (10, 30) goes on to tune the connection."""
    with opened(url, authority, secure=secure) as wire:
        wire.sendall(b"AMQP\x00\x00\x09\x01")
        if not wire.recv(65536):
            raise ConnectionError
        answer = f"\0{url.username}\0{password or url.password}".encode()
        table = b"\x00\x00\x00\x00"
        body = (
            struct.pack(">HH", 10, 11) + table + b"\x05PLAIN" + struct.pack(">I", len(answer)) + answer + b"\x05en_US"
        )
        wire.sendall(struct.pack(">BHI", 1, 0, len(body)) + body + b"\xce")
        found = wire.recv(65536)
        if len(found) < 11:
            raise ConnectionError
        return list(struct.unpack(">HH", found[7:11]))


def main():
    """Try everything, and say it on one line."""
    store, broker = urlsplit(os.environ["REDIS_URL"]), urlsplit(os.environ["AMQP_URL"])
    store_ca, broker_ca = os.environ["REDIS_CA_FILE"], os.environ["RABBITMQ_CA_FILE"]
    found = {
        "schemes": [store.scheme, broker.scheme],
        "users": [store.username, broker.username],
        "data": said(lambda: redis(store, store_ca, ("SET", "a", "1"), ("GET", "a"))),
        "settings": said(lambda: redis(store, store_ca, ("CONFIG", "GET", "*"))),
        "everything": said(lambda: redis(store, store_ca, ("FLUSHALL",))),
        "wrong password": said(lambda: redis(store, store_ca, password="wrong")),
        "plain": said(lambda: redis(store, store_ca, secure=False)),
        "unknown authority": said(lambda: redis(store, "")),
        "broker": said(lambda: amqp(broker, broker_ca)),
        "broker, wrong password": said(lambda: amqp(broker, broker_ca, password="wrong")),
        "broker, plain": said(lambda: amqp(broker, broker_ca, secure=False)),
        "broker, unknown authority": said(lambda: amqp(broker, "")),
    }
    sys.stdout.write(f"FOUND {json.dumps(found)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    time.sleep(600)
