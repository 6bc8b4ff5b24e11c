"""A realserver's daemon: answers on every address and the ports given with its name, the client and the VIP it saw."""

from __future__ import annotations

import json
import platform
import socket
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Dual(ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # HTTPServer would look its own name up in DNS, which the lab does not have.
        socket.socket.bind(self.socket, self.server_address)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        seen = {
            "server": platform.node(),
            "client": _plain(self.client_address),
            "vip": _plain(self.connection.getsockname()),
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the answers are the record."""


def _plain(endpoint: Sequence[object]) -> str:
    return str(endpoint[0]).removeprefix("::ffff:")


for port in sys.argv[1:]:
    threading.Thread(target=Dual(("::", int(port)), Answer).serve_forever).start()
