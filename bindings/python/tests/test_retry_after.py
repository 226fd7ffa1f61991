# SPDX-License-Identifier: MIT
"""An endpoint that asks to be left alone is."""

from __future__ import annotations

import time
from typing import Any

import pytest

import ilb
from ilb._retry_after import _timestamp

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


# ---- What a header says ------------------------------------------------------


@pytest.mark.parametrize("value, seconds", [
    ("0", 0), ("1", 1), ("120", 120), (" 7 ", 7), ("0.5", 0.5), ("007", 7),
    ("9" * 5000, 1e9), ("1000000001", 1e9),
    ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
    ("Wed, 21 Oct 2015 08:28:00 GMT", 3600),
    ("Wednesday, 21-Oct-15 07:28:05 GMT", 5),
    ("Wed Oct 21 07:29:00 2015", 60),
    ("Wed Nov  4 07:28:00 2015", 14 * 86400),
    ("Wed, 21 Oct 2015 07:28:60 GMT", 60),
    ("Mon, 29 Feb 2016 07:28:00 GMT", 131 * 86400),
    ("Wed, 21 Oct 2015 07:27:59 GMT", 0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
    (None, 0), ("", 0), (" ", 0), ("soon", 0), ("-1", 0), ("+1", 0), ("1,2", 0),
    ("1 2", 0), ("1e3", 0), ("1.", 0), (".5", 0), ("nan", 0), ("inf", 0),
    ("0x10", 0), ("\u0661", 0), ("Wed, 21 Oct", 0), ("Wed, 99 Oct 2015 07:28:00", 0),
    ("Wed, 21 Oct 99999 07:28:00 GMT", 0), ("Sun, 29 Feb 2015 07:28:00 GMT", 0),
    ("Wed, 21 Oct 2016 24:00:00 GMT", 0), ("Wed, 21 Oct 2016 07:60:00 GMT", 0),
    ("Wed, 21 Oct 2016 07:28:61 GMT", 0), ("Wed, 21 Oct 2016 07:28:00 CET", 0),
    ("Wed, 21 Oct 2016 07:28:00 +0200", 0), ("Wed, 21 Oct 2016 07:28:00", 0),
    ("Wed, 00 Oct 2016 07:28:00 GMT", 0), ("Wed, 21 Foo 2016 07:28:00 GMT", 0),
    ("Wednesday, 21-Oct-69 07:28:00 GMT", 0),
    ("Wednesday, 21-Oct-68 07:28:00 GMT", 1e9),
    ("x" * 100_000, 0), ("1" * 100_000 + "x", 0),
])
def test_retry_after(value: str | None, seconds: float) -> None:
    assert ilb.retry_after_seconds(value, DATE) == seconds


def test_dates_are_those_of_the_calendar() -> None:
    """Every day of 30 years, and the turn of each century, in all forms."""
    days = [*range(10_957, 22_000),
            *(d + i for d in (-134_775, -25_568, 47_540, 84_064, 120_529, 157_054,
                              193_578) for i in range(-60, 400))]
    for day in days:
        moment = time.gmtime(day * 86400 + 45_296)
        for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                     "%a %b %e %H:%M:%S %Y"):
            if "%y" in form and not 1969 <= moment.tm_year <= 2068:
                continue
            text = time.strftime(form, moment)
            assert _timestamp(text) == day * 86400 + 45_296, text


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_without_a_date_the_time_here_counts(
    date: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_445_412_480.0 - 12.5)
    assert ilb.retry_after_seconds(DATE, date) == 12.5
    assert ilb.retry_after_seconds("3", date) == 3


# ---- What a ticket is told ---------------------------------------------------


def made() -> tuple[ilb.Balancer, ilb.ManualClock, ilb.Ticket]:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", ["a:1", "b:2", "c:3"], clock=clock, seed=1)
    ticket = lb.pick()
    clock.advance(0.001)
    return lb, clock, ticket


def left_alone(lb: ilb.Balancer, clock: ilb.ManualClock,
               ticket: ilb.Ticket) -> float:
    """For how many seconds the ticket's endpoint is ejected."""
    stats = next(s for s in lb.snapshot() if s.address == ticket.address)
    if stats.state != "ejected":
        return 0.0
    assert stats.ejected_by == "retry_after"
    return (stats.ejected_until_ns - clock.now_ns) / 1e9


@pytest.mark.parametrize("finish", [
    lambda t: t.done("overload", retry_after=20),
    lambda t: t.done(ilb.Outcome.FAILURE, 0, 20.0),
    lambda t: t.overload(20),
    lambda t: t.overload(retry_after=20),
    lambda t: t.failure(retry_after=20),
])
def test_who_asks_is_left_alone(finish: Any) -> None:
    lb, clock, ticket = made()
    finish(ticket)
    assert 20 <= left_alone(lb, clock, ticket) <= 22
    for _ in range(50):
        with lb.pick() as endpoint:
            assert endpoint.address != ticket.address


@pytest.mark.parametrize("finish", [
    lambda t: t.overload(), lambda t: t.failure(), lambda t: t.overload(0),
    lambda t: t.done("overload", retry_after=0.0),
])
def test_who_does_not_ask_is_not(finish: Any) -> None:
    lb, clock, ticket = made()
    finish(ticket)
    assert left_alone(lb, clock, ticket) == 0


@pytest.mark.parametrize("outcome", ["success", "timeout", "connect_error",
                                     "cancelled"])
def test_it_goes_with_some_outcomes_only(outcome: Any) -> None:
    lb, _, ticket = made()
    with pytest.raises(ilb.InvalidError, match=f"^retry_after goes with 'overload' "
                       f"and 'failure', not with '{outcome}'$"):
        ticket.done(outcome, retry_after=1)
    assert ticket.outcome is None
    ticket.done(outcome, retry_after=0)


def test_it_is_checked() -> None:
    lb, _, ticket = made()
    for finish in (ticket.overload, ticket.failure):
        for bad in (-1, float("nan"), 1e10, 10**400):
            with pytest.raises(ilb.InvalidError, match="^retry_after must be 0 to "
                               "1e9 seconds"):
                finish(retry_after=bad)
        with pytest.raises(TypeError, match="^retry_after must be a number, not str"):
            finish(retry_after="1")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"^{finish.__name__}..? takes at most 1 "):
            finish(1, 2)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=f"^{finish.__name__}..? got an unexpec"):
            finish(after=1)  # type: ignore[call-arg]
    assert ticket.outcome is None
    ticket.done()
