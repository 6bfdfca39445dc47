"""Runs inside a pod of a service: talks to every Memcached member as a client with hashing does."""

import json
import os
import resource
import socket
import ssl
import sys
import time
import zlib

SERVERS = os.environ["MEMCACHED_SERVERS"].split(",")
ACCOUNT = os.environ["MEMCACHED_USERNAME"], os.environ["MEMCACHED_PASSWORD"]


def plain(host, port):
    """A connection."""
    return socket.create_connection((host, int(port)), timeout=10)


def encrypted(host, port, authority=os.environ["MEMCACHED_CA_FILE"]):
    """The same, with TLS."""
    return ssl.create_default_context(cafile=authority).wrap_socket(plain(host, port), server_hostname=host)


def connected(server, account=ACCOUNT, *, secure=True, authority=os.environ["MEMCACHED_CA_FILE"]):
    """A file to talk through, logged in."""
    host, _, port = server.rpartition(":")
    talk = (encrypted(host, port, authority) if secure else plain(host, port)).makefile("rwb")
    if account:
        words = " ".join(account).encode()
        answer = say(talk, b"set auth 0 0 %d\r\n%s" % (len(words), words))
        if answer != "STORED":
            raise PermissionError(answer)
    return talk


def say(talk, line):
    """The first line of the answer."""
    talk.write(line + b"\r\n")
    talk.flush()
    answer = talk.readline()
    if not answer:
        raise ConnectionResetError
    return answer.decode().strip()


def read(talk, key):
    """Value of a key, or None."""
    if say(talk, b"get %s" % key.encode()) == "END":
        return None
    value = talk.readline().strip()
    talk.readline()
    return value.decode()


def of(key):
    """The member that has the key."""
    return SERVERS[zlib.crc32(key.encode()) % len(SERVERS)]


def all_members():
    """A connection to each."""
    return {server: connected(server) for server in SERVERS}


def written(count):
    """How many keys were acknowledged, by member."""
    members, taken = all_members(), dict.fromkeys(SERVERS, 0)
    for number in range(count):
        key = f"key-{number}"
        taken[of(key)] += say(members[of(key)], b"set %s 0 0 5\r\nvalue" % key.encode()) == "STORED"
    return taken


def found(count):
    """How many keys are there, by member; a member that does not answer has none."""
    there, members = dict.fromkeys(SERVERS, 0), {}
    for number in range(count):
        key = f"key-{number}"
        server = of(key)
        try:
            members.setdefault(server, connected(server))
            there[server] += read(members[server], key) == "value"
        except OSError:
            members.pop(server, None)
    return there


def refused(act):
    """What came of it, in a few words."""
    try:
        return str(act())
    except (OSError, ValueError) as error:
        return type(error).__name__


def tried():
    """What the right account may do, and what the wrong ones are told."""
    server = SERVERS[0]
    right = connected(server)
    return {
        "right": [say(right, b"set a 0 0 1\r\n1"), read(right, "a")],
        "protocol": encrypted(*server.split(":")).version(),
        "flush": say(right, b"flush_all"),
        "watch": say(connected(server), b"watch"),
        "wrong password": refused(lambda: connected(server, (ACCOUNT[0], "wrong"))),
        "unknown account": refused(lambda: connected(server, ("nobody", ACCOUNT[1]))),
        "no account": say(connected(server, None), b"get a"),
        "plain": refused(lambda: connected(server, secure=False)),
        "unknown authority": refused(lambda: connected(server, authority=None)),
    }


def filled(member, megabytes):
    """So much in items of 9 KB, all acknowledged."""
    talk, body = connected(SERVERS[member]), b"x" * 9000
    count = megabytes * 1_000_000 // len(body)
    return sum(say(talk, b"set big-%d 0 0 9000\r\n%s" % (each, body)) == "STORED" for each in range(count)) == count


def crowd(member, count):
    """So many clients at once, and how many of them it turns away."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    clients = [plain(*SERVERS[member].split(":")) for _ in range(count)]
    time.sleep(2)  # as long as it takes to look at them once
    away = 0
    for each in clients:
        each.settimeout(0)
        try:
            away += each.recv(100) is not None
        except BlockingIOError:
            continue
        except ConnectionResetError:
            away += 1
    return away


def main():
    """Write and read a little, all the time."""
    while True:
        for server in SERVERS:
            try:
                talk = connected(server)
                say(talk, b"set beat 0 0 1\r\n1")
                for _ in range(5):
                    read(talk, "beat")
            except OSError:
                pass
        time.sleep(0.5)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
    else:
        main()
