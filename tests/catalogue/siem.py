"""A SIEM for the test: takes syslog over TCP with TLS, message by message as RFC 6587 counts them, and tells them."""

import json
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MESSAGES = []


class Syslog(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.length():
            MESSAGES.append(self.rfile.read(length).decode())

    def length(self):
        read = b""
        while (each := self.rfile.read(1)) and each != b" ":
            read += each.strip()
        return int(read) if read else 0


class Encrypted(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def get_request(self):
        wire, address = super().get_request()
        return TLS.wrap_socket(wire, server_side=True), address


class Told(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(MESSAGES).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain("/keys/tls.crt", "/keys/tls.key")
    threading.Thread(target=Encrypted(("", 6514), Syslog).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 8080), Told).serve_forever()
