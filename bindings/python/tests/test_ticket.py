# SPDX-License-Identifier: MIT
"""One request's ticket: how it ends, and what it knows."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings

import pytest

import ilb

OUTCOMES = list(ilb.Outcome)


@pytest.fixture
def lb() -> ilb.Balancer:
    return ilb.Balancer("billing", ["10.0.0.1:80"])


def done(lb: ilb.Balancer) -> dict[str, int]:
    """The outcomes of all endpoints that there are, without zeros."""
    total: dict[str, int] = {}
    for stats in lb.snapshot():
        for name, n in stats.done.items():
            total[name] = total.get(name, 0) + n
    return {name: n for name, n in total.items() if n}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_a_member_a_number_a_name_or_a_method(
    outcome: ilb.Outcome,
) -> None:
    lb = ilb.Balancer("billing", ["a:1"])
    name = outcome.name.lower()
    for given in (outcome, int(outcome), name):
        ticket = lb.pick()
        assert ticket.outcome is None
        ticket.done(given)
        assert ticket.outcome is outcome
    ticket = lb.pick()
    assert getattr(ticket, name)() is None
    assert ticket.outcome is outcome
    assert done(lb) == {name: 4}
    assert lb.snapshot()[0].in_flight == 0


def test_done_alone_is_a_success(lb: ilb.Balancer) -> None:
    lb.pick().done()
    assert done(lb) == {"success": 1}


def test_a_ticket_is_done_once(lb: ilb.Balancer) -> None:
    ticket = lb.pick()
    ticket.success()
    for again in (ticket.done, ticket.failure, ticket.first_byte,
                  ticket.__enter__):
        with pytest.raises(ilb.TicketError):
            again()
    assert done(lb) == {"success": 1}
    assert ticket.address == "10.0.0.1:80"
    assert repr(ticket) == "<ilb.Ticket of 'billing' to '10.0.0.1:80': success>"


@pytest.mark.parametrize("bad", [6, -1, 2**70, "ok", "SUCCESS", ""])
def test_no_outcome(lb: ilb.Balancer, bad: object) -> None:
    with lb.pick() as ticket:
        with pytest.raises(ilb.InvalidError):
            ticket.done(bad)  # type: ignore[arg-type]
        assert ticket.outcome is None


@pytest.mark.parametrize("bad", [True, False, None, 1.0, b"success", object()])
def test_no_kind_of_outcome(lb: ilb.Balancer, bad: object) -> None:
    with lb.pick() as ticket:
        with pytest.raises(TypeError):
            ticket.done(bad)  # type: ignore[arg-type]
        assert ticket.outcome is None


def test_calls_are_checked(lb: ilb.Balancer) -> None:
    with lb.pick() as ticket:
        for call in (
            lambda: ticket.done("success", 0, 0, 0),  # type: ignore[call-arg]
            lambda: ticket.done("success", outcome="success"),  # type: ignore[misc]
            lambda: ticket.done(result=1),  # type: ignore[call-arg]
            lambda: ticket.first_byte("x"),  # type: ignore[arg-type]
            lambda: ticket.__exit__(None),  # type: ignore[call-arg]
            lambda: lb.pick(3),  # type: ignore[arg-type]
            lambda: lb.pick([3]),  # type: ignore[list-item]
            lambda: lb.pick(now_ns=1.0),  # type: ignore[arg-type]
            lambda: lb.set_readiness("a"),  # type: ignore[call-arg]
            lambda: lb.set_readiness(1, "ready"),  # type: ignore[arg-type]
            lambda: lb.set_readiness("a", 1),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                call()
        with pytest.raises(ilb.InvalidError):
            lb.pick(now_ns=-1)
        with pytest.raises(ilb.InvalidError):
            ticket.done("success", now_ns=2**64)


def test_with_reports_a_success(lb: ilb.Balancer) -> None:
    ticket = lb.pick()
    with ticket as entered:
        assert entered is ticket and ticket.balancer is lb
        assert lb.snapshot()[0].in_flight == 1
    assert ticket.outcome is ilb.Outcome.SUCCESS


def test_with_reports_what_an_exception_means(lb: ilb.Balancer) -> None:
    ticket = lb.pick()
    with pytest.raises(ZeroDivisionError), ticket:
        raise ZeroDivisionError
    assert ticket.outcome is ilb.Outcome.FAILURE
    ticket = lb.pick()
    with pytest.raises(KeyboardInterrupt), ticket:
        raise KeyboardInterrupt
    assert ticket.outcome is ilb.Outcome.CANCELLED


def test_what_was_said_inside_with_counts(lb: ilb.Balancer) -> None:
    with lb.pick() as ticket:
        ticket.overload()
    assert ticket.outcome is ilb.Outcome.OVERLOAD
    with pytest.raises(ValueError), lb.pick() as ticket:
        ticket.success()
        raise ValueError("mine, not the endpoint's")
    assert ticket.outcome is ilb.Outcome.SUCCESS


def test_classify_has_the_first_word() -> None:
    def mine(exception: BaseException) -> ilb.Outcome | None:
        return ilb.Outcome.OVERLOAD if "busy" in str(exception) else None

    lb = ilb.Balancer("billing", ["a:1"], classify=mine)
    with pytest.raises(ValueError), lb.pick() as ticket:
        raise ValueError("busy")
    assert ticket.outcome is ilb.Outcome.OVERLOAD
    with pytest.raises(TimeoutError), lb.pick() as ticket:
        raise TimeoutError
    assert ticket.outcome is ilb.Outcome.TIMEOUT


@pytest.mark.parametrize("answer", [7, "good", object(), True])
def test_a_classify_that_errs_is_heard(answer: object) -> None:
    lb = ilb.Balancer("billing", ["a:1"], classify=lambda exc: answer)  # type: ignore[arg-type,return-value]
    ticket = lb.pick()
    with pytest.raises((ValueError, TypeError)) as caught, ticket:
        raise OSError("first")
    assert isinstance(caught.value.__context__, OSError)
    assert ticket.outcome is ilb.Outcome.FAILURE

    def broken(exception: BaseException) -> ilb.Outcome:
        raise RuntimeError("broken classify")

    lb = ilb.Balancer("billing", ["a:1"], classify=broken)
    ticket = lb.pick()
    with pytest.raises(RuntimeError, match="broken"), ticket:
        raise OSError("first")
    assert ticket.outcome is ilb.Outcome.FAILURE


def test_a_cancelled_task_is_no_failure(lb: ilb.Balancer) -> None:
    async def work() -> None:
        with lb.pick():
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done(lb) == {"cancelled": 1}


def test_an_abandoned_generator_is_no_failure(lb: ilb.Balancer) -> None:
    def stream():  # type: ignore[no-untyped-def]
        with lb.pick():
            yield 1
            yield 2

    chunks = stream()
    next(chunks)
    chunks.close()
    assert done(lb) == {"cancelled": 1}


def test_a_ticket_that_nobody_does_is_counted(lb: ilb.Balancer) -> None:
    ticket = lb.pick()
    with pytest.warns(ResourceWarning, match=r"'billing' to '10.0.0.1:80'"):
        del ticket
        gc.collect()
    assert lb.leaked == 1 and done(lb) == {"cancelled": 1}
    assert lb.snapshot()[0].in_flight == 0


def test_a_ticket_in_a_cycle_is_counted(lb: ilb.Balancer) -> None:
    class Box:
        pass

    box = Box()
    box.me, box.ticket = box, lb.pick()  # type: ignore[attr-defined]
    del box
    with pytest.warns(ResourceWarning):
        gc.collect()
    assert lb.leaked == 1


def test_a_warning_may_keep_the_ticket(lb: ilb.Balancer) -> None:
    kept: list[object] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        original = warnings._showwarnmsg  # type: ignore[attr-defined]
        warnings._showwarnmsg = lambda m: kept.append(m.source)  # type: ignore[attr-defined]
        try:
            lb.pick()
        finally:
            warnings._showwarnmsg = original  # type: ignore[attr-defined]
    (ticket,) = kept
    assert isinstance(ticket, ilb.Ticket)
    assert ticket.address == "10.0.0.1:80"
    assert ticket.outcome is ilb.Outcome.CANCELLED
    del ticket
    kept.clear()
    gc.collect()
    assert lb.leaked == 1 and lb.snapshot()[0].in_flight == 0


def test_a_warning_that_is_an_error_is_not_lost(
    lb: ilb.Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: seen.append(u.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lb.pick()
    assert seen == [ResourceWarning] and lb.leaked == 1


def test_a_ticket_keeps_its_balancer() -> None:
    ticket = ilb.Balancer("billing", ["a:1"]).pick()
    gc.collect()
    assert ticket.balancer.name == "billing"
    ticket.success()
    assert ticket.balancer.snapshot()[0].done["success"] == 1


@pytest.mark.parametrize("address, host, port", [
    ("10.0.0.1:8080", "10.0.0.1", 8080),
    ("billing.prod.svc:80", "billing.prod.svc", 80),
    ("[::1]:80", "::1", 80),
    ("[fe80::1%eth0]:0", "fe80::1%eth0", 0),
    ("[::1]", "::1", None),
    ("::1", "::1", None),
    ("2001:db8::7", "2001:db8::7", None),
    ("billing", "billing", None),
    ("billing:", "billing:", None),
    (":80", ":80", None),
    ("billing:http", "billing:http", None),
    ("billing:65535", "billing", 65535),
    ("billing:65536", "billing:65536", None),
    ("billing:99999999999999999999", "billing:99999999999999999999", None),
    ("billing:-1", "billing:-1", None),
    ("billing:+1", "billing:+1", None),
    ("[::1]x:80", "[::1]x:80", None),
    ("[::1:80", "[::1:80", None),
    ("[::1]:x", "[::1]:x", None),
    ("[]:80", "", 80),
    ("/run/billing.sock", "/run/billing.sock", None),
    ("http://billing:80/x", "http://billing:80/x", None),
])
def test_host_and_port(address: str, host: str, port: int | None) -> None:
    with ilb.Balancer("billing", [address]).pick() as endpoint:
        assert endpoint.address == address
        assert (endpoint.host, endpoint.port) == (host, port)


def test_a_retry_goes_elsewhere() -> None:
    pods = [f"10.0.0.{i}:80" for i in range(1, 4)]
    lb = ilb.Balancer("billing", pods)
    for _ in range(50):
        first = lb.pick()
        second = lb.pick(exclude=first)
        third = lb.pick([first, second])
        assert sorted(t.address for t in (first, second, third)) == pods
        with pytest.raises(ilb.ExcludedError):
            lb.pick(exclude=(t for t in (first, second, third)))
        first.failure()
        assert lb.pick(exclude=(first, second, third)[:1]).done() is None
        second.done()
        third.done()


def test_at_most_sixteen_are_excluded(lb: ilb.Balancer) -> None:
    with lb.pick() as ticket:
        with pytest.raises(ilb.ExcludedError):
            lb.pick([ticket] * ilb.EXCLUDE_MAX)
        with pytest.raises(ilb.InvalidError, match="16"):
            lb.pick([ticket] * (ilb.EXCLUDE_MAX + 1))


def test_another_balancers_ticket_is_refused(lb: ilb.Balancer) -> None:
    with ilb.Balancer("user", ["10.0.0.1:80"]).pick() as foreign:
        with pytest.raises(ilb.TicketError):
            lb.pick(exclude=foreign)


def test_two_threads_do_one_ticket_and_one_of_them_wins(
    lb: ilb.Balancer,
) -> None:
    for _ in range(200):
        ticket, barrier = lb.pick(), threading.Barrier(2)
        won: list[str] = []

        def finish(outcome: str) -> None:
            barrier.wait()
            try:
                ticket.done(outcome)  # type: ignore[arg-type]
                won.append(outcome)
            except ilb.TicketError:
                pass

        threads = [threading.Thread(target=finish, args=(o,))
                   for o in ("success", "overload")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert ticket.outcome is ilb.Outcome[won[0].upper()]
    assert sum(done(lb).values()) == 200
