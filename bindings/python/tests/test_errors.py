# SPDX-License-Identifier: MIT
"""Every error code of the library has its exception, and can be met."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ilb
from ilb import _errors

VENDOR = Path(__file__).parent.parent / "vendor" / "ilb.h"


def meet(code: int) -> None:
    """Do something that the library refuses with `code`."""
    lb = ilb.Balancer("billing", ["a:1"], capacity=2, fail_mode="closed",
                      consecutive_failures=1)
    ticket = lb.pick()
    ticket.success()
    if code == -2:
        ilb.Balancer("")
    elif code == -4:
        ilb.Balancer("billing").pick()
    elif code == -5:
        lb.set_readiness("a:1", "not_ready")
        lb.pick()
    elif code == -6:
        lb.pick(exclude=ticket)
    elif code == -7:
        ticket.success()
    elif code == -8:
        lb.update(["\x7f"])
    elif code == -9:
        lb.update(["a:1", "a:1"])
    elif code == -10:
        lb.update(["a", "b", "c"])
    elif code == -11:
        lb.set_readiness("b:2", "ready")
    elif code == -13:
        lb.pick().failure()
        lb.pick()
    elif code == -14:
        lb.probe_next()


@pytest.mark.parametrize("code", [-14, -13, *range(-11, -3), -2])
def test_an_error_is_raised_as_its_class(code: int) -> None:
    expected = _errors.BY_CODE[code]
    with pytest.raises(expected) as caught:
        meet(code)
    assert type(caught.value) is expected
    assert (caught.value.code, isinstance(caught.value, ilb.Error)) == (code, True)
    assert str(caught.value)


def test_busy() -> None:
    """Every endpoint has as many requests in flight as can be counted."""
    lb = ilb.Balancer("billing", ["a:1"], policy="random")
    tickets = []
    try:
        with pytest.raises(ilb.BusyError) as caught:
            for _ in range(40_000):
                tickets.append(lb.pick())
        assert caught.value.code == -12
        assert len(tickets) == 32_768
        assert lb.snapshot()[0].in_flight == 32_768
    finally:
        for ticket in tickets:
            ticket.cancelled()
    with lb.pick():
        assert lb.snapshot()[0].in_flight == 1


@pytest.mark.skipif(not VENDOR.exists(), reason="no vendor/ilb.h here")
def test_the_table_is_the_librarys() -> None:
    table = re.findall(r"^ +X\((\w+), (-\d+),", VENDOR.read_text(), re.M)
    assert {int(code): f"ILB_E{name}" for name, code in table} == {
        code: cls.name for code, cls in _errors.BY_CODE.items()
    }


def test_the_family() -> None:
    for cls in (ilb.EmptyError, ilb.NotReadyError, ilb.ExcludedError,
                ilb.BusyError, ilb.EjectedError, ilb.NotDueError):
        assert issubclass(cls, ilb.NoEndpointError)
        assert not issubclass(cls, ValueError)
    for cls in (ilb.InvalidError, ilb.TicketError, ilb.AddressError,
                ilb.DuplicateError, ilb.CapacityError, ilb.NotFoundError):
        assert issubclass(cls, ilb.Error) and issubclass(cls, ValueError)
    assert issubclass(ilb.NotFoundError, LookupError)
    assert issubclass(ilb.NoMemoryError, MemoryError)


def test_messages_say_of_what() -> None:
    with pytest.raises(ilb.EmptyError, match="^billing: the endpoint set is"):
        ilb.Balancer("billing").pick()
    lb = ilb.Balancer("billing")
    with pytest.raises(ilb.DuplicateError, match=r"^endpoints\[2\]: 'a:1' is"):
        lb.update(["a:1", "b:2", "a:1"])
    with pytest.raises(ilb.NotFoundError, match="^c:3: no endpoint has"):
        lb.set_readiness("c:3", "ready")
