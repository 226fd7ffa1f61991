# SPDX-License-Identifier: MIT
"""What exceptions and statuses say of an endpoint."""

from __future__ import annotations

import asyncio
import concurrent.futures
import email.message
import errno
import io
import socket
import ssl
import urllib.error

import pytest

import ilb
from ilb import Outcome


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


def http_error(status: int, **headers: str) -> urllib.error.HTTPError:
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://billing/", status, "", message,
                                  io.BytesIO())


@pytest.mark.parametrize("exception, outcome", [
    (TimeoutError(), Outcome.TIMEOUT),
    (socket.timeout("timed out"), Outcome.TIMEOUT),
    (asyncio.TimeoutError(), Outcome.TIMEOUT),
    (concurrent.futures.TimeoutError(), Outcome.TIMEOUT),
    (OSError(errno.ETIMEDOUT, "x"), Outcome.TIMEOUT),
    (ConnectionRefusedError(), Outcome.CONNECT_ERROR),
    (OSError(errno.EHOSTUNREACH, "x"), Outcome.CONNECT_ERROR),
    (OSError(errno.ENETUNREACH, "x"), Outcome.CONNECT_ERROR),
    (socket.gaierror(-2, "Name or service not known"), Outcome.CONNECT_ERROR),
    (ssl.SSLCertVerificationError(1, "x"), Outcome.CONNECT_ERROR),
    (ConnectionResetError(), Outcome.FAILURE),
    (BrokenPipeError(), Outcome.FAILURE),
    (OSError("x"), Outcome.FAILURE),
    (ValueError("x"), Outcome.FAILURE),
    (Exception(), Outcome.FAILURE),
    (asyncio.CancelledError(), Outcome.CANCELLED),
    (concurrent.futures.CancelledError(), Outcome.CANCELLED),
    (KeyboardInterrupt(), Outcome.CANCELLED),
    (GeneratorExit(), Outcome.CANCELLED),
    (SystemExit(), Outcome.CANCELLED),
    (urllib.error.URLError(ConnectionRefusedError()), Outcome.CONNECT_ERROR),
    (urllib.error.URLError(socket.timeout()), Outcome.TIMEOUT),
    (urllib.error.URLError("no host given"), Outcome.FAILURE),
    (chained(RuntimeError("x"), TimeoutError()), Outcome.TIMEOUT),
    (chained(RuntimeError(), ConnectionRefusedError()), Outcome.CONNECT_ERROR),
    (chained(TimeoutError(), ConnectionRefusedError()), Outcome.TIMEOUT),
])
def test_exceptions(exception: BaseException, outcome: Outcome) -> None:
    assert ilb.classify(exception) is outcome


def test_what_was_handled_meanwhile_does_not_count() -> None:
    try:
        try:
            raise ConnectionRefusedError("of the endpoint before")
        except ConnectionRefusedError:
            raise ValueError("x")  # noqa: B904
    except ValueError as exc:
        assert ilb.classify(exc) is Outcome.FAILURE


def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert ilb.classify(first) is Outcome.FAILURE


@pytest.mark.parametrize("status, outcome", [
    (404, Outcome.SUCCESS), (400, Outcome.SUCCESS), (500, Outcome.FAILURE),
    (503, Outcome.FAILURE), (429, Outcome.OVERLOAD),
])
def test_http_errors_go_by_their_status(status: int, outcome: Outcome) -> None:
    requests = pytest.importorskip("requests")
    error = http_error(status)
    assert ilb.classify(error) is outcome
    error.close()
    response = requests.Response()
    response.status_code = status
    assert ilb.classify(requests.HTTPError(response=response)) is outcome
    wrapped = chained(RuntimeError(), requests.HTTPError(response=response))
    assert ilb.classify(wrapped) is outcome


def test_retry_after_of_a_503() -> None:
    error = http_error(503, Retry_After="1")
    assert ilb.classify(error) is Outcome.OVERLOAD
    error.close()
    requests = pytest.importorskip("requests")
    response = requests.Response()
    response.status_code = 503
    response.headers["retry-after"] = "1"
    assert ilb.classify(requests.HTTPError(response=response)) is Outcome.OVERLOAD
    assert ilb.classify(requests.HTTPError("no response")) is Outcome.FAILURE


def test_exceptions_of_requests() -> None:
    requests = pytest.importorskip("requests")
    urllib3 = pytest.importorskip("urllib3")
    refused = urllib3.exceptions.NewConnectionError(None, "refused")
    reached = urllib3.exceptions.MaxRetryError(None, "/", refused)
    reset = urllib3.exceptions.ProtocolError("aborted", ConnectionResetError())
    for exception, outcome in (
        (requests.ConnectTimeout(), Outcome.CONNECT_ERROR),
        (requests.ReadTimeout(), Outcome.TIMEOUT),
        (requests.exceptions.SSLError(), Outcome.CONNECT_ERROR),
        (requests.ConnectionError(reached), Outcome.CONNECT_ERROR),
        (requests.ConnectionError(reset), Outcome.FAILURE),
        (requests.ConnectionError(), Outcome.FAILURE),
        (requests.TooManyRedirects(), Outcome.FAILURE),
        (urllib3.exceptions.ReadTimeoutError(None, "/", ""), Outcome.TIMEOUT),
        (refused, Outcome.CONNECT_ERROR),
        (reset, Outcome.FAILURE),
    ):
        assert ilb.classify(exception) is outcome, exception


@pytest.mark.parametrize("status", range(100, 600))
def test_statuses(status: int) -> None:
    expected = {
        500: Outcome.FAILURE, 502: Outcome.FAILURE, 503: Outcome.FAILURE,
        504: Outcome.FAILURE, 429: Outcome.OVERLOAD,
    }.get(status, Outcome.SUCCESS)
    assert ilb.classify_status(status) is expected
    if status == 503:
        assert ilb.classify_status(503, retry_after=True) is Outcome.OVERLOAD


def test_the_numbers_are_the_librarys() -> None:
    lb = ilb.Balancer("billing", ["a:1"])
    for outcome in Outcome:
        lb.pick().done(int(outcome))
    names = list(lb.snapshot()[0].done)
    assert names == [outcome.name.lower() for outcome in Outcome]
