"""A service that misbehaves as it is told: it is put into a ConfigMap and run by a plain Python in the cluster.

The environment says how a version is; ``POST /change`` on the admin port (9000) changes it while it runs. Nothing but
the standard library is there.

    PORT       of the service (8080)            STATUS     of every answer (200)
    VERSION    told in X-Version (v1)           FAILING    share of answers with status 500 (0)
    SECONDS    until an answer (0)              LABEL      that metrics tell the status by (code)
    HANGING    1: takes requests, never answers EXIT       ends at once with this code
    HELD       seconds until ready (0)
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADMIN_PORT = 9000
KEYS = ("STATUS", "FAILING", "SECONDS", "HANGING", "HELD")
told = {key: os.environ.get(key, "0") for key in KEYS} | {"STATUS": os.environ.get("STATUS", "200")}
version, label = os.environ.get("VERSION", "v1"), os.environ.get("LABEL", "code")
born, lock = time.monotonic(), threading.Lock()
counted: Counter[int] = Counter()


class Quiet(BaseHTTPRequestHandler):
    """What both ports have in common."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def answer(self, status: int, text: str) -> None:
        """One whole answer."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", version)
        self.end_headers()
        self.wfile.write(body)


class App(Quiet):
    """The service."""

    def do_GET(self) -> None:
        """Answer as told, or not at all."""
        while told["HANGING"] != "0":
            time.sleep(0.2)
        time.sleep(float(told["SECONDS"]))
        failed = random.random() < float(told["FAILING"])  # noqa: S311 - nobody has to be unable to guess it
        status = 500 if failed else int(told["STATUS"])
        with lock:
            counted[status] += 1
        self.answer(status, "here\n")

    do_POST = do_GET  # noqa: N815 - as the standard library calls it


class Admin(Quiet):
    """Probes, metrics, and the switch."""

    def do_GET(self) -> None:
        """Readiness has nothing to do with how the service answers: that is what makes it a trap."""
        if self.path == "/metrics":
            with lock:
                lines = [f'http_requests_total{{{label}="{code}"}} {times}\n' for code, times in counted.items()]
            return self.answer(200, "# TYPE http_requests_total counter\n" + "".join(lines))
        ready = time.monotonic() - born >= float(told["HELD"])
        return self.answer(200 if ready else 503, "")

    def do_POST(self) -> None:
        """Change what is told."""
        told.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(200, "{}")


def main() -> None:
    """Serve until SIGTERM."""
    if code := int(os.environ.get("EXIT", "0")):
        sys.stderr.write("a setting is missing\n")
        sys.exit(code)
    ThreadingHTTPServer.request_queue_size = 128
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    admin = ThreadingHTTPServer(("", ADMIN_PORT), Admin)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), App).serve_forever()


if __name__ == "__main__":
    main()
