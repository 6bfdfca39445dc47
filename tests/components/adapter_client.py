"""Runs in a pod: sends to an adapter what is right and what is not, and reads what it carried on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

ADAPTER = os.environ["CAMEL_URL"]
HL7 = os.environ["CAMEL_HL7_ADDRESS"]
START, END = b"\x0b", b"\x1c\r"


def post(body: str, seconds: float = 20) -> int:
    """The status of the answer; 0 for none."""
    request = urllib.request.Request(f"{ADAPTER}/orders", body.encode(), {"Content-Type": "application/xml"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def order(identity: object, total: object) -> str:
    return f"<order><id>{identity}</id><total>{total}</total></order>"


def orders():
    """One that is right, and all sorts of wrong ones."""
    return {
        "right": post(order(7, 12.5)),
        "missing": post("<order><id>7</id></order>"),
        "wrong type": post(order(7, "much")),
        "malformed": post("<order><id>7</id>"),
        "too large": post(order(7, "9" * 400_000)),
        "far too large": post(order(7, "9" * 1_100_000)),
    }


def hl7(count: int):
    """Messages over MLLP, each when the one before was acknowledged."""
    said = urlsplit(HL7 if "//" in HL7 else f"//{HL7}")
    found = []
    with socket.create_connection((said.hostname, said.port), 20) as wire:
        for number in range(count):
            text = f"MSH|^~\\&|HIS|WARD|LAB|H|20260101||ADT^A01|{number}|P|2.5\rPID|1||123\r"
            wire.sendall(START + text.encode() + END)
            answer = b""
            while not answer.endswith(END):
                answer += wire.recv(4096)
            found.append(answer.decode().split("MSA|")[1].split("|")[0])
    return {"acknowledged": found}


def flood(count: int):
    """Orders one after the other, each sent again until it is acknowledged."""
    done = []
    for number in range(count):
        while post(order(f"n{number}", number), 5) != 200:
            time.sleep(0.2)
        done.append(f"n{number}")
        time.sleep(0.02)
    return {"acknowledged": done}


async def read(wanted: dict[str, str]):
    """Messages of queues: as many as are wanted, or (``*``) until none comes for three seconds."""
    import aio_pika

    connection = await aio_pika.connect(os.environ["AMQP_URL"])
    found = {}
    async with connection:
        channel = await connection.channel()
        for name, count in wanted.items():
            queue = await channel.get_queue(name, ensure=False)
            found[name] = []
            last = time.monotonic()
            limit = 3 if count == "*" else 60
            while (count == "*" or len(found[name]) < int(count)) and time.monotonic() - last < limit:
                message = await queue.get(fail=False, no_ack=True)
                if message is None:
                    await asyncio.sleep(0.1)
                    continue
                last = time.monotonic()
                headers = {key: str(value) for key, value in message.headers.items()}
                found[name].append({"body": message.body.decode(), "headers": headers})
    return found


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "read":
        told = asyncio.run(read(dict(each.split("=") for each in rest)))
    else:
        told = {"orders": orders, "hl7": hl7, "flood": flood}[what](*(int(each) for each in rest))
    sys.stdout.write(json.dumps(told) + "\n")
