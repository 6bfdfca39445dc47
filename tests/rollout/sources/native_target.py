"""A scrape target that shows a native histogram: the protobuf page that Prometheus reads, written by hand.

Stands in for an application whose client library has native histograms; runs in a container with nothing but Python.
Each port is one pod: ``PORT:SCHEMA:FAST:SLOW`` counts FAST requests of 50 ms and SLOW of 2 s more at every scrape.
"""

from __future__ import annotations

import math
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KIND = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
FAST_SECONDS, SLOW_SECONDS = 0.05, 2.0


def varint(number: int) -> bytes:
    made = b""
    while number > 127:
        made, number = made + bytes([number & 127 | 128]), number >> 7
    return made + bytes([number])


def whole(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def signed(field: int, number: int) -> bytes:
    return whole(field, 2 * number if number >= 0 else -2 * number - 1)


def double(field: int, number: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", number)


def nested(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def histogram(schema: int, fast: int, slow: int) -> bytes:
    """Two buckets, each in a span of its own."""
    first, second = (math.ceil(math.log2(value) * 2**schema) for value in (FAST_SECONDS, SLOW_SECONDS))
    spans = [signed(1, first) + whole(2, 1), signed(1, second - first - 1) + whole(2, 1)]
    return b"".join(
        [
            whole(1, fast + slow),
            double(2, fast * FAST_SECONDS + slow * SLOW_SECONDS),
            signed(5, schema),
            double(6, 2.0**-128),
            whole(7, 0),
            *(nested(12, span) for span in spans),
            signed(13, fast),
            signed(13, slow - fast),
        ]
    )


def family(name: str, kind: int, metric: bytes) -> bytes:
    message = nested(1, name.encode()) + whole(3, kind) + nested(4, metric)
    return varint(len(message)) + message


def serve(port: int, schema: int, fast: int, slow: int) -> None:
    scrapes = 0

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal scrapes
            scrapes += 1
            counted = histogram(schema, fast * scrapes, slow * scrapes)
            page = family("http_request_duration_seconds", 4, nested(7, counted))
            page += family("process_start_time_seconds", 1, nested(2, double(1, 1000.0)))
            self.send_response(200)
            self.send_header("Content-Type", KIND)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


if __name__ == "__main__":
    for told in sys.argv[1:]:
        threading.Thread(target=serve, args=[int(part) for part in told.split(":")]).start()
