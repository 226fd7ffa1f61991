# SPDX-License-Identifier: MIT
"""What the gateway's tests are made of: the gateway as a process, upstream
servers that do as they are told, and a client that can misbehave."""
from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import queue
import signal
import socket
import struct
import subprocess
import threading
import time
from typing import Any, Callable, Iterable, Iterator

ROOT = pathlib.Path(__file__).parents[2]
GATEWAY = os.environ.get(
    "ILB_GATEWAY", str(ROOT / "build/examples/gateway/ilb-gateway"))
PATIENCE_S = 20.0  # for a loaded machine or a sanitizer; a good run is quick


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Call `what` until it gives something true, and return that."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got or time.monotonic() > end:
            assert got, f"not in {seconds} s: {what}"
            return got
        time.sleep(0.01)


def reset(sock: socket.socket) -> None:
    """Close with RST, as a process that dies does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


# ---- Messages ----

@dataclasses.dataclass
class Message:
    """A request or a response, as it was on the wire."""

    first: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    raw: bytes = b""
    connection: int = 0  # which one, counted from 1
    sock: Any = None

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The only value of a field; None without one."""
        values = self.all(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else None


class Reader:
    """Messages from a socket, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""
        self.ended = False

    def more(self) -> bool:
        piece = self.sock.recv(65536)
        self.data += piece
        self.ended = not piece
        return bool(piece)

    def until(self, mark: bytes) -> bytes | None:
        while mark not in self.data:
            if not self.more():
                return None
        piece, self.data = self.data.split(mark, 1)
        return piece + mark

    def exactly(self, n: int) -> bytes:
        got = bytearray(self.data[:n])
        self.data = self.data[n:]
        while len(got) < n:
            piece = self.sock.recv(min(n - len(got), 1 << 20))
            if not piece:
                raise EOFError(f"{len(got)} of {n} bytes")
            got += piece
        return bytes(got)

    def chunked(self) -> bytes:
        body = b""
        while True:
            line = self.until(b"\r\n")
            if line is None:
                raise EOFError("in a chunk's size")
            n = int(line.split(b";")[0], 16)
            body += self.exactly(n)
            if self.exactly(2) != b"\r\n":
                raise ValueError("chunk without end")
            if n == 0:
                return body

    def rest(self) -> bytes:
        while self.more():
            pass
        piece, self.data = self.data, b""
        return piece

    def message(self, bodiless: bool = False) -> Message | None:
        """The next one; None at the end. `bodiless`: the answer to HEAD."""
        head = self.until(b"\r\n\r\n")
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")[:-2]
        fields = [(n, v.strip(" ")) for n, _, v in
                  (line.partition(":") for line in lines[1:])]
        m = Message(lines[0], fields, raw=head)
        is_answer = lines[0].startswith("HTTP/")
        if is_answer and (bodiless or m.status < 200 or
                          m.status in (204, 304)):
            return m
        if "chunked" in (m.get("Transfer-Encoding") or ""):
            m.body = self.chunked()
        elif m.get("Content-Length") is not None:
            m.body = self.exactly(int(m.get("Content-Length") or 0))
        elif is_answer:
            m.body = self.rest()
        return m


def answer(status: int = 200, body: bytes = b"ok", *fields: str) -> bytes:
    """A response with a length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ---- Upstream servers ----

Handler = Callable[[Message], "bytes | None"]


class Upstream:
    """A server on a free port that answers as its handler says: bytes, or None
    to close the connection. Every request that arrived is kept."""

    def __init__(self, handler: Handler | None = None, port: int = 0) -> None:
        self.handler: Handler = handler or (lambda m: answer())
        self.requests: list[Message] = []
        self.closed: "queue.Queue[int]" = queue.Queue()
        self.n_connections = 0
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.n_connections += 1
                self._socks.append(sock)
                threading.Thread(target=self._serve, daemon=True,
                                 args=(sock, self.n_connections)).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        reader = Reader(sock)
        with contextlib.suppress(OSError, EOFError):
            while (m := reader.message()) is not None:
                m.connection, m.sock = number, sock
                self.requests.append(m)
                reply = self.handler(m)
                if reply is None:
                    break
                sock.sendall(reply)
        with contextlib.suppress(OSError):
            sock.close()
        self.closed.put(number)

    def close_idle(self) -> None:
        """Close every connection that there is, politely."""
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def dead_address() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return f"127.0.0.1:{s.getsockname()[1]}"


# ---- The gateway ----

def service(name: str, endpoints: Iterable[str], *lines: str) -> str:
    """A service's part of a configuration; route /name unless given."""
    text = [f"service {name}"]
    if not any(line.startswith("route") for line in lines):
        text.append(f"    route /{name}")
    text += [f"    {line}" for line in lines]
    text += [f"    endpoint {e}" for e in endpoints]
    return "\n".join(text) + "\n"


class Gateway:
    """The program, on free ports."""

    def __init__(self, path: pathlib.Path, services: str, *top: str,
                 preexec: Callable[[], None] | None = None) -> None:
        self.path = path
        self.top = top
        self.write(services)
        self.process = subprocess.Popen(
            [GATEWAY, "-c", str(path)], stderr=subprocess.PIPE, text=True,
            preexec_fn=preexec)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(lambda: self.logged("ready on") or
                 self.process.poll() is not None)
        words = self.logged("ready on").replace(",", "").split()
        self.port = int(words[3].rpartition(":")[2])
        self.admin = int(words[5].rpartition(":")[2])

    def _read(self) -> None:
        for line in self.process.stderr:  # type: ignore[union-attr]
            self.lines.append(line)

    def write(self, services: str) -> None:
        self.services = services
        given = [line.split()[0] for line in self.top]
        head = [*self.top, *(f"{word} 127.0.0.1:0" for word in
                             ("listen", "admin") if word not in given)]
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(head) + "\n" + services)
        new.rename(self.path)

    def logged(self, text: str) -> str:
        """The last line that has it."""
        return next((x for x in reversed(self.lines) if text in x), "")

    def reload(self, services: str | None = None) -> None:
        """SIGHUP, and wait until it has happened, well or not."""
        def happened() -> int:
            return sum("reloaded" in x or "configuration stays" in x
                       for x in self.lines)

        before = happened()
        self.write(self.services if services is None else services)
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: happened() > before)

    def connect(self) -> "Client":
        return Client(self.port)

    def ask(self, method: str, path: str, body: bytes | None = None,
            headers: dict[str, str] | None = None) -> Message:
        """One request on a connection of its own."""
        with self.connect() as c:
            lines = [f"{method} {path} HTTP/1.1"]
            given = {"Host": "shop.example", "Connection": "close",
                     **(headers or {})}
            if body is not None:
                given.setdefault("Content-Length", str(len(body)))
            lines += [f"{n}: {v}" for n, v in given.items()]
            c.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
            m = c.answer(method == "HEAD")
            assert m is not None
            return m

    def look(self, page: str) -> tuple[int, Any]:
        """A page of the admin port: status and JSON."""
        c = http.client.HTTPConnection("127.0.0.1", self.admin,
                                       timeout=PATIENCE_S)
        with contextlib.closing(c):
            c.request("GET", page)
            r = c.getresponse()
            return r.status, json.loads(r.read())

    def endpoint(self, address: str) -> dict[str, Any]:
        """One endpoint's part of the snapshot."""
        return next(e for s in self.look("/snapshot")[1]["services"]
                    for e in s["endpoints"] if e["address"] == address)

    def done(self, address: str) -> dict[str, int]:
        """How its requests ended: only the outcomes that there were."""
        return {k: v for k, v in self.endpoint(address)["done"].items() if v}

    def settled(self, address: str) -> dict[str, int]:
        """As done, when nothing is in flight any more."""
        wait_for(lambda: self.endpoint(address)["in_flight"] == 0)
        return self.done(address)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped, every thread of it, and going on afterwards."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")

        def all_stopped() -> bool:
            stats = [p.read_text() for p in tasks.glob("*/stat")]
            return all(x.rpartition(")")[2].split()[0] == "T" for x in stats)

        self.process.send_signal(signal.SIGSTOP)
        wait_for(all_stopped)
        yield
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, and its exit status. Nothing may be wrong inside."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S + 15)
        self._reader.join(5)
        log = "".join(self.lines)
        assert "Sanitizer" not in log and "runtime error" not in log, log
        assert "ilb_done" not in log and "ilb_first_byte" not in log, log
        return status


class Client:
    """A connection to the gateway."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, path: str, *fields: str) -> Message | None:
        """One request, and its answer, on this connection."""
        self.send(get(path, *fields))
        return self.answer()

    def answer(self, bodiless: bool = False) -> Message | None:
        return self.reader.message(bodiless)

    def at_end(self) -> bool:
        """Wait for the gateway to close; false if it says something first."""
        with contextlib.suppress(ConnectionResetError):
            return self.reader.data == b"" and not self.reader.more()
        return True


def get(path: str, *fields: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: shop.example", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@contextlib.contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """It must end well, whatever the test did to it."""
    try:
        yield gateway
    except BaseException:
        gateway.process.kill()
        gateway.process.wait()
        print("".join(gateway.lines))
        raise
    assert gateway.stop() == 0, "".join(gateway.lines)
