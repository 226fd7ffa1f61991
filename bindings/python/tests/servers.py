# SPDX-License-Identifier: MIT
"""Real HTTP and HTTPS servers on loopback, each with a will of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Tells what it was asked, as JSON; /paths do other things."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Pod

    def log_message(self, *args: Any) -> None:
        pass

    def answer(
        self, status: int = 200, body: bytes = b"", **headers: str
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status not in (204, 304) and "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b"".join(self.chunks())
        else:
            data = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, data))
        if self.server.behave is not None:
            self.server.behave(self)
            return
        route = getattr(self, "do_path_" + self.path.split("?")[0].strip("/")
                        .replace("/", "_"), None)
        if route is not None:
            route()
            return
        self.tell(data)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = handle_any

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def tell(self, data: bytes) -> None:
        told = {
            "pod": self.server.address,
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "data": data.decode(),
            "sni": getattr(self.connection, "sni", None),
        }
        self.answer(200, json.dumps(told).encode())

    # ---- Paths -----------------------------------------------------------

    def do_path_redirect(self) -> None:
        self.answer(302, Location="/target", Set_Cookie="taste=good")

    def do_path_away(self) -> None:
        self.answer(302, Location=self.server.away)

    def do_path_nothing(self) -> None:
        self.answer(204)

    def do_path_stream(self) -> None:
        self.answer(200, Transfer_Encoding="chunked")
        for _ in range(3):
            self.wfile.write(b"4\r\nabcd\r\n")
            self.wfile.flush()
            if self.server.gate.wait(5) is False:
                return
        self.wfile.write(b"0\r\n\r\n")

    def do_path_broken(self) -> None:
        """A body that ends before its length."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        self.wfile.flush()
        self.close_connection = True

    def do_path_stalled(self) -> None:
        """A body that stops in the middle."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        self.wfile.flush()
        self.server.gate.wait(5)
        self.close_connection = True


class Pod(socketserver.ThreadingTCPServer):
    """One endpoint. `behave` answers instead of the paths if it is set."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.seen: list[tuple[str, str, bytes]] = []
        self.behave: Callable[[Handler], None] | None = None
        self.gate = threading.Event()  # lets /stream and /stalled go on
        self.away = ""
        self.connections = 0
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return "127.0.0.1:%d" % self.server_address[1]

    def get_request(self) -> tuple[Any, Any]:
        connection, client = super().get_request()
        self.connections += 1
        return connection, client

    def process_request_thread(self, request: Any, client: Any) -> None:
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                request.close()
                return
        self.open.add(request)
        super().process_request_thread(request, client)
        self.open.discard(request)

    def handle_error(self, request: Any, client: Any) -> None:
        pass  # a client that went away

    def statuses(self, *statuses: int, **headers: str) -> None:
        """Answer with these, the last one for ever."""
        left = list(statuses)

        def behave(handler: Handler) -> None:
            status = left.pop(0) if len(left) > 1 else left[0]
            handler.answer(status, b"{}", **headers)

        self.behave = behave

    def stop(self) -> None:
        self.gate.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def pods(n: int, context: ssl.SSLContext | None = None) -> Iterator[list[Pod]]:
    """Start so many pods, and stop them at the end."""
    started = [Pod(context) for _ in range(n)]
    for pod in started:
        threading.Thread(
            target=pod.serve_forever, args=(0.01,), daemon=True
        ).start()
    try:
        yield started
    finally:
        for pod in started:
            pod.stop()


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


@contextlib.contextmanager
def deaf_port() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        yield "127.0.0.1:%d" % s.getsockname()[1]


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until a condition holds; False if it does not in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
