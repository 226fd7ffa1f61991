# SPDX-License-Identifier: MIT
"""The caller's own health checks and probes, and hints of what costs what."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import ilb

PODS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
BAD = PODS[0]


def made(**options: Any) -> tuple[ilb.Balancer, ilb.ManualClock]:
    clock = ilb.ManualClock()
    options = {"policy": "round_robin", "seed": 1, **options}
    return ilb.Balancer("billing", PODS, clock=clock, **options), clock


def bad(lb: ilb.Balancer) -> ilb.EndpointStats:
    return next(s for s in lb.snapshot() if s.address == BAD)


def ejected_by_requests(**options: Any) -> tuple[ilb.Balancer, ilb.ManualClock]:
    """BAD is ejected, for half a second and a tenth of it more at most."""
    lb, clock = made(consecutive_failures=2, base_ejection_time=0.5,
                     max_ejection_time=0.5, **options)
    for _ in range(6):
        ticket = lb.pick()
        clock.advance(0.001)
        ticket.done("failure" if ticket.address == BAD else "success")
    assert bad(lb).state == "ejected"
    return lb, clock


# ---- Health checks -----------------------------------------------------------


def check(lb: ilb.Balancer, clock: ilb.ManualClock, passed: bool) -> str:
    """One more of BAD, a second later: its state then."""
    clock.advance(1)
    assert lb.report_check(BAD, passed) is None
    return bad(lb).state


def test_checks_eject_and_bring_back() -> None:
    lb, clock = made()
    assert [check(lb, clock, False) for _ in range(3)] == [
        "warming", "warming", "ejected",
    ]
    assert bad(lb).ejected_by == "probe" and bad(lb).enforced["probe"] == 1
    assert [check(lb, clock, True) for _ in range(2)] == ["ejected", "warming"]
    assert bad(lb).ejected_by is None


def test_how_many_it_takes() -> None:
    lb, clock = made(unhealthy_threshold=1, healthy_threshold=3)
    assert check(lb, clock, False) == "ejected"
    assert [check(lb, clock, True) for _ in range(3)] == [
        "ejected", "ejected", "warming",
    ]


@pytest.mark.parametrize("effect, state", [("probes", "ejected"),
                                           ("unejects", "warming")])
def test_what_checks_that_pass_do(effect: str, state: str) -> None:
    lb, _ = ejected_by_requests(check_effect=effect)
    lb.report_check(BAD, True)
    lb.report_check(BAD, True)
    assert bad(lb).state == state


def test_the_probe_detector_can_be_off() -> None:
    lb, clock = made(detectors_off=["probe"])
    assert {check(lb, clock, False) for _ in range(10)} == {"warming"}


def test_a_check_may_say_when_and_by_name() -> None:
    lb, clock = made(unhealthy_threshold=1)
    lb.report_check(address=BAD, passed=False, now_ns=clock.now_ns + 7)
    (event,) = [e for e in lb.events() if e.type == "eject"]
    assert (event.detector, event.time_ns) == ("probe", clock.now_ns + 7)


def test_a_check_tells_its_events() -> None:
    heard: list[ilb.Event] = []
    lb = ilb.Balancer("billing", PODS, on_event=heard.append,
                      unhealthy_threshold=1)
    lb.report_check(BAD, False)
    assert [e.type for e in heard][-1] == "eject"


def test_checks_are_checked() -> None:
    lb, _ = made(unhealthy_threshold=1)
    with pytest.raises(ilb.NotFoundError, match="^10.0.0.9:80: no endpoint"):
        lb.report_check("10.0.0.9:80", False)
    for passed in ("failed", None, 0, 1, object()):
        with pytest.raises(TypeError, match="^passed must be a bool, not "):
            lb.report_check(BAD, passed)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^address must be a str, not int$"):
        lb.report_check(1, True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="missing required argument 'passed'"):
        lb.report_check(BAD)  # type: ignore[call-arg]
    with pytest.raises(ilb.InvalidError, match="^now_ns must be"):
        lb.report_check(BAD, False, -1)
    with pytest.raises(ilb.InvalidError, match="^address must not hold a null"):
        lb.report_check("a\0b", False)
    assert bad(lb).state == "warming"


# ---- Probes ------------------------------------------------------------------


def test_no_probe_is_due() -> None:
    lb, _ = made()
    assert lb.probe_due_ns is None
    with pytest.raises(ilb.NotDueError, match="^billing: no endpoint is due"):
        lb.probe_next()


def test_a_probe_brings_back() -> None:
    lb, clock = ejected_by_requests()
    due_ns = bad(lb).ejected_until_ns
    assert lb.probe_due_ns == due_ns > clock.now_ns
    with pytest.raises(ilb.NotDueError):
        lb.probe_next(now_ns=due_ns - 1)
    clock.now_ns = due_ns
    with lb.probe_next() as endpoint:
        assert (endpoint.address, endpoint.host) == (BAD, "10.0.0.1")
        assert endpoint.balancer is lb and endpoint.try_timeout is not None
        assert endpoint.explanation is None
        assert bad(lb).state == "probing" and bad(lb).in_flight == 1
        with pytest.raises(ilb.NotDueError):
            lb.probe_next()
    assert endpoint.outcome is ilb.Outcome.SUCCESS
    assert bad(lb).state == "warming"
    # A bound: it is looked at again when it is reached.
    clock.advance(1000)
    with pytest.raises(ilb.NotDueError):
        lb.probe_next()
    assert lb.probe_due_ns is None


def test_a_probe_that_fails_ejects_again() -> None:
    lb, clock = ejected_by_requests()
    clock.advance(1)
    with pytest.raises(TimeoutError), lb.probe_next():
        clock.advance(1)
        raise TimeoutError
    assert bad(lb).state == "ejected" and bad(lb).ejections == 2
    due_ns = lb.probe_due_ns
    assert due_ns is not None and due_ns <= bad(lb).ejected_until_ns


def test_picks_leave_who_is_due_to_who_probes() -> None:
    lb, clock = ejected_by_requests()
    with pytest.raises(ilb.NotDueError):
        lb.probe_next()
    clock.advance(1)
    for _ in range(50):
        with lb.pick() as endpoint:
            assert endpoint.address != BAD
    with lb.probe_next() as endpoint:
        assert endpoint.address == BAD


def test_a_probe_has_its_user_object_and_is_counted_if_nobody_does_it() -> None:
    user = object()
    lb, clock = ejected_by_requests()
    lb.update([ilb.Endpoint(a, user=user) for a in PODS])
    clock.advance(1)
    ticket = lb.probe_next()
    assert ticket.user is user
    with pytest.warns(ResourceWarning, match="'billing' to '10.0.0.1:80'"):
        del ticket
    assert lb.leaked == 1 and bad(lb).in_flight == 0


def test_probes_are_checked() -> None:
    lb, _ = ejected_by_requests()
    with pytest.raises(ilb.InvalidError, match="^now_ns must be"):
        lb.probe_next(-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'cost'"):
        lb.probe_next(cost=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        lb.probe_due_ns = 1  # type: ignore[misc]


# ---- Costs -------------------------------------------------------------------


def test_what_costs_more_counts_as_more() -> None:
    lb, _ = made(policy="least_request")
    first = lb.pick(cost=100)
    second = lb.pick(cost=0.25)
    seen: Counter[str] = Counter()
    with lb.pick(explain=True) as endpoint:
        assert endpoint.explanation is not None
        loads = {c.address: c.load for c in endpoint.explanation.candidates}
    assert loads.get(first.address, 100) == 100
    assert loads.get(second.address, 0.25) == 0.25
    for _ in range(100):
        with lb.pick() as endpoint:
            seen[endpoint.address] += 1
    assert first.address not in seen and len(seen) == 2
    first.done()
    second.done()


@pytest.mark.parametrize("cost", [0, 0.0, -1, 1 / 257, 4095.5, float("nan"),
                                  float("inf"), 10**400])
def test_costs_have_limits(cost: Any) -> None:
    lb, _ = made()
    with pytest.raises(ilb.InvalidError, match="^cost must be 1/256 to 4095, "):
        lb.pick(cost=cost)
    assert sum(s.in_flight for s in lb.snapshot()) == 0


def test_costs_are_numbers() -> None:
    lb, _ = made()
    for cost in ("2", None, b"2", [2]):
        with pytest.raises(TypeError, match="^cost must be a number, not "):
            lb.pick(cost=cost)  # type: ignore[arg-type]
    for good in (1, 1 / 256, 4095, True):
        lb.pick((), 0, False, good).done()
