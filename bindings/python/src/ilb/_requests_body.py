# SPDX-License-Identifier: MIT
"""When is a request over? When its answer's body is: read, closed or broken.

`requests` returns at the headers; the body is read later, by it or by the
caller. The response of urllib3 knows: it gives its connection back with
`release_conn` or drops it with `close`. So the one object is made an instance
of a subclass in which these, and the methods that read, tell of it.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from ._errors import TicketError
from ._ilb import Ticket
from ._outcome import Outcome


class _Watch:
    """Does a ticket once, when the body has ended."""

    def __init__(
        self,
        ticket: Ticket,
        outcome: Outcome,
        retry_after: float,
        classify: Callable[[BaseException], Outcome],
    ) -> None:
        self.ticket = ticket
        self.outcome = outcome
        self.retry_after = retry_after
        self.classify = classify
        self.reading = 0
        self.ended = False
        self.forget: Callable[[], object] = lambda: None

    def done(self, outcome: Outcome) -> None:
        if self.ticket.outcome is None:
            # What the head has asked for holds if the body breaks, too.
            refused = outcome in (Outcome.FAILURE, Outcome.OVERLOAD)
            retry_after = self.retry_after if refused else 0.0
            # Another thread may have closed the response meanwhile.
            with contextlib.suppress(TicketError):
                self.ticket.done(outcome, retry_after=retry_after)
            self.forget()

    def end(self) -> None:
        """The connection is given back; in the middle of a read it is not
        known yet whether because all is there or because it broke."""
        self.ended = True
        if not self.reading:
            self.done(self.outcome)

    @contextlib.contextmanager
    def read(self, raw: Any) -> Iterator[None]:
        """Round each read of `raw`."""
        self.reading += 1
        try:
            yield
        except BaseException as exc:
            self._broke(exc)
            raise
        finally:
            self.reading -= 1
        if self.ended and not self.reading:
            # urllib3 1.26 does not mind when a body ends before its length.
            whole = raw.length_remaining in (None, 0)
            self.done(self.outcome if whole else Outcome.FAILURE)

    def _broke(self, exc: BaseException) -> None:
        outcome = Outcome.FAILURE  # if classify raises, too
        try:
            outcome = self.classify(exc)
        finally:
            self.done(outcome)


@functools.lru_cache(maxsize=None)
def _watched(cls: Any) -> Any:
    """Return a subclass of a class of responses that tells its `_ilb_watch`."""

    class Watched(cls):  # type: ignore[misc]
        __slots__ = ()
        _ilb_watch: _Watch

        def release_conn(self) -> None:
            try:
                super().release_conn()
            finally:
                self._ilb_watch.end()

        def close(self) -> None:
            try:
                super().close()
            finally:
                self._ilb_watch.end()

        def read(self, *args: Any, **kwargs: Any) -> Any:
            with self._ilb_watch.read(self):
                return super().read(*args, **kwargs)

        def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            chunks = super().read_chunked(*args, **kwargs)
            while True:
                with self._ilb_watch.read(self):
                    try:
                        chunk = next(chunks)
                    except StopIteration:
                        return
                yield chunk

    if hasattr(cls, "read1"):  # urllib3 2.x

        def read1(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self._ilb_watch.read(self):
                return cls.read1(self, *args, **kwargs)

        Watched.read1 = read1
    Watched.__name__, Watched.__qualname__ = cls.__name__, cls.__qualname__
    return Watched


def watch_body(
    raw: Any,
    ticket: Ticket,
    outcome: Outcome,
    retry_after: float,
    classify: Callable[[BaseException], Outcome],
) -> None:
    """Do `ticket` when the body of `raw`, a urllib3 response, is over.

    `outcome` and `retry_after` are what the status and headers say; an exception while the body
    is read means what `classify` says. A response that is dropped without
    being closed is over, too.
    """
    watch = _Watch(ticket, outcome, retry_after, classify)
    if raw.length_remaining == 0:  # no body will come: HEAD, 204, empty
        watch.end()
        return
    cls: Any = type(raw)
    raw.__class__ = _watched(cls)
    raw._ilb_watch = watch
    # In a cycle of garbage the ticket could be finalized before the response;
    # this keeps it alive until the response is gone.
    watch.forget = weakref.finalize(raw, watch.end).detach
