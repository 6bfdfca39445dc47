"""A program that takes alerts by webhook, keeps them, and tells what it got: it runs in a pod of a cluster test."""

from __future__ import annotations

import json
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TAKEN = defaultdict(list)


class Hook(BaseHTTPRequestHandler):
    """POST keeps a message under its path, and refuses it below /broken; GET tells all."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        TAKEN[self.path].append({"message": body, "authorization": self.headers.get("Authorization", "")})
        self._answer(500 if self.path.startswith("/broken") else 200, {})

    def do_GET(self):
        self._answer(200, TAKEN)

    def _answer(self, code, body):
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Hook).serve_forever()
