# SPDX-License-Identifier: MIT
"""A transport adapter that sends each request to an endpoint of a balancer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn, Union
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.exceptions
import requests.utils
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
)

from ._errors import NoEndpointError as _NoEndpointError
from ._ilb import EXCLUDE_MAX, Balancer, Ticket
from ._outcome import Outcome, classify, classify_status
from ._requests_body import watch_body
from ._requests_pools import DialingPoolManager, NotDialableError
from ._retry_after import retry_after_seconds

#: What `classify=` is given, and what it may return; None: no opinion.
Classify = Callable[
    [Union[requests.Response, BaseException]], "Outcome | None"
]

#: Methods that may be sent again after the endpoint may have seen them.
IDEMPOTENT_METHODS = frozenset(
    {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}
)


#: Trials that fail (Ticket.try_timeout), beside the retries, of one request.
TRIALS_MAX = 2


class NoEndpointError(_NoEndpointError, requests.exceptions.ConnectionError):
    """There is no endpoint to send the request to.

    It is both an ilb.Error, with `code` and `name`, and what `requests`
    raises when there is no connection.
    """


def raise_no_endpoint(
    error: _NoEndpointError, request: requests.PreparedRequest
) -> NoReturn:
    """Raise the library's error as one that is also of `requests`."""
    raised = NoEndpointError(str(error), request=request)
    raised.code, raised.name = error.code, error.name
    raise raised from error


def is_never_sent(exc: BaseException) -> bool:
    """Tell whether an exception of `requests` came before any byte was sent."""
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return True
    cause = exc.args[0] if exc.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    # Before 2.32, requests lets urllib3's own through for a chunked body.
    kinds = (NewConnectionError, ConnectTimeoutError)
    return isinstance(exc, kinds) or isinstance(cause, kinds)


def retry_after_of(
    result: requests.Response | BaseException, outcome: Outcome
) -> float:
    """Return for how many seconds an answer asks to be left alone; 0.0 if it
    does not, or its outcome is none that goes with it."""
    if not isinstance(result, requests.Response) or outcome not in (
        Outcome.FAILURE,
        Outcome.OVERLOAD,
    ):
        return 0.0
    headers = result.headers
    return retry_after_seconds(headers.get("Retry-After"), headers.get("Date"))


def _rewind(request: requests.PreparedRequest) -> bool:
    """Make a body ready to be sent again; False if that cannot be done."""
    if request.body is None or isinstance(request.body, (str, bytes)):
        return True
    if not isinstance(getattr(request, "_body_position", None), int):
        return False
    try:
        requests.utils.rewind_body(request)
    except requests.exceptions.UnrewindableBodyError:
        return False
    return True


def is_idempotent(request: requests.PreparedRequest) -> bool:
    """Tell whether a request may be sent twice, by its method or its key."""
    method = (request.method or "").upper()
    return method in IDEMPOTENT_METHODS or "Idempotency-Key" in request.headers


def may_retry(
    request: requests.PreparedRequest,
    result: requests.Response | BaseException,
    outcome: Outcome,
) -> bool:
    """Tell whether a try that went so may be made again elsewhere."""
    if isinstance(result, BaseException) and is_never_sent(result):
        return True
    if outcome in (Outcome.SUCCESS, Outcome.CANCELLED):
        return False
    if isinstance(result, requests.Response) and result.status_code == 429:
        return False  # the caller's quota is the same everywhere
    return is_idempotent(request) and _rewind(request)


def shortened(timeout: Any, seconds: float) -> Any:
    """Return a timeout of `requests` in which nothing takes longer."""
    if isinstance(timeout, tuple):
        return tuple(shortened(part, seconds) for part in timeout)
    if timeout is None:
        return seconds
    if isinstance(timeout, (int, float)):
        return min(timeout, seconds)
    return timeout  # urllib3's own kind, or none at all


class _Tries:
    """The tries of one request: their tickets, the last one at hand."""

    def __init__(self, ticket: Ticket, retries: int) -> None:
        self.tickets = [ticket]
        self._retries = retries
        self._failed_trials = 0
        self.try_timeout = ticket.try_timeout

    @property
    def is_trial(self) -> bool:
        """A trial that fails takes nothing from the retries."""
        return (
            self.try_timeout is not None
            and self._retries > 0
            and self._failed_trials < TRIALS_MAX
        )

    @property
    def may_go_on(self) -> bool:
        """Is there to be another try if this one fails?"""
        used = len(self.tickets) - self._failed_trials
        return self.is_trial or used <= self._retries

    def go_on(self, ticket: Ticket) -> None:
        """The try at hand has failed; this is the next."""
        self._failed_trials += self.is_trial
        self.tickets.append(ticket)
        self.try_timeout = ticket.try_timeout


def _wire_request(
    request: requests.PreparedRequest,
) -> requests.PreparedRequest:
    """Return the request as it goes out, apart from the caller's: a redirect
    copies that one, and must not take this Host to another service."""
    wire = request.copy()
    netloc = urlsplit(str(request.url)).netloc.rpartition("@")[2]
    wire.headers.setdefault("Host", netloc)
    # Meant for a proxy, which is not used.
    wire.headers.pop("Proxy-Authorization", None)
    return wire


class Adapter(requests.adapters.HTTPAdapter):
    """Sends each request to an endpoint of a balancer.

    Mount it with a slash at the end: `session.mount("http://billing/",
    ilb.requests.Adapter(balancer))`; `ilb.requests.Session` does that for
    you. The URL stays as it is: only where the connection goes is chosen
    here, so Host, TLS name, cookies and redirects see the service's name.
    Proxies are not used.

    `balancer`      whose endpoints are "host:port"
    `retries`       how often one request may be sent once more, elsewhere:
                    if it was never sent, or has failed and is idempotent
                    (by its method or an Idempotency-Key header). 0 to 13.
                    Trials that fail (Ticket.try_timeout) do not count, two
                    at most, and an idempotent one is given up early; with
                    0 there are none
    `classify`      called with a Response or an exception; returns an
                    ilb.Outcome, or None for the default
    `pool_maxsize`  idle connections kept for each endpoint
    `pool_block`    wait for a connection instead of making one more
    """

    poolmanager: DialingPoolManager

    def __init__(
        self,
        balancer: Balancer,
        *,
        retries: int = 1,
        classify: Classify | None = None,
        pool_maxsize: int = 10,
        pool_block: bool = False,
    ) -> None:
        most = EXCLUDE_MAX - 1 - TRIALS_MAX
        if not 0 <= retries <= most:
            raise ValueError(f"retries must be 0 to {most}")
        self.balancer = balancer
        self.retries = retries
        self._classify = classify
        # max_retries would retry on the same endpoint.
        super().__init__(
            pool_maxsize=pool_maxsize, pool_block=pool_block, max_retries=0
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("an ilb.requests.Adapter cannot be pickled")

    def __repr__(self) -> str:
        return f"<ilb.requests.Adapter of {self.balancer!r}>"

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,
        **pool_kwargs: Any,
    ) -> None:
        """Make what chooses the connections; called by the base class."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager = DialingPoolManager(
            self.balancer, num_pools=connections, maxsize=maxsize, block=block,
            **pool_kwargs,
        )

    # ---- Outcomes --------------------------------------------------------

    def _outcome_of(
        self, result: requests.Response | BaseException
    ) -> Outcome:
        """Return how a try went."""
        if self._classify is not None:
            outcome = self._classify(result)
            if outcome is not None:
                return Outcome(outcome)
        if isinstance(result, requests.Response):
            return classify_status(
                result.status_code, "Retry-After" in result.headers
            )
        if isinstance(result, ValueError) or not isinstance(
            result, (requests.exceptions.RequestException, HTTPError)
        ):
            return Outcome.CANCELLED  # of the caller's own making
        return classify(result)

    def _judge(
        self, ticket: Ticket, result: requests.Response | BaseException
    ) -> tuple[Outcome, float]:
        """Return how a try went, and for how many seconds its endpoint asks
        to be left alone; a `classify` that raises ends it."""
        try:
            outcome = self._outcome_of(result)
            return outcome, retry_after_of(result, outcome)
        except BaseException:
            ticket.failure()
            if isinstance(result, requests.Response):
                result.close()
            raise

    def _elsewhere(
        self,
        tries: _Tries,
        wire: requests.PreparedRequest,
        result: requests.Response | BaseException,
        outcome: Outcome,
    ) -> Ticket | None:
        """Return a ticket for one more try, if it may and can be made."""
        if not tries.may_go_on or not may_retry(wire, result, outcome):
            return None
        try:
            return self.balancer.pick(exclude=tries.tickets)
        except _NoEndpointError:
            return None  # nowhere else to go: what there is, is the answer

    # ---- Sending ---------------------------------------------------------

    def _try(
        self, ticket: Ticket, wire: requests.PreparedRequest, options: Any
    ) -> requests.Response:
        """Send the request to the ticket's endpoint, up to the headers."""
        dial = self.poolmanager.dial
        outer = getattr(dial, "ticket", None)
        dial.ticket = ticket
        try:
            while True:
                try:
                    return super().send(wire, **options)
                except requests.exceptions.ConnectionError as exc:
                    if not isinstance(exc.args[0], ClosedPoolError):
                        raise
                    # The endpoint has left between pick and send, and its
                    # pool went with it. It gets one of its own now.
                except NotDialableError as exc:
                    raise requests.exceptions.InvalidURL(
                        exc, request=wire
                    ) from exc
        finally:
            dial.ticket = outer

    def _hand_over(
        self,
        response: requests.Response,
        tried: list[Ticket],
        outcome: Outcome,
        retry_after: float,
    ) -> requests.Response:
        """Watch the body of a response that the caller gets."""
        ticket = tried[-1]
        ticket.first_byte()
        response.ilb_address = ticket.address  # type: ignore[attr-defined]
        response.ilb_tries = len(tried)  # type: ignore[attr-defined]
        watch_body(
            response.raw, ticket, outcome, retry_after, self._outcome_of
        )
        return response

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request to an endpoint, and if that goes wrong to another.

        Each try has the whole `timeout`. The response says where it is from:
        `response.ilb_address`, a str, and `response.ilb_tries`, an int.
        """
        wire = _wire_request(request)
        options = {
            "stream": stream, "timeout": timeout, "verify": verify,
            "cert": cert, "proxies": {},
        }
        try:
            tries = _Tries(self.balancer.pick(), self.retries)
        except _NoEndpointError as error:
            raise_no_endpoint(error, request)
        tried = tries.tickets
        while True:
            options["timeout"] = timeout
            limit = tries.try_timeout if tries.is_trial else None
            if limit is not None and limit < math.inf and is_idempotent(wire):
                options["timeout"] = shortened(timeout, limit)
            try:
                response = self._try(tried[-1], wire, options)
            except BaseException as exc:
                outcome, _ = self._judge(tried[-1], exc)
                tried[-1].done(outcome)
                ticket = self._elsewhere(tries, wire, exc, outcome)
                if ticket is None:
                    if isinstance(exc, requests.exceptions.RequestException):
                        exc.request = request
                    raise
            else:
                response.request = request
                outcome, retry_after = self._judge(tried[-1], response)
                ticket = self._elsewhere(tries, wire, response, outcome)
                if ticket is None:
                    return self._hand_over(
                        response, tried, outcome, retry_after
                    )
                tried[-1].done(outcome, retry_after=retry_after)
                response.close()
            tries.go_on(ticket)
