# SPDX-License-Identifier: MIT
"""How a request went, and how to tell it from an exception or a status."""

from __future__ import annotations

import enum
import errno
from collections.abc import Iterator


class Outcome(enum.IntEnum):
    """How a request went."""

    #: A good answer, whatever its content.
    SUCCESS = 0
    #: The endpoint's fault: 500, 502, a reset connection ...
    FAILURE = 1
    #: No answer in the time that the caller gives it.
    TIMEOUT = 2
    #: No connection: the request was never sent.
    CONNECT_ERROR = 3
    #: Refused for load: 429, 503 with Retry-After.
    OVERLOAD = 4
    #: The caller gave up: no failure.
    CANCELLED = 5


#: The endpoint cannot be reached, says the system.
_UNREACHABLE = frozenset({
    errno.EADDRNOTAVAIL,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
})

#: Classes by name, so that nothing needs to be imported for it. Some are other
#: names of TimeoutError by now: socket.timeout since Python 3.10, those of
#: asyncio and concurrent.futures since 3.11.
_BY_NAME = {
    "asyncio.exceptions.TimeoutError": Outcome.TIMEOUT,
    "concurrent.futures._base.CancelledError": Outcome.CANCELLED,
    "concurrent.futures._base.TimeoutError": Outcome.TIMEOUT,
    "requests.exceptions.ConnectTimeout": Outcome.CONNECT_ERROR,
    "requests.exceptions.SSLError": Outcome.CONNECT_ERROR,
    "requests.exceptions.Timeout": Outcome.TIMEOUT,
    "socket.gaierror": Outcome.CONNECT_ERROR,
    "socket.timeout": Outcome.TIMEOUT,
    "ssl.SSLCertVerificationError": Outcome.CONNECT_ERROR,
    "urllib3.exceptions.ConnectTimeoutError": Outcome.CONNECT_ERROR,
    "urllib3.exceptions.NewConnectionError": Outcome.CONNECT_ERROR,
    "urllib3.exceptions.SSLError": Outcome.CONNECT_ERROR,
    "urllib3.exceptions.TimeoutError": Outcome.TIMEOUT,
}


def classify_status(status: int, retry_after: bool = False) -> Outcome:
    """Return what an HTTP status says of the endpoint that gave it.

    `status` is the number, `retry_after` whether the answer has such a
    header. 500, 502 and 504 are failures, and so is a 503 that does not say
    when to come back; 429 and a 503 that does are overload; all else is a
    good answer, for which the endpoint is not to blame.
    """
    if status in (500, 502, 504):
        return Outcome.FAILURE
    if status == 503:
        return Outcome.OVERLOAD if retry_after else Outcome.FAILURE
    if status == 429:
        return Outcome.OVERLOAD
    return Outcome.SUCCESS


def _causes(exception: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it was made of, each once.

    What was being handled meanwhile (`__context__`) is left out: it may be
    the failure of another endpoint, which this request retries.
    """
    seen: set[int] = set()
    waiting: list[object] = [exception]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [getattr(link, "reason", None), *link.args[:1],
                    link.__cause__]


def _name(cls: type) -> str:
    """Return a class's full name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _status_of(exception: BaseException) -> Outcome | None:
    """Return what an exception made of an HTTP answer means, if it is one."""
    names = {_name(cls) for cls in type(exception).__mro__}
    answer: object
    if "urllib.error.HTTPError" in names:
        status, answer = getattr(exception, "code", None), exception
    elif "requests.exceptions.HTTPError" in names:
        answer = getattr(exception, "response", None)
        status = getattr(answer, "status_code", None)
    else:
        return None
    if not isinstance(status, int):
        return None
    headers = getattr(answer, "headers", None) or {}
    return classify_status(status, "Retry-After" in headers)


def _classify_one(exception: BaseException) -> Outcome | None:
    """Return what one exception means by itself, if that is known."""
    if not isinstance(exception, Exception):
        return Outcome.CANCELLED
    for cls in type(exception).__mro__:
        known = _BY_NAME.get(_name(cls))
        if known is not None:
            return known
    if isinstance(exception, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(exception, ConnectionRefusedError):
        return Outcome.CONNECT_ERROR
    if isinstance(exception, OSError) and exception.errno in _UNREACHABLE:
        return Outcome.CONNECT_ERROR
    return _status_of(exception)


def classify(exception: BaseException) -> Outcome:
    """Return what an exception says of the request that it ended.

    Not an Exception (KeyboardInterrupt, GeneratorExit,
    asyncio.CancelledError ...): cancelled. A time limit: timeout. No
    connection (refused, unreachable, no such name, a certificate that does
    not hold): connect error. An HTTP status: see `classify_status`. Anything
    else: failure. An exception that was raised from another one, or wraps
    it, means what that one does.
    """
    for link in _causes(exception):
        outcome = _classify_one(link)
        if outcome is not None:
            return outcome
    return Outcome.FAILURE
