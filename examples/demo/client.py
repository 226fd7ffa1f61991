# SPDX-License-Identifier: MIT
"""A small HTTP/1.1 client for the load: keep-alive, deadlines, no retries.

A general client would retry, queue for a connection or follow redirects, and
each of these would hide what a measurement is after.
"""
from __future__ import annotations

import asyncio
import dataclasses

IDLE_MAX_S = 10.0  # well under what the gateway grants


class HttpError(Exception):
    """The connection failed or what came was no HTTP/1.1 response."""


@dataclasses.dataclass
class Response:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Parser:
    """Takes the bytes of one response; `response` is set when all is here."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None
        self._body_at = 0
        self.response: Response | None = None

    def feed(self, data: bytes) -> None:
        """HttpError if it is no response, or more than one."""
        self._data += data
        if self._head is None:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = self._parse_head(bytes(self._data[:end]))
            self._body_at = end + 4
        self._take_body(*self._head)

    @staticmethod
    def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if version != "HTTP/1.1" or not status.isdigit():
            raise HttpError(f"no HTTP/1.1 response: {first[:60]!r}")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise HttpError(f"no header: {line[:60]!r}")
            headers[name.lower()] = value.strip()
        return int(status), headers

    def _take_body(self, status: int, headers: dict[str, str]) -> None:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            found = self._chunks()
            if found is None:
                return
            body, end = found
        else:
            length = headers.get("content-length", "")
            if not length.isdigit():
                raise HttpError("a response of unknown length")
            end = self._body_at + int(length)
            if len(self._data) < end:
                return
            body = bytes(self._data[self._body_at:end])
        if len(self._data) > end:
            raise HttpError("bytes after the response")
        self.response = Response(status, headers, body)

    def _chunks(self) -> tuple[bytes, int] | None:
        """The body and where it ends, if it is complete. Trailers, which
        nobody here sends, are an error."""
        body, at = b"", self._body_at
        while True:
            line_end = self._data.find(b"\r\n", at)
            if line_end < 0:
                return None
            try:
                size = int(self._data[at:line_end].split(b";")[0], 16)
            except ValueError:
                raise HttpError("a chunk without a size") from None
            at = line_end + 2 + size + 2
            if len(self._data) < at:
                return None
            body += self._data[line_end + 2:at - 2]
            if self._data[at - 2:at] != b"\r\n":
                raise HttpError("a chunk that does not end")
            if size == 0:
                return body, at


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._answer: asyncio.Future[Response] | None = None
        self.idle_since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()
            return
        try:
            self._parser.feed(data)
        except HttpError as error:
            self._answer.set_exception(error)
            self.close()
            return
        if self._parser.response is not None:
            self._answer.set_result(self._parser.response)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(
                HttpError(f"connection lost: {exc or 'closed by the peer'}"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def usable(self, now_s: float) -> bool:
        return (self._transport is not None
                and not self._transport.is_closing()
                and now_s - self.idle_since_s < IDLE_MAX_S)

    async def send(self, request: bytes) -> Response:
        assert self._transport is not None
        self._parser = Parser()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


class Client:
    """Connections to one address. Opens as many as there are requests at the
    same time: one that waits for a connection would not be open loop."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._idle: list[Connection] = []

    async def request(self, method: str, path: str, body: bytes | None,
                      timeout_s: float) -> Response:
        """One request, one try. asyncio.TimeoutError after `timeout_s`;
        HttpError or OSError if there was no whole answer."""
        return await asyncio.wait_for(
            self._exchange(self._bytes_of(method, path, body)), timeout_s)

    async def _exchange(self, request: bytes) -> Response:
        connection = await self._connection()
        try:
            response = await connection.send(request)
        except BaseException:  # a cancellation too: an answer may still come
            connection.close()
            raise
        if response.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        return response

    def _bytes_of(self, method: str, path: str, body: bytes | None) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        if body is not None:
            head += ("Content-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\n")
        return head.encode("ascii") + b"\r\n" + (body or b"")

    async def _connection(self) -> Connection:
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(loop.time()):
                return connection
            connection.close()
        _, connection = await loop.create_connection(
            Connection, self.host, self.port)
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
