# SPDX-License-Identifier: MIT
"""The gateway as a real process, between real sockets on this host.

ILB_GATEWAY names the program; the default is the build's.
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from gateway_kit import (GATEWAY, PATIENCE_S, Client, Gateway, Message,
                         Upstream, answer, dead_address, get, reset, running,
                         service, wait_for)

pytestmark = pytest.mark.skipif(
    not os.access(GATEWAY, os.X_OK), reason="the gateway is not built")

Start = Callable[..., Gateway]
MakeUpstream = Callable[..., Upstream]


@pytest.fixture
def upstream() -> Iterator[MakeUpstream]:
    """Makes servers that are gone when the test is over."""
    made: list[Upstream] = []

    def make(handler: Any = None, port: int = 0) -> Upstream:
        made.append(Upstream(handler, port))
        return made[-1]

    yield make
    for u in made:
        u.close()


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts gateways, and sees to it that they end well."""
    with contextlib.ExitStack() as stack:
        def start_one(services: str, *top: str, **more: Any) -> Gateway:
            path = tmp_path / f"gateway-{random.randrange(10**9)}.conf"
            return stack.enter_context(
                running(Gateway(path, services, *top, **more)))

        yield start_one


def check(text: str, tmp_path: pathlib.Path) -> "subprocess.CompletedProcess[str]":
    path = tmp_path / "x.conf"
    path.write_text(text)
    return subprocess.run([GATEWAY, "-t", "-c", str(path)], text=True,
                          capture_output=True, timeout=PATIENCE_S)


# ---- The configuration ----

GOOD = """
listen 127.0.0.1:0   # a comment
service billing
    route /billing
    endpoint 127.0.0.1:9101
    endpoint [::1]:9102 weight 2
"""


def test_example_configuration_is_good() -> None:
    example = pathlib.Path(__file__).parents[2] / "examples/gateway"
    done = subprocess.run([GATEWAY, "-t", "-c", str(example / "gateway.conf")],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")


def test_good_configuration(tmp_path: pathlib.Path) -> None:
    done = check(GOOD, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_word_of_balancing(tmp_path: pathlib.Path) -> None:
    words = ("policy random\nconsecutive_failures 65535\nfail_mode closed\n"
             "panic_threshold_percent 100\nmin_endpoints 1000000\n"
             "detectors_off latency hang\ndetectors_shadow probe retry_after "
             "success_rate failure_percentage consecutive_failures\n"
             "max_retry_after 24h\nslow_start 10m\nlatency_margin 1ms\noverload_429 on\n"
             ).replace("24h", "1440m")
    others = ("fail_mode open\npanic_threshold_percent 0\nmin_endpoints 1\n"
              "detectors_off none\ndetectors_shadow none\nslow_start 0s\n"
              "overload_429 off\n")
    done = check(words + GOOD + others, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line, text, message", [
    (6, "listen 127.0.0.1:1", "listen: belongs above the first service"),
    (6, "endpoint 127.0.0.1:9101", "127.0.0.1:9101 is there already"),
    (2, "listen 127.0.0.1:1", "listen: is there already"),
    (6, "timeout 1s\ntimeout 1s", "timeout: is there already"),
    (6, "endpoint localhost:1", "'localhost:1' is not ip:port"),
    (6, "endpoint 127.0.0.1", "not ip:port"),
    (6, "endpoint 127.0.0.1:0", "not ip:port"),
    (6, "endpoint 127.0.0.1:65536", "not ip:port"),
    (6, "endpoint ::1:80", "not ip:port"),
    (6, "endpoint 127.0.0.1:9 weight 0", "weight"),
    (6, "endpoint 127.0.0.1:9 wait 1", "weight"),
    (6, "endpoint", "takes one value"),
    (6, "timeout 2", "not a duration"),
    (6, "timeout 0s", "not a duration"),
    (6, "timeout -1s", "not a duration"),
    (6, "timeout 99999999999999999999s", "not a duration"),
    (6, "retries 4", "from 0 to 3"),
    (6, "policy fastest", "'fastest' is not"),
    (6, "consecutive_failures 0", "'0' is neither off nor"),
    (6, "fail_mode half", "'half' is neither open nor closed"),
    (6, "panic_threshold_percent 101", "from 0 to 100"),
    (6, "min_endpoints 0", "from 1 to 1000000"),
    (6, "min_endpoints 1000001", "from 1 to 1000000"),
    (6, "detectors_off", "takes one value or more, not 0"),
    (6, "detectors_off latency slow", "detectors_off: 'slow' is not consec"),
    (6, "detectors_shadow none hang", "or alone none"),
    (6, "detectors_shadow " + "hang " * 16, "too many words"),
    (6, "max_retry_after 0s", "max_retry_after: '0s' is not a duration"),
    (6, "slow_start 5", "slow_start: '5' is not a duration"),
    (6, "latency_margin 0s", "latency_margin: '0s' is not a duration"),
    (6, "overload_429 yes", "neither on nor off"),
    (6, "route billing", "must begin with '/'"),
    (6, "route /billing/", "is there already, for service billing"),
    (6, "service billing", "is there already"),
    (6, "service b\"d", "letters"),
    (6, "colour red", "unknown word 'colour'"),
    (1, "admin 0.0.0.0:1", "not a loopback address"),
    (1, "admin 10.1.2.3:1", "not a loopback address"),
    (1, "admin [::]:1", "not a loopback address"),
    (1, "threads 0", "from 1 to"),
    (1, "max_body 2g", "max_body"),
    (1, "trust_forwarded yes", "neither on nor off"),
    (1, "route /x", "belongs to a service"),
    (1, "log_level loud", "'loud' is not"),
])
def test_error_names_file_line_and_fault(tmp_path: pathlib.Path, line: int,
                                         text: str, message: str) -> None:
    lines = GOOD.split("\n")
    lines.insert(line, text)
    done = check("\n".join(lines), tmp_path)
    assert done.returncode == 1
    line += 1 + text.count("\n")
    assert done.stderr.startswith(f"{tmp_path}/x.conf:{line}: ")
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("text, message", [
    ("listen 127.0.0.1:1\n", "no 'service'"),
    ("service a\nroute /\n", "no 'listen'"),
    ("listen 127.0.0.1:1\nservice a\n", "service a has no 'route'"),
    ("", "no 'listen'"),
    ("listen 127.0.0.1:1\ndetectors_off hang probe\nservice a\nroute /\n"
     "detectors_shadow latency probe\n",
     "service a: probe is in detectors_off and in detectors_shadow"),
])
def test_error_of_the_whole(tmp_path: pathlib.Path, text: str,
                            message: str) -> None:
    done = check(text, tmp_path)
    assert done.returncode == 1 and message in done.stderr


def test_no_such_file(tmp_path: pathlib.Path) -> None:
    done = subprocess.run([GATEWAY, "-c", str(tmp_path / "none")], text=True,
                          capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and "No such file" in done.stderr


def test_address_in_use_is_an_error(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "x.conf"
        port = taken.getsockname()[1]
        path.write_text(GOOD.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        done = subprocess.run([GATEWAY, "-c", str(path)], text=True,
                              capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and "Address already in use" in done.stderr


# ---- Routes ----

def test_routes(start: Start, upstream: MakeUpstream) -> None:
    one, two, rest = upstream(), upstream(), upstream()
    g = start(service("one", [one.address], "route /shop", "route /s/") +
              service("two", [two.address], "route /shop/cart") +
              service("rest", [rest.address], "route /"))
    for path, server, target in [
            ("/shop", one, "/"), ("/shop/", one, "/"), ("/shop/a", one, "/a"),
            ("/shop?q=1", one, "/?q=1"), ("/shop/cart", two, "/"),
            ("/shop/cart/x?y=/../z", two, "/x?y=/../z"),
            ("/shop/carts", one, "/carts"), ("/s/x", one, "/x"),
            ("/shopping", rest, "/shopping"), ("/", rest, "/"),
            ("/shop//a%20b;c=1", one, "//a%20b;c=1"),
            ("http://other.example/shop/abs", one, "/abs"),
            ("/.well-known/x", rest, "/.well-known/x"),
            ("/...", rest, "/...")]:
        m = g.ask("GET", path)
        assert (m.status, m.get("X-Ilb-Endpoint")) == (200, server.address)
        assert server.requests[-1].target == target
    assert one.requests[-1].get("Host") == "other.example"


def test_no_route(start: Start, upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]))
    m = g.ask("GET", "/b")
    assert (m.status, m.body) == (404, b'{"error": "no route for this path"}\n')
    assert m.get("Content-Type") == "application/json"


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2E/b", "/a/.%2e", "/./a",
                                  "/a/..?x"])
def test_dot_segments_are_refused(start: Start, upstream: MakeUpstream,
                                  path: str) -> None:
    u = upstream()
    assert start(service("a", [u.address])).ask("GET", path).status == 400
    assert not u.requests


# ---- Heads ----

def test_request_head(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with g.connect() as c:
        c.send(get("/a/x", "Connection: keep-alive, X-Private ,x-other",
                   "Keep-Alive: timeout=5", "X-Private: 1", "X-OTHER: 2",
                   "Proxy-Connection: keep-alive", "TE: trailers", "Trailer: X",
                   "Proxy-Authorization: Basic eA==",
                   f"traceparent: {parent}", "TraceState: a=1", "tracestate: b",
                   "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 10.0.0.2",
                   "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil",
                   "Cookie: a=1; b=2", "X-Empty:", "X-Odd:   a\tb  ",
                   "Accept: a", "accept: b"))
        assert c.answer().status == 200  # type: ignore[union-attr]
    m = u.requests[0]
    assert m.first == "GET /x HTTP/1.1"
    for gone in ("Connection", "Keep-Alive", "X-Private", "X-Other",
                 "Proxy-Connection", "TE", "Trailer", "Proxy-Authorization",
                 "Upgrade", "Content-Length", "Transfer-Encoding"):
        assert m.all(gone) == [], gone
    assert f"traceparent: {parent}\r\n".encode() in m.raw
    assert m.all("tracestate") == ["a=1", "b"]
    assert m.get("Host") == "shop.example"
    assert m.get("X-Forwarded-For") == "10.0.0.1, 10.0.0.2, 127.0.0.1"
    assert m.get("X-Forwarded-Proto") == "http"
    assert m.get("X-Forwarded-Host") == "shop.example"
    assert m.get("Via") == "1.1 ilb-gateway"
    assert m.all("accept") == ["a", "b"]
    assert (m.get("Cookie"), m.get("X-Empty")) == ("a=1; b=2", "")
    assert m.get("X-Odd") == "a\tb"


def test_connection_cannot_remove_what_the_gateway_adds(
        start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    g.ask("POST", "/a", b"12345", {
        "Connection": "close, host, content-length, x-forwarded-for"})
    m = u.requests[0]
    assert (m.get("Host"), m.body) == ("shop.example", b"12345")
    assert m.get("X-Forwarded-For") == "127.0.0.1"


def test_forwarded_fields_can_be_trusted(start: Start,
                                         upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "trust_forwarded on")
    g.ask("GET", "/a", headers={"X-Forwarded-Proto": "https",
                                "X-Forwarded-For": "192.0.2.1"})
    m = u.requests[0]
    assert m.get("X-Forwarded-Proto") == "https"
    assert m.get("X-Forwarded-Host") == "shop.example"
    assert m.get("X-Forwarded-For") == "192.0.2.1, 127.0.0.1"


def test_response_head(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(
        201, b"made", "Connection: X-Private, close", "X-Private: 1",
        "Keep-Alive: timeout=5", "Set-Cookie: a=1", "Set-Cookie: b=2",
        "X-Ilb-Endpoint: forged", "X-Ilb-Attempts: 9", "Upgrade: h2c",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Server: pod"))
    g = start(service("a", [u.address]))
    with g.connect() as c:
        for _ in range(2):
            m = c.get("/a")
            assert m is not None
            assert (m.status, m.body) == (201, b"made")
            for gone in ("Connection", "X-Private", "Keep-Alive", "Upgrade"):
                assert m.all(gone) == [], gone
            assert m.all("Set-Cookie") == ["a=1", "b=2"]
            assert m.get("X-Ilb-Endpoint") == u.address
            assert m.get("X-Ilb-Attempts") == "1"
            assert m.get("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"
            assert m.get("Server") == "pod"
    assert u.n_connections == 2  # its Connection: close was honoured


def test_date_is_added(start: Start, upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]))
    assert (g.ask("GET", "/a").get("Date") or "").endswith(" GMT")


def test_upgrade(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    m = g.ask("GET", "/a", headers={"Connection": "Upgrade",
                                    "Upgrade": "websocket"})
    assert m.status == 501 and b"upgrade" in m.body and not u.requests
    m = g.ask("GET", "/a", headers={"Connection": "Upgrade, HTTP2-Settings",
                                    "Upgrade": "h2c", "HTTP2-Settings": "x"})
    assert m.status == 200
    assert u.requests[0].all("Upgrade") + u.requests[0].all(
        "HTTP2-Settings") == []


# ---- Bodies ----

@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET",
                                    "OPTIONS", "PROPFIND"])
def test_methods_with_a_body(start: Start, upstream: MakeUpstream,
                             method: str) -> None:
    u = upstream(lambda m: answer(200, m.method.encode() + m.body))
    g = start(service("a", [u.address]))
    m = g.ask(method, "/a", b"\x00\r\n\r\nbody")
    assert m.body == method.encode() + b"\x00\r\n\r\nbody"


def test_chunked_request(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, m.body))
    g = start(service("a", [u.address]))
    with g.connect() as c:
        c.send(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n"
               b"\r\n5\r\nhello\r\n1;ext=\"a\"\r\n \r\n0A\r\n0123456789\r\n"
               b"0\r\nX-Trailer: 1\r\n\r\n" + get("/a/next"))
        assert c.answer().body == b"hello 0123456789"  # type: ignore
        assert c.answer().status == 200  # type: ignore
    assert u.requests[0].get("Content-Length") == "16"
    assert u.requests[0].all("X-Trailer") == []
    assert u.requests[1].target == "/next"


def test_empty_bodies(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    g.ask("POST", "/a", b"")
    assert u.requests[0].get("Content-Length") == "0"
    g.ask("POST", "/a")
    assert u.requests[1].get("Content-Length") is None


def test_large_bodies_both_ways(start: Start, upstream: MakeUpstream) -> None:
    body = random.Random(1).randbytes(6 << 20)
    u = upstream(lambda m: answer(200, m.body))
    g = start(service("a", [u.address], "timeout 20s"))
    m = g.ask("POST", "/a", body)
    assert hashlib.sha256(m.body).digest() == hashlib.sha256(body).digest()


def test_body_limit(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, str(len(m.body)).encode()))
    g = start(service("a", [u.address]), "max_body 1k")
    assert g.ask("POST", "/a", bytes(1024)).body == b"1024"
    assert g.ask("POST", "/a", bytes(1025)).status == 413
    chunk = b"100\r\n" + bytes(256) + b"\r\n"
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with g.connect() as c:
        c.send(head + chunk * 4 + b"0\r\n\r\n")
        assert c.answer().body == b"1024"  # type: ignore
        c.send(head + chunk * 4 + b"1\r\nx\r\n")
        assert c.answer().status == 413  # type: ignore
        assert c.at_end()
    assert len(u.requests) == 2


def test_refused_large_body_does_not_lose_the_answer(
        start: Start, upstream: MakeUpstream) -> None:
    """A client that sends all before it listens must not run into a reset."""
    g = start(service("a", [upstream().address]), "max_body 1k")
    for _ in range(5):
        assert g.ask("POST", "/a", bytes(8 << 20)).status == 413


def test_expect_continue(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, m.body))
    g = start(service("a", [u.address]), "max_body 1k")
    with g.connect() as c:
        c.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
               b"Expect: 100-continue\r\n\r\n")
        assert c.answer().first == "HTTP/1.1 100 Continue"  # type: ignore
        c.send(b"body")
        assert c.answer().body == b"body"  # type: ignore
        c.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n"
               b"Expect: 100-continue\r\n\r\n")
        assert c.answer().status == 413  # type: ignore
    assert u.requests[0].all("Expect") == []
    assert g.ask("PUT", "/a", b"x", {"Expect": "200-maybe"}).status == 417


def test_head_and_bodiless_statuses(start: Start,
                                    upstream: MakeUpstream) -> None:
    def handle(m: Message) -> bytes:
        if m.method == "HEAD":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n"
        if m.target == "/204":
            return b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        return b'HTTP/1.1 304\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n'

    u = upstream(handle)
    g = start(service("a", [u.address]))
    with g.connect() as c:
        for _ in range(2):
            c.send(get("/a").replace(b"GET", b"HEAD"))
            m = c.answer(bodiless=True)
            assert m and (m.status, m.get("Content-Length")) == (200, "123")
            m = c.get("/a/204")
            assert m and (m.status, m.get("Content-Length")) == (204, None)
            m = c.get("/a/304")
            assert m and (m.status, m.get("ETag")) == (304, '"x"')
        c.send(get("/none").replace(b"GET", b"HEAD"))
        m = c.answer(bodiless=True)
        assert m and m.status == 404
        m = c.get("/a/204")
        assert m and m.status == 204
    assert u.n_connections == 1


CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"3\r\nabc\r\n4;x\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n")
TO_EOF = b"HTTP/1.1 200 OK\r\n\r\nabcdefg"


@pytest.mark.parametrize("raw", [CHUNKED, TO_EOF])
def test_answers_of_unknown_length(start: Start, upstream: MakeUpstream,
                                   raw: bytes) -> None:
    def handle(m: Message) -> bytes | None:
        m.sock.sendall(raw)
        return None if raw == TO_EOF else b""

    u = upstream(handle)
    g = start(service("a", [u.address]))
    with g.connect() as c:
        for _ in range(3):
            m = c.get("/a")
            assert m and m.body == b"abcdefg"
            assert m.get("Transfer-Encoding") == "chunked"
    with g.connect() as c:
        c.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        m = c.answer()
        assert m and m.body == b"abcdefg"
        assert m.all("Transfer-Encoding") == []
        assert m.get("Connection") == "close"
    assert g.settled(u.address) == {"success": 4}


def test_answer_is_passed_on_as_it_comes(start: Start,
                                         upstream: MakeUpstream) -> None:
    go_on = threading.Event()

    def handle(m: Message) -> None:
        m.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"5\r\nfirst\r\n")
        go_on.wait(PATIENCE_S)
        m.sock.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    g = start(service("a", [upstream(handle).address]))
    with g.connect() as c:
        c.send(get("/a"))
        assert c.reader.until(b"first\r\n")
        go_on.set()
        assert c.reader.until(b"second\r\n0\r\n\r\n")


def test_http_1_0(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    with g.connect() as c:
        c.send(b"GET /a HTTP/1.0\r\n\r\n")
        m = c.answer()
        assert m and (m.status, m.get("Connection")) == (200, "close")
        assert c.at_end()
    assert u.requests[0].get("Host") == "a"  # the service's name
    with g.connect() as c:
        for _ in range(2):
            c.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            m = c.answer()
            assert m and (m.status, m.get("Connection")) == (200, "keep-alive")


# ---- Bad requests ----

BAD = [
    (400, b"nonsense\r\n\r\n"),
    (400, b"GET /a\r\n\r\n"),
    (400, b"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"G@T /a HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"GET a HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    (400, b"GET /a http/1.1\r\nHost: x\r\n\r\n"),
    (505, b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n"),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (501, b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\nHost: x\n\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nA: a\rb\r\n\r\n"),
    (400, b"GET /a HTTP/1.1\r\nHost: x\r\nno-colon\r\n\r\n"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
          b"Content-Length: 1\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: "
          b"99999999999999999999\r\n\r\nx"),
    (400, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"0\r\n\r\n"),
    (501, b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked"
          b"\r\n\r\n0\r\n\r\n"),
    (501, b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked"
          b"\r\n\r\n0\r\n\r\n"),
    *[(400, b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
       + body) for body in (
           b"x\r\n", b"-1\r\n", b"0x1\r\nx\r\n", b"1\r\nxx\r\n", b"\r\n",
           b"1 x\r\n", b"ffffffffffffffff\r\n", b"1;" + b"x" * 2000,
           b"0\r\n" + b"A: b\r\n" * 3000)],
    (431, b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 40000 + b"\r\n\r\n"),
    (431, b"GET /" + b"x" * 40000),
    (431, b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n"),
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[
        tuple[Gateway, Upstream]]:
    """A gateway for tests that leave no trace."""
    u = Upstream()
    path = tmp_path_factory.mktemp("plain") / "gateway.conf"
    with running(Gateway(path, service("a", [u.address]))) as g:
        yield g, u
    u.close()


@pytest.mark.parametrize("status, raw", BAD)
def test_bad_request(plain: tuple[Gateway, Upstream], status: int,
                     raw: bytes) -> None:
    g, u = plain
    before = len(u.requests)
    with g.connect() as c:
        with contextlib.suppress(ConnectionError):
            c.send(raw)
        m = c.answer()
        assert m and m.status == status
        assert b"error" in m.body
        if status != 400 or m.get("Connection") == "close":
            assert m.get("Connection") in ("close", None)
    assert len(u.requests) == before


def test_many_headers_up_to_the_limit(plain: tuple[Gateway, Upstream]) -> None:
    g, u = plain
    with g.connect() as c:
        m = c.get("/a", *[f"A: {i}" for i in range(99)])
        assert m and m.status == 200
    assert u.requests[-1].all("A") == [str(i) for i in range(99)]


def test_request_byte_by_byte(plain: tuple[Gateway, Upstream]) -> None:
    g, u = plain
    raw = (b"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n3\r\nabc\r\n0\r\n\r\n")
    with g.connect() as c:
        for i in range(len(raw)):
            c.send(raw[i:i + 1])
            time.sleep(0.001)
        m = c.answer()
        assert m and m.status == 200
    assert u.requests[-1].body == b"abc"


def test_pipeline(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, m.target.encode()))
    g = start(service("a", [u.address]))
    with g.connect() as c:
        c.send(b"".join(get(f"/a/{i}") for i in range(50)))
        for i in range(50):
            m = c.answer()
            assert m and m.body == f"/{i}".encode()


# ---- Slow clients ----

def test_slow_head_is_cut(start: Start, upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]), "client_header_timeout 300ms")
    with g.connect() as c:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in get("/a", "X: " + "x" * 5000):
                c.send(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - began > 1:
                    break
        m = c.answer()
        assert m and m.status == 408
        assert time.monotonic() - began < PATIENCE_S


def test_slow_body_is_cut(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "client_timeout 300ms")
    with g.connect() as c:
        c.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
        m = c.answer()
        assert m and m.status == 408 and c.at_end()
    assert not u.requests


def test_idle_connection_is_closed(start: Start,
                                   upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]), "client_idle 200ms")
    with g.connect() as c:
        assert c.at_end()
    with g.connect() as c:
        assert c.get("/a") and c.at_end()


def test_slow_reader_is_not_blamed_on_the_endpoint(
        start: Start, upstream: MakeUpstream) -> None:
    body = bytes(32 << 20)
    whole = answer(200, body)
    u = upstream(lambda m: whole)
    g = start(service("a", [u.address], "timeout 1s"), "client_timeout 20s")
    with g.connect() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send(get("/a"))
        time.sleep(2.5)  # more than the try's timeout
        m = c.answer()
        assert m and len(m.body) == len(body)
    assert g.settled(u.address) == {"success": 1}


def test_client_that_stops_reading_is_cut(start: Start,
                                          upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, bytes(40 << 20)))
    g = start(service("a", [u.address]), "client_timeout 300ms")
    with g.connect() as c:
        c.send(get("/a"))
        wait_for(lambda: g.done(u.address) == {"cancelled": 1})
        assert g.endpoint(u.address)["in_flight"] == 0


# ---- Outcomes ----

@pytest.mark.parametrize("status, outcome", [
    (200, "success"), (302, "success"), (404, "success"), (429, "success"),
    (500, "failure"), (501, "success"), (502, "failure"), (503, "overload"),
    (504, "failure"), (505, "success"), (507, "failure")])
def test_outcome_of_a_status(start: Start, upstream: MakeUpstream, status: int,
                             outcome: str) -> None:
    u = upstream(lambda m: answer(status, b"as it is"))
    g = start(service("a", [u.address]))
    m = g.ask("GET", "/a")
    assert (m.status, m.body) == (status, b"as it is")
    assert g.settled(u.address) == {outcome: 1}


def test_no_endpoint(start: Start) -> None:
    g = start(service("a", []))
    m = g.ask("GET", "/a")
    assert m.status == 503 and b"empty" in m.body
    assert m.get("X-Ilb-Error") is None is m.get("Retry-After")


def test_refused_connection(start: Start) -> None:
    address = dead_address()
    g = start(service("a", [address]))
    m = g.ask("POST", "/a", b"x")
    assert (m.status, m.get("X-Ilb-Endpoint")) == (502, address)
    assert g.settled(address) == {"connect_error": 1}


def test_connect_timeout(start: Start) -> None:
    """A listener whose queue is full drops what comes next."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        address = "127.0.0.1:%d" % full.getsockname()[1]
        g = start(service("a", [address], "connect_timeout 200ms",
                          "timeout 10s"))
        began = time.monotonic()
        assert g.ask("GET", "/a").status == 504
        assert 0.19 < time.monotonic() - began < 5
        assert g.settled(address) == {"connect_error": 1}


def test_timeout(start: Start, upstream: MakeUpstream) -> None:
    gate = threading.Event()
    u = upstream(lambda m: answer() if gate.wait(PATIENCE_S) else None)
    g = start(service("a", [u.address], "timeout 200ms"))
    began = time.monotonic()
    m = g.ask("GET", "/a")
    assert (m.status, m.body[:9]) == (504, b'{"error":')
    assert 0.19 < time.monotonic() - began < 5
    assert g.settled(u.address) == {"timeout": 1}
    assert u.n_connections == 1
    gate.set()


def test_silence_in_a_body(start: Start, upstream: MakeUpstream) -> None:
    gate = threading.Event()

    def handle(m: Message) -> None:
        m.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        gate.wait(PATIENCE_S)

    u = upstream(handle)
    g = start(service("a", [u.address], "timeout 200ms"))
    with g.connect() as c:
        c.send(get("/a"))
        with pytest.raises((EOFError, ConnectionError)):
            c.answer()
    assert g.settled(u.address) == {"timeout": 1}
    gate.set()


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"])
def test_broken_body_is_seen_as_broken(start: Start, upstream: MakeUpstream,
                                       raw: bytes) -> None:
    def handle(m: Message) -> None:
        m.sock.sendall(raw)
        time.sleep(0.05)

    u = upstream(handle)
    g = start(service("a", [u.address]))
    for version in (b"HTTP/1.1", b"HTTP/1.0"):
        with g.connect() as c:
            c.send(get("/a").replace(b"HTTP/1.1", version))
            with pytest.raises((EOFError, ConnectionError)):
                c.answer()
    assert g.settled(u.address) == {"failure": 2}


@pytest.mark.parametrize("raw", [
    b"nonsense\r\n\r\n", b"HTTP/1.1 2xx OK\r\n\r\n", b"HTTP/3.0 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b", b"HTTP"])
def test_malformed_answer(start: Start, upstream: MakeUpstream,
                          raw: bytes) -> None:
    def handle(m: Message) -> None:
        m.sock.sendall(raw)
        time.sleep(0.05)

    u = upstream(handle)
    g = start(service("a", [u.address]))
    assert g.ask("GET", "/a").status == 502
    assert g.settled(u.address) == {"failure": 1}


def test_interim_answers_stay_here(start: Start,
                                   upstream: MakeUpstream) -> None:
    u = upstream(lambda m: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n"
                 b"Link: x\r\n\r\n" + answer())
    g = start(service("a", [u.address]))
    m = g.ask("GET", "/a")
    assert (m.status, m.all("Link")) == (200, [])


def test_client_that_leaves(start: Start, upstream: MakeUpstream) -> None:
    gate = threading.Event()

    def handle(m: Message) -> None:
        m.sock.settimeout(PATIENCE_S)
        m.sock.recv(1)  # until the gateway hangs up
        gate.set()

    u = upstream(handle)
    g = start(service("a", [u.address], "timeout 20s"))
    for leave in (socket.socket.close, reset):
        gate.clear()
        with g.connect() as c:
            n = len(u.requests)
            c.send(get("/a"))
            wait_for(lambda: len(u.requests) > n)
            assert g.endpoint(u.address)["in_flight"] == 1
            leave(c.sock)
        assert gate.wait(5)
    assert g.settled(u.address) == {"cancelled": 2}


# ---- Retries ----

def pair(upstream: MakeUpstream, bad: Any) -> tuple[Upstream, Upstream, str]:
    """A bad server and a good one, taken in turn, the bad one found soon."""
    b, good = upstream(bad), upstream()
    return b, good, service("a", [b.address, good.address],
                            "policy round_robin", "timeout 300ms")


def until_bad(g: Gateway, bad: Upstream, ask: Callable[[], Message]) -> Message:
    """Ask until the bad server has had a request."""
    for _ in range(4):
        m = ask()
        if bad.requests:
            return m
    raise AssertionError("the bad server was never asked")


def hang(m: Message) -> None:
    with contextlib.suppress(OSError):
        m.sock.settimeout(PATIENCE_S)
        m.sock.recv(1)


def die(m: Message) -> None:
    reset(m.sock)


@pytest.mark.parametrize("bad, outcome", [
    (lambda m: answer(500), "failure"), (lambda m: answer(502), "failure"),
    (lambda m: answer(503), "overload"), (lambda m: answer(504), "failure"),
    (lambda m: None, "failure"), (die, "failure"), (hang, "timeout"),
    (lambda m: b"junk\r\n\r\n", "failure")])
@pytest.mark.parametrize("method, key", [("GET", False), ("PUT", False),
                                         ("DELETE", False), ("POST", True)])
def test_retried_elsewhere(start: Start, upstream: MakeUpstream, bad: Any,
                           outcome: str, method: str, key: bool) -> None:
    b, good, text = pair(upstream, bad)
    g = start(text)
    headers = {"Idempotency-Key": "1"} if key else {}
    m = until_bad(g, b, lambda: g.ask(method, "/a", b"body", headers))
    assert (m.status, m.get("X-Ilb-Attempts")) == (200, "2")
    assert m.get("X-Ilb-Endpoint") == good.address
    assert good.requests[-1].body == b"body"
    assert g.settled(b.address) == {outcome: 1}
    assert len(b.requests) == 1


@pytest.mark.parametrize("bad, status", [
    (lambda m: answer(500), 500), (lambda m: answer(503), 503),
    (lambda m: None, 502), (die, 502), (hang, 504)])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_never_twice(start: Start, upstream: MakeUpstream, bad: Any,
                     status: int, method: str) -> None:
    b, good, text = pair(upstream, bad)
    g = start(text)
    m = until_bad(g, b, lambda: g.ask(method, "/a", b"body"))
    before = len(good.requests)
    assert (m.status, m.get("X-Ilb-Attempts")) == (status, "1")
    assert m.get("X-Ilb-Endpoint") == b.address
    time.sleep(0.05)
    assert (len(b.requests), len(good.requests)) == (1, before)


@pytest.mark.parametrize("status", [400, 404, 429, 501, 505])
def test_not_retried(start: Start, upstream: MakeUpstream, status: int) -> None:
    b, good, text = pair(upstream, lambda m: answer(status))
    g = start(text)
    m = until_bad(g, b, lambda: g.ask("GET", "/a"))
    assert (m.status, m.get("X-Ilb-Attempts")) == (status, "1")


def test_never_sent_is_sent_elsewhere(start: Start,
                                      upstream: MakeUpstream) -> None:
    dead, good = dead_address(), upstream()
    g = start(service("a", [dead, good.address], "policy round_robin"))
    for _ in range(4):
        assert g.ask("POST", "/a", b"x").status == 200
    assert g.settled(dead).keys() == {"connect_error"}
    assert len(good.requests) == 4


def test_retries_can_be_none(start: Start, upstream: MakeUpstream) -> None:
    b, _, text = pair(upstream, lambda m: answer(500))
    g = start(text + "    retries 0\n")
    assert until_bad(g, b, lambda: g.ask("GET", "/a")).status == 500


def test_retries_end(start: Start, upstream: MakeUpstream) -> None:
    servers = [upstream(lambda m: answer(500, b"last")) for _ in range(5)]
    g = start(service("a", [u.address for u in servers], "retries 2"))
    m = g.ask("GET", "/a")
    assert (m.status, m.body, m.get("X-Ilb-Attempts")) == (500, b"last", "3")
    assert sum(len(u.requests) for u in servers) == 3
    assert max(len(u.requests) for u in servers) == 1


@pytest.mark.parametrize("bad", [lambda m: answer(500), hang])
def test_trial_is_tried_elsewhere(start: Start, upstream: MakeUpstream,
                                  bad: Any) -> None:
    """A newcomer that hangs or fails costs a request that may be repeated
    next to nothing, and takes nothing from its retries."""
    good, new = upstream(), upstream(bad)
    options = ("policy round_robin", "timeout 10s", "retries 1")
    g = start(service("a", [good.address], *options))
    known = time.monotonic() + 0.3  # how long answers take, in the ordinary way
    while time.monotonic() < known:
        assert g.ask("GET", "/a").status == 200
    g.reload(service("a", [good.address, new.address], *options))
    began = time.monotonic()
    m = until_bad(g, new, lambda: g.ask("GET", "/a"))
    assert (m.status, m.get("X-Ilb-Attempts")) == (200, "2")
    assert time.monotonic() - began < 5.0


def test_nowhere_else_to_go(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(500, b"mine"))
    g = start(service("a", [u.address]))
    m = g.ask("GET", "/a")
    assert (m.status, m.body, m.get("X-Ilb-Attempts")) == (500, b"mine", "1")
    assert len(u.requests) == 1


def test_no_try_after_the_deadline(start: Start,
                                   upstream: MakeUpstream) -> None:
    servers = [upstream(hang), upstream(hang)]
    g = start(service("a", [u.address for u in servers], "timeout 200ms",
                      "deadline 200ms"))
    m = g.ask("GET", "/a")
    assert (m.status, m.get("X-Ilb-Attempts")) == (504, "1")
    assert sum(u.n_connections for u in servers) == 1


def test_deadline_bounds_all_tries(start: Start,
                                   upstream: MakeUpstream) -> None:
    one, two, three = upstream(hang), upstream(hang), upstream(hang)
    addresses = [u.address for u in (one, two, three)]
    g = start(service("a", addresses, "timeout 400ms", "retries 2",
                      "deadline 600ms"))
    began = time.monotonic()
    m = g.ask("GET", "/a")
    assert (m.status, m.get("X-Ilb-Attempts")) == (504, "2")
    assert 0.59 < time.monotonic() - began < 5
    done = sorted(str(g.settled(a)) for a in addresses)
    assert done == ["{'cancelled': 1}", "{'timeout': 1}", "{}"]


# ---- Connections to endpoints ----

def test_connections_are_used_again(start: Start,
                                    upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "threads 1")
    for _ in range(5):
        assert g.ask("POST", "/a", b"x").status == 200
    assert u.n_connections == 1


def test_bad_answer_does_not_cost_the_connection(
        start: Start, upstream: MakeUpstream) -> None:
    b, good, text = pair(upstream, lambda m: answer(500, b"x" * 100))
    g = start(text, "threads 1")
    for _ in range(4):
        assert g.ask("GET", "/a").status == 200
    assert len(b.requests) >= 2 and b.n_connections == 1


def test_idle_connections_are_closed(start: Start,
                                     upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "upstream_idle 200ms", "threads 1")
    assert g.ask("GET", "/a").status == 200
    assert u.closed.get(timeout=5) == 1
    assert g.ask("GET", "/a").status == 200
    assert u.n_connections == 2


def test_keeping_connections_can_be_off(start: Start,
                                        upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "upstream_idle 0s")
    for _ in range(3):
        assert g.ask("GET", "/a").status == 200
    assert u.n_connections == 3


@pytest.mark.parametrize("how", ["close", "reset"])
def test_stale_connection_costs_nothing(start: Start, upstream: MakeUpstream,
                                        how: str) -> None:
    served: set[int] = set()

    def handle(m: Message) -> bytes | None:
        if m.connection in served:
            if how == "reset":
                reset(m.sock)
            return None
        served.add(m.connection)
        return answer()

    u = upstream(handle)
    g = start(service("a", [u.address], "retries 0"), "threads 1")
    for _ in range(5):
        m = g.ask("GET", "/a")
        assert (m.status, m.get("X-Ilb-Attempts")) == (200, "1")
    assert g.settled(u.address) == {"success": 5}
    assert u.n_connections == 5


def test_stale_connection_never_repeats_a_post(start: Start,
                                               upstream: MakeUpstream) -> None:
    served: set[int] = set()

    def handle(m: Message) -> bytes | None:
        if m.connection in served:
            return None
        served.add(m.connection)
        return answer()

    u = upstream(handle)
    g = start(service("a", [u.address]), "threads 1")
    assert g.ask("POST", "/a", b"1").status == 200
    assert g.ask("POST", "/a", b"2").status == 502
    assert g.settled(u.address) == {"success": 1, "cancelled": 1}
    assert [m.body for m in u.requests] == [b"1", b"2"]


def test_connection_closed_while_idle_is_not_used(
        start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]), "threads 1", "upstream_idle 10s")
    for i in range(20):
        assert g.ask("POST", "/a", b"x").status == 200
        u.close_idle()
        if i % 2:
            time.sleep(0.01)
    assert g.settled(u.address) == {"success": 20}


def test_connection_is_probed_before_it_is_used(
        start: Start, upstream: MakeUpstream) -> None:
    """The request and the endpoint's goodbye come at once, in this order."""
    u = upstream()
    g = start(service("a", [u.address]), "threads 1", "upstream_idle 10s")
    with g.connect() as c:
        for _ in range(3):
            assert c.get("/a").status == 200  # type: ignore
            with g.frozen():
                c.send(b"POST /a HTTP/1.1\r\nHost: x\r\n"
                       b"Content-Length: 0\r\n\r\n")
                u.close_idle()
            m = c.answer()
            assert m and m.status == 200
    assert g.settled(u.address) == {"success": 6}


def test_dies_again_on_the_fresh_connection(start: Start,
                                            upstream: MakeUpstream) -> None:
    n = 0

    def handle(m: Message) -> bytes | None:
        nonlocal n
        n += 1
        return answer() if n == 1 else None

    u = upstream(handle)
    g = start(service("a", [u.address], "retries 0"), "threads 1")
    assert g.ask("GET", "/a").status == 200
    assert g.ask("GET", "/a").status == 502
    assert g.settled(u.address) == {"success": 1, "failure": 1}
    assert n == 3


def test_answer_before_the_body_was_taken(start: Start,
                                          upstream: MakeUpstream) -> None:
    """An endpoint that refuses a large body early: its word arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            sock, _ = listener.accept()
            sock.recv(1000)
            sock.sendall(answer(413, b"too large for me", "Connection: close"))
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            reset(sock)

        threading.Thread(target=serve, daemon=True).start()
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        g = start(service("a", [address]))
        m = g.ask("POST", "/a", bytes(7 << 20))
        assert (m.status, m.body) == (413, b"too large for me")
        assert g.settled(address) == {"success": 1}


# ---- Balancing ----

DETECTORS = ("consecutive_failures", "failure_percentage", "success_rate",
             "latency", "hang", "retry_after", "probe")


def refuses(*fields: str, status: int = 503) -> Callable[[Message], bytes]:
    """A handler that says when to come back."""
    return lambda m: answer(status, b"later", *fields)


def until_ejected(g: Gateway, u: Upstream) -> dict[str, float | str]:
    """POST until it is ejected: what the log says of that."""
    def ejected() -> str:
        g.ask("POST", "/a")
        return g.endpoint(u.address)["state"] == "ejected"

    wait_for(ejected)
    line = wait_for(lambda: g.logged(f"event=eject service=a endpoint={u.address}"))
    return dict(word.split("=") for word in line.split() if "=" in word)


@pytest.mark.parametrize("fields, words, seconds", [
    (("Retry-After: 60",), (), 60),
    (("Retry-After: 100000",), (), 300),
    (("Retry-After: 99999999999999999999999",), ("max_retry_after 2m",), 120),
    (("Date: Wed, 21 Oct 2015 07:28:00 GMT",
      "Retry-After: Wed, 21 Oct 2015 07:29:10 GMT"), (), 70),
    (("Date: Wednesday, 21-Oct-15 07:28:00 GMT",
      "Retry-After: Wed Oct 21 07:28:50 2015"), (), 50),
])
def test_retry_after_is_handed_on(start: Start, upstream: MakeUpstream,
                                  fields: tuple[str, ...],
                                  words: tuple[str, ...],
                                  seconds: float) -> None:
    bad, good = upstream(refuses(*fields)), upstream()
    g = start(service("a", [bad.address, good.address], "policy round_robin",
                      *words))
    log = until_ejected(g, bad)
    assert log["detector"] == "retry_after"
    assert seconds <= float(log["until_s"]) <= seconds * 1.1 + 0.001
    e = g.endpoint(bad.address)
    assert (e["ejected_by"], e["done"]["overload"]) == ("retry_after", 1)
    assert e["detected"] == e["enforced"] == {
        **dict.fromkeys(DETECTORS, 0), "retry_after": 1}
    m = g.ask("POST", "/a")
    assert m.status == 200 and len(bad.requests) == 1


@pytest.mark.parametrize("fields", [
    (), ("Retry-After: 0",), ("Retry-After: soon",), ("Retry-After: -5",),
    ("Retry-After: 1.5x",), ("Retry-After:",), ("Retry-After: " + "z" * 100,),
    ("Date: Wed, 21 Oct 2015 07:28:00 GMT",
     "Retry-After: Wed, 21 Oct 2015 07:27:00 GMT")])
def test_no_retry_after(start: Start, upstream: MakeUpstream,
                        fields: tuple[str, ...]) -> None:
    u = upstream(refuses(*fields))
    g = start(service("a", [u.address, upstream().address], "retries 0",
                      "policy round_robin"))
    assert sorted(g.ask("POST", "/a").status for _ in range(2)) == [200, 503]
    assert g.settled(u.address) == {"overload": 1}
    assert g.endpoint(u.address)["detected"]["retry_after"] == 0


def test_retry_after_of_a_try_that_went_elsewhere(
        start: Start, upstream: MakeUpstream) -> None:
    bad = upstream(refuses("Retry-After: 60", status=500))
    good = upstream()
    g = start(service("a", [bad.address, good.address], "policy round_robin"))
    attempts = [g.ask("GET", "/a").get("X-Ilb-Attempts") for _ in range(2)]
    assert sorted(map(str, attempts)) == ["1", "2"]
    e = g.endpoint(bad.address)
    assert (e["ejected_by"], e["done"]["failure"]) == ("retry_after", 1)
    assert g.endpoint(good.address)["ejected_by"] == "none"


def test_retry_after_is_not_the_next_ones(start: Start,
                                          upstream: MakeUpstream) -> None:
    """Who dies after another has asked to be left alone has not asked."""
    asked: list[Message] = []

    def handle(m: Message) -> bytes | None:
        asked.append(m)
        return refuses("Retry-After: 60")(m) if len(asked) == 1 else None

    servers = [upstream(handle), upstream(handle)]
    g = start(service("a", [u.address for u in servers]))
    m = g.ask("GET", "/a")
    assert (m.status, m.get("X-Ilb-Attempts"), len(asked)) == (502, "2", 2)
    found = {u.address: g.endpoint(u.address)["detected"]["retry_after"]
             for u in servers}
    second = m.get("X-Ilb-Endpoint")
    assert found.pop(str(second)) == 0 and list(found.values()) == [1]


def test_retry_after_of_a_good_answer_that_breaks(
        start: Start, upstream: MakeUpstream) -> None:
    def handle(m: Message) -> None:
        m.sock.sendall(answer(200, b"whole", "Retry-After: 60")[:-2])

    u = upstream(handle)
    g = start(service("a", [u.address, upstream().address],
                      "policy round_robin"))
    for _ in range(2):
        with g.connect() as c, contextlib.suppress(EOFError, OSError):
            c.get("/a")
    assert g.settled(u.address) == {"failure": 1}
    assert g.endpoint(u.address)["detected"]["retry_after"] == 0


def test_a_quota_is_the_callers(start: Start, upstream: MakeUpstream) -> None:
    """Unless the configuration says otherwise."""
    def services(word: str) -> str:
        return service("a", [u.address, upstream().address], "overload_429 "
                       + word, "policy round_robin")

    u = upstream(refuses("Retry-After: 60", status=429))
    g = start(services("off"))
    statuses = [g.ask("GET", "/a").status for _ in range(4)]
    assert statuses.count(429) == 2
    assert g.settled(u.address) == {"success": 2}
    g.reload(services("on"))
    assert not g.logged("what was learned is lost")
    assert until_ejected(g, u)["detector"] == "retry_after"
    assert g.endpoint(u.address)["done"]["overload"] == 1


def test_all_ejected_fails_closed(start: Start,
                                  upstream: MakeUpstream) -> None:
    servers = [upstream(refuses("Retry-After: 100")) for _ in range(2)]
    other = upstream()
    g = start(service("a", [u.address for u in servers], "retries 0") +
              service("b", [other.address]), "fail_mode closed")
    for _ in servers:
        m = g.ask("POST", "/a")
        assert (m.status, m.body) == (503, b"later")
        assert m.get("X-Ilb-Error") is None
    for _ in range(5):
        m = g.ask("GET", "/a")
        assert m.status == 503 and json.loads(m.body) == {
            "error": "every ready endpoint is ejected (fail closed)"}
        assert m.get("X-Ilb-Error") == "ILB_EEJECTED"
        assert m.get("X-Ilb-Endpoint") is None
        assert 60 <= int(m.get("Retry-After") or 0) <= 110
    assert [len(u.requests) for u in servers] == [1, 1]
    wait_for(lambda: g.logged("event=refused"))
    first = next(x for x in g.lines if "event=refused" in x)
    assert first.startswith("ilb-gateway: warning: event=refused service=a "
                            "error=ILB_EEJECTED refused=1 probe_in_s=")
    assert sum("event=refused" in x for x in g.lines) < 5
    assert {s["name"]: s["refused"] for s in g.look("/snapshot")[1]["services"]
            } == {"a": 5, "b": 0}
    assert g.ask("GET", "/b").status == 200


def test_all_ejected_fails_open(start: Start, upstream: MakeUpstream) -> None:
    """The last one is never ejected."""
    servers = [upstream(refuses("Retry-After: 100")) for _ in range(2)]
    g = start(service("a", [u.address for u in servers], "retries 0"))
    for _ in range(6):
        m = g.ask("POST", "/a")
        assert (m.body, m.get("X-Ilb-Error")) == (b"later", None)
    assert not g.logged("event=refused")
    assert sorted(len(u.requests) for u in servers) == [1, 5]


def test_an_endpoint_cannot_say_that_it_was_refused(
        start: Start, upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(503, b"", "X-Ilb-Error: ILB_EEJECTED",
                                  "Retry-After: 7"))
    g = start(service("a", [u.address]))
    m = g.ask("GET", "/a")
    assert (m.get("X-Ilb-Error"), m.get("Retry-After")) == (None, "7")


def test_panic_fails_closed(start: Start, upstream: MakeUpstream) -> None:
    bad, good = upstream(refuses("Retry-After: 100")), upstream()
    g = start(service("a", [bad.address, good.address], "fail_mode closed",
                      "panic_threshold_percent 51", "retries 0"))
    until_ejected(g, bad)
    assert g.ask("GET", "/a").get("X-Ilb-Error") == "ILB_EEJECTED"


def test_so_many_endpoints_stay(start: Start, upstream: MakeUpstream) -> None:
    bad, good = upstream(refuses("Retry-After: 100")), upstream()
    g = start(service("a", [bad.address, good.address], "min_endpoints 2",
                      "policy round_robin", "retries 0"))
    for _ in range(6):
        g.ask("POST", "/a")
    assert g.endpoint(bad.address)["ejections"] == 0
    wait_for(lambda: "detector=retry_after" in g.logged("reason=floor"))


def test_detectors_can_be_off_or_in_shadow(start: Start,
                                           upstream: MakeUpstream) -> None:
    bad = upstream(refuses("Retry-After: 100"))
    good = upstream()

    def asked(*words: str) -> dict[str, Any]:
        g.reload(service("a", [bad.address, good.address], "retries 0",
                         "policy round_robin", *words))
        for _ in range(6):
            g.ask("POST", "/a")
        return g.endpoint(bad.address)

    g = start(service("a", [bad.address, good.address]))
    e = asked("detectors_off retry_after")
    assert (e["ejections"], e["detected"]["retry_after"]) == (0, 0)
    e = asked("detectors_shadow retry_after hang")
    assert (e["ejections"], e["ejected_by"]) == (0, "none")
    assert e["detected"]["retry_after"] == 1
    assert e["enforced"]["retry_after"] == 0
    line = wait_for(lambda: g.logged("reason=shadow"))
    assert "event=eject_refused" in line and "enforced=0" in line
    e = asked("detectors_shadow none")
    assert (e["ejections"], e["ejected_by"]) == (1, "retry_after")


@pytest.mark.parametrize("words, least, most", [((), 30, 70),
                                                (("slow_start 10m",), 1, 20)])
def test_slow_start(start: Start, upstream: MakeUpstream,
                    words: tuple[str, ...], least: int, most: int) -> None:
    """A newcomer's share of 100 requests: at first a tenth of half of them."""
    old, new = upstream(), upstream()
    options = ("policy round_robin", *words)
    g = start(service("a", [old.address], *options))
    for _ in range(10):
        g.ask("GET", "/a")
    g.reload(service("a", [old.address, new.address], *options))
    for _ in range(100):
        assert g.ask("GET", "/a").status == 200
    assert least <= len(new.requests) <= most


@pytest.mark.parametrize("word", [
    "consecutive_failures 7", "fail_mode closed", "panic_threshold_percent 5",
    "min_endpoints 2", "detectors_off hang", "detectors_shadow hang",
    "max_retry_after 5s", "slow_start 5s", "latency_margin 5s"])
def test_reload_to_another_balancing(start: Start, upstream: MakeUpstream,
                                     word: str) -> None:
    u = upstream()
    g = start(service("a", [u.address], word))
    g.ask("GET", "/a")
    g.reload(service("a", [u.address, "127.0.0.1:9"], word))
    assert not g.logged("what was learned is lost")
    assert g.settled(u.address) == {"success": 1}
    g.reload(service("a", [u.address]))
    assert g.logged("service a: how it is balanced has changed; what was "
                    "learned is lost")
    assert g.done(u.address) == {}


# ---- The admin port ----

def test_admin(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address + " weight 3"]))
    assert g.look("/healthz") == (200, {"status": "ok"})
    assert g.look("/readyz") == (200, {"status": "ready"})
    assert g.look("/none")[0] == 404
    g.ask("GET", "/a")
    status, page = g.look("/snapshot")
    assert status == 200 and list(page) == ["services"]
    (s,) = page["services"]
    (e,) = s.pop("endpoints")
    assert s == {"name": "a", "policy": "peak_ewma", "refused": 0}
    none = dict.fromkeys(DETECTORS, 0)
    assert e["latency_ms"] > 0 and e["state"] in ("warming", "healthy")
    assert {k: e[k] for k in e if k not in ("latency_ms", "state")} == {
        "address": u.address, "weight": 3, "in_flight": 0, "oldest_ms": 0,
        "failures_in_a_row": 0, "failure_share": 0, "ejections": 0,
        "ejected_by": "none", "detected": none, "enforced": none,
        "done": {"success": 1, "failure": 0, "timeout": 0, "connect_error": 0,
                 "overload": 0, "cancelled": 0}}


def test_events_are_shown_and_logged(start: Start,
                                     upstream: MakeUpstream) -> None:
    bad = upstream(lambda m: answer(500, b"no"))
    good = upstream()
    g = start(service("a", [bad.address, good.address],
                      "policy round_robin", "consecutive_failures 2"))
    for _ in range(8):
        g.ask("POST", "/a")
    status, page = g.look("/events")
    (s,) = page["services"]
    assert status == 200 and s["name"] == "a"
    assert [e["number"] for e in s["events"]] == list(
        range(1, len(s["events"]) + 1))
    entered, *_ = s["events"]
    assert (entered["type"], entered["to"]) == ("entered", "warming")
    (eject,) = (e for e in s["events"] if e["type"] == "eject")
    assert eject["address"] == bad.address and eject["enforced"] is True
    assert (eject["from"], eject["to"]) == ("warming", "ejected")
    assert eject["detector"] in ("consecutive_failures", "failure_percentage")
    assert eject["statistic"] >= eject["threshold"] > 0
    assert 1 <= eject["failures"] <= eject["requests"] <= 4
    assert eject["ejections"] == 1 and 0 <= eject["age_s"] < 60
    assert eject["text"].startswith(
        f"{bad.address} ejected by {eject['detector']}: statistic ")
    wait_for(lambda: g.logged("event=eject "))
    line = g.logged("event=eject ")
    assert line.startswith("ilb-gateway: warning: event=eject service=a "
                           f"endpoint={bad.address} from=warming to=ejected "
                           f"reason=none detector={eject['detector']} ")
    assert f" number={eject['number']}\n" in line and " until_s=" in line
    assert not g.logged("event=entered")
    g.reload(service("a", [good.address, bad.address, "127.0.0.1:9"],
                     "policy round_robin", "consecutive_failures 2"))
    wait_for(lambda: g.logged("event=entered "))
    assert ("ilb-gateway: event=entered service=a endpoint=127.0.0.1:9 "
            "from=warming to=warming reason=none number="
            ) in g.logged("event=entered ")


# ---- Reload ----

def test_reload_keeps_what_was_learned(start: Start,
                                       upstream: MakeUpstream) -> None:
    one, two = upstream(), upstream()
    g = start(service("a", [one.address]))
    g.ask("GET", "/a")
    g.reload(service("a", [two.address, one.address], "route /a", "route /b") +
             service("c", [two.address]))
    assert g.settled(one.address) == {"success": 1}
    assert g.ask("GET", "/b").status == 200
    assert g.ask("GET", "/c").get("X-Ilb-Endpoint") == two.address
    g.reload(service("c", [two.address]))
    assert g.ask("GET", "/a").status == 404
    assert [s["name"] for s in g.look("/snapshot")[1]["services"]] == ["c"]


def test_bad_reload_changes_nothing(start: Start,
                                    upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    g.reload("service a\n  route /b\n  endpoint nonsense\n")
    line = g.logged("old configuration stays")
    assert f"{g.path}:5: endpoint: 'nonsense' is not ip:port" in line
    assert g.ask("GET", "/a").status == 200
    assert g.ask("GET", "/b").status == 404


def test_reload_says_what_needs_a_restart(start: Start,
                                          upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]))
    g.top = ("threads 3", "listen 127.0.0.1:1", "admin 127.0.0.1:2")
    g.reload()
    for word in ("threads", "listen", "admin"):
        assert g.logged(f"'{word}' has changed; it needs a restart")
    assert g.ask("GET", "/a").status == 200


def test_reload_to_another_policy(start: Start, upstream: MakeUpstream) -> None:
    u = upstream()
    g = start(service("a", [u.address]))
    g.reload(service("a", [u.address], "policy random"))
    assert g.look("/snapshot")[1]["services"][0]["policy"] == "random"
    assert g.logged("what was learned is lost")
    assert g.ask("GET", "/a").status == 200


def test_ejection_can_be_off(start: Start, upstream: MakeUpstream) -> None:
    bad = upstream(lambda m: answer(500, b"no"))
    service_words = ("policy round_robin", "consecutive_failures off")
    g = start(service("a", [bad.address, upstream().address], *service_words))
    statuses = [g.ask("POST", "/a").status for _ in range(20)]
    assert statuses.count(500) == 10 and statuses.count(200) == 10


def test_removed_service_finishes_its_requests(start: Start,
                                               upstream: MakeUpstream) -> None:
    gate = threading.Event()
    u = upstream(lambda m: answer(200, b"late") if gate.wait(PATIENCE_S)
                 else None)
    g = start(service("a", [u.address], "timeout 15s"))
    with g.connect() as c:
        c.send(get("/a"))
        wait_for(lambda: u.requests)
        for i in range(3):
            g.reload(service(f"b{i}", [u.address]))
        gate.set()
        m = c.answer()
        assert m and m.body == b"late"
        m = c.get("/a")
        assert m and m.status == 404


def test_removed_endpoint_finishes_its_requests(
        start: Start, upstream: MakeUpstream) -> None:
    gate = threading.Event()
    u = upstream(lambda m: answer(200, b"late") if gate.wait(PATIENCE_S)
                 else None)
    other = upstream()
    g = start(service("a", [u.address], "timeout 15s"))
    with g.connect() as c:
        c.send(get("/a"))
        wait_for(lambda: u.requests)
        g.reload(service("a", [other.address]))
        assert g.endpoint(u.address)["state"] == "draining"
        for _ in range(5):
            m = g.ask("GET", "/a")
            assert m.get("X-Ilb-Endpoint") == other.address
        gate.set()
        m = c.answer()
        assert m and m.body == b"late"
    assert len(u.requests) == 1


def test_reload_closes_idle_connections_of_who_left(
        start: Start, upstream: MakeUpstream) -> None:
    one, two = upstream(), upstream()
    g = start(service("a", [one.address]), "upstream_idle 60s")
    g.ask("GET", "/a")
    g.reload(service("a", [two.address]))
    assert one.closed.get(timeout=5) == 1


class Load:
    """Clients that ask without pause; every answer must be good."""

    def __init__(self, g: Gateway, n: int, ask: Callable[[Client, int], Any],
                 per_connection: int = 20) -> None:
        self.errors: list[str] = []
        self.asked = 0
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._args = (g, ask, per_connection)
        self._threads = [threading.Thread(target=self._run, args=(i,))
                         for i in range(n)]
        for t in self._threads:
            t.start()

    def _run(self, seed: int) -> None:
        g, ask, per_connection = self._args
        n = 0
        while not self.stopped.is_set():
            try:
                with g.connect() as c:
                    for _ in range(per_connection):
                        ask(c, n * 100 + seed)
                        n += 1
                        if self.stopped.is_set():
                            break
            except Exception as e:  # counted, and the test fails
                self.errors.append(repr(e))
        with self._lock:
            self.asked += n

    def end(self) -> None:
        self.stopped.set()
        for t in self._threads:
            t.join(PATIENCE_S)
        assert self.errors == []


def test_reload_under_load_drops_nothing(start: Start,
                                         upstream: MakeUpstream) -> None:
    servers = [upstream(lambda m: answer(200, m.target.encode() + m.body))
               for _ in range(4)]
    a = [u.address for u in servers]

    def ask(c: Client, n: int) -> None:
        body = b"x" * (n % 3000)
        c.send(f"POST /a/{n} HTTP/1.1\r\nHost: x\r\nContent-Length: "
               f"{len(body)}\r\n\r\n".encode() + body)
        m = c.answer()
        assert m and m.status == 200 and m.body == f"/{n}".encode() + body, m

    g = start(service("a", a))
    load = Load(g, 6, ask)
    texts = [service("a", a[:2]),
             service("a", a[2:]) + service("b", a),
             service("a", a[1:], "policy least_request"),
             service("c", a, "route /a/1", "route /c") + service("a", a),
             service("a", a, "timeout 4s")]
    texts[3] = texts[3].replace("route /a/1\n", "route /x\n")
    end = time.monotonic() + 3
    n = 0
    while time.monotonic() < end:
        g.reload(texts[n % len(texts)])
        n += 1
    load.end()
    assert n > 10 and load.asked > 200
    g.reload(service("a", a))
    assert all(g.endpoint(x)["in_flight"] == 0 for x in a)


def test_threads_share_what_they_learn(start: Start,
                                       upstream: MakeUpstream) -> None:
    servers = [upstream() for _ in range(3)]
    g = start(service("a", [u.address for u in servers]), "threads 4")

    def ask(c: Client, n: int) -> None:
        m = c.get(f"/a/{n}")
        assert m and m.status == 200

    load = Load(g, 8, ask)
    time.sleep(1.5)
    load.end()
    done = [g.settled(u.address) for u in servers]
    assert sum(d.get("success", 0) for d in done) == load.asked
    assert all(d.keys() == {"success"} for d in done)
    assert load.asked == sum(len(u.requests) for u in servers)


# ---- Drain ----

def test_drain_finishes_what_is_in_flight(start: Start,
                                          upstream: MakeUpstream) -> None:
    gate = threading.Event()
    u = upstream(lambda m: answer(200, b"late")
                 if m.target != "/slow" or gate.wait(PATIENCE_S) else None)
    g = start(service("a", [u.address], "timeout 15s"))
    with g.connect() as busy, g.connect() as idle, g.connect() as reading:
        assert idle.get("/a")
        busy.send(get("/a/slow"))
        reading.send(b"POST /a/late HTTP/1.1\r\nHost: x\r\nContent-Le")
        wait_for(lambda: len(u.requests) == 2)
        g.process.send_signal(signal.SIGTERM)
        wait_for(lambda: g.look("/readyz") == (503, {"status": "draining"}))
        assert g.look("/healthz")[0] == 200
        assert idle.at_end()
        with pytest.raises(ConnectionError):
            g.connect()
        reading.send(b"ngth: 2\r\n\r\nok")
        m = reading.answer()
        assert m and (m.status, m.get("Connection")) == (200, "close")
        assert g.process.poll() is None
        gate.set()
        m = busy.answer()
        assert m and (m.body, m.get("Connection")) == (b"late", "close")
    assert g.process.wait(5) == 0
    assert g.logged("drain: done")


def test_drain_has_an_end(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(hang)
    g = start(service("a", [u.address], "timeout 60s"), "drain_timeout 300ms")
    with g.connect() as c:
        c.send(get("/a"))
        wait_for(lambda: u.requests)
        began = time.monotonic()
        assert g.stop() == 0
        assert time.monotonic() - began < 10
    assert g.logged("1 connections are cut")


def test_told_twice_stops_at_once(start: Start, upstream: MakeUpstream) -> None:
    u = upstream(hang)
    g = start(service("a", [u.address], "timeout 60s"), "drain_timeout 60s")
    with g.connect() as c:
        c.send(get("/a"))
        wait_for(lambda: u.requests)
        g.process.send_signal(signal.SIGTERM)
        wait_for(lambda: g.logged("draining"))
        assert g.stop() == 0


def test_drain_answers_all_that_had_connected(
        start: Start, upstream: MakeUpstream) -> None:
    """Also those that are still in the kernel's queue, and those whose request
    comes with the signal on a connection that was idle."""
    u = upstream()
    for freeze in (False, True, True):
        g = start(service("a", [u.address]))
        clients = [g.connect() for _ in range(20)]
        for c in clients:
            assert c.get("/a")
        with g.frozen() if freeze else contextlib.nullcontext():
            clients += [g.connect() for _ in range(20)]
            for c in clients:
                c.send(get("/a"))
            g.process.send_signal(signal.SIGTERM)
        for c in clients:
            m = c.answer()
            assert m and m.status == 200
            c.sock.close()
        assert g.stop() == 0


def test_drain_answers_those_that_had_to_wait(start: Start,
                                              upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]), "max_connections 1")
    with g.connect() as one, g.connect() as two:
        assert one.get("/a")
        two.send(get("/a"))
        time.sleep(0.1)
        g.process.send_signal(signal.SIGTERM)
        m = two.answer()
        assert m and m.status == 200
    assert g.process.wait(5) == 0


def test_drain_lets_a_new_client_ask_once(start: Start,
                                          upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]))
    with g.connect() as c, g.connect() as mute:
        g.process.send_signal(signal.SIGTERM)
        wait_for(lambda: g.look("/readyz")[0] == 503)
        time.sleep(0.1)
        m = c.get("/a")
        assert m and (m.status, m.get("Connection")) == (200, "close")
        assert mute.at_end()
    assert g.process.wait(5) == 0


# ---- Hard times ----

def test_out_of_files(start: Start, upstream: MakeUpstream) -> None:
    """More clients than files: those served are served, others wait."""
    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (140, 140))

    u = upstream()
    g = start(service("a", [u.address]), preexec=few_files)
    clients = [g.connect() for _ in range(200)]
    try:
        time.sleep(0.3)
        m = clients[0].get("/a")
        assert m and m.status == 200
        assert g.look("/healthz")[0] == 200
    finally:
        for c in clients[:199]:
            c.sock.close()
    m = clients[199].get("/a")
    assert m and m.status == 200
    clients[199].sock.close()


def test_max_connections(start: Start, upstream: MakeUpstream) -> None:
    g = start(service("a", [upstream().address]), "max_connections 2")
    with g.connect() as one, g.connect() as two:
        assert one.get("/a") and two.get("/a")
        with g.connect() as three:
            three.send(get("/a"))
            three.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                three.answer()
            one.sock.close()
            three.sock.settimeout(PATIENCE_S)
            m = three.answer()
            assert m and m.status == 200


def test_clients_that_misbehave_do_no_harm(start: Start,
                                           upstream: MakeUpstream) -> None:
    u = upstream(lambda m: answer(200, bytes(random.randrange(300000))))
    g = start(service("a", [u.address]), "max_connections 1000")
    dice = random.Random(7)

    def misbehave(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(40):
            with contextlib.suppress(OSError, EOFError):
                with g.connect() as c:
                    raw = get("/a") * rng.randrange(1, 4)
                    if rng.random() < 0.3:
                        raw = bytearray(raw)
                        raw[rng.randrange(len(raw))] = rng.randrange(256)
                    c.send(bytes(raw[:rng.randrange(1, len(raw) + 1)]))
                    if rng.random() < 0.5:
                        c.sock.settimeout(0.05)
                        c.sock.recv(rng.randrange(1, 50000))
                    if rng.random() < 0.5:
                        reset(c.sock)

    threads = [threading.Thread(target=misbehave, args=(dice.random(),))
               for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert g.ask("GET", "/a").status == 200
    assert "failure" not in g.settled(u.address)
    assert "timeout" not in g.settled(u.address)
